"""How well scores tell whether two recordings are of one speaker: DET curves and the EER.

Both kinds of errors are counted at every threshold (Martin et al. 1997, "The DET curve in
assessment of detection task performance").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.95
TARGET_PRIOR = 0.05
"""How often two recordings are of one speaker, for `detection_cost`, as in VoxSRC 2020."""

# Pairs of each kind that the bootstrap looks at; more take long and change little.
_MOST_PAIRS = 100_000


@dataclass(frozen=True)
class Pairs:
    """Recordings, two by two.

    Attributes:
        scores: How alike the two are, (pairs,).
        speakers: The numbers of their speakers, (pairs, 2).
    """

    scores: FloatArray
    speakers: npt.NDArray[np.intp]

    @property
    def is_same(self) -> BoolArray:
        """Whether the two are of one speaker, (pairs,)."""
        same: BoolArray = self.speakers[:, 0] == self.speakers[:, 1]
        return same


@dataclass(frozen=True)
class DetectionErrors:
    """Both kinds of errors at every threshold, from one that refuses all to one that accepts all.

    Attributes:
        thresholds: Pairs with this score or a higher one are accepted, (points,); first infinity.
        refused: The share of pairs of one speaker that are not accepted, (points,).
        accepted: The share of pairs of two speakers that are, (points,).
    """

    thresholds: FloatArray
    refused: FloatArray
    accepted: FloatArray


def pair_up(vectors: Sequence[FloatArray], speakers: Sequence[str]) -> Pairs:
    """Return every pair of vectors, with its cosine.

    Args:
        vectors: Each of length one, (dim,).
        speakers: Whose they are.
    """
    names = np.unique(np.asarray(speakers, dtype=object).astype(str), return_inverse=True)[1]
    if len(vectors) < 2:
        return Pairs(np.zeros(0), np.zeros((0, 2), dtype=np.intp))
    stacked = np.stack(vectors)
    one, other = np.triu_indices(len(stacked), k=1)
    scores: FloatArray = (stacked @ stacked.T)[one, other]
    return Pairs(scores, np.stack([names[one], names[other]], axis=1))


def detection_errors(scores: FloatArray, is_same: BoolArray) -> DetectionErrors | None:
    """Return both kinds of errors; None where there are pairs of one kind only.

    Args:
        scores: How alike the two of each pair are, (pairs,).
        is_same: Whether they are of one speaker, (pairs,).
    """
    order = _descending(scores)
    return _errors(scores[order], is_same[order], np.ones(len(scores)))


def equal_error(errors: DetectionErrors) -> tuple[float, float]:
    """Return the equal error rate, and the threshold that has it.

    Between two thresholds both errors are taken as straight lines.

    >>> scores, is_same = np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])
    >>> rate, threshold = equal_error(detection_errors(scores, is_same))
    >>> rate, round(threshold, 6)
    (0.5, 0.6)
    """
    refused, accepted, thresholds = errors.refused, errors.accepted, errors.thresholds
    after = int(np.argmax(accepted >= refused))  # all accepted: there is one
    before = after - 1  # none accepted: it is not the first
    gap_before = refused[before] - accepted[before]
    share = gap_before / (gap_before + accepted[after] - refused[after])
    rate = refused[before] + share * (refused[after] - refused[before])
    threshold = thresholds[after]
    if np.isfinite(thresholds[before]):
        threshold = thresholds[before] + share * (threshold - thresholds[before])
    return float(rate), float(threshold)


def equal_error_rate(scores: FloatArray, is_same: BoolArray) -> float:
    """Return where as many pairs of one speaker are refused as pairs of two are accepted.

    Args are those of `detection_errors`.

    Returns:
        The rate, 0 to 1; nan where there are pairs of one kind only.
    """
    errors = detection_errors(scores, is_same)
    return float("nan") if errors is None else equal_error(errors)[0]


def detection_cost(errors: DetectionErrors) -> float:
    """Return the least cost of all thresholds, by that of refusing all (minDCF).

    Each error costs 1 (NIST SRE plans; as in VoxSRC 2020).
    """
    costs = TARGET_PRIOR * errors.refused + (1 - TARGET_PRIOR) * errors.accepted
    return float(costs.min() / TARGET_PRIOR)


def equal_error_interval(
    pairs: Pairs, *, n_resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return between which bounds the equal error rate lies with a confidence of 95 %.

    Whole speakers are drawn with replacement, and a pair counts as often as both of its speakers
    were drawn (the subset bootstrap: Bolle, Ratha and Pankanti 2004): pairs that share a
    speaker are right or wrong together. Two draws of one speaker make no pair of two. Of very
    many pairs some are drawn once and for all.

    Args:
        pairs: All pairs.
        n_resamples: How often is drawn.
        seed: What is drawn with.

    Returns:
        The bounds; None where there are pairs of one kind only.
    """
    random = np.random.default_rng(seed)
    kept = _some_of_each(pairs.is_same, random)
    order = kept[_descending(pairs.scores[kept])]
    scores, speakers = pairs.scores[order], pairs.speakers[order]
    is_same = speakers[:, 0] == speakers[:, 1]
    n_speakers = int(pairs.speakers.max(initial=-1)) + 1
    rates = []
    for _ in range(n_resamples):
        times = np.bincount(random.integers(n_speakers, size=n_speakers), minlength=n_speakers)
        errors = _errors(scores, is_same, pair_weights(speakers, times))
        if errors is not None:
            rates.append(equal_error(errors)[0])
    if not rates:
        return None
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return float(low), float(high)


def pair_weights(
    speakers: npt.NDArray[np.intp], times: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Return how often each pair counts, if each speaker was drawn so many times.

    >>> pair_weights(np.array([[0, 0], [0, 1], [1, 2]]), np.array([2, 3, 0]))
    array([2, 6, 0])
    """
    one, other = times[speakers].T
    return np.where(speakers[:, 0] == speakers[:, 1], one, one * other)


def _descending(scores: FloatArray) -> npt.NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")


def _errors(
    scores: FloatArray, is_same: BoolArray, weights: npt.NDArray[Any]
) -> DetectionErrors | None:
    """Return both kinds of errors of pairs with falling scores that count so often each."""
    same, different = np.cumsum(weights * is_same), np.cumsum(weights * ~is_same)
    if not len(scores) or not same[-1] or not different[-1]:
        return None
    # A threshold lies between two scores that differ: what is above it is accepted.
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return DetectionErrors(
        thresholds=np.concatenate([[np.inf], scores[ends]]),
        refused=1 - np.concatenate([[0.0], same[ends] / same[-1]]),
        accepted=np.concatenate([[0.0], different[ends] / different[-1]]),
    )


def _some_of_each(is_same: BoolArray, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the numbers of pairs of both kinds, not too many of either."""
    chosen = []
    for kind in (is_same, ~is_same):
        numbers = np.flatnonzero(kind)
        if len(numbers) > _MOST_PAIRS:
            numbers = random.choice(numbers, _MOST_PAIRS, replace=False)
        chosen.append(numbers)
    return np.concatenate(chosen)
