"""Who speaks when: the formats of `w2v diarize-frames`. docs/diarization.md describes them."""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from w2v_cli.formats.format import Format
from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.formats.plain import plain_text
from w2v_cli.formats.rttm import rttm
from w2v_cli.formats.spoken import as_unicode, clock, decimal_seconds, one_line, span_ms
from w2v_cli.formats.subtitles import srt, vtt
from w2v_cli.formats.tables import audacity_labels
from w2v_cli.formats.textgrid import Interval, grid, transcript_tiers
from w2v_cli.formats.whisper_json import json_object, json_object_line, transcript_fields
from w2v_cli.results import Diarization, Transcript, Turn

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

CSV_COLUMNS = ("source", "start", "end", "speaker", "channel")

# Formats of nothing but words.
OF_WORDS = frozenset({"srt", "vtt"})
# Formats that have no place for words.
WITHOUT_WORDS = frozenset({"rttm", "csv", "npz"})


def turns_text(diarization: Diarization) -> str:
    """Return a line for every turn, or where it is known what is said, for every segment.

    >>> print(turns_text(Diarization((Turn(0.5, 62.0, "anna"),), ("anna",), 70.0, "mini-turns")))
    00:00:00.500  00:01:02.000  anna
    <BLANKLINE>
    """
    if diarization.transcript is not None:
        return plain_text(diarization.transcript)
    return "".join(
        f"{clock(start_ms)}  {clock(end_ms)}  {one_line(turn.speaker)}\n"
        for turn, start_ms, end_ms in _timed(diarization)
    )


def turns_csv(diarization: Diarization) -> str:
    """Return a row for every turn, in seconds, under a row with the columns' names."""
    text = io.StringIO()
    rows = csv_module.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    source = as_unicode(diarization.source)
    for turn, start_ms, end_ms in _timed(diarization):
        times = decimal_seconds(start_ms), decimal_seconds(end_ms)
        rows.writerow([source, *times, turn.speaker, turn.channel])
    return text.getvalue()


def turns_fields(diarization: Diarization) -> dict[str, Any]:
    """Return what json and jsonl hold of a diarization."""
    timed = _timed(diarization)
    spoken_ms = dict.fromkeys(diarization.speakers, 0)
    for turn, start_ms, end_ms in timed:
        spoken_ms[turn.speaker] += end_ms - start_ms
    fields = {
        "schema_version": SCHEMA_VERSION,
        "source": as_unicode(diarization.source),
        "model": as_unicode(diarization.model),
        "duration": round(float(diarization.duration_seconds), 3),
        "speakers": [
            {"speaker": name, "seconds": time_ms / 1000}
            for name, time_ms in spoken_ms.items()
            if time_ms
        ],
        "turns": [
            {
                "start": start_ms / 1000,
                "end": end_ms / 1000,
                "speaker": turn.speaker,
                **({} if turn.channel is None else {"channel": turn.channel}),
            }
            for turn, start_ms, end_ms in timed
        ],
    }
    if diarization.transcript is not None:
        spoken = transcript_fields(diarization.transcript)
        fields |= {
            "text_model": spoken["model"],
            "text": spoken["text"],
            "segments": spoken["segments"],
        }
    return fields


def turns_labels(diarization: Diarization) -> str:
    """Return a label track for Audacity: a label a turn, or a segment or a word of a transcript."""
    if diarization.transcript is not None:
        return audacity_labels(diarization.transcript, SubtitleOptions())
    return "".join(
        f"{decimal_seconds(start_ms)}\t{decimal_seconds(end_ms)}\t{one_line(turn.speaker)}\n"
        for turn, start_ms, end_ms in _timed(diarization)
    )


def turns_grid(diarization: Diarization) -> str:
    """Return a TextGrid for Praat: a tier of turns for each speaker, and those of a transcript."""
    tiers: dict[str, list[Interval]] = {name: [] for name in diarization.speakers}
    for turn, start_ms, end_ms in _timed(diarization):
        tiers[turn.speaker].append(Interval(start_ms, end_ms, one_line(turn.speaker)))
    named = [(one_line(name), intervals) for name, intervals in tiers.items() if intervals]
    if diarization.transcript is not None:
        named += transcript_tiers(diarization.transcript)
    end_seconds = diarization.start_seconds + diarization.duration_seconds
    return grid(named or [("turns", [])], end_seconds)


def turns_npz(diarization: Diarization) -> bytes:
    """Return what the turns were made from, for numpy.load.

    Its arrays are `probabilities` (frames, speakers), `times`, the middle of each frame in
    seconds, (frames,), and `speakers`, the names, (speakers,).

    Raises:
        ValueError: The diarization holds no frames.
    """
    import numpy as np

    frames = diarization.frames
    if frames is None:
        raise ValueError("a diarization without frames; make it with those")
    file = io.BytesIO()
    n_frames = len(frames.probabilities)
    np.savez_compressed(
        file,
        probabilities=frames.probabilities,
        times=frames.first_seconds + frames.step_seconds * np.arange(n_frames),
        speakers=np.array(diarization.speakers, dtype=np.str_),
    )
    return file.getvalue()


def _timed(diarization: Diarization) -> list[tuple[Turn, int, int]]:
    """Return the turns with their times in milliseconds, the end never before the start."""
    return [(turn, *span_ms(turn)) for turn in diarization.turns]


def _of_words(
    write: Callable[[Transcript, SubtitleOptions], str],
) -> Callable[[Diarization], str]:
    def written(diarization: Diarization) -> str:
        if diarization.transcript is None:
            raise ValueError("a diarization without words; transcribe it, too")
        return write(diarization.transcript, SubtitleOptions())

    return written


TURN_FORMATS: Mapping[str, Format[Diarization]] = MappingProxyType(
    {
        "rttm": Format(".rttm", rttm, "lines", tells_apart_by_name=True),
        "txt": Format(".txt", turns_text, "headings"),
        "json": Format(".json", lambda result: json_object(turns_fields(result)), "array"),
        "jsonl": Format(".jsonl", lambda result: json_object_line(turns_fields(result)), "lines"),
        "csv": Format(".csv", turns_csv, "header"),
        "textgrid": Format(".TextGrid", turns_grid),
        # Audacity imports labels from .txt alone.
        "audacity": Format(".labels.txt", turns_labels),
        "srt": Format(".srt", _of_words(srt)),
        "vtt": Format(".vtt", _of_words(vtt)),
        "npz": Format(".npz", turns_npz),
    }
)
"""The formats by their names."""
