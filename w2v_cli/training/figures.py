"""Measures of many results, and how sure they are: bootstrap intervals (Bisani and Ney 2004)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

PLAIN_FIGURES = frozenset(("contrastive_loss", "perplexity", "min_dcf"))
"""Measures that are no shares."""

Tally = tuple[Array, Array]
"""What is counted in each result and out of how many, both (results, classes): a measure is the
sum of one by the sum of the other, and the mean of these over classes; most have one class."""

LEVEL = 0.95


def show_figure(name: str, value: float | None) -> str:
    """Return a measure for people: in percent if it is a share, a dash if it is no number.

    >>> show_figure("wer", 0.125), show_figure("perplexity", 12.34567), show_figure("wer", None)
    ('12.50 %', '12.35', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.4g}" if name in PLAIN_FIGURES else f"{100 * value:.2f} %"


def ratios(tallies: Mapping[str, Tally]) -> dict[str, float]:
    """Return each measure over all results; nan where there is nothing to count.

    An error rate is infinite where nothing was said and something was heard.

    >>> ratios({"wer": (np.array([[1.0], [0.0]]), np.array([[3.0], [2.0]]))})
    {'wer': 0.2}
    """
    return {
        name: float(_ratio(counted.sum(axis=0)[None], possible.sum(axis=0)[None])[0])
        if len(counted)
        else math.nan
        for name, (counted, possible) in tallies.items()
    }


def intervals(
    tallies: Mapping[str, Tally],
    groups: Sequence[str],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return between which bounds each measure lies with a confidence of 95 %.

    Whole groups are drawn with replacement, since the recordings of one speaker are right or
    wrong together.

    Args:
        tallies: What was counted.
        groups: Each result's group: its speaker, or a name of its own.
        n_resamples: How often is drawn.
        seed: What is drawn with.
    """
    names, members = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    random = np.random.default_rng(seed)
    if not len(names):
        return {}
    sums = {
        name: (_by_group(counted, members), _by_group(possible, members))
        for name, (counted, possible) in tallies.items()
    }
    values: dict[str, list[float]] = {name: [] for name in sums}
    for _ in range(n_resamples):
        times = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        for name, (counted, possible) in sums.items():
            values[name].append(_ratio((times @ counted)[None], (times @ possible)[None])[0])
    bounds = {}
    for name, drawn in values.items():
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
        bounds[name] = (float(low), float(high))
    return bounds


def _by_group(values: Array, members: npt.NDArray[np.intp]) -> Array:
    """Return the sums of each group, (groups, classes)."""
    sums = np.zeros((members.max() + 1, values.shape[1]))
    np.add.at(sums, members, values)
    return sums


def _ratio(counted: Array, possible: Array) -> Array:
    """Return the mean over classes of counted by possible, (draws,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = counted / possible
    if ratios.shape[1] == 1:  # without a reference: 0 errors are 0, others are infinite
        return np.where((counted == 0) & (possible == 0), 0.0, ratios)[:, 0]
    there = possible > 0
    means: Array = np.where(there, ratios, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return means
