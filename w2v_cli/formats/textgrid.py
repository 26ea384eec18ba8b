"""TextGrid: tiers of segments, words and characters for Praat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from w2v_cli.formats.spoken import (
    decimal_seconds,
    milliseconds,
    one_line,
    span_ms,
    spoken_words,
    voice_of,
)
from w2v_cli.results import Segment, Transcript

SHORTEST_INTERVAL_MS = 1


@dataclass(frozen=True)
class Interval:
    """A stretch of a tier and its text; an empty text where nothing is said."""

    start_ms: int
    end_ms: int
    text: str


Tier = tuple[str, list[Interval]]
"""A tier's name and what is said in it."""


def text_grid(transcript: Transcript) -> str:
    """Return a TextGrid in Praat's long text format.

    There is a tier of segments and one of words, and one of characters if the words have
    them; all of them for each speaker, or for each channel, if these are told apart. Intervals of a
    tier may not overlap and may not be empty, so one that would be is moved by as few
    milliseconds as that takes.
    """
    end_seconds = transcript.start_seconds + transcript.duration_seconds
    return grid(transcript_tiers(transcript), end_seconds)


def transcript_tiers(transcript: Transcript) -> list[Tier]:
    """Return the tiers of a transcript: see `text_grid`."""
    tiers: list[Tier] = []
    ordered = sorted(transcript.segments, key=lambda s: (s.channel or 0, s.speaker or ""))
    for voice in dict.fromkeys(voice_of(s) or "" for s in ordered) or [""]:
        segments = [s for s in transcript.segments if (voice_of(s) or "") == voice]
        prefix = f"{voice} " if voice else ""
        tiers += [(prefix + name, spans) for name, spans in _spans(segments)]
    return tiers


def grid(tiers: Sequence[Tier], end_seconds: float) -> str:
    """Return a TextGrid of tiers, whose intervals are moved apart: see `text_grid`.

    Args:
        tiers: With intervals in any order.
        end_seconds: Where the recording ends; tiers may end later.
    """
    apart = [(name, _apart(intervals)) for name, intervals in tiers]
    end_ms = max(milliseconds(end_seconds), SHORTEST_INTERVAL_MS)
    for _, intervals in apart:
        end_ms = max([end_ms, *(interval.end_ms for interval in intervals)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {decimal_seconds(end_ms)}", "tiers? <exists>"]
    lines += [f"size = {len(apart)}", "item []:"]
    for number, (name, intervals) in enumerate(apart, start=1):
        lines += [f"    item [{number}]:", *_tier(name, _without_holes(intervals, end_ms), end_ms)]
    return "\n".join(lines) + "\n"


def _spans(segments: Sequence[Segment]) -> list[Tier]:
    """Return the tiers' names and what is said in them."""
    words = [word for segment in segments for word in spoken_words(segment)]
    tiers = [
        ("segments", [Interval(*span_ms(s), one_line(s.text)) for s in segments]),
        ("words", [Interval(*span_ms(word), word.text) for word in words]),
    ]
    characters = [
        Interval(
            milliseconds(character.start_seconds),
            milliseconds(character.end_seconds),
            one_line(character.text),
        )
        for word in words
        for character in word.characters
    ]
    return [*tiers, ("characters", characters)] if characters else tiers


def _apart(spans: Iterable[Interval]) -> list[Interval]:
    """Return the intervals by their start, none empty and none within another."""
    said = sorted((span for span in spans if span.text), key=lambda span: span.start_ms)
    starts_ms: list[int] = []
    for span in said:
        earliest_ms = starts_ms[-1] + SHORTEST_INTERVAL_MS if starts_ms else 0
        starts_ms.append(max(span.start_ms, earliest_ms))
    placed = []
    for index, (span, start_ms) in enumerate(zip(said, starts_ms, strict=True)):
        next_ms = starts_ms[index + 1] if index + 1 < len(said) else span.end_ms
        end_ms = max(start_ms + SHORTEST_INTERVAL_MS, min(span.end_ms, next_ms))
        placed.append(Interval(start_ms, end_ms, span.text))
    return placed


def _without_holes(intervals: Sequence[Interval], end_ms: int) -> list[Interval]:
    """Return the intervals with empty ones between them, so that they fill the time."""
    filled: list[Interval] = []
    reached_ms = 0
    for interval in intervals:
        if interval.start_ms > reached_ms:
            filled.append(Interval(reached_ms, interval.start_ms, ""))
        filled.append(interval)
        reached_ms = interval.end_ms
    if reached_ms < end_ms:
        filled.append(Interval(reached_ms, end_ms, ""))
    return filled


def _tier(name: str, intervals: Sequence[Interval], end_ms: int) -> list[str]:
    quoted = name.replace('"', '""')
    lines = ['        class = "IntervalTier"', f'        name = "{quoted}"']
    lines += ["        xmin = 0", f"        xmax = {decimal_seconds(end_ms)}"]
    lines.append(f"        intervals: size = {len(intervals)}")
    for number, interval in enumerate(intervals, start=1):
        text = interval.text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {decimal_seconds(interval.start_ms)}",
            f"            xmax = {decimal_seconds(interval.end_ms)}",
            f'            text = "{text}"',
        ]
    return lines
