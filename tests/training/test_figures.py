"""Measures are the sums they should be, and intervals hold the truth as often as they say."""

import math

import numpy as np
import pytest

from w2v_cli.training.figures import intervals, ratios


def column(*values):
    return np.array(values, float).reshape(-1, 1)


def test_long_texts_weigh_more():
    assert ratios({"wer": (column(1, 0), column(1, 9))}) == {"wer": 0.1}


def test_without_words():
    assert ratios({"wer": (column(0), column(0))}) == {"wer": 0.0}
    assert math.isinf(ratios({"wer": (column(2), column(0))})["wer"])


def test_without_results():
    assert math.isnan(ratios({"wer": (column(), column())})["wer"])


def test_classes_weigh_alike():
    members = np.array([[1, 0, 0]] * 8 + [[0, 1, 0]] * 2, float)  # the third is never there
    right = members * np.array([True] * 8 + [True, False])[:, None]
    assert ratios({"balanced": (right, members)}) == {"balanced": 0.75}


def test_intervals_hold_the_truth_nineteen_times_in_twenty(random):
    held = 0
    for trial in range(200):
        wrong = column(*(random.random(300) < 0.2))
        groups = [str(index) for index in range(300)]
        (low, high) = intervals({"wer": (wrong, np.ones_like(wrong))}, groups, seed=trial)["wer"]
        held += low <= 0.2 <= high
    assert held / 200 == pytest.approx(0.95, abs=0.05)


def test_recordings_of_one_speaker_go_together():
    wrong = column(*[1] * 50, *[0] * 50)
    tallies = {"wer": (wrong, np.ones_like(wrong))}
    alone = intervals(tallies, [str(index) for index in range(100)])["wer"]
    together = intervals(tallies, ["anna"] * 50 + ["ben"] * 50)["wer"]
    assert 0.35 < alone[0] < alone[1] < 0.65
    assert together == (0.0, 1.0)
