"""The best readings of all utterances, against every combination."""

import itertools
import random

import pytest

from w2v_cli.decoding.hypothesis import Hypothesis
from w2v_cli.tasks.readings import Readings


@pytest.mark.parametrize("n_best", [1, 2, 5])
def test_the_best_of_every_combination(n_best):
    rng = random.Random(n_best)
    utterances = []
    for index in range(5):
        scores = sorted((rng.uniform(-9, 0) for _ in range(n_best)), reverse=True)
        utterances.append(
            [
                Hypothesis(f"u{index}r{rank}", (), score / 2, score)
                for rank, score in enumerate(scores)
            ]
        )
    readings = Readings(2)
    for hypotheses in utterances:
        readings.add(hypotheses)
    got = readings.alternatives()
    every = sorted(
        itertools.product(*utterances),
        key=lambda combination: -sum(h.lm_score for h in combination),
    )[:n_best]
    assert [reading.text for reading in got] == [" ".join(h.text for h in c) for c in every]
    for reading, combination in zip(got, every, strict=True):
        assert reading.lm_score == pytest.approx(sum(h.lm_score for h in combination))
        assert reading.logit_score == pytest.approx(sum(h.logit_score for h in combination))
        assert reading.channel == 2


def test_greedy_readings_say_nothing_new():
    readings = Readings(None)
    readings.add([Hypothesis("go left", (), -1.0)])
    assert readings.alternatives() == []


def test_utterances_without_words_leave_no_spaces():
    readings = Readings(None)
    for text in ("go", "", "left"):
        readings.add([Hypothesis(text, (), -1.0, -1.0)])
    (reading,) = readings.alternatives()
    assert (reading.text, reading.lm_score) == ("go left", -3.0)


def test_a_text_that_is_put_together_in_two_ways_is_there_once():
    readings = Readings(None)
    readings.add([Hypothesis("go", (), -1.0, -1.0), Hypothesis("", (), -2.0, -2.0)])
    readings.add([Hypothesis("left", (), -1.0, -1.0), Hypothesis("go left", (), -1.5, -1.5)])
    assert [(r.text, r.lm_score) for r in readings.alternatives()] == [
        ("go left", -2.0),
        ("go go left", -2.5),
    ]
