"""What was heard of each chunk of a recording, until all of them are put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SPEAKS = 0.5
"""Above this probability an output speaks, where chunks are put together."""

_BLOCK_NUMBERS = 2**18  # a megabyte


Window = tuple[int, int]
"""The first frame of a stretch, and the frame after its last."""


@dataclass(frozen=True, eq=False)
class HeardWindows:
    """Where one output of a piece speaks alone, and with which voice.

    Attributes:
        windows: By their first frame.
        voices: Their vectors, of unit length, (windows, dimensions).
    """

    windows: tuple[Window, ...]
    voices: FloatArray


@dataclass(frozen=True, eq=False)
class Piece:
    """One chunk's probabilities. Which of its speakers is which of another chunk's is not known.

    Attributes:
        first_frame: Of the recording's frames, the chunk's first.
        probabilities: (frames, outputs).
        voices: A vector of unit length for each output that spoke alone for long enough, zeros
            for the others, (outputs, dimensions); None where voices are not compared.
        voice_seconds: How long each output spoke alone, (outputs,); None as well.
        windows: What of each output its voice is told by, before that is done; None likewise.
    """

    first_frame: int
    probabilities: npt.NDArray[Any]
    voices: FloatArray | None = None
    voice_seconds: FloatArray | None = None
    windows: tuple[HeardWindows, ...] | None = None

    @property
    def n_frames(self) -> int:
        """How many frames the chunk has."""
        return len(self.probabilities)

    @property
    def end_frame(self) -> int:
        """The frame after its last."""
        return self.first_frame + self.n_frames

    @property
    def n_outputs(self) -> int:
        """How many speakers the model tells apart."""
        return int(self.probabilities.shape[1])


class Blocks:
    """Keeps arrays for long, in a few large blocks.

    A small array for each piece, among the large ones that a network needs for a while, leaves
    holes in the heap that fit nothing.
    """

    def __init__(self) -> None:
        self._block: FloatArray = np.zeros(0, dtype=np.float32)
        self._n_used = 0

    def kept(self, array: FloatArray) -> FloatArray:
        """Return a copy of an array of any shape."""
        if len(self._block) - self._n_used < array.size:
            self._block = np.zeros(max(_BLOCK_NUMBERS, array.size), dtype=np.float32)
            self._n_used = 0
        place = self._block[self._n_used : self._n_used + array.size].reshape(array.shape)
        place[...] = array
        self._n_used += array.size
        return place

    def kept_piece(self, piece: Piece) -> Piece:
        """Return a piece with copies of its arrays."""
        voices, seconds, windows = piece.voices, piece.voice_seconds, piece.windows
        return replace(
            piece,
            probabilities=self.kept(piece.probabilities),
            voices=None if voices is None else self.kept(voices),
            voice_seconds=None if seconds is None else self.kept(seconds),
            windows=None if windows is None else tuple(map(self._kept_windows, windows)),
        )

    def _kept_windows(self, heard: HeardWindows) -> HeardWindows:
        return replace(heard, voices=self.kept(heard.voices))


def shared_frames(earlier: Piece, later: Piece) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the probabilities of both in the frames that both have; often none."""
    first = max(earlier.first_frame, later.first_frame)
    end = max(min(earlier.end_frame, later.end_frame), first)
    return (
        earlier.probabilities[first - earlier.first_frame : end - earlier.first_frame],
        later.probabilities[first - later.first_frame : end - later.first_frame],
    )
