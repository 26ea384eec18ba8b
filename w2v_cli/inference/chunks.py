"""Long recordings in pieces: chunks that share a stride with their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Chunk:
    """A piece of one channel of a recording, or all of it.

    Attributes:
        input_values: What the network hears: float32 (samples,), normalised.
        channel: Which of the chosen channels it belongs to, from 0.
        first_frame: Of the channel's frames, the first that is kept of this chunk.
        keep_start: Of the chunk's own frames, the first that is kept: those before are stride.
        keep_end: Of the chunk's own frames, the first that is kept no more; None for the end.
    """

    input_values: FloatArray
    channel: int = 0
    first_frame: int = 0
    keep_start: int = 0
    keep_end: int | None = None
