"""Equal error rates are those of their definition, and their intervals hold the truth."""

import math

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq

from w2v_cli.scoring import verification
from w2v_cli.scoring.verification import (
    detection_cost,
    detection_errors,
    equal_error,
    equal_error_interval,
    equal_error_rate,
    pair_up,
    pair_weights,
)


@pytest.fixture
def random():
    return np.random.default_rng(7)


def made_scores(random, *, distance=1.0, count=4000, levels=None):
    is_same = random.random(count) < 0.2
    scores = random.normal(size=count) + distance * is_same
    if levels:
        scores = np.round(scores * levels) / levels
    return scores, is_same


def errors_at(scores, is_same, threshold):
    return np.mean(scores[is_same] < threshold), np.mean(scores[~is_same] >= threshold)


def rate_by_interpolation(scores, is_same):
    """Find the point of the ROC curve where both errors are equal, as it is often written."""
    thresholds = [np.inf, *np.unique(scores)[::-1]]
    refused, accepted = np.transpose([errors_at(scores, is_same, t) for t in thresholds])
    recognised = interp1d(accepted, 1 - refused)
    return brentq(lambda rate: 1 - rate - recognised(rate), 0.0, 1.0)


@pytest.mark.parametrize("distance", [0, 1, 3])
def test_the_rate_is_where_scipy_finds_the_curve_to_cross(distance, random):
    scores, is_same = made_scores(random, distance=distance, count=2000)
    rate = equal_error_rate(scores, is_same)
    assert rate == pytest.approx(rate_by_interpolation(scores, is_same), abs=1 / 300)
    expected = 0.5 * math.erfc(distance / 2 / math.sqrt(2))  # of two normal distributions
    assert rate == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("levels", [None, 10, 1])  # with many equal scores, too
def test_errors_are_those_of_each_threshold(levels, random):
    scores, is_same = made_scores(random, count=300, levels=levels)
    errors = detection_errors(scores, is_same)
    assert (errors.refused[0], errors.accepted[0]) == (1, 0)
    assert (errors.refused[-1], errors.accepted[-1]) == (0, 1)
    for threshold, *found in zip(errors.thresholds, errors.refused, errors.accepted, strict=True):
        assert found == pytest.approx(errors_at(scores, is_same, threshold))


def test_the_threshold_has_the_rate(random):
    scores, is_same = made_scores(random)
    rate, threshold = equal_error(detection_errors(scores, is_same))
    assert errors_at(scores, is_same, threshold) == pytest.approx((rate, rate), abs=0.002)


def test_the_cost_is_the_least_of_all_thresholds(random):
    scores, is_same = made_scores(random, count=200, distance=2)
    costs = []
    for threshold in [np.inf, *scores]:
        refused, accepted = errors_at(scores, is_same, threshold)
        costs.append((0.05 * refused + 0.95 * accepted) / 0.05)
    errors = detection_errors(scores, is_same)
    assert detection_cost(errors) == pytest.approx(min(costs))
    assert 0 < detection_cost(errors) < 1


def rate_of(vectors, speakers):
    pairs = pair_up(vectors, speakers)
    return equal_error_rate(pairs.scores, pairs.is_same)


def test_vectors_that_tell_all_apart_and_none():
    vectors = [np.eye(3)[index] for index in (0, 0, 1, 1, 2)]
    assert rate_of(vectors, ["a", "a", "b", "b", "c"]) == 0
    assert rate_of([np.ones(3)] * 4, ["a", "a", "b", "b"]) == 0.5
    assert math.isnan(rate_of(vectors[:2], ["a", "a"]))
    assert math.isnan(rate_of(vectors[:1], ["a"]))
    assert equal_error_interval(pair_up(vectors[:2], ["a", "a"])) is None


def unit_vectors(random, n_speakers, n_each, spread=0.8):
    centres = random.normal(size=(n_speakers, 8))
    vectors = np.repeat(centres, n_each, axis=0) + spread * random.normal(
        size=(n_speakers * n_each, 8)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return list(vectors), [f"s{index // n_each}" for index in range(len(vectors))]


def test_a_speaker_that_was_drawn_twice_is_there_twice(random):
    """Weights equal a list in which every speaker is written down as often as it was drawn."""
    vectors, speakers = unit_vectors(random, 5, 3)
    pairs, times = pair_up(vectors, speakers), np.array([2, 0, 1, 3, 1])
    order = np.argsort(-pairs.scores)
    weighted = verification._errors(
        pairs.scores[order], pairs.is_same[order], pair_weights(pairs.speakers[order], times)
    )
    copies = [
        (vector, speaker, copy)
        for vector, speaker in zip(vectors, speakers, strict=True)
        for copy in range(times[int(speaker[1:])])
    ]
    scores, is_same = [], []
    for index, (one, who, copy) in enumerate(copies):
        for other, whom, another in copies[index + 1 :]:
            if who == whom and copy != another:
                continue  # two draws of one speaker make no pair
            scores.append(round(float(one @ other), 9))
            is_same.append(who == whom)
    expected = equal_error_rate(np.array(scores), np.array(is_same))
    assert equal_error(weighted)[0] == pytest.approx(expected)


def test_intervals_hold_the_rate_of_all_speakers(random):
    everybody = rate_of(*unit_vectors(random, 150, 5))
    held = 0
    for trial in range(20):
        pairs = pair_up(*unit_vectors(random, 20, 5))
        low, high = equal_error_interval(pairs, n_resamples=100, seed=trial)
        held += low <= everybody <= high
    assert 15 <= held <= 20


def test_of_many_pairs_some_tell_nearly_the_same(random, monkeypatch):
    pairs = pair_up(*unit_vectors(random, 20, 10))
    whole = equal_error_interval(pairs, n_resamples=200)
    monkeypatch.setattr(verification, "_MOST_PAIRS", 3000)
    assert equal_error_interval(pairs, n_resamples=200) == pytest.approx(whole, abs=0.02)
