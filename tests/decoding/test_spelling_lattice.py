"""Words that several sequences of outputs write, against all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from w2v_cli.decoding.spelling_lattice import SpellingLattice, ways_to_write

COLUMNS = {"": 0, " ": 1, "a": 2, "b": 3, "ab": 4}
TEXTS = list(COLUMNS)


def random_scores(rng, n_frames):
    scores = rng.normal(size=(n_frames, len(COLUMNS))) * 2
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def said_by(path):
    """Return the words that a path says: blanks and spaces around them do not matter."""
    runs = [column for column, _ in itertools.groupby(path)]
    return "".join(TEXTS[column] for column in runs).split()


def best_by_force(scores, words):
    best = -math.inf
    for path in itertools.product(range(len(COLUMNS)), repeat=len(scores)):
        if said_by(path) == words:
            best = max(best, float(scores[np.arange(len(path)), path].sum()))
    return best


def gap(scores):
    return np.maximum(scores[:, 0], scores[:, 1])


def score_of(said, scores):
    """Return what a path gives that says one word, and silence in all other frames."""
    total, before, silence = 0.0, 0, gap(scores)
    for piece in said:
        total += float(silence[before : piece.start_frame].sum())
        total += float(scores[piece.start_frame : piece.end_frame, piece.column].sum())
        before, silence = piece.end_frame, scores[:, 0]
    return total + float(gap(scores)[before:].sum())


@pytest.mark.parametrize("word", ["a", "ab", "aab", "abb", "aba"])
@pytest.mark.parametrize("n_frames", [3, 5])
def test_it_is_the_best_of_all_paths(word, n_frames):
    rng = np.random.default_rng(n_frames)
    for _ in range(10):
        scores = random_scores(rng, n_frames)
        said = SpellingLattice([word], COLUMNS).best_path(scores, scores[:, 0], gap(scores))
        assert "".join(TEXTS[piece.column] for piece in said) == word
        assert score_of(said, scores) == pytest.approx(best_by_force(scores, [word]))


def test_an_equal_output_in_the_next_word_needs_silence_before_it():
    scores = np.log(np.full((3, 5), 0.01))
    scores[:, 2] = math.log(0.96)
    first, second = SpellingLattice(["a", "a"], COLUMNS).best_path(
        scores, scores[:, 0], gap(scores)
    )
    assert (first.word, first.start_frame, first.end_frame) == (0, 0, 1)
    assert (second.word, second.start_frame, second.end_frame) == (1, 2, 3)


def test_what_no_path_says():
    scores = random_scores(np.random.default_rng(1), 2)
    for words in (["bbb"], ["x"], ["a", "x"]):
        assert SpellingLattice(words, COLUMNS).best_path(scores, scores[:, 0], gap(scores)) == []


def test_ways_to_write():
    assert sorted(ways_to_write("aab", COLUMNS)) == [(2, 2, 3), (2, 4)]
    assert list(ways_to_write("ax", COLUMNS)) == []
