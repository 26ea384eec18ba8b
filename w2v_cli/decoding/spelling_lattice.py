"""The best path that says words which several sequences of outputs can write.

Where outputs have several letters, "the" is t-h-e, th-e or the. All of these are heard at once:
each place between two letters is a state, and so is each output that leads from one to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]

_STAYS = 0
_NONE = -1


def ways_to_write(text: str, columns: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    """Yield the columns that write a text one after another, in all ways, long pieces first.

    >>> list(ways_to_write("the", {"t": 1, "h": 2, "e": 3, "th": 4}))
    [(4, 3), (1, 2, 3)]
    """
    longest = max(map(len, columns), default=0)
    # For each place the pieces that begin there and leave a rest that can be written.
    pieces: list[list[tuple[int, int]]] = [[] for _ in text]
    for start in reversed(range(len(text))):
        for end in range(min(start + longest, len(text)), start, -1):
            if text[start:end] in columns and (end == len(text) or pieces[end]):
                pieces[start].append((end, columns[text[start:end]]))

    def ways_from(start: int) -> Iterator[tuple[int, ...]]:
        if start == len(text):
            yield ()
            return
        for end, column in pieces[start]:
            yield from ((column, *rest) for rest in ways_from(end))

    return ways_from(0)


@dataclass(frozen=True)
class Said:
    """An output on the best path.

    Attributes:
        word: Which of the words it belongs to.
        column: The output.
        start_frame, end_frame: Where it is said.
    """

    word: int
    column: int
    start_frame: int
    end_frame: int


class SpellingLattice:
    """All ways to write words with the outputs of a network.

    Args:
        words: What is said, without spaces.
        columns: The output that writes each text.
    """

    def __init__(self, words: Sequence[str], columns: Mapping[str, int]) -> None:
        longest = max(map(len, columns), default=0)
        self._breaks = np.cumsum([0, *map(len, words)])  # the place between two words is one
        arcs = [
            (index, first + begin, first + end, columns[word[begin:end]])
            for index, (word, first) in enumerate(zip(words, self._breaks.tolist(), strict=False))
            for begin in range(len(word))
            for end in range(begin + 1, min(begin + longest, len(word)) + 1)
            if word[begin:end] in columns
        ]
        table = np.array(arcs, dtype=np.intp).reshape(-1, 4)
        self._words, self._starts, self._ends, self._columns = table.T
        self._into_place = _padded(
            [np.flatnonzero(self._ends == n) for n in range(self._breaks[-1] + 1)]
        )
        # An equal output must have a blank before it.
        self._into_arc = _padded(
            [
                np.flatnonzero((self._ends == start) & (self._columns != column))
                for start, column in zip(self._starts, self._columns, strict=True)
            ]
        )

    def best_path(self, columns: FloatArray, blank: FloatArray, gap: FloatArray) -> list[Said]:
        """Return the outputs on the best path; nothing where no path says the words.

        Args:
            columns: What each frame gives each output, (frames, columns); natural logarithms.
            blank: What it gives silence inside a word, (frames,).
            gap: What it gives silence around words, (frames,).
        """
        n_places, n_arcs = len(self._into_place), len(self._columns)
        places = np.full(n_places, -np.inf)
        arcs = np.full(n_arcs + 1, -np.inf)  # the last one is what there is not
        places[0] = 0.0
        from_where = np.zeros((len(columns), n_places + n_arcs), np.int16)
        is_gap = np.isin(np.arange(n_places), self._breaks)
        for frame in range(len(columns)):
            come = np.column_stack([places, arcs[self._into_place]])
            go = np.column_stack([arcs[:-1], places[self._starts], arcs[self._into_arc]])
            chosen = come.argmax(1), go.argmax(1)
            from_where[frame] = np.concatenate(chosen)
            places = come[np.arange(n_places), chosen[0]]
            places += np.where(is_gap, gap[frame], blank[frame])
            arcs[:-1] = go[np.arange(n_arcs), chosen[1]] + columns[frame, self._columns]
        last = np.append(places[-1], arcs[self._into_place[-1]])
        if last.max() == -np.inf:
            return []
        state = n_places - 1
        if last.argmax():
            state = n_places + int(self._into_place[-1][last.argmax() - 1])
        return self._traced(from_where, state)

    def _traced(self, from_where: npt.NDArray[np.int16], state: int) -> list[Said]:
        """Return the path that ends in a state: a place, or an arc behind all places."""
        n_places = len(self._into_place)
        said: list[Said] = []
        end_frame = len(from_where)
        for frame in range(len(from_where) - 1, -1, -1):
            choice = int(from_where[frame, state])
            if choice == _STAYS:
                continue
            arc = state - n_places
            if arc < 0:
                state = n_places + int(self._into_place[state][choice - 1])
                end_frame = frame
                continue
            said.append(self._said(arc, frame, end_frame))
            end_frame = frame
            if choice == 1:
                state = int(self._starts[arc])
            else:
                state = n_places + int(self._into_arc[arc][choice - 2])
        return said[::-1]

    def _said(self, arc: int, start_frame: int, end_frame: int) -> Said:
        return Said(int(self._words[arc]), int(self._columns[arc]), start_frame, end_frame)


def _padded(rows: Sequence[IntArray]) -> IntArray:
    """Return rows of different lengths as a matrix, filled up with -1."""
    table = np.full((len(rows), max(map(len, rows), default=0)), _NONE, dtype=np.intp)
    for row, found in zip(table, rows, strict=True):
        row[: len(found)] = found
    return table
