"""Viterbi against brute force over all paths, and against a plain dynamic programme."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2v_cli.decoding.trellis import BLANK, Trellis, best_path, label_spans


def emissions_of(seed, n_frames, n_columns):
    logits = np.random.default_rng(seed).normal(scale=3, size=(n_frames, n_columns))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def path_score(trellis, path):
    """The score of a path of label indices, blanks' columns by what was said before."""
    total, said = 0.0, 0
    for frame, label in enumerate(path):
        column = trellis.blanks[said] if label == BLANK else trellis.labels[label]
        total += trellis.scores[frame, column]
        said = said if label == BLANK else label + 1
    return total


def is_path(trellis, path):
    """Whether a path says each label once, in order, equal neighbours apart."""
    said = [label for label, _ in itertools.groupby(path) if label != BLANK]
    together = [
        now != before and trellis.labels[now] == trellis.labels[before]
        for before, now in itertools.pairwise(path)
        if BLANK not in (before, now)
    ]
    return said == list(range(len(trellis.labels))) and not any(together)


def brute_force(trellis):
    """The best score over all sequences of states that are a path."""
    states = range(BLANK, len(trellis.labels))
    paths = itertools.product(states, repeat=len(trellis.scores))
    return max((path_score(trellis, p) for p in paths if is_path(trellis, p)), default=None)


def plain_viterbi(trellis):
    """The best score, a state at a time, with all states in memory."""
    columns = [trellis.blanks[0]]
    for label, blank in zip(trellis.labels, trellis.blanks[1:], strict=True):
        columns += [label, blank]
    best = [-np.inf] * len(columns)
    for frame, scores in enumerate(trellis.scores):
        before, best = best, []
        for state, column in enumerate(columns):
            came = [before[state], *before[max(state - 1, 0) : state]]
            if state > 2 and state % 2 and columns[state - 2] != column:
                came.append(before[state - 2])
            start = 0.0 if frame == 0 and state < 2 else -np.inf
            best.append(max([start, *came]) + scores[column])
    return max(best[-2:])


tiny = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.lists(st.integers(1, 3), max_size=3),
    st.lists(st.sampled_from([0, 4]), min_size=4, max_size=4),
    st.integers(1, 4),
)


@given(tiny)
@settings(max_examples=150, deadline=None)
def test_no_path_is_better(case):
    seed, n_frames, labels, blanks, block_frames = case
    trellis = Trellis(
        emissions_of(seed, n_frames, 5),
        np.array(labels, dtype=int),
        np.array(blanks[: len(labels) + 1]),
    )
    best = brute_force(trellis)
    if best is None:
        assert n_frames < trellis.min_frames
        with pytest.raises(ValueError, match="frames for labels that need"):
            best_path(trellis)
        return
    path = best_path(trellis, block_frames=block_frames).tolist()
    assert is_path(trellis, path)
    assert path_score(trellis, path) == pytest.approx(best, abs=1e-9)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 25), st.floats(0, 1), st.sampled_from([1, 3, 7, 99])
)
@settings(max_examples=100, deadline=None)
def test_longer_ones_against_a_plain_programme(seed, n_labels, slack, block_frames):
    random = np.random.default_rng(seed)
    labels = random.integers(1, 4, n_labels)
    blanks = random.choice([0, 4], n_labels + 1)
    n_frames = n_labels + int((np.diff(labels) == 0).sum()) + round(slack * 40)
    trellis = Trellis(emissions_of(seed, n_frames, 5), labels, blanks)
    path = best_path(trellis, block_frames=block_frames).tolist()
    assert is_path(trellis, path)
    assert path_score(trellis, path) == pytest.approx(plain_viterbi(trellis), abs=1e-9)


def test_where_blocks_end_does_not_matter():
    trellis = Trellis(
        emissions_of(3, 400, 20),
        np.random.default_rng(3).integers(1, 20, 90),
        np.zeros(91, int),
    )
    whole = best_path(trellis, block_frames=400).tolist()
    for block_frames in (None, 1, 7, 50, 399):
        assert best_path(trellis, block_frames=block_frames).tolist() == whole


def test_spans():
    assert list(label_spans(np.array([-1, 0, 0, -1, 1, 2, 2, -1]))) == [(1, 3), (4, 5), (5, 7)]
    assert list(label_spans(np.array([-1, -1]))) == []
    assert list(label_spans(np.array([], int))) == []


def test_an_impossible_output_is_avoided_if_it_can_be():
    with np.errstate(divide="ignore"):
        emissions = np.log([[0.5, 0.5, 0], [0.9, 0.1, 0], [1, 0, 0], [0.4, 0.6, 0]])
    trellis = Trellis(emissions, np.array([1]), np.array([0, 0]))
    assert best_path(trellis).tolist() == [BLANK, BLANK, BLANK, 0]
    impossible = Trellis(emissions, np.array([1, 2]), np.array([0, 0, 0]))
    assert is_path(impossible, best_path(impossible).tolist())


def test_what_is_refused():
    with pytest.raises(ValueError, match="one blank more"):
        Trellis(np.zeros((3, 3)), np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match="outside of the 3 columns"):
        Trellis(np.zeros((3, 3)), np.array([3]), np.array([0, 0]))
    with pytest.raises(ValueError, match="NaN"):
        Trellis(np.full((3, 3), np.nan), np.array([1]), np.array([0, 0]))


def test_memory_is_far_below_a_byte_a_state():
    n_frames, n_labels = 6000, 2000
    trellis = Trellis(
        emissions_of(0, n_frames, 32).astype(np.float32),
        np.random.default_rng(0).integers(1, 32, n_labels),
        np.zeros(n_labels + 1, int),
    )
    tracemalloc.start()
    best_path(trellis)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n_frames * n_labels / 5  # of 24 million states
