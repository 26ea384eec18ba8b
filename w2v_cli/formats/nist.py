"""ctm and stm: what NIST's scoring toolkit (SCTK, sclite) reads as hypothesis and reference."""

from __future__ import annotations

import math

from w2v_cli.formats.spoken import (
    channel_number,
    decimal_seconds,
    one_line,
    recording_id,
    span_ms,
    spoken_words,
)
from w2v_cli.results import Transcript


def ctm(transcript: Transcript) -> str:
    """Return a line for every word: recording, channel, start, duration, word, confidence.

    The lines are by channel and then by time, as sclite wants them. A space within a word
    becomes an underscore. A word without a probability has no confidence.
    """
    name = recording_id(transcript)
    rows = []
    for segment in transcript.segments:
        channel = channel_number(transcript.source, segment.channel)
        for word in spoken_words(segment):
            start_ms, end_ms = span_ms(word)
            duration = decimal_seconds(end_ms - start_ms)
            text = word.text.replace(" ", "_")
            line = f"{name} {channel} {decimal_seconds(start_ms)} {duration} {text}"
            if math.isfinite(word.probability):
                line += f" {word.probability:.4f}"
            rows.append((str(channel), start_ms, line))
    rows.sort(key=lambda row: row[:2])
    return "".join(f"{line}\n" for *_, line in rows)


def stm(transcript: Transcript) -> str:
    """Return a line for every segment: recording, channel, speaker, start, end, text.

    Where no speaker is known, it is the recording's channel. A text that begins
    with ``<`` would be read as the optional label; it gets an empty one in front.
    """
    name = recording_id(transcript)
    rows = []
    for segment in transcript.segments:
        channel = channel_number(transcript.source, segment.channel)
        start_ms, end_ms = span_ms(segment)
        text = one_line(segment.text)
        label = "<NA> " if text.startswith("<") else ""
        times = f"{decimal_seconds(start_ms)} {decimal_seconds(end_ms)}"
        speaker = "_".join(one_line(segment.speaker or "").split()) or f"{name}-{channel}"
        line = f"{name} {channel} {speaker} {times} {label}{text}".rstrip()
        rows.append((str(channel), start_ms, line))
    rows.sort(key=lambda row: row[:2])
    return "".join(f"{line}\n" for *_, line in rows)
