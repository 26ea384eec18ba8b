"""Probabilities to turns, against loops that are slow and plain, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from w2v_cli.diarization.rules import TurnRules
from w2v_cli.diarization.turns import (
    apply_durations,
    frame_edges,
    hysteresis,
    median_filter,
    most_probable,
    spans_of,
    speaker_spans,
    within,
)

PLAIN = {"min_duration_on": 0.0, "min_duration_off": 0.0}


def random_probabilities(seed, n_frames=60, n_speakers=3):
    """Numbers with many equal ones, and some that are just a threshold."""
    random = np.random.default_rng(seed)
    return random.integers(0, 11, (n_frames, n_speakers)) / 10


def slow_hysteresis(column, onset, offset):
    """pyannote.audio's Binarize, frame by frame."""
    active, is_active = [], False
    for probability in column:
        if is_active and probability < offset:
            is_active = False
        elif not is_active and probability > onset:
            is_active = True
        active.append(is_active)
    return active


@pytest.mark.parametrize("seed", range(20))
def test_hysteresis_is_the_loop_over_frames(seed):
    probabilities = random_probabilities(seed)
    onset, offset = sorted(np.random.default_rng(seed).integers(0, 11, 2) / 10, reverse=True)
    active = hysteresis(probabilities, onset, offset)
    for speaker in range(3):
        expected = slow_hysteresis(probabilities[:, speaker], onset, offset)
        assert active[:, speaker].tolist() == expected


def test_hysteresis_of_nothing():
    assert hysteresis(np.zeros((0, 2)), 0.5, 0.5).shape == (0, 2)


@pytest.mark.parametrize(("seed", "width"), [(0, 3), (1, 5), (2, 1), (3, 61), (4, 121)])
def test_median_filter_is_the_loop_over_frames(seed, width):
    values = np.random.default_rng(seed).random((60, 2)).astype(np.float32)
    half = width // 2
    for speaker in range(2):
        around = [
            [values[min(max(i + j, 0), 59), speaker] for j in range(-half, half + 1)]
            for i in range(60)
        ]
        expected = [float(np.sort(window)[half]) for window in around]
        np.testing.assert_array_equal(median_filter(values, width)[:, speaker], expected)


def test_median_filter_is_scipys():
    ndimage = pytest.importorskip("scipy.ndimage")
    values = np.random.default_rng(5).random((40_000, 1)).astype(np.float32)
    expected = ndimage.median_filter(values, size=(25, 1), mode="nearest")
    np.testing.assert_array_equal(median_filter(values, 25), expected)


@pytest.mark.parametrize("n_most", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_most_probable_speak(seed, n_most):
    probabilities = random_probabilities(seed)
    active = probabilities > 0.3
    kept = most_probable(active, probabilities, n_most)
    for row, was_active, numbers in zip(kept, active, probabilities, strict=True):
        order = sorted(np.flatnonzero(was_active), key=lambda s: (-numbers[s], s))
        assert np.flatnonzero(row).tolist() == sorted(order[:n_most])


def slow_durations(spans, rules, begin, end):
    """The same, stretch by stretch, in milliseconds."""
    joined = []
    for start, stop in spans:
        start, stop = max(start - rules.pad_onset, begin), min(stop + rules.pad_offset, end)
        gap = start - joined[-1][1] if joined else None
        if gap is not None and (gap <= 1e-12 or gap < rules.min_duration_off - 1e-9):
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    return [s for s in joined if s[1] - s[0] >= rules.min_duration_on - 1e-9]


@pytest.mark.parametrize("seed", range(30))
def test_durations_are_the_loop_over_stretches(seed):
    random = np.random.default_rng(seed)
    spans = np.sort(random.choice(100, 20, replace=False)).reshape(-1, 2) / 8  # exact numbers
    rules = TurnRules(
        min_duration_on=random.integers(0, 5) / 8,
        min_duration_off=random.integers(0, 5) / 8,
        pad_onset=random.integers(0, 3) / 8,
        pad_offset=random.integers(0, 3) / 8,
    )
    found = apply_durations(spans, rules, 0.0, 12.5)
    expected = slow_durations(spans.tolist(), rules, 0.0, 12.5)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_turns_are_those_of_pyannote_audio():
    """Binarize written down again, with its frame middles; the edges are half a frame earlier."""
    probabilities = np.array([0, 0.9, 0.6, 0.3, 0, 0, 0.8, 0.8, 0.1, 0.9, 0, 0])[:, None]
    rules = TurnRules(onset=0.7, offset=0.4, min_duration_on=0.15, min_duration_off=0.15)
    (spans,) = speaker_spans(
        probabilities, rules, first_seconds=0.05, step_seconds=0.1, begin=0.0, end=1.2
    )
    # 0.1 to 0.3 stays; 0.6 to 0.8 and 0.9 to 1.0 are joined over a gap of 0.1
    np.testing.assert_allclose(spans, [[0.1, 0.3], [0.6, 1.0]])


def test_a_gap_of_exactly_the_minimum_stays_and_a_turn_of_exactly_the_minimum_too():
    probabilities = np.zeros((60, 1))
    probabilities[5:10] = probabilities[25:40] = 1
    rules = TurnRules(min_duration_on=0.1, min_duration_off=0.3)
    (spans,) = speaker_spans(
        probabilities, rules, first_seconds=0.0125, step_seconds=0.02, begin=0.0, end=1.2
    )
    assert len(spans) == 2


def test_edges_reach_what_was_read():
    np.testing.assert_allclose(
        frame_edges(3, 10.0125, 0.02, 10.0, 10.07), [10.0, 10.0225, 10.0425, 10.07]
    )
    assert frame_edges(0, 0.0125, 0.02, 0.0, 0.001).shape == (1,)


def test_all_active_and_none_active():
    edges = np.arange(4.0)
    assert spans_of(np.ones(3, bool), edges).tolist() == [[0.0, 3.0]]
    assert spans_of(np.zeros(3, bool), edges).tolist() == []
    assert apply_durations(spans_of(np.zeros(3, bool), edges), TurnRules(), 0.0, 3.0).size == 0


def test_no_more_than_so_many_speak_at_once():
    probabilities = np.array([[0.9, 0.8, 0.7], [0.6, 0.9, 0.7], [0.1, 0.2, 0.9]])
    rules = TurnRules(max_simultaneous=2, **PLAIN)
    spans = speaker_spans(
        probabilities, rules, first_seconds=0.5, step_seconds=1.0, begin=0.0, end=3.0
    )
    assert [s.tolist() for s in spans] == [[[0.0, 1.0]], [[0.0, 2.0]], [[1.0, 3.0]]]


def test_a_median_removes_a_flicker():
    probabilities = np.zeros((11, 1))
    probabilities[5] = 1.0
    rules = TurnRules(median_seconds=0.3, **PLAIN)
    (spans,) = speaker_spans(
        probabilities, rules, first_seconds=0.05, step_seconds=0.1, begin=0.0, end=1.1
    )
    assert spans.size == 0


def test_parts_within_regions():
    spans = np.array([[0.0, 2.0], [3.0, 5.0]])
    regions = np.array([[1.0, 3.5], [4.0, 4.5], [6.0, 7.0]])
    assert within(spans, regions).tolist() == [[1.0, 2.0], [3.0, 3.5], [4.0, 4.5]]
    assert within(spans, np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"onset": 1.5},
        {"offset": 0.6},
        {"onset": float("nan")},
        {"min_duration_on": -1},
        {"pad_onset": float("inf")},
        {"max_simultaneous": 0},
    ],
)
def test_rules_that_cannot_be(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        TurnRules(**changes)


def test_a_median_of_more_than_there_is():
    values = np.random.default_rng(0).random((50, 2))
    expected = median_filter(values, 101)
    for width in (1_001, 10**12 + 1, 10**300 + 1):
        np.testing.assert_array_equal(median_filter(values, width), expected)
