"""Results as text: one small writer per family of formats.

Reading order: `spoken` (clean words and whole milliseconds), `plain` and `whisper_json`, then
`cues` (what a subtitle shows, and when) for `subtitles` and `lyrics`, and last `tables`,
`nist` and `textgrid`. docs/formats.md describes what they write.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from w2v_cli.formats.format import Format
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
    "SubtitleOptions",
    "format_transcript",
    "json_error_line",
    "partial_line",
    "plain_text",
    "segment_line",
    "transcript_formats",
    "whisper_json",
]


def transcript_formats(
    options: SubtitleOptions | None = None,
) -> Mapping[str, Format[Transcript]]:
    """Return the formats that transcripts are written in, by their names.

    Args:
        options: How subtitles are laid out; None for the defaults.
    """
    chosen = options or SubtitleOptions()
    return {
        "txt": Format(".txt", plain_text, "headings"),
        "json": Format(".json", whisper_json, "array"),
        "jsonl": Format(".jsonl", json_line, "lines"),
        "srt": Format(".srt", lambda transcript: srt(transcript, chosen)),
        "vtt": Format(".vtt", lambda transcript: vtt(transcript, chosen)),
        "tsv": Format(".tsv", tsv),
        "csv": Format(".csv", csv, "header"),
        "lrc": Format(".lrc", lambda transcript: lrc(transcript, chosen)),
        # Audacity imports labels from .txt alone.
        "audacity": Format(".labels.txt", lambda transcript: audacity_labels(transcript, chosen)),
        "ctm": Format(".ctm", ctm, "lines", tells_apart_by_name=True),
        "stm": Format(".stm", stm, "lines", tells_apart_by_name=True),
        "textgrid": Format(".TextGrid", text_grid),
    }


FORMATS: Mapping[str, Format[Transcript]] = MappingProxyType(transcript_formats())
"""The formats by their names, with subtitles as they are laid out by default."""


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
    written = transcript_formats(options)[format_name].write(transcript)
    assert isinstance(written, str)  # as all of these are
    return written
