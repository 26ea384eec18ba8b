"""The grid is searched whole, and the best of equals is in their middle."""

import numpy as np
import pytest

from w2v_cli.decoding import Hypothesis
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.language_model.tune import Point, best_point, search


class Decoder:
    """Hears everything right at alpha 1, and half of it elsewhere."""

    def submit(self, batch, options):
        self.texts = ["go left", "stop" if options.alpha == 1 else "top"]
        assert len(batch) == 2
        return self

    def result(self):
        return [(Hypothesis(text, (), 0.0),) for text in self.texts]


def test_every_pair_is_tried_and_scored():
    points = search(
        Decoder(),
        [np.zeros((1, 2))] * 2,
        ["Go, left!", "stop"],
        BeamOptions(),
        alphas=(0, 1),
        betas=(2, 3),
    )
    assert [(p.alpha, p.beta, p.errors, p.n_words) for p in points] == [
        (0, 2, 1, 3),
        (0, 3, 1, 3),
        (1, 2, 0, 3),
        (1, 3, 0, 3),
    ]
    assert points[0].wer == pytest.approx(1 / 3)


def test_of_equals_the_middle_is_best():
    grid = [Point(a, b, int(b == 9), 10) for a in (0, 1, 2) for b in (0, 1, 2, 9)]
    assert best_point(grid) == Point(1, 1, 0, 10)


def test_equals_that_lie_apart_have_no_common_middle():
    good = {(0, 0), (3, 0), (3, 1), (3, 2), (4, 1)}
    grid = [Point(a, b, int((a, b) not in good), 9) for a in range(6) for b in range(3)]
    assert best_point(grid) == Point(3, 1, 0, 9)
