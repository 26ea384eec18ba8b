"""When the words and characters of a reading are said.

A search adds up all paths to a text and remembers the frames of one of them, not always the
best. So a reading is aligned with the emissions anew. Its letters are known outputs and its
frames few, so this does in one sweep what `alignment` does for an hour and any text.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alignment import align_words
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.hypothesis import Hypothesis, HypothesisCharacter, HypothesisWord
from w2v_cli.decoding.labels import BLANK, SPACE, Labels
from w2v_cli.decoding.spelling_lattice import SpellingLattice
from w2v_cli.decoding.trellis import label_spans
from w2v_cli.errors import AlignmentError

FloatArray = npt.NDArray[np.floating[Any]]

# Frames times states kept at once, 8 bytes each. What is longer takes the way with less memory.
_MOST_CELLS = 8_000_000
_LOG_ZERO = -1e4


def timed_hypothesis(
    columns: FloatArray, reading: Reading, labels: Labels, alphabet: Alphabet
) -> Hypothesis:
    """Return a reading as it is written, with the times of its words; see `timed_words`."""
    words = timed_words(columns, reading, labels)
    text = alphabet.word_separator.join(reading.text.split())
    hypothesis = Hypothesis(text, words, reading.logit_score, reading.lm_score)
    return hypothesis.cased(str.lower) if alphabet.lower_case else hypothesis


def timed_words(
    columns: FloatArray, reading: Reading, labels: Labels
) -> tuple[HypothesisWord, ...]:
    """Return the words of a reading on the best of the paths that say it.

    Before, between and after words a frame may say the blank or the space. A character's
    probability is the one it has in its best frame, a word's the geometric mean over its
    characters, as in `greedy_decode`.

    Args:
        columns: Natural-log probabilities of the labels, (frames, columns).
        reading: What an engine read in them.
        labels: What the columns write.

    Returns:
        The words in their order, monotonic and inside the emissions. Where no path through the
        emissions says the text, as the engine met them, and marked as interpolated.
    """
    words = reading.text.split()
    if not words:
        return ()
    if not labels.has_only_letters and len(columns) * sum(map(len, words)) <= _MOST_CELLS:
        placed = _best_spelled(columns, words, labels)
        if placed is not None:
            return placed
    spelled = [_pieces(word, labels) for word in words]
    n_labels = sum(len(pieces or ()) for pieces in spelled)
    if any(pieces is None for pieces in spelled) or len(columns) * 2 * n_labels > _MOST_CELLS:
        try:
            return align_words(columns, words, labels.alphabet).words
        except AlignmentError:
            return _as_met(words, reading.word_frames, len(columns))
    path = _best_path(columns, [p for p in spelled if p is not None], labels)
    if path is None:
        return _as_met(words, reading.word_frames, len(columns))
    spans = label_spans(path)
    timed = []
    for word, pieces in zip(words, spelled, strict=True):
        timed.append(_word(word, [(p, *next(spans)) for p in pieces or ()], columns, labels))
    return tuple(timed)


def _best_spelled(
    columns: FloatArray, words: list[str], labels: Labels
) -> tuple[HypothesisWord, ...] | None:
    """Return the words on the best path of all spellings; None where none says them."""
    lattice = SpellingLattice(words, labels.column_of)
    scores = np.maximum(columns, _LOG_ZERO)
    said = lattice.best_path(scores, scores[:, labels.column_of[BLANK]], _gap(scores, labels))
    if not said:
        return None
    placed = groupby(said, key=lambda output: output.word)
    spans = ([(p.column, p.start_frame, p.end_frame) for p in outputs] for _, outputs in placed)
    return tuple(
        _word(word, some, columns, labels) for word, some in zip(words, spans, strict=True)
    )


def _pieces(word: str, labels: Labels) -> list[int] | None:
    """Return the columns that a word is written with, None if it cannot be told."""
    if labels.has_only_letters:
        pieces = [labels.column_of.get(letter, -1) for letter in word]
        return None if -1 in pieces else pieces
    return None


def _best_path(
    columns: FloatArray, spelled: list[list[int]], labels: Labels
) -> npt.NDArray[np.intp] | None:
    """Return which letter of the text each frame says, -1 for none; None if there are too few.

    The states are those of Graves et al. 2006, section 4.1: every second one is a letter, and
    around them the blank; around words it is the better of blank and space.
    """
    letters = np.array([column for word in spelled for column in word], dtype=np.intp)
    repeats = letters[1:] == letters[:-1]
    if len(columns) < len(letters) + int(repeats.sum()):
        return None
    # A state's score is added in place to the best score of a path that comes to it.
    scores = _states(columns, letters, [len(word) for word in spelled], labels)
    skip = np.where(repeats, -np.inf, 0.0)  # from a letter to the next one, without a blank
    scores[0, 2:] = -np.inf
    for frame in range(1, len(scores)):
        before = scores[frame - 1]
        best = before.copy()
        np.maximum(best[1:], before[:-1], out=best[1:])
        np.maximum(best[3::2], before[1:-2:2] + skip, out=best[3::2])
        scores[frame] += best
    state = scores.shape[1] - (1 if scores[-1, -1] >= scores[-1, -2] else 2)
    path = np.full(len(columns), -1, dtype=np.intp)
    for frame in range(len(columns) - 1, -1, -1):
        if state % 2:
            path[frame] = state // 2
        if frame == 0:
            break
        before = scores[frame - 1]
        chosen = state
        if state >= 1 and before[state - 1] > before[chosen]:
            chosen = state - 1
        if state % 2 and state >= 3 and not repeats[state // 2 - 1]:
            chosen = state - 2 if before[state - 2] > before[chosen] else chosen
        state = chosen
    return path


def _states(
    columns: FloatArray, letters: npt.NDArray[np.intp], lengths: list[int], labels: Labels
) -> npt.NDArray[np.float64]:
    """Return what each frame gives each state, (frames, 2 x letters + 1)."""
    blank, gap = columns[:, labels.column_of[BLANK]], _gap(columns, labels)
    scores = np.empty((len(columns), 2 * len(letters) + 1))
    scores[:, 1::2] = columns[:, letters]
    scores[:, ::2] = blank[:, np.newaxis]
    scores[:, 2 * np.cumsum([0, *lengths])] = gap[:, np.newaxis]
    return np.maximum(scores, _LOG_ZERO, out=scores)


def _gap(columns: FloatArray, labels: Labels) -> FloatArray:
    """Return what each frame gives silence around words: the better of blank and space."""
    blank = columns[:, labels.column_of[BLANK]]
    if SPACE in labels.column_of:
        return np.maximum(blank, columns[:, labels.column_of[SPACE]])
    return blank


def _word(
    word: str, placed: list[tuple[int, int, int]], columns: FloatArray, labels: Labels
) -> HypothesisWord:
    """Return a word whose letters have these columns and frames."""
    best = [float(columns[start:end, column].max()) for column, start, end in placed]
    characters = tuple(
        HypothesisCharacter(labels.texts[column], start, end, min(math.exp(score), 1.0))
        for (column, start, end), score in zip(placed, best, strict=True)
    )
    return HypothesisWord(
        text=word,
        start_frame=characters[0].start_frame,
        end_frame=characters[-1].end_frame,
        probability=min(math.exp(sum(best) / len(best)), 1.0),
        characters=characters,
    )


def _as_met(
    words: list[str], frames: tuple[tuple[int, int], ...], n_frames: int
) -> tuple[HypothesisWord, ...]:
    """Return words without characters; those without frames have no length."""
    met = []
    last = 0
    for index, word in enumerate(words):
        start, end = frames[index] if index < len(frames) else (last, last)
        start = min(max(start, last), n_frames)
        last = min(max(end, start), n_frames)
        met.append(HypothesisWord(word, start, last, 0.0, interpolated=True))
    return tuple(met)
