"""json and jsonl: what Whisper writes, with what a reader of it needs to know besides.

The fields are described in docs/formats.md.
"""

from __future__ import annotations

import json
import math
from typing import Any

from w2v_cli.formats.spoken import as_unicode
from w2v_cli.results import Alternative, Character, Segment, Transcript, Word

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

_SECONDS_DIGITS = 3
_PROBABILITY_DIGITS = 4
_SCORE_DIGITS = 4


def whisper_json(transcript: Transcript) -> str:
    """Return the transcript as a JSON object on several lines.

    Letters of all scripts stay as they are. A number that is none becomes null.
    """
    return json_object(transcript_fields(transcript))


def json_line(transcript: Transcript) -> str:
    """Return the same object in one line."""
    return json_object_line(transcript_fields(transcript))


def json_error_line(source: str, error: str, exit_code: int) -> str:
    """Return the line of a recording that could not be transcribed.

    Args:
        source: The recording as it was named.
        error: What is wrong with it.
        exit_code: What `w2v` would end with, had it been the only one.
    """
    fields = {
        "schema_version": SCHEMA_VERSION,
        "source": as_unicode(source),
        "error": as_unicode(error),
        "exit_code": exit_code,
    }
    return json_object_line(fields)


def segment_line(segment: Segment, source: str) -> str:
    """Return the line of a segment of a stream that has not ended."""
    head = {"schema_version": SCHEMA_VERSION, "source": as_unicode(source)}
    return json_object_line({**head, "partial": False, **_segment(segment)})


def partial_line(text: str, source: str) -> str:
    """Return the line of words that come after the last segment, and may still change."""
    head = {"schema_version": SCHEMA_VERSION, "source": as_unicode(source)}
    return json_object_line({**head, "partial": True, "text": text})


def json_object(fields: dict[str, Any]) -> str:
    """Return a JSON object on several lines."""
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def json_object_line(fields: dict[str, Any]) -> str:
    """Return a JSON object in one line."""
    # Some readers of lines end one at these, which JSON allows within a string.
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False)
    for letter in "\x85\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text + "\n"


def transcript_fields(transcript: Transcript) -> dict[str, Any]:
    """Return what both hold of a transcript."""
    fields = {
        "schema_version": SCHEMA_VERSION,
        "source": as_unicode(transcript.source),
        "model": as_unicode(transcript.model),
        "duration": _rounded(transcript.duration_seconds, _SECONDS_DIGITS),
        "language": None,
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
    }
    if transcript.alternatives:
        fields["n_best"] = [_alternative(reading) for reading in transcript.alternatives]
    return fields


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
    if segment.speaker is not None:
        fields["speaker"] = segment.speaker
    return fields


def _word(word: Word) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "word": word.text,
        "start": _rounded(word.start_seconds, _SECONDS_DIGITS),
        "end": _rounded(word.end_seconds, _SECONDS_DIGITS),
        "probability": _rounded(word.probability, _PROBABILITY_DIGITS),
    }
    if word.characters:
        fields["characters"] = [_character(character) for character in word.characters]
    if word.interpolated:
        fields["interpolated"] = True
    return fields


def _character(character: Character) -> dict[str, Any]:
    return {
        "character": character.text,
        "start": _rounded(character.start_seconds, _SECONDS_DIGITS),
        "end": _rounded(character.end_seconds, _SECONDS_DIGITS),
        "probability": _rounded(character.probability, _PROBABILITY_DIGITS),
    }


def _alternative(reading: Alternative) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "text": reading.text,
        "logit_score": _rounded(reading.logit_score, _SCORE_DIGITS),
        "lm_score": None if reading.lm_score is None else _rounded(reading.lm_score, _SCORE_DIGITS),
    }
    if reading.channel is not None:
        fields["channel"] = reading.channel
    return fields


def _rounded(number: float, digits: int) -> float | None:
    """Return a number as JSON can hold it; numpy's are turned into Python's."""
    return round(float(number), digits) if math.isfinite(number) else None
