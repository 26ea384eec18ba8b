"""Transcript -> cues: what is shown together, from when to when, in which lines.

Three steps: a segment is cut where it is too much for one cue; voices that speak at once
share a cue; then every cue gets a time that touches no other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.formats.spoken import milliseconds, span_ms, spoken_words, voice_label, voice_of
from w2v_cli.results import Transcript, Word

SHORTEST_CUE_MS = 1
# Who begins to speak so soon after another shares the other's cue, which would flash by.
SHARED_CUE_MS = 1000


@dataclass(frozen=True)
class CueWord:
    """A word in a cue, and when it is said."""

    text: str
    start_ms: int


@dataclass(frozen=True)
class CueLine:
    """A line of a cue.

    Attributes:
        words: Its words; never a part of one.
        voice: Who speaks in it, where speakers or channels are told apart.
        begins_voice: It is the first line of that voice in its cue.
    """

    words: tuple[CueWord, ...]
    voice: str | None = None
    begins_voice: bool = False

    @property
    def label(self) -> str:
        """What tells the reader who speaks, with a space behind it; often nothing."""
        return f"{voice_label(self.voice)} " if self.begins_voice and self.voice else ""


@dataclass(frozen=True)
class Cue:
    """What is shown from one time to another. It ends after it starts."""

    start_ms: int
    end_ms: int
    lines: tuple[CueLine, ...]

    @property
    def words(self) -> tuple[CueWord, ...]:
        """The words of all lines, as they are read."""
        return tuple(word for line in self.lines for word in line.words)


def cues(transcript: Transcript, options: SubtitleOptions) -> list[Cue]:
    """Return the cues of a transcript, in order; none where nobody speaks.

    Every cue ends after it starts, and at least `min_gap_seconds` before the next begins.
    """
    pieces = [
        _cue(words, voice_of(segment), options)
        for segment in transcript.segments
        for words in _pieces(spoken_words(segment), voice_of(segment), options)
    ]
    pieces.sort(key=lambda cue: cue.start_ms)
    return _apart(_shared(pieces, options), options)


def width(text: str) -> int:
    """Return how many characters a text shows; accents that join a letter don't count.

    >>> width("nai\N{COMBINING DIAERESIS}ve")
    5
    """
    return sum(not unicodedata.combining(letter) for letter in text)


def wrap(words: Sequence[str], max_width: int, indent: int = 0) -> list[int]:
    """Return how many words stand in each line, lines being about equally long.

    Args:
        words: The words, which stay whole: one that is too long has a line of its own.
        max_width: Characters in a line.
        indent: What is taken from the first line already.

    >>> wrap(["turn", "left", "at", "the", "bank"], 20)
    [2, 3]
    """
    widths = [width(word) for word in words]
    lines = _greedy(widths, max_width, indent)
    # The narrowest lines that are as few: better to read than a full one and a crumb.
    low, high = 1, max_width
    while low < high:
        middle = (low + high) // 2
        if len(_greedy(widths, middle, indent)) <= len(lines):
            high = middle
        else:
            low = middle + 1
    return _greedy(widths, high, indent)


def _greedy(widths: Sequence[int], max_width: int, indent: int) -> list[int]:
    lines: list[int] = []
    used = 0
    for word_width in widths:
        if not lines:
            lines, used = [1], indent + word_width
        elif used + 1 + word_width <= max_width:
            lines[-1] += 1
            used += 1 + word_width
        else:
            lines.append(1)
            used = word_width
    return lines


def _indent(voice: str | None) -> int:
    label = voice_label(voice)
    return len(label) + 1 if label else 0


def _pieces(
    words: Sequence[Word], voice: str | None, options: SubtitleOptions
) -> list[Sequence[Word]]:
    """Return a segment's words in pieces that fit a cue; a single word always does."""
    pieces = []
    rest = words
    while rest:
        n_words = _n_that_fit(rest, voice, options)
        if n_words < len(rest):
            n_words = _best_cut(rest, n_words)
        pieces.append(rest[:n_words])
        rest = rest[n_words:]
    return pieces


def _n_that_fit(words: Sequence[Word], voice: str | None, options: SubtitleOptions) -> int:
    start_ms = milliseconds(words[0].start_seconds)
    widths: list[int] = []
    for index, word in enumerate(words):
        widths.append(width(word.text))
        n_lines = len(_greedy(widths, options.max_line_width, _indent(voice)))
        too_long = span_ms(word)[1] - start_ms > options.max_cue_seconds * 1000
        if index and (n_lines > options.max_line_count or too_long):
            return index
    return len(words)


def _best_cut(words: Sequence[Word], n_fit: int) -> int:
    """Return how many of the first words make a cue: up to the longest pause, if it is late."""

    def pause_seconds(n_words: int) -> float:
        return words[n_words].start_seconds - words[n_words - 1].end_seconds

    # Of equal pauses the last: not before the middle, which would leave crumbs.
    return max(range((n_fit + 1) // 2, n_fit + 1), key=lambda n: (pause_seconds(n), n))


def _cue(words: Sequence[Word], voice: str | None, options: SubtitleOptions) -> Cue:
    """Return the cue of a piece, with the times at which it is said."""
    counts = wrap([word.text for word in words], options.max_line_width, _indent(voice))
    lines = []
    first = 0
    for count in counts:
        line_words = tuple(
            CueWord(word.text, milliseconds(word.start_seconds))
            for word in words[first : first + count]
        )
        lines.append(CueLine(line_words, voice, begins_voice=first == 0))
        first += count
    spans = [span_ms(word) for word in words]
    return Cue(spans[0][0], max(end_ms for _, end_ms in spans), tuple(lines))


def _shared(pieces: Sequence[Cue], options: SubtitleOptions) -> list[Cue]:
    """Return the cues with those joined in which two voices begin soon after each other."""
    joined: list[Cue] = []
    for cue in pieces:
        last = joined[-1] if joined else cue
        voices = {line.voice for line in last.lines}
        end_ms = max(last.end_ms, cue.end_ms)
        if (
            joined
            and cue.lines[0].voice not in voices
            and cue.start_ms < last.start_ms + SHARED_CUE_MS
            and end_ms - last.start_ms <= options.max_cue_seconds * 1000
        ):
            joined[-1] = Cue(last.start_ms, end_ms, last.lines + cue.lines)
        else:
            joined.append(cue)
    return joined


def _apart(pieces: Sequence[Cue], options: SubtitleOptions) -> list[Cue]:
    """Return the cues with times that don't touch, long enough to be read where there is room.

    Only a crowd moves a start: where cues would start together, each after the first starts
    as little later as it can.
    """
    gap_ms = milliseconds(options.min_gap_seconds)
    longest_ms = max(SHORTEST_CUE_MS, int(options.max_cue_seconds * 1000))
    starts_ms: list[int] = []
    for cue in pieces:
        earliest_ms = starts_ms[-1] + SHORTEST_CUE_MS + gap_ms if starts_ms else 0
        starts_ms.append(max(cue.start_ms, earliest_ms))
    placed = []
    for index, (cue, start_ms) in enumerate(zip(pieces, starts_ms, strict=True)):
        n_characters = sum(width(word.text) + 1 for word in cue.words) - 1
        n_characters += sum(len(line.label) for line in cue.lines)
        readable_ms = int(1000 * max(n_characters / options.max_cps, options.min_cue_seconds))
        end_ms = min(max(cue.end_ms, start_ms + readable_ms), start_ms + longest_ms)
        if index + 1 < len(pieces):
            end_ms = min(end_ms, starts_ms[index + 1] - gap_ms)
        placed.append(
            replace(cue, start_ms=start_ms, end_ms=max(end_ms, start_ms + SHORTEST_CUE_MS))
        )
    return placed
