"""Words to segments: where a transcript is cut, and in which order its pieces stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from w2v_cli.results import Segment, Word


@dataclass(frozen=True)
class Segmentation:
    """Where a transcript is cut into segments."""

    # From the last letter of a word to the first of the next. CTC writes a letter in a frame or
    # two of its sound, so that words look shorter and gaps longer than they are: within a phrase
    # they come to 0.7 s, between phrases they begin at about 1 s.
    pause_seconds: float = 0.8
    # Longer ones are cut at a gap: more than half a minute is hard to find one's way in.
    max_segment_seconds: float = 30.0


def cut(words: Sequence[Word], segmentation: Segmentation) -> list[list[Word]]:
    """Return the words in groups, cut at pauses, and once more where that is too long.

    A group is longer than `max_segment_seconds` only if a single word is.
    """
    groups: list[list[Word]] = []
    for index, word in enumerate(words):
        if groups and _gap(words, index) < segmentation.pause_seconds:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [part for group in groups for part in _shortened(group, segmentation)]


def _shortened(words: Sequence[Word], segmentation: Segmentation) -> list[list[Word]]:
    """Return a group in parts that are short enough."""
    parts = []
    first = 0
    while (place := _place_to_cut(words, first, segmentation.max_segment_seconds)) is not None:
        parts.append(list(words[first:place]))
        first = place
    return [*parts, list(words[first:])]


def _place_to_cut(words: Sequence[Word], first: int, max_seconds: float) -> int | None:
    """Return which word begins the next part, if the one from `first` on is too long.

    It is cut at its longest gap, but not in its first half, which would leave crumbs.
    """
    begin_seconds = words[first].start_seconds
    if words[-1].end_seconds - begin_seconds <= max_seconds:
        return None
    best = first + 1
    for index in range(first + 1, len(words)):
        length_seconds = words[index - 1].end_seconds - begin_seconds
        if length_seconds > max_seconds:
            break
        best_is_early = words[best - 1].end_seconds - begin_seconds < max_seconds / 2
        if best_is_early or _gap(words, index) >= _gap(words, best):
            best = index
    return best if best < len(words) else None


def in_time_order(segments: Iterable[Segment]) -> list[Segment]:
    """Return the segments of all channels by their start, with new ids from 0."""
    ordered = sorted(segments, key=lambda segment: (segment.start_seconds, segment.channel or 0))
    return [replace(segment, id=index) for index, segment in enumerate(ordered)]


def segment_of(words: Sequence[Word], channel: int | None, index: int = 0) -> Segment:
    """Return the words as a segment; `in_time_order` counts those of several channels."""
    return Segment(
        id=index,
        start_seconds=words[0].start_seconds,
        end_seconds=words[-1].end_seconds,
        text=" ".join(word.text for word in words),
        words=tuple(words),
        channel=channel,
    )


def _gap(words: Sequence[Word], index: int) -> float:
    """Return the seconds between a word and the one before it."""
    return words[index].start_seconds - words[index - 1].end_seconds
