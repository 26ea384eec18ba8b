"""How often each n-gram occurs in a text of word ids, sorted by their last words.

Sentences lie one after the other in arrays of ids, each with order - 1 marks <s> before it and
one </s> after it, so that every window of `order` ids that does not end in <s> is an n-gram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IdArray = npt.NDArray[np.uint32]
IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]

UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
"""The ids of <unk>, <s> and </s>; words follow in the order they come up in the text."""

_CHUNK_IDS = 1 << 22
_KEY_BITS = 64


@dataclass(frozen=True)
class NGramCounts:
    """The n-grams of one order.

    Attributes:
        words: (n-grams, order) ids, sorted by the last word, then the one before it, ...
        counts: (n-grams,) how often each occurs.
    """

    words: IdArray
    counts: IntArray


def count_ngrams(
    pieces: Iterable[IdArray],
    *,
    order: int,
    n_words: int,
    tell: Callable[[int], None] = lambda n_ids: None,
) -> NGramCounts:
    """Return the n-grams of the highest order, those that start with several <s> included.

    Memory grows with the number of different n-grams, not with the length of the text.

    Args:
        pieces: The text in ids, each piece whole sentences with their marks.
        order: Words in an n-gram, 1 or more.
        n_words: The number of ids, marks included.
        tell: Called with the number of ids counted so far.
    """
    packing = _Packing(order, n_words)
    # Tables of growing size, merged when two are of a size: each n-gram moves a few times.
    tables: list[tuple[KeyArray, IntArray]] = []
    n_ids = 0
    for piece in pieces:
        for windows in _windows(piece, order):
            tables.append(_merged(packing.keys(windows), np.ones(len(windows), np.int64)))
            while len(tables) > 1 and len(tables[-2][1]) < 2 * len(tables[-1][1]):
                tables.append(_merge_two(tables.pop(), tables.pop()))
        n_ids += len(piece)
        tell(n_ids)
    while len(tables) > 1:
        tables.append(_merge_two(tables.pop(), tables.pop()))
    if not tables:
        return NGramCounts(np.zeros((0, order), np.uint32), np.zeros(0, np.int64))
    keys, counts = tables[0]
    return NGramCounts(packing.words(keys), counts)


def _windows(ids: IdArray, order: int) -> Iterator[IdArray]:
    """Yield windows of `order` ids that do not end in <s>, (n, order)."""
    for first in range(0, len(ids) - order + 1, _CHUNK_IDS):
        part = ids[first : first + _CHUNK_IDS + order - 1]
        windows = np.lib.stride_tricks.sliding_window_view(part, order)
        ends = part[order - 1 :] != BEGIN_ID
        yield windows[ends]


@dataclass(frozen=True)
class _Packing:
    """N-grams as rows of 64-bit keys that sort as the n-grams do, last word first."""

    order: int
    n_words: int

    @property
    def bits(self) -> int:
        return max(1, (self.n_words - 1).bit_length())

    @property
    def columns(self) -> list[range]:
        """Which places of an n-gram go into each column of the key; the last places first."""
        per_column = _KEY_BITS // self.bits
        ends = range(self.order, 0, -per_column)
        return [range(max(0, end - per_column), end) for end in ends]

    def keys(self, words: npt.NDArray[Any]) -> KeyArray:
        keys = np.zeros((len(words), len(self.columns)), np.uint64)
        for column, places in enumerate(self.columns):
            for place in reversed(places):
                keys[:, column] <<= np.uint64(self.bits)
                keys[:, column] |= words[:, place].astype(np.uint64)
        return keys

    def words(self, keys: KeyArray) -> IdArray:
        words = np.empty((len(keys), self.order), np.uint32)
        mask = np.uint64((1 << self.bits) - 1)
        for column, places in enumerate(self.columns):
            for shift, place in enumerate(places):
                words[:, place] = (keys[:, column] >> np.uint64(shift * self.bits)) & mask
        return words


def _merge_two(
    first: tuple[KeyArray, IntArray], second: tuple[KeyArray, IntArray]
) -> tuple[KeyArray, IntArray]:
    return _merged(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))


def _merged(keys: KeyArray, counts: IntArray) -> tuple[KeyArray, IntArray]:
    """Return the keys sorted, each once, with the sum of its counts."""
    if len(keys) == 0:
        return keys, counts
    # lexsort takes its last key as the first to sort by.
    order = (
        np.argsort(keys[:, 0], kind="stable") if keys.shape[1] == 1 else np.lexsort(keys.T[::-1])
    )
    keys, counts = keys[order], counts[order]
    starts = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(axis=1)))
    return keys[starts], np.add.reduceat(counts, starts)
