"""Which weights of a language model give the fewest wrong words: a grid, searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.language_model.layout import attrs_json
from w2v_cli.scoring import Pair, score_pairs

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.decoding.options import BeamOptions
    from w2v_cli.decoding.pool import DecoderPool

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Point:
    """What one pair of weights gave.

    Attributes:
        alpha: Weight of the language model.
        beta: Score added for each word.
        errors: Words that were wrong.
        n_words: Words that were said.
    """

    alpha: float
    beta: float
    errors: int
    n_words: int

    @property
    def wer(self) -> float:
        """The word error rate."""
        return self.errors / max(1, self.n_words)


def search(
    pool: DecoderPool,
    emissions: Sequence[FloatArray],
    references: Sequence[str],
    options: BeamOptions,
    *,
    alphas: Sequence[float],
    betas: Sequence[float],
    tell: Callable[[], None] = lambda: None,
) -> list[Point]:
    """Return what each pair of weights gives, alphas in the outer loop.

    Case and punctuation don't count as errors.

    Args:
        pool: The decoder, with its language model.
        emissions: Of each clip, (frames, vocab).
        references: What is said in each.
        options: All other options.
        alphas: Weights of the language model to try.
        betas: Scores for each word to try.
        tell: Called when a pair is done.
    """
    points = []
    for alpha in alphas:
        for beta in betas:
            chosen = replace(options, alpha=alpha, beta=beta)
            found = pool.submit(list(emissions), chosen).result()
            pairs = [
                Pair(str(index), reference, readings[0].text)
                for index, (reference, readings) in enumerate(zip(references, found, strict=True))
            ]
            words = score_pairs(pairs, normalizer="basic").words
            points.append(Point(alpha, beta, words.errors, words.n_reference))
            tell()
    return points


def best_point(points: Sequence[Point]) -> Point:
    """Return the point with the fewest errors; of equals the one in the middle of its equals.

    Where many weights do equally well, those at the edge are the least sure to do so elsewhere. The
    middle is that of the largest group of neighbours.
    """
    fewest = min(point.errors for point in points)
    best = [point for point in points if point.errors == fewest]
    equals = max(_groups(best, points), key=len)
    alpha = float(np.mean([point.alpha for point in equals]))
    beta = float(np.mean([point.beta for point in equals]))
    return min(equals, key=lambda p: (p.alpha - alpha) ** 2 + (p.beta - beta) ** 2)


def _groups(best: Sequence[Point], points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the groups of points that are next to each other in the grid of all points."""
    alphas = sorted({point.alpha for point in points})
    betas = sorted({point.beta for point in points})
    places = {(alphas.index(point.alpha), betas.index(point.beta)): point for point in best}
    while places:
        edge = [next(iter(places))]
        group = [places.pop(edge[0])]
        while edge:
            row, column = edge.pop()
            beside = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
            for place in beside:
                if place in places:
                    group.append(places.pop(place))
                    edge.append(place)
        yield group


def weights_json(ngram: NGram, point: Point) -> str:
    """Return attrs.json with the weights of a point."""
    return attrs_json(ngram, alpha=point.alpha, beta=point.beta)
