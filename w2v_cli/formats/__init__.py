"""Results as text: one small writer per family of formats.

Reading order: `spoken` (clean words and whole milliseconds), `plain` and `whisper_json`, then
`cues` (what a subtitle shows, and when) for `subtitles` and `lyrics`, and last `tables`,
`nist` and `textgrid`. docs/formats.md describes what they write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from w2v_cli.formats.format import Format, Joining
from w2v_cli.formats.lyrics import lrc
from w2v_cli.formats.nist import ctm, stm
from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.formats.plain import plain_text
from w2v_cli.formats.subtitles import srt, vtt
from w2v_cli.formats.tables import audacity_labels, csv, tsv
from w2v_cli.formats.textgrid import text_grid
from w2v_cli.formats.whisper_json import (
    json_error_line,
    json_line,
    partial_line,
    segment_line,
    whisper_json,
)
from w2v_cli.results import Transcript

__all__ = [
    "FORMATS",
    "Format",
    "Joining",
    "SubtitleOptions",
    "TranscriptFormat",
    "format_transcript",
    "json_error_line",
    "partial_line",
    "plain_text",
    "segment_line",
    "transcript_formats",
    "whisper_json",
]


@dataclass(frozen=True)
class TranscriptFormat:
    """A format that transcripts are written in.

    Attributes:
        suffix: What its files end with.
        write: Returns the whole file for one transcript, ended by a newline unless it is empty.
        joining: How several recordings share a file; None where a file holds one recording.
    """

    suffix: str
    write: Callable[[Transcript, SubtitleOptions], str]
    joining: Joining | None = None


FORMATS: Mapping[str, TranscriptFormat] = MappingProxyType(
    {
        "txt": TranscriptFormat(".txt", lambda transcript, _: plain_text(transcript), "headings"),
        "json": TranscriptFormat(".json", lambda transcript, _: whisper_json(transcript), "array"),
        "jsonl": TranscriptFormat(".jsonl", lambda transcript, _: json_line(transcript), "lines"),
        "srt": TranscriptFormat(".srt", srt),
        "vtt": TranscriptFormat(".vtt", vtt),
        "tsv": TranscriptFormat(".tsv", lambda transcript, _: tsv(transcript)),
        "csv": TranscriptFormat(".csv", lambda transcript, _: csv(transcript), "header"),
        "lrc": TranscriptFormat(".lrc", lrc),
        # Audacity imports labels from .txt alone.
        "audacity": TranscriptFormat(".labels.txt", audacity_labels),
        "ctm": TranscriptFormat(".ctm", lambda transcript, _: ctm(transcript), "lines"),
        "stm": TranscriptFormat(".stm", lambda transcript, _: stm(transcript), "lines"),
        "textgrid": TranscriptFormat(".TextGrid", lambda transcript, _: text_grid(transcript)),
    }
)
"""The formats by their names."""


def transcript_formats(
    options: SubtitleOptions | None = None,
) -> Mapping[str, Format[Transcript]]:
    """Return the `FORMATS` with subtitles laid out as one would have them.

    Args:
        options: How subtitles are laid out; None for the defaults.
    """
    chosen = options or SubtitleOptions()

    def bound(form: TranscriptFormat) -> Format[Transcript]:
        return Format(form.suffix, lambda result: form.write(result, chosen), form.joining)

    return {name: bound(form) for name, form in FORMATS.items()}


def format_transcript(
    transcript: Transcript, format_name: str, options: SubtitleOptions | None = None
) -> str:
    """Return a transcript in one of the `FORMATS`.

    Args:
        transcript: What was said.
        format_name: One of the names in `FORMATS`.
        options: How subtitles are laid out; None for the defaults.

    Raises:
        ValueError: There is no such format.
    """
    if format_name not in FORMATS:
        raise ValueError(f"no format {format_name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[format_name].write(transcript, options or SubtitleOptions())
