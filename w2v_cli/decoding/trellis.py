"""The best path of a known sequence of labels through a CTC trellis, in little memory.

A trellis has a state for each label and one for the blank before, between and after them.
Looking for the best path needs, for each frame and state, where it was best reached from: for
an hour of speech that is 180,000 frames times 100,000 states, or 18 GB at a byte each. Here
the scores are kept at a few frames only. From there the choices of one block of frames at a
time are found once more, and only for the states that the path can have come through: it
moves on by one label a frame at most. So the second pass costs next to nothing, and what is
kept grows like (frames x labels)^(2/3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]
Scores = npt.NDArray[np.float64]

BLANK = -1
"""In a path, a frame that says no label."""

# An impossible output counts as nearly so: then there is a path wherever the frames suffice,
# and sums over an hour keep six digits behind the point.
_LOG_ZERO = -1e4

_FROM_BLANK, _FROM_LABEL = 1, 2  # 0: from itself


@dataclass(frozen=True)
class Trellis:
    """What may be said in every frame, and in which order.

    Attributes:
        scores: Natural-log probabilities of what a frame can say, (frames, columns).
        labels: The column of each label, in the order they are said, (labels,).
        blanks: The column of the blank before each label and after the last, (labels + 1,).
    """

    scores: FloatArray
    labels: IntArray
    blanks: IntArray

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or len(self.blanks) != len(self.labels) + 1:
            raise ValueError(
                f"a trellis needs scores (frames, columns) and one blank more than labels, not "
                f"{self.scores.shape}, {len(self.labels)} labels and {len(self.blanks)} blanks"
            )
        columns = np.concatenate([self.labels, self.blanks])
        if columns.min() < 0 or columns.max() >= self.scores.shape[1]:
            raise ValueError(f"a label is outside of the {self.scores.shape[1]} columns")
        if np.isnan(self.scores).any():
            raise ValueError("emissions hold NaN")

    @property
    def min_frames(self) -> int:
        """How many frames the labels need: one each, and a blank between two equal ones."""
        return len(self.labels) + int((self.labels[1:] == self.labels[:-1]).sum())


@dataclass
class _Row:
    """The best score of every path to each state, after some frame.

    Attributes:
        first: The first label here; the others' indices count from it.
        labels: For each label, (labels,).
        blanks: For the blank before each label and the one after the last, (labels + 1,).
    """

    first: int
    labels: Scores
    blanks: Scores

    def part(self, first: int, end: int) -> _Row:
        """Return a copy of some labels' scores, minus infinity for those that are not here."""
        part = _Row(first, np.full(end - first, -np.inf), np.full(end - first + 1, -np.inf))
        begin, stop = max(first, self.first), min(end, self.first + len(self.labels))
        if begin <= stop:
            here, there = slice(begin - self.first, stop - self.first), begin - first
            part.labels[there : there + stop - begin] = self.labels[here]
            blanks = self.blanks[here.start : here.stop + 1]
            part.blanks[there : there + len(blanks)] = blanks
        return part


def best_path(trellis: Trellis, *, block_frames: int | None = None) -> IntArray:
    """Return which label each frame of the best path says, `BLANK` for none, (frames,).

    Viterbi over the states of Graves et al. 2006, section 4.1, exact in all of the trellis.

    Args:
        trellis: What may be said.
        block_frames: Frames between two that are kept; None for what needs least memory.

    Raises:
        ValueError: There are fewer frames than `trellis.min_frames`.
    """
    n_frames, n_labels = len(trellis.scores), len(trellis.labels)
    if n_frames < trellis.min_frames:
        raise ValueError(f"{n_frames} frames for labels that need {trellis.min_frames}")
    if block_frames is None:
        # 16 bytes a label and kept frame, 2 bytes a state of a block: least at their balance.
        block_frames = max(1, round((4 * n_frames * n_labels) ** (1 / 3)))
    steps = _Steps(trellis)
    kept, last = _forward(steps, block_frames)
    at_blank = bool(last.blanks[-1] >= last.labels[-1]) if n_labels else True
    index = n_labels if at_blank else n_labels - 1
    path = np.full(n_frames, BLANK, dtype=np.intp)
    while kept:
        begin, row = kept.pop()
        end = min(begin + block_frames, n_frames)
        at_blank, index = _trace(steps, row, begin, path[begin:end], at_blank, index)
    return path


class _Steps:
    """Moves a row of scores on by a frame."""

    def __init__(self, trellis: Trellis) -> None:
        self.n_frames, self.n_labels = len(trellis.scores), len(trellis.labels)
        self._scores = trellis.scores
        self._labels = trellis.labels.astype(np.intp)
        # Nearly all blanks are in one column: its score is added to all, then the others' mended.
        columns, counts = np.unique(trellis.blanks, return_counts=True)
        self._blank = int(columns[counts.argmax()])
        self._odd_places = np.flatnonzero(trellis.blanks != self._blank)
        self._odd_columns = trellis.blanks[self._odd_places].astype(np.intp)
        # From a label to the next without a blank: not if it is the same label once more.
        self._repeats = np.flatnonzero(self._labels[1:] == self._labels[:-1]) + 1

    def first_row(self) -> _Row:
        """Return the row before the first frame: nothing said yet."""
        row = _Row(0, np.full(self.n_labels, -np.inf), np.full(self.n_labels + 1, -np.inf))
        row.blanks[0] = 0.0
        return row

    def live(self, frame: int) -> tuple[int, int]:
        """Return the labels that may be said in a frame: not too early nor too late."""
        first = max(0, self.n_labels - (self.n_frames - frame))
        return first, min(self.n_labels, frame + 1)

    def advance(self, row: _Row, frame: int, first: int, end: int) -> None:
        """Add a frame to the scores of labels from `first` up to `end`, and their blanks."""
        labels, blanks, skipping = self._view(row, first, end)
        arrived = np.maximum(labels, blanks[:-1])
        if len(skipping):
            np.maximum(arrived[-len(skipping) :], skipping, out=arrived[-len(skipping) :])
        np.maximum(blanks[1:], labels, out=blanks[1:])
        self._say(row, frame, first, end, arrived)

    def advance_noting(
        self, row: _Row, frame: int, label_choices: npt.NDArray[np.int8], blank_choices: Any
    ) -> None:
        """Add a frame to the scores of a whole row, and note where each state was reached from."""
        first, end = row.first, row.first + len(row.labels)
        labels, blanks, skipping = self._view(row, first, end)
        arrived = labels.copy()
        from_blank = blanks[:-1] > arrived
        label_choices[from_blank] = _FROM_BLANK
        np.maximum(arrived, blanks[:-1], out=arrived)
        skipped = skipping > arrived[-len(skipping) :] if len(skipping) else np.zeros(0, bool)
        label_choices[len(labels) - len(skipping) :][skipped] = _FROM_LABEL
        if len(skipping):
            np.maximum(arrived[-len(skipping) :], skipping, out=arrived[-len(skipping) :])
        np.greater(labels, blanks[1:], out=blank_choices[1:])
        np.maximum(blanks[1:], labels, out=blanks[1:])
        self._say(row, frame, first, end, arrived)

    def _view(self, row: _Row, first: int, end: int) -> tuple[Scores, Scores, Scores]:
        """Return the labels, the blanks around them, and what comes without a blank between.

        The last is one shorter than the labels where the row has none before the first.
        """
        begin, stop = first - row.first, end - row.first
        before = max(begin - 1, 0)
        skipping = row.labels[before : max(stop - 1, before)].copy()
        low, high = np.searchsorted(self._repeats, (row.first + before + 1, end))
        skipping[self._repeats[low:high] - (row.first + before + 1)] = -np.inf
        return row.labels[begin:stop], row.blanks[begin : stop + 1], skipping

    def _say(self, row: _Row, frame: int, first: int, end: int, arrived: Scores) -> None:
        scores = np.maximum(self._scores[frame], _LOG_ZERO).astype(np.float64)
        begin, stop = first - row.first, end - row.first
        np.add(arrived, scores.take(self._labels[first:end]), out=row.labels[begin:stop])
        row.blanks[begin : stop + 1] += scores[self._blank]
        low, high = np.searchsorted(self._odd_places, (first, end + 1))
        mended = scores.take(self._odd_columns[low:high]) - scores[self._blank]
        row.blanks[self._odd_places[low:high] - row.first] += mended


def _forward(steps: _Steps, block_frames: int) -> tuple[list[tuple[int, _Row]], _Row]:
    """Return the rows before the first frame of each block, and the row after the last frame."""
    row = steps.first_row()
    kept = []
    for frame in range(steps.n_frames):
        first, end = steps.live(frame)
        if frame % block_frames == 0:
            before = max(first - 1, 0)
            kept.append((frame, row.part(before, end)))
        steps.advance(row, frame, first, end)
    return kept, row


def _trace(
    steps: _Steps, row: _Row, begin: int, path: IntArray, at_blank: bool, index: int
) -> tuple[bool, int]:
    """Fill in a block's part of the path, and return the state before its first frame.

    Args:
        steps: The trellis.
        row: The scores before the block's first frame.
        begin: That frame.
        path: Where to write, (frames of the block,).
        at_blank: Whether the path ends the block in a blank,
        index: and in which: the label said, or the one that the blank is before.
    """
    first, end = max(0, index - len(path)), min(index + 1, steps.n_labels)
    row = row.part(first, end)
    label_choices = np.zeros((len(path), end - first), np.int8)
    blank_choices = np.zeros((len(path), end - first + 1), np.bool_)
    for frame in range(len(path)):
        steps.advance_noting(row, begin + frame, label_choices[frame], blank_choices[frame])
    for frame in reversed(range(len(path))):
        if at_blank:
            if blank_choices[frame, index - first]:
                at_blank, index = False, index - 1
            continue
        path[frame] = index
        choice = label_choices[frame, index - first]
        if choice == _FROM_BLANK:
            at_blank = True
        elif choice == _FROM_LABEL:
            index -= 1
    return at_blank, index


def label_spans(path: IntArray) -> Iterator[tuple[int, int]]:
    """Yield the first frame of each label of a path, and the frame after its last."""
    frames = np.flatnonzero(path != BLANK)
    if len(frames) == 0:
        return
    starts = np.flatnonzero(np.diff(path[frames], prepend=BLANK))
    ends = np.append(starts[1:], len(frames)) - 1
    yield from zip(frames[starts].tolist(), (frames[ends] + 1).tolist(), strict=True)
