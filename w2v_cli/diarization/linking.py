"""Which speaker of a chunk is which of the next one's: by what both heard of the same time.

A network that was trained on speakers in any order gives each chunk an order of its own
(Fujita et al. 2019). Where two chunks overlap, the same speakers speak in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.assignment import cheapest_pairs
from w2v_cli.diarization.pieces import SPEAKS, Piece, shared_frames

SILENT = -1
"""The speaker of an output that is silent."""

# Two outputs are surely one speaker if they speak together for so many frames,
_SURE_FRAMES = 25
# and for this share of the frames in which either of them speaks.
_SURE_SHARE = 0.6
# Where nothing else decides, outputs keep their order.
_TIE = 1e-6


def link_by_overlap(pieces: Sequence[Piece]) -> list[list[int]]:
    """Return the speaker of each output of each piece: as many speakers as outputs.

    Each piece takes the order in which its probabilities differ least from those of all earlier
    pieces in the frames that it shares with them. A piece that shares none keeps its order.

    Args:
        pieces: By their first frame, with the same number of outputs.
    """
    orders: list[list[int]] = []
    for index, piece in enumerate(pieces):
        cost = _TIE * (1.0 - np.eye(piece.n_outputs))
        for earlier, order in zip(reversed(pieces[:index]), reversed(orders), strict=True):
            if earlier.end_frame <= piece.first_frame:
                break
            before, now = shared_frames(earlier, piece)
            ordered = np.empty_like(before)
            ordered[:, order] = before
            cost += np.abs(now[:, :, None] - ordered[:, None, :]).sum(axis=0, dtype=np.float64)
        orders.append(cheapest_pairs(cost))
    return orders


@dataclass(frozen=True, eq=False)
class Track:
    """Outputs of neighbouring pieces that are surely one speaker.

    Attributes:
        places: Piece and output of each; a piece is in it once at most.
    """

    places: tuple[tuple[int, int], ...]

    @property
    def pieces(self) -> frozenset[int]:
        """The pieces that it goes through."""
        return frozenset(piece for piece, _ in self.places)


def tracks_of(pieces: Sequence[Piece], threshold: float = -1.0) -> list[Track]:
    """Return the tracks of a recording, by their first place; silent outputs are in none.

    Args:
        pieces: By their first frame.
        threshold: Two outputs whose voices have a cosine below this are not one speaker.
    """
    tracks: list[list[tuple[int, int]]] = []
    track_of: dict[tuple[int, int], int] = {}
    for index, piece in enumerate(pieces):
        goes_on = sure_pairs(*shared_frames(pieces[index - 1], piece)) if index else {}
        for output in range(piece.n_outputs):
            if not (piece.probabilities[:, output] > SPEAKS).any():
                continue
            before = goes_on.get(output, SILENT)
            number = track_of.get((index - 1, before))
            if number is not None and cosine(pieces[index - 1], before, piece, output) < threshold:
                number = None
            if number is None:
                number = len(tracks)
                tracks.append([])
            track_of[index, output] = number
            tracks[number].append((index, output))
    return [Track(tuple(places)) for places in tracks]


def cosine(one: Piece, output: int, other: Piece, other_output: int) -> float:
    """Return how alike the voices of two outputs are; 1 where one of them has none."""
    if one.voices is None or other.voices is None:
        return 1.0
    voice, other_voice = one.voices[output], other.voices[other_output]
    return float(voice @ other_voice) if voice.any() and other_voice.any() else 1.0


def sure_pairs(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> dict[int, int]:
    """Return for outputs of a piece the outputs of the one before that are surely the same.

    Args:
        before: The probabilities of the piece before in the frames that both have.
        now: Those of the piece.
    """
    if not len(now):
        return {}
    speaks_before, speaks_now = before > SPEAKS, now > SPEAKS
    together = speaks_now.astype(np.float64).T @ speaks_before
    either = speaks_now.sum(0)[:, None] + speaks_before.sum(0) - together
    if len(together) <= together.shape[1]:
        pairs = list(enumerate(cheapest_pairs(-together)))
    else:
        pairs = [(output, other) for other, output in enumerate(cheapest_pairs(-together.T))]
    return {
        output: other
        for output, other in pairs
        if together[output, other] >= _SURE_FRAMES
        and together[output, other] >= _SURE_SHARE * either[output, other]
    }
