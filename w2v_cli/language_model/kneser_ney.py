"""Modified Kneser-Ney smoothing, interpolated, as KenLM's lmplz estimates it.

S. F. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling",
TR-10-98, Harvard 1998, section 3; K. Heafield et al., "Scalable Modified Kneser-Ney Language
Model Estimation", ACL 2013, section 3, for pruning, <s> and <unk>.

Every n-gram but one of the highest order, or one that starts with <s>, counts as often as there
are different words before it. From each count a discount is taken, of three sizes for the counts
1, 2 and more; what a context loses so it gives to the n-grams shorter by a word, at last to all
words alike, <unk> among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.errors import W2VError
from w2v_cli.language_model.ngram_counts import (
    BEGIN_ID,
    END_ID,
    UNKNOWN_ID,
    IdArray,
    IntArray,
    NGramCounts,
)

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Discounts = tuple[float, float, float]

FALLBACK_DISCOUNTS: Discounts = (0.5, 1.0, 1.5)
"""lmplz's, for texts too small or too regular to estimate discounts from."""


class DiscountError(W2VError):
    """A text too small or too regular to estimate discounts from."""


@dataclass(frozen=True)
class Estimate:
    """The n-grams of one order with their probabilities.

    Attributes:
        first: (n,) the first word of each.
        low: (n,) the place of the n-gram without its first word in the order below.
        log_prob: (n,) log10 of the probability of its last word after the others.
        log_backoff: (n,) log10 of what multiplies the order below after these words; 0 where
            nothing follows.
        kept: (n,) whether it is in the model, and was not pruned.
        fell_back: Whether these are the fallback and not estimated.
    """

    first: IdArray
    low: IntArray
    log_prob: FloatArray
    log_backoff: FloatArray
    kept: BoolArray
    fell_back: bool


@dataclass(frozen=True)
class _Table:
    """The n-grams of one order, sorted by the last word, then the one before it, ..."""

    first: IdArray
    low: IntArray
    raw: IntArray  # how often each occurs
    adjusted: IntArray  # how often it counts
    kept: BoolArray
    last_is_raw: bool  # see `_counts_of_counts`


def estimate(
    counts: NGramCounts,
    *,
    n_words: int,
    prune: Sequence[int] = (),
    fallback: Discounts | None = FALLBACK_DISCOUNTS,
) -> list[Estimate]:
    """Return the estimates of every order, from 1 up.

    Args:
        counts: The n-grams of the highest order, from `count_ngrams`.
        n_words: The number of ids, marks included.
        prune: For each order from 1 up, n-grams that occur so often or less are left out; the
            last holds for higher orders too. May not fall.
        fallback: The discounts where none can be estimated; None to refuse.

    Raises:
        DiscountError: No discounts can be estimated, and there is no fallback.
        ValueError: `prune` falls or has too many numbers.
    """
    order = counts.words.shape[1]
    tables = _tables(counts, n_words, thresholds(prune, order))
    del counts
    estimates: list[Estimate] = []
    prefixes = np.zeros(len(tables[0].first), np.int64)
    n_contexts = 1
    below = np.zeros(1)  # probabilities of the order below; there is none below single words
    for k, table in enumerate(tables, start=1):
        discounts, fell_back = _discounts(table, k, fallback)
        if k > 1:
            prefixes = _prefixes(tables, prefixes, k)
        probability, gamma = _probabilities(
            table, prefixes, n_contexts, discounts, below[table.low]
        )
        if k > 1:
            estimates[-1] = replace(estimates[-1], log_backoff=_log10(gamma))
        else:
            probability = _unigrams(table, probability, gamma[0])
        estimates.append(
            Estimate(
                first=table.first,
                low=table.low,
                log_prob=_log10(probability),
                log_backoff=np.zeros(len(table.first)),
                kept=table.kept,
                fell_back=fell_back,
            )
        )
        n_contexts, below = len(table.first), probability
    return estimates


def thresholds(prune: Sequence[int], order: int) -> list[int]:
    """Return for each order the count up to which n-grams are left out.

    >>> thresholds([0, 1], 4)
    [0, 1, 1, 1]
    """
    if len(prune) > order or list(prune) != sorted(prune) or any(n < 0 for n in prune):
        raise ValueError(
            f"{list(prune)}: at most {order} numbers, each 0 or more, that do not fall"
        )
    return [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]


def ngram_words(estimates: Sequence[Estimate], k: int, places: IntArray) -> IdArray:
    """Return the words of n-grams of order `k` by their places, (n, k)."""
    columns = []
    for table in reversed(estimates[:k]):
        columns.append(table.first[places])
        places = table.low[places]
    return np.stack(columns, axis=1)


def _tables(counts: NGramCounts, n_words: int, prune: Sequence[int]) -> list[_Table]:
    """Return the tables of all orders, from 1 up."""
    words = counts.words
    order = words.shape[1]
    tables = []
    starts_below = starts = np.zeros(0, np.bool_)
    for k, (places, is_last_valid, new) in enumerate(_groups(words), start=1):
        starts = new
        first = words[places, order - k]
        raw = _sums(counts.counts, places, new, words, k)
        low = np.cumsum(starts_below)[places] - 1 if k > 1 else np.zeros(len(places), np.int64)
        if k == 2:  # unigrams are found by their word, also those that occur nowhere
            low = words[places, order - 1].astype(np.int64)
        if k == 1:
            raw = np.bincount(first, weights=raw, minlength=n_words).astype(np.int64)
            first = np.arange(n_words, dtype=np.uint32)
            low = np.zeros(n_words, np.int64)
        tables.append(
            _Table(
                first=first,
                low=low,
                raw=raw,
                adjusted=raw,
                kept=(raw > prune[k - 1]) | ((k == 1) & (first <= END_ID)),
                last_is_raw=k < order and is_last_valid,
            )
        )
        starts_below = starts
    for k in range(order - 1, 0, -1):
        table = tables[k - 1]
        n_before = np.bincount(tables[k].low, minlength=len(table.first))
        adjusted = np.where(table.first == BEGIN_ID, table.raw, n_before)
        tables[k - 1] = replace(table, adjusted=adjusted)
    return tables


def _groups(words: IdArray) -> Iterator[tuple[IntArray, bool, BoolArray]]:
    """Yield for each order where its n-grams start in the sorted rows of the highest order.

    An n-gram has at most one <s>. Yields the places, whether the last row holds one, and the
    places once more as flags.
    """
    n_rows, order = words.shape
    differs = np.zeros(n_rows, np.bool_)
    differs[:1] = True
    for k in range(1, order + 1):
        differs[1:] |= words[1:, order - k] != words[:-1, order - k]
        valid = np.ones(n_rows, np.bool_) if k == 1 else words[:, order - k + 1] != BEGIN_ID
        new = differs & valid
        yield np.flatnonzero(new), bool(valid[-1]), new


def _sums(counts: IntArray, places: IntArray, new: BoolArray, words: IdArray, k: int) -> IntArray:
    """Return how often each n-gram of order `k` occurs: the sum over the rows that hold it."""
    if len(places) == 0:
        return np.zeros(0, np.int64)
    order = words.shape[1]
    held = counts if k == 1 else np.where(words[:, order - k + 1] != BEGIN_ID, counts, 0)
    sums: IntArray = np.add.reduceat(held, places)
    return sums


def _discounts(table: _Table, k: int, fallback: Discounts | None) -> tuple[Discounts, bool]:
    """Return the discounts of an order, equation 26 of Chen and Goodman; and if it's the fallback.

    Raises:
        DiscountError: They cannot be estimated, and there is no fallback.
    """
    n = _counts_of_counts(table)
    if min(n[1:4]) > 0:
        # In single precision, as lmplz does: at the ends of the range rounding decides.
        one, two, three, four = (np.float32(count) for count in n[1:])
        y = one / (one + 2 * two)
        d1, d2, d3 = (
            float(np.float32(j) - np.float32(j + 1) * y * above / count)
            for j, count, above in ((1, one, two), (2, two, three), (3, three, four))
        )
        if 0 <= d1 <= 1 and 0 <= d2 <= 2 and 0 <= d3 <= 3:
            return (d1, d2, d3), False
    if fallback is None:
        raise DiscountError(
            f"the text is too small or too regular: {n[1]}, {n[2]}, {n[3]} and {n[4]} of its "
            f"{k}-grams count 1, 2, 3 and 4 times, which gives no discounts; use more text, a "
            f"lower --order, or --discount-fallback 0.5,1,1.5"
        )
    return fallback, True


def _counts_of_counts(table: _Table) -> list[int]:
    """Return how many n-grams count 0, 1, 2, 3 and 4 times, as lmplz counts them.

    Below the highest order lmplz enters the last n-gram of all with its plain count: a slip
    (AdjustCounts::Run), which is kept here for the sake of equal models.
    """
    adjusted = table.adjusted
    if table.last_is_raw and len(adjusted):
        adjusted = adjusted.copy()
        adjusted[-1] = table.raw[-1]
    return [int(count) for count in np.bincount(np.minimum(adjusted, 5), minlength=6)[:5]]


def _prefixes(tables: Sequence[_Table], below: IntArray, k: int) -> IntArray:
    """Return the place of each n-gram's context, all but its last word, in the order below.

    Its place is found by its first word and the place of the rest, by which tables are sorted.

    Args:
        tables: Of all orders.
        below: What this function returned for the order below.
        k: The order.
    """
    table, lower = tables[k - 1], tables[k - 2]
    if k == 2:
        return table.first.astype(np.int64)
    keys = _pair_keys(lower.low, lower.first)
    wanted = _pair_keys(below[table.low], table.first)
    return np.searchsorted(keys, wanted).astype(np.int64)


def _pair_keys(places: IntArray, words: IdArray) -> npt.NDArray[np.uint64]:
    return (places.astype(np.uint64) << np.uint64(32)) | words.astype(np.uint64)


def _probabilities(
    table: _Table,
    prefixes: IntArray,
    n_contexts: int,
    discounts: Discounts,
    lower: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return probabilities, and the weight that each context gives away: all if none follows.

    What was pruned gives all its weight away (Heafield et al. 2013, section 3.3).

    Args:
        table: The n-grams.
        prefixes: The place of each one's context.
        n_contexts: The number of contexts there could be.
        discounts: For the counts 1, 2 and more.
        lower: The probability of each n-gram without its first word.
    """
    taken = np.array([0.0, *discounts])[np.minimum(table.adjusted, 3)]
    given = np.where(table.kept, taken, table.adjusted)
    total = _summed(table.adjusted, prefixes, n_contexts)
    gamma = np.divide(
        _summed(given, prefixes, n_contexts), total, out=np.ones(n_contexts), where=total > 0
    )
    probability = (table.adjusted - taken) / np.maximum(total, 1.0)[prefixes]
    return probability + gamma[prefixes] * lower, gamma


def _unigrams(table: _Table, probability: FloatArray, gamma: float) -> FloatArray:
    """Return the probabilities of single words, <unk>'s too; <s> is certain."""
    n_kept = int(table.kept.sum()) - 1  # nothing predicts <s>
    probability = probability + gamma / n_kept
    probability[UNKNOWN_ID] = gamma / n_kept
    probability[BEGIN_ID] = 1.0
    return probability


def _summed(values: npt.NDArray[Any], places: IntArray, length: int) -> FloatArray:
    return np.bincount(places, weights=values, minlength=length).astype(np.float64)


def _log10(probability: FloatArray) -> FloatArray:
    """Return log10, never above 0 by rounding; pruned n-grams may have no probability."""
    logs: FloatArray = np.minimum(np.log10(np.maximum(probability, 1e-99)), 0.0)
    return logs
