"""Results as text: one small writer per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from w2v_cli.formats.plain import plain_text
from w2v_cli.formats.whisper_json import whisper_json
from w2v_cli.results import Transcript

__all__ = ["FORMATS", "Writer", "format_transcript", "plain_text", "whisper_json"]

Writer = Callable[[Transcript], str]
"""Returns the whole file for one transcript, ended by a newline unless it is empty."""

FORMATS: Mapping[str, Writer] = MappingProxyType({"txt": plain_text, "json": whisper_json})
"""The writers by the name of their format, which is also the suffix of their files."""


def format_transcript(transcript: Transcript, format_name: str) -> str:
    """Return a transcript in one of the `FORMATS`.

    Raises:
        ValueError: There is no such format.
    """
    if format_name not in FORMATS:
        raise ValueError(f"no format {format_name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[format_name](transcript)
