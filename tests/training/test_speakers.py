"""Equal error rates are those of their definition."""

import math

import numpy as np
import pytest

from w2v_cli.training.speakers import equal_error_rate, pair_scores


def rate_by_thresholds(scores, is_same):
    """Look for the threshold at which both kinds of errors are nearest to each other."""
    best = None
    for threshold in [*np.unique(scores), scores.max() + 1]:
        refused = np.mean(scores[is_same] < threshold)
        accepted = np.mean(scores[~is_same] >= threshold)
        if best is None or abs(refused - accepted) < best[0]:
            best = (abs(refused - accepted), (refused + accepted) / 2)
    return best[1]


@pytest.mark.parametrize("distance", [0, 1, 3])
def test_equal_error_rate(distance, random):
    is_same = random.random(4000) < 0.2
    scores = random.normal(size=4000) + distance * is_same
    assert equal_error_rate(scores, is_same) == pytest.approx(
        rate_by_thresholds(scores, is_same), abs=0.002
    )
    expected = 0.5 * math.erfc(distance / 2 / math.sqrt(2))
    assert equal_error_rate(scores, is_same) == pytest.approx(expected, abs=0.03)


def test_vectors_that_tell_all_apart_and_none():
    vectors = [np.eye(3)[index] for index in (0, 0, 1, 1, 2)]
    assert equal_error_rate(*pair_scores(vectors, ["a", "a", "b", "b", "c"])) == 0
    assert equal_error_rate(*pair_scores([np.ones(3)] * 4, ["a", "a", "b", "b"])) == 0.5
    assert math.isnan(equal_error_rate(*pair_scores(vectors[:2], ["a", "a"])))
    assert math.isnan(equal_error_rate(*pair_scores(vectors[:1], ["a"])))
