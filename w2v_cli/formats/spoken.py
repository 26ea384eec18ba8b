"""What all writers need of a transcript: clean words, whole milliseconds, names of channels."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from w2v_cli.recording_parts import split_part
from w2v_cli.results import Diarization, Segment, Transcript, Turn, Word

_ONLY_CHANNEL = 1


def one_line(text: str) -> str:
    """Return a text as one line: single spaces, and nothing that cannot be shown.

    >>> one_line("go\\n\\tleft\\x00 ")
    'go left'
    """
    kept = "".join(
        "\N{REPLACEMENT CHARACTER}" if "\ud800" <= letter <= "\udfff" else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) != "Cc"
    )
    return " ".join(kept.split())


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds, 0 for what lies before the start or is no number.

    >>> milliseconds(1.2345678)
    1235
    """
    return max(0, round(float(seconds) * 1000)) if math.isfinite(seconds) else 0


def decimal_seconds(time_ms: int) -> str:
    """Return milliseconds as seconds with three decimals.

    >>> decimal_seconds(1020)
    '1.020'
    """
    return f"{time_ms // 1000}.{time_ms % 1000:03d}"


def clock(time_ms: int, decimal_mark: str = ".") -> str:
    """Return a time as subtitles have it, ``hh:mm:ss.mmm``.

    >>> clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, thousandths = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal_mark}{thousandths:03d}"


def spoken_words(segment: Segment) -> list[Word]:
    """Return a segment's words as single lines of text, without empty ones, by their start.

    A segment that has a text and no words gets words whose times are spread evenly, marked as
    interpolated and without a probability.
    """
    words = segment.words or tuple(_spread(segment))
    cleaned = (replace(word, text=one_line(word.text)) for word in words)
    return sorted(
        (word for word in cleaned if word.text), key=lambda word: milliseconds(word.start_seconds)
    )


def _spread(segment: Segment) -> Iterator[Word]:
    texts = segment.text.split()
    step_seconds = (segment.end_seconds - segment.start_seconds) / max(1, len(texts))
    for index, text in enumerate(texts):
        start_seconds = segment.start_seconds + index * step_seconds
        yield Word(text, start_seconds, start_seconds + step_seconds, math.nan, interpolated=True)


def span_ms(said: Segment | Word | Turn) -> tuple[int, int]:
    """Return where something starts and ends, never the end before the start."""
    start_ms = milliseconds(said.start_seconds)
    return start_ms, max(start_ms, milliseconds(said.end_seconds))


def voice_of(segment: Segment) -> str | None:
    """Return who says a segment: the speaker, or else the channel; None where neither is known."""
    if segment.speaker is not None:
        return one_line(segment.speaker)
    return None if segment.channel is None else f"channel {segment.channel}"


def voice_label(voice: str | None) -> str:
    """Return what stands before the text of a voice; nothing where there is but one."""
    return "" if voice is None else f"[{voice}]"


def recording_id(result: Transcript | Diarization) -> str:
    """Return the recording's name without folder and suffix, as one printable word.

    Spaces separate the fields of CTM, STM and RTTM, and ``;;`` begins a comment there.

    >>> recording_id(Transcript("", (), 0.0, "mini", "calls/my call;;1.wav"))
    'my_call;_1'
    """
    return recording_name(result.source)


def recording_name(source: str | None) -> str:
    """Return the same for the name of a recording; None for one held in memory.

    A part of a recording is called like all of it: its times are the recording's.

    >>> recording_name("calls/talk.wav#t=3.5,8")
    'talk'
    """
    name = as_unicode(PurePath(split_part(source or "").recording).stem) or ""
    name = "_".join(one_line(name).split()).replace(";;", ";_")
    return name if name and name != "-" else "stdin" if name == "-" else "recording"


def channel_number(source: str | None, channel: int | None) -> int:
    """Return the channel's number in NIST's files: as heard, or as the recording's part says.

    >>> channel_number("talk.wav", None), channel_number("talk.wav#channel=2", None)
    (1, 2)
    """
    named = split_part(source or "").channel if channel is None else channel
    return named if isinstance(named, int) else _ONLY_CHANNEL


def as_unicode(name: str | None) -> str | None:
    """Return a file's name with the bytes that are no UTF-8 replaced."""
    if name is None:
        return None
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
