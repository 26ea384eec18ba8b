"""json: what Whisper writes, with what a reader of it needs to know besides.

The fields are described in docs/formats.md.
"""

from __future__ import annotations

import json
import math
from typing import Any

from w2v_cli.results import Segment, Transcript, Word

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

_SECONDS_DIGITS = 3
_PROBABILITY_DIGITS = 4


def whisper_json(transcript: Transcript) -> str:
    """Return the transcript as a JSON object on several lines.

    Letters of all scripts stay as they are. A number that is none becomes null.
    """
    fields = {
        "schema_version": SCHEMA_VERSION,
        "source": _as_unicode(transcript.source),
        "model": _as_unicode(transcript.model),
        "duration": _rounded(transcript.duration_seconds, _SECONDS_DIGITS),
        "language": None,
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _segment(segment: Segment) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": segment.id,
        "start": _rounded(segment.start_seconds, _SECONDS_DIGITS),
        "end": _rounded(segment.end_seconds, _SECONDS_DIGITS),
        "text": segment.text,
        "words": [_word(word) for word in segment.words],
    }
    if segment.channel is not None:
        fields["channel"] = segment.channel
    return fields


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": _rounded(word.start_seconds, _SECONDS_DIGITS),
        "end": _rounded(word.end_seconds, _SECONDS_DIGITS),
        "probability": _rounded(word.probability, _PROBABILITY_DIGITS),
    }


def _rounded(number: float, digits: int) -> float | None:
    """Return a number as JSON can hold it; numpy's are turned into Python's."""
    return round(float(number), digits) if math.isfinite(number) else None


def _as_unicode(name: str | None) -> str | None:
    """Return a file's name with the bytes that are no UTF-8 replaced, as JSON must be."""
    if name is None:
        return None
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
