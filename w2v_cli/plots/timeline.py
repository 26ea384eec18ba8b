"""Who speaks when, as a picture: the waveform, and below it a row for each speaker."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING

from w2v_cli.counts import counted
from w2v_cli.plots.canvas import (
    PADDING_INCHES,
    PALETTE,
    clock,
    draw_waveform,
    new_figure,
    styled,
    time_axis,
)
from w2v_cli.results import Diarization

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES = 10.0
_WAVEFORM_INCHES = 0.45
_ROW_INCHES = 0.26
_AXIS_INCHES = 0.5  # ticks, their label, and the space below
_HEAD_INCHES = 0.75
_SPACE_INCHES = 0.03
_BAR_HEIGHT = 0.72
_MOST_LETTERS = 80  # of the name of a recording

# A page is easier to read than a scroll: longer recordings have several lines of one length.
_LINE_SECONDS = (150, 300, 600, 900, 1800, 3600, 7200)
_MOST_LINES = 8


@styled()
def draw_timeline(diarization: Diarization) -> Figure:
    """Return a picture of a diarization.

    A long recording goes on line by line, as a text does. Speakers have the colours of the
    palette in their order, and the head says how long each of them speaks.
    """
    spoken = spoken_seconds(diarization)
    speakers = list(spoken)
    seconds = max(diarization.duration_seconds, 1e-3)
    line_seconds = line_length(seconds)
    n_lines = math.ceil(seconds / line_seconds)
    n_rows = max(len(speakers), 1)
    line_inches = _WAVEFORM_INCHES + n_rows * _ROW_INCHES + _AXIS_INCHES
    figure = new_figure(_WIDTH_INCHES, _HEAD_INCHES + n_lines * line_inches)
    figure.set_layout_engine("constrained", w_pad=PADDING_INCHES, h_pad=_SPACE_INCHES, hspace=0.0)
    ratios = [_WAVEFORM_INCHES, n_rows * _ROW_INCHES] * n_lines
    axes = figure.subplots(2 * n_lines, 1, height_ratios=ratios, squeeze=False)[:, 0]
    begin = diarization.start_seconds
    envelope = None if diarization.frames is None else diarization.frames.envelope
    for line in range(n_lines):
        start_seconds = begin + line * line_seconds
        span = (start_seconds, start_seconds + line_seconds)
        waveform, rows = axes[2 * line], axes[2 * line + 1]
        if envelope is not None:
            draw_waveform(waveform, envelope, start_seconds=begin, span=span)
        waveform.set_xlim(span)
        waveform.axis("off")
        _draw_rows(rows, diarization, speakers)
        time_axis(rows, line_seconds, start_seconds=start_seconds)
        if line < n_lines - 1:
            rows.set_xlabel("")
    _same_height(list(axes[::2]))
    _head(figure, diarization, spoken)
    return figure


def line_length(seconds: float) -> float:
    """Return how much of a recording a line shows.

    >>> line_length(30.0), line_length(600.0), line_length(10800.0)
    (30.0, 150, 1800)
    """
    if seconds <= _LINE_SECONDS[0]:
        return seconds
    lengths = (length for length in _LINE_SECONDS if seconds <= length * _MOST_LINES)
    return next(lengths, seconds / _MOST_LINES)


def spoken_seconds(diarization: Diarization) -> dict[str, float]:
    """Return how long each speaker speaks, of those who do, in their order."""
    seconds = dict.fromkeys(diarization.speakers, 0.0)
    for turn in diarization.turns:
        seconds[turn.speaker] += turn.end_seconds - turn.start_seconds
    return {name: spoken for name, spoken in seconds.items() if spoken > 0}


def _draw_rows(axes: Axes, diarization: Diarization, speakers: list[str]) -> None:
    for row, name in enumerate(speakers):
        spans = [
            (turn.start_seconds, turn.end_seconds - turn.start_seconds)
            for turn in diarization.turns
            if turn.speaker == name
        ]
        color = PALETTE[row % len(PALETTE)]
        axes.broken_barh(spans, (row - _BAR_HEIGHT / 2, _BAR_HEIGHT), color=color, linewidth=0)
    axes.set_ylim(max(len(speakers), 1) - 0.5, -0.5)  # the first on top
    axes.set_yticks(range(len(speakers)), speakers)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _same_height(axes: list[Axes]) -> None:
    """Have all lines show loudness alike."""
    height = max(one.get_ylim()[1] for one in axes)
    for one in axes:
        one.set_ylim(-height, height)


def _head(figure: Figure, diarization: Diarization, spoken: dict[str, float]) -> None:
    """Write what it is, and how long each speaker speaks."""
    from matplotlib.patches import Patch

    name = PurePath(diarization.source or "recording").name
    if len(name) > _MOST_LETTERS:
        name = "…" + name[1 - _MOST_LETTERS :]
    count = counted(len(spoken), "speaker") if spoken else "nobody speaks"
    title = f"{name}: {count}, {clock(diarization.duration_seconds)}"
    total = sum(spoken.values())
    patches = [
        Patch(
            color=PALETTE[row % len(PALETTE)],
            label=f"{speaker}  {clock(seconds)}  {100 * seconds / total:.0f} %",
        )
        for row, (speaker, seconds) in enumerate(spoken.items())
    ]
    figure.legend(
        handles=patches,
        title=title,
        title_fontsize=11,
        alignment="left",
        loc="outside upper left",
        ncols=min(max(len(patches), 1), 4),
        handlelength=1,
    )
