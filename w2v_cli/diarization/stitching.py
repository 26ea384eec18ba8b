"""Chunks to one array: each frame is the mean of what all chunks heard, and nobody is lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.linking import SILENT
from w2v_cli.diarization.pieces import Piece

FloatArray = npt.NDArray[np.float32]


def stitch(
    pieces: Sequence[Piece], speakers: Sequence[Sequence[int]], n_speakers: int, n_frames: int
) -> FloatArray:
    """Return the probabilities of the whole recording, (n_frames, n_speakers).

    A frame counts the more, the further it is from both ends of its chunk. A speaker whom a
    chunk does not know is silent in it. Where chunks take a voice for different speakers, the
    one who is most probable is so as much as that anybody speaks, and others so much less:
    each would be half as probable, and the voice nobody's. Frames that no chunk has are 0.

    Args:
        pieces: The chunks.
        speakers: The speaker of each output of each piece; `SILENT` for none.
        n_speakers: How many speakers there are.
        n_frames: How many frames the recording has; those beyond are left out.
    """
    total = np.zeros((n_frames, n_speakers), dtype=np.float32)
    anybody = np.zeros(n_frames, dtype=np.float32)
    weights = np.zeros(n_frames, dtype=np.float32)
    for piece, numbers in zip(pieces, speakers, strict=True):
        known = np.zeros((piece.n_frames, n_speakers), dtype=np.float32)
        for output, number in enumerate(numbers):
            if number != SILENT:
                column = known[:, number]
                np.maximum(column, piece.probabilities[:, output], out=column)
        place = np.arange(1, piece.n_frames + 1, dtype=np.float32)
        weight = np.minimum(place, place[::-1])
        n_kept = min(piece.end_frame, n_frames) - piece.first_frame
        where = slice(piece.first_frame, piece.first_frame + n_kept)
        total[where] += weight[:n_kept, None] * known[:n_kept]
        anybody[where] += weight[:n_kept] * known[:n_kept].max(axis=1, initial=0)
        weights[where] += weight[:n_kept]
    if n_speakers:
        frames, first = np.arange(n_frames), total.argmax(axis=1)
        total -= (anybody - total[frames, first])[:, None]  # 0 where chunks agree
        np.maximum(total, 0, out=total)
        total[frames, first] = anybody
    total /= np.where(weights > 0, weights, np.float32(1))[:, None]
    return total
