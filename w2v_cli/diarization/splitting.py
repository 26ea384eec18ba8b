"""One output of a network that is two voices: it is split, where a model of speakers says so.

A network that tells speakers apart sometimes gives two of them, who speak one after the other, the
same output. What an output says alone is cut into windows; if their voices are of two kinds, it
becomes two outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.clustering import VoiceRules, cluster
from w2v_cli.diarization.turns import BoolArray, runs_of

Window = tuple[int, int]
"""The first frame of a stretch, and the frame after its last."""

# As long as a voice needs to be told from others; pauses are shorter.
_WINDOW_SECONDS = 1.5
_SHORTEST_SECONDS = 0.5
# Less than this of a voice in a piece is none of its own.
_LEAST_SECONDS = 1.0


def windows_of(alone: BoolArray, step_seconds: float) -> list[Window]:
    """Return the windows of what one output says alone, by their first frame.

    Each stretch is cut into equal windows of about a second and a half; one of less than half a
    second has none.

    Args:
        alone: In which frames it does, (frames,).
        step_seconds: From frame to frame.
    """
    windows = []
    for first, end in runs_of(alone):
        seconds = (end - first) * step_seconds
        if seconds < _SHORTEST_SECONDS:
            continue
        edges = np.linspace(first, end, max(round(seconds / _WINDOW_SECONDS), 1) + 1).round()
        windows += [(int(one), int(other)) for one, other in pairwise(edges)]
    return windows


def split(
    windows: Sequence[Window], voices: npt.NDArray[Any], threshold: float, step_seconds: float
) -> list[int]:
    """Return the voice of each window; they are counted from 0.

    Args:
        windows: Of one output.
        voices: Their vectors, of unit length, (windows, dimensions).
        threshold: Voices of at least this mean cosine are one.
        step_seconds: From frame to frame.
    """
    if not windows:
        return []
    seconds = np.array([(end - first) * step_seconds for first, end in windows])
    labels = np.array(cluster(voices, seconds, VoiceRules(threshold)))
    lengths = np.bincount(labels, seconds)
    kept = [int(n) for n in np.flatnonzero(lengths >= _LEAST_SECONDS)] or [int(lengths.argmax())]
    centres = np.array([seconds[labels == n] @ voices[labels == n] for n in kept])
    similarity = voices @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    nearest = similarity.argmax(axis=1)
    return [
        kept.index(label) if label in kept else int(nearest[index])
        for index, label in enumerate(labels.tolist())
    ]


def columns_of(
    column: npt.NDArray[Any], windows: Sequence[Window], labels: Sequence[int]
) -> npt.NDArray[Any]:
    """Return an output as one for each of its voices, (frames, voices).

    A frame belongs to the window that is nearest.

    Args:
        column: The output's probabilities, (frames,).
        windows: Its windows.
        labels: Their voices; none for an output without a window, which stays as it is.
    """
    n_voices = max(labels, default=0) + 1
    if n_voices == 1:
        return column[:, None]
    borders = [(end + first) / 2 for (_, end), (first, _) in pairwise(windows)]
    of_frame = np.searchsorted(np.array(borders), np.arange(len(column)), side="right")
    voice_of_frame = np.array(labels)[of_frame]
    return np.where(voice_of_frame[:, None] == np.arange(n_voices), column[:, None], 0)
