"""From a vector a frame to a vector a recording, block by block: what is kept does not grow."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

PoolName = Literal["mean", "max", "mean+std", "none"]


class FrameStatistics:
    """Mean, spread and maximum of all frames that were added, whatever the blocks were.

    Sums of squares lose the spread of what lies far from zero; so each block's own mean and
    spread are joined to those before (Chan, Golub and LeVeque 1979, 1.2).
    """

    def __init__(self) -> None:
        self.n_frames = 0
        self._mean: DoubleArray = np.zeros(0)
        self._squares: DoubleArray = np.zeros(0)  # of the distances from the mean, summed up
        self._highest: FloatArray = np.zeros(0, np.float32)

    def add(self, frames: FloatArray) -> None:
        """Take in the next frames, (frames, dimensions); there may be none."""
        if not len(frames):
            return
        exact = frames.astype(np.float64)
        mean = exact.mean(axis=0)
        exact -= mean
        squares = np.square(exact, out=exact).sum(axis=0)
        highest = frames.max(axis=0)
        if not self.n_frames:
            self._mean, self._squares, self._highest = mean, squares, highest
        else:  # in place: what stays for long keeps its place between large arrays that go
            joined = self.n_frames + len(frames)
            apart = mean - self._mean
            self._squares += squares + apart**2 * (self.n_frames * len(frames) / joined)
            self._mean += apart * (len(frames) / joined)
            np.maximum(self._highest, highest, out=self._highest)
        self.n_frames += len(frames)

    @property
    def mean(self) -> FloatArray:
        """Of each dimension, (dimensions,)."""
        return self._mean.astype(np.float32)

    @property
    def std(self) -> FloatArray:
        """Standard deviation of each dimension, (dimensions,), of a sample; 0 of one frame."""
        variance: DoubleArray = self._squares / max(self.n_frames - 1, 1)
        return np.sqrt(variance).astype(np.float32)

    @property
    def highest(self) -> FloatArray:
        """Maximum of each dimension, (dimensions,)."""
        return self._highest


class Pool(Protocol):
    """Takes in the frames of a channel, and has its vectors in the end."""

    def add(self, first_frame: int, frames: FloatArray) -> None:
        """Take in frames (frames, dimensions), of which the first is this one of the channel."""
        ...

    def vectors(self) -> FloatArray:
        """Return the vectors, (vectors, dimensions), after the last frame."""
        ...

    def frame_numbers(self) -> npt.NDArray[np.int64] | None:
        """Return which frame each vector is, (vectors,); None where they are of all frames."""
        ...


class StatisticsPool:
    """One vector for all frames.

    Args:
        pool: mean, max or mean+std, which is the means of all dimensions and then the spreads.
    """

    def __init__(self, pool: Literal["mean", "max", "mean+std"]) -> None:
        self._pool = pool
        self._statistics = FrameStatistics()

    def add(self, first_frame: int, frames: FloatArray) -> None:
        """Take in frames; see `Pool`."""
        self._statistics.add(frames)

    def vectors(self) -> FloatArray:
        """Return one vector, or none where no frame was added."""
        found = self._statistics
        if self._pool == "max":
            row = found.highest
        elif self._pool == "mean":
            row = found.mean
        else:
            row = np.concatenate([found.mean, found.std])
        return row[None][: found.n_frames]

    def frame_numbers(self) -> None:
        """Return None: the vector stands for all frames."""


class EveryFrame:
    """The frames themselves, which take memory as a recording is long.

    Args:
        dtype: What they are kept as.
    """

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self._dtype = dtype
        self._blocks: list[FloatArray] = []
        self._numbers: list[npt.NDArray[np.int64]] = []

    def add(self, first_frame: int, frames: FloatArray) -> None:
        """Take in frames; see `Pool`."""
        with np.errstate(over="ignore"):  # whoever asked for a type looks at what became of them
            self._blocks.append(frames.astype(self._dtype))
        self._numbers.append(np.arange(first_frame, first_frame + len(frames)))

    def vectors(self) -> FloatArray:
        """Return all frames, (frames, dimensions)."""
        if not self._blocks:
            return np.zeros((0, 0), self._dtype)
        joined = np.concatenate(self._blocks)
        self._blocks = [joined]
        return joined

    def frame_numbers(self) -> npt.NDArray[np.int64]:
        """Return the number of each frame, (frames,)."""
        return np.concatenate([np.zeros(0, np.int64), *self._numbers])


def unit_length(vectors: FloatArray) -> FloatArray:
    """Return vectors, (vectors, dimensions), each divided by its length; zeros stay zeros.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.square(exact).sum(axis=1, keepdims=True))
    scaled: FloatArray = (exact / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(
        vectors.dtype
    )
    return scaled
