"""One output of a network that is two voices: it is split, where a model of speakers says so.

A network that tells speakers apart sometimes gives two of them, who speak one after the other, the
same output. What an output says alone is cut into windows; if their voices are of two kinds, it
becomes two outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.clustering import VoiceRules, cluster, link_by_voices
from w2v_cli.diarization.pieces import Piece, Window
from w2v_cli.diarization.turns import BoolArray, runs_of

# As long as a voice needs to be told from others; pauses are shorter.
_WINDOW_SECONDS = 1.5
_SHORTEST_SECONDS = 0.5
# Less than this of a voice in a piece is none of its own.
_LEAST_SECONDS = 1.0
# By so much more alike have voices to be, as long as fewer are told apart than are asked for.
_STRICTER = 0.05


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


def divide(piece: Piece, threshold: float, step_seconds: float) -> Piece:
    """Return a piece whose outputs have a voice each: one of two voices is split.

    Args:
        piece: With `windows`.
        threshold: Voices of at least this mean cosine are one.
        step_seconds: From frame to frame.
    """
    assert piece.windows is not None
    columns, voices, seconds = [], [], []
    for output, heard in enumerate(piece.windows):
        labels = np.array(split(heard.windows, heard.voices, threshold, step_seconds))
        column = piece.probabilities[:, output]
        divided = columns_of(column, heard.windows, labels.tolist())
        columns.append(divided)
        lengths = np.array([end - first for first, end in heard.windows]) * step_seconds
        for number in range(divided.shape[1]):
            voices.append(lengths[labels == number] @ heard.voices[labels == number])
            seconds.append(lengths[labels == number].sum())
    return Piece(
        piece.first_frame,
        np.concatenate(columns, axis=1),
        _of_unit_length(np.array(voices, dtype=np.float32)),
        np.array(seconds, dtype=np.float32),
    )


def link_divided(
    pieces: Sequence[Piece], rules: VoiceRules, step_seconds: float
) -> tuple[list[Piece], list[list[int]], int]:
    """Return the pieces with a voice for each output, the speaker of each, and how many there are.

    Where that are fewer than the rules ask for, voices have to be more alike to be one.

    Args:
        pieces: By their first frame, with `windows`.
        rules: How many speakers there are.
        step_seconds: From frame to frame.
    """
    threshold = rules.threshold
    while True:
        divided = [divide(piece, threshold, step_seconds) for piece in pieces]
        labels = link_by_voices(divided, replace(rules, threshold=threshold))
        n_speakers = max((number for row in labels for number in row), default=-1) + 1
        if n_speakers >= rules.least or threshold >= 1:
            return divided, labels, n_speakers
        threshold = min(threshold + _STRICTER, 1.0)


def _of_unit_length(voices: npt.NDArray[Any]) -> npt.NDArray[Any]:
    exact = voices.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled: npt.NDArray[Any] = (exact / np.where(lengths > 0, lengths, 1.0)).astype(voices.dtype)
    return scaled
