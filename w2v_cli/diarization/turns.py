"""Frame probabilities to turns: when each speaker speaks.

A frame stands for the time around its middle, half a step before and after it; the first also for
what lies before it and the last for what lies after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.rules import TurnRules

BoolArray = npt.NDArray[np.bool_]
Spans = npt.NDArray[np.float64]
"""Stretches of time, (spans, 2): start and end in seconds, by their start."""

# What a median is taken of at once, windows one after the other: they are copied for it.
_MEDIAN_NUMBERS_AT_ONCE = 2**22


def speaking(probabilities: npt.NDArray[Any], rules: TurnRules, step_seconds: float) -> BoolArray:
    """Return who speaks in which frame, (frames, speakers), before padding and minimum times.

    Args:
        probabilities: (frames, speakers).
        rules: Median, onset, offset and `max_simultaneous` of these.
        step_seconds: From frame to frame.
    """
    width = round(rules.median_seconds / step_seconds)
    smoothed = median_filter(probabilities, width + 1 - width % 2)  # odd: a middle to keep
    active = hysteresis(smoothed, rules.onset, rules.offset)
    if rules.max_simultaneous is not None and rules.max_simultaneous < active.shape[1]:
        active = most_probable(active, smoothed, rules.max_simultaneous)
    return active


def median_filter(values: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """Return the median of `width` frames around each, (frames, speakers).

    Beyond both ends the first and the last frame go on, as far again as there are frames.

    Args:
        values: (frames, speakers).
        width: An odd number of frames.
    """
    if width <= 1 or not len(values):
        return values
    half = min(width // 2, len(values))
    width = 2 * half + 1
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    filtered = np.empty_like(values)
    at_once = max(_MEDIAN_NUMBERS_AT_ONCE // (width * max(values.shape[1], 1)), 1)
    for first in range(0, len(values), at_once):
        part = slice(first, first + at_once)
        filtered[part] = np.median(windows[part], axis=-1)
    return filtered


def hysteresis(probabilities: npt.NDArray[Any], onset: float, offset: float) -> BoolArray:
    """Return who speaks: from a frame above the onset until before one below the offset.

    >>> hysteresis(np.array([[0.4], [0.7], [0.4], [0.2], [0.4]]), 0.6, 0.3)[:, 0]
    array([False,  True,  True, False, False])
    """
    begins, ends = probabilities > onset, probabilities < offset
    frames = np.arange(len(probabilities), dtype=np.int32)
    active = np.zeros_like(begins)
    for column in range(begins.shape[1]):
        # The last frame, up to each, that decided something.
        decides = begins[:, column] | ends[:, column]
        decided = np.maximum.accumulate(np.where(decides, frames, np.int32(-1)))
        active[:, column] = begins[decided, column] & (decided >= 0)
    return active


def most_probable(active: BoolArray, probabilities: npt.NDArray[Any], n_most: int) -> BoolArray:
    """Return `active` with no more than `n_most` speakers in a frame, the first of equal ones."""
    ranked = np.argsort(np.where(active, -probabilities, np.inf), axis=1, kind="stable")
    kept = np.zeros_like(active)
    np.put_along_axis(kept, ranked[:, :n_most], True, axis=1)
    return kept & active


def spans_of(active: BoolArray, edges_seconds: npt.NDArray[np.float64]) -> Spans:
    """Return the stretches in which one speaker is active.

    Args:
        active: (frames,).
        edges_seconds: Where each frame begins, and where the last ends, (frames + 1,).
    """
    spans: Spans = edges_seconds[runs_of(active)]
    return spans


def runs_of(active: BoolArray) -> npt.NDArray[np.intp]:
    """Return where stretches of active frames begin, and the frames after them, (stretches, 2).

    >>> runs_of(np.array([True, True, False, True]))
    array([[0, 2],
           [3, 4]])
    """
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2)


def frame_edges(
    n_frames: int, first_seconds: float, step_seconds: float, begin: float, end: float
) -> npt.NDArray[np.float64]:
    """Return where each frame begins, and where the last ends, in seconds, (frames + 1,).

    Args:
        n_frames: How many there are.
        first_seconds: The middle of the first.
        step_seconds: From middle to middle.
        begin: Where reading began, in seconds.
        end: Where it ended.
    """
    edges = first_seconds + (np.arange(n_frames + 1) - 0.5) * step_seconds
    if n_frames:
        edges[0], edges[-1] = begin, end
    return np.clip(edges, begin, end)


def apply_durations(spans: Spans, rules: TurnRules, begin: float, end: float) -> Spans:
    """Return stretches with padding, without short gaps, and without short stretches.

    Args:
        spans: Of one speaker, by their start, none within another.
        rules: Padding and minimum times of these.
        begin: Nothing lies before this, in seconds,
        end: nor after this.
    """
    if not len(spans):
        return spans
    padded = np.clip(spans + np.array([-rules.pad_onset, rules.pad_offset]), begin, end)
    gaps = padded[1:, 0] - padded[:-1, 1]
    is_gap = (gaps > 0) & (gaps >= rules.min_duration_off - _ROUNDING)
    starts = np.concatenate([[True], is_gap])
    ends = np.concatenate([is_gap, [True]])
    joined = np.stack([padded[starts, 0], padded[ends, 1]], axis=1)
    lengths = joined[:, 1] - joined[:, 0]
    kept: Spans = joined[(lengths > 0) & (lengths >= rules.min_duration_on - _ROUNDING)]
    return kept


_ROUNDING = 1e-9  # seconds: a gap of 15 frames of 20 ms is 0.3 s


def speaker_spans(
    probabilities: npt.NDArray[Any],
    rules: TurnRules,
    *,
    first_seconds: float,
    step_seconds: float,
    begin: float,
    end: float,
) -> list[Spans]:
    """Return when each speaker speaks.

    Args:
        probabilities: (frames, speakers).
        rules: How turns are made.
        first_seconds: The middle of the first frame.
        step_seconds: From middle to middle.
        begin: Where reading began, in seconds.
        end: Where it ended.
    """
    edges = frame_edges(len(probabilities), first_seconds, step_seconds, begin, end)
    active = speaking(probabilities, rules, step_seconds)
    return [apply_durations(spans_of(row, edges), rules, begin, end) for row in active.T]


def within(spans: Spans, regions: npt.NDArray[np.float64]) -> Spans:
    """Return the parts of stretches that lie in regions, both by their start.

    Args:
        spans: Of one speaker.
        regions: (regions, 2): start and end in seconds, none within another.
    """
    parts = [
        (max(start, first), min(stop, last))
        for first, last in regions
        for start, stop in spans
        if min(stop, last) > max(start, first)
    ]
    return np.array(sorted(parts), dtype=np.float64).reshape(-1, 2)
