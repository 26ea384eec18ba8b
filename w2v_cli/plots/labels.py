"""Labels of a recording as a picture: its waveform, and the labels with their scores.

Of windows: below the waveform the best label of each moment as bands, and the scores of the
labels that are best most often, over time. Of whole recordings: a bar for each of the best.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from w2v_cli.plots.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    draw_waveform,
    new_figure,
    styled,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from w2v_cli.results import Classification

_WIDTH_INCHES = 10.0
_WAVEFORM_INCHES, _BAND_INCHES, _SCORES_INCHES, _BAR_INCHES = 1.0, 0.5, 2.2, 0.3
_HEAD_INCHES, _AXIS_INCHES = 0.5, 0.6
_HANDLE_INCHES, _LETTER_INCHES, _ROW_INCHES = 0.5, 0.075, 0.22  # of the legend

# Labels beyond these share a colour: nobody tells nine apart.
_COLORS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW)
_OTHER = "#BBBBBB"
_OTHER_LABELS = "other labels"
_DARK = {BLUE, GREEN, VERMILLION, BLACK}  # what white letters can be read on
_LINES: Any = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

_MOST_BARS = 20
_LONGEST_NAME = 28  # letters
# Letters that a band of the whole width has room for.
_WIDTH_LETTERS = 120


class Band(NamedTuple):
    """A span of time with one label; None where no label is sure enough."""

    start_seconds: float
    end_seconds: float
    label: str | None


@styled()
def draw_labels(
    result: Classification, *, top_k: int | None = None, threshold: float | None = None
) -> Figure:
    """Return a picture of a classification.

    Args:
        result: The labels, and what the waveform looks like, if that is known.
        top_k: Of whole recordings, how many bars to draw; None for all there is room for.
        threshold: Leave out labels with a lower score.
    """
    channels = sorted({stretch.channel or 0 for stretch in result.stretches})
    if result.windowed:
        return _over_time(result, channels, threshold)
    return _of_the_whole(result, min(top_k or _MOST_BARS, _MOST_BARS), threshold)


def _over_time(result: Classification, channels: Sequence[int], threshold: float | None) -> Figure:
    heights = [_WAVEFORM_INCHES] + [_BAND_INCHES, _SCORES_INCHES] * len(channels)
    colors = label_colors(result, threshold)
    others = bands_of_others(result, channels, threshold, colors)
    entries = [*colors, *([_OTHER_LABELS] if others else [])]
    n_beside = _n_beside(entries)
    head = _HEAD_INCHES + _ROW_INCHES * (math.ceil(len(entries) / n_beside) - 1)
    figure = new_figure(_WIDTH_INCHES, head + sum(heights) + _AXIS_INCHES)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    begin, end = _span(result)
    _draw_envelope(axes[0], result)
    axes[0].set_xlim(begin, end)
    axes[0].axis("off")
    for index, channel in enumerate(channels):
        band_axes, score_axes = axes[1 + 2 * index], axes[2 + 2 * index]
        _draw_bands(band_axes, bands(result, channel, threshold), colors, (begin, end))
        if channel:
            band_axes.set_ylabel(f"ch. {channel}", rotation=0, ha="right", va="center")
        _draw_scores(score_axes, result, channel, colors, threshold)
        time_axis(score_axes, end - begin, start_seconds=begin)
        if index < len(channels) - 1:
            score_axes.set_xlabel("")
    _legend(figure, axes[0], colors, others, n_beside)
    return figure


def bands(result: Classification, channel: int, threshold: float | None) -> list[Band]:
    """Return which label is best when, on a channel, neighbours of one label joined.

    Where windows overlap, each has the time that is nearer to its middle than to another's.
    """
    chosen = [i for i, s in enumerate(result.stretches) if (s.channel or 0) == channel]
    stretches = [result.stretches[index] for index in chosen]
    middles = [(s.start_seconds + s.end_seconds) / 2 for s in stretches]
    found = []
    for place, (index, stretch) in enumerate(zip(chosen, stretches, strict=True)):
        start, end = stretch.start_seconds, stretch.end_seconds
        if place > 0:
            start = max(start, (middles[place - 1] + middles[place]) / 2)
        if place + 1 < len(stretches):
            end = min(end, (middles[place] + middles[place + 1]) / 2)
        best = result.best(index, 1, threshold)
        found.append(Band(start, end, best[0].text if best else None))
    return list(_joined(found))


def _joined(found: Sequence[Band]) -> Iterator[Band]:
    for label, group in groupby(found, key=lambda band: band.label):
        alike = list(group)
        yield Band(alike[0].start_seconds, alike[-1].end_seconds, label)


def label_colors(result: Classification, threshold: float | None) -> dict[str, str]:
    """Return the colours of the labels that are best most often, the most frequent first."""
    counts: Counter[str] = Counter()
    for index in range(len(result.stretches)):
        counts.update(label.text for label in result.best(index, 1, threshold))
    frequent = [label for label, _ in counts.most_common(len(_COLORS))]
    return dict(zip(frequent, _COLORS, strict=False))


def bands_of_others(
    result: Classification,
    channels: Sequence[int],
    threshold: float | None,
    colors: Mapping[str, str],
) -> bool:
    """Return whether there are bands of labels without a colour of their own."""
    return any(
        band.label is not None and band.label not in colors
        for channel in channels
        for band in bands(result, channel, threshold)
    )


def _draw_bands(
    axes: Axes, found: Sequence[Band], colors: Mapping[str, str], span: tuple[float, float]
) -> None:
    seconds = span[1] - span[0]
    for start, end, label in found:
        if label is None:
            continue
        color = colors.get(label, _OTHER)
        axes.barh(0, end - start, left=start, height=1.0, color=color, edgecolor="white")
        if len(label) < (end - start) / seconds * _WIDTH_LETTERS:
            ink = "white" if color in _DARK else "black"
            middle = (start + end) / 2
            axes.text(middle, 0, label, ha="center", va="center", color=ink, fontsize=9)
    axes.set_xlim(*span)
    axes.set_ylim(-0.5, 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_scores(
    axes: Axes,
    result: Classification,
    channel: int,
    colors: Mapping[str, str],
    threshold: float | None,
) -> None:
    chosen = [i for i, s in enumerate(result.stretches) if (s.channel or 0) == channel]
    middles = [
        (result.stretches[i].start_seconds + result.stretches[i].end_seconds) / 2 for i in chosen
    ]
    few = "o" if len(chosen) < 60 else None
    for (label, color), line in zip(colors.items(), _LINES, strict=False):
        scores = result.scores[chosen, result.names.index(label)]
        axes.plot(middles, scores, color=color, linestyle=line, marker=few, markersize=3, lw=1.4)
    if threshold is not None:
        axes.axhline(threshold, color=GREY, linewidth=0.8)
        axes.annotate(
            f"threshold {threshold:g}",
            (1.0, threshold),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
            color=GREY,
        )
    if result.function != "none":
        axes.set_ylim(-0.02, 1.05)
    axes.set_ylabel("score")
    axes.grid(axis="y")


def _legend(
    figure: Figure, axes: Axes, colors: Mapping[str, str], others: bool, n_columns: int
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [
        Line2D([], [], color=color, linestyle=line, linewidth=4, label=_short(label))
        for (label, color), line in zip(colors.items(), _LINES, strict=False)
    ]
    if others:
        handles.append(Patch(color=_OTHER, label=_OTHER_LABELS))
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=n_columns)
    else:
        axes.set_title("no label reaches the threshold")


def _n_letters(label: str) -> float:
    """Return how many small letters are as wide as a label."""
    wide = {"W": 2.0, "F": 2.0}
    return sum(
        wide.get(unicodedata.east_asian_width(c), 1.6 if c.isupper() or c in "mw" else 1.0)
        for c in label
    )


def _n_beside(labels: Collection[str]) -> int:
    """Return how many entries of the legend fit beside each other."""
    longest = max((_n_letters(_short(label)) for label in labels), default=0.0)
    fitting = int(_WIDTH_INCHES / (_HANDLE_INCHES + longest * _LETTER_INCHES))
    return max(min(fitting, len(labels)), 1)


def _of_the_whole(result: Classification, most: int, threshold: float | None) -> Figure:
    shown = [result.best(index, most, threshold) for index in range(len(result.stretches))]
    heights = [_WAVEFORM_INCHES, *(_BAR_INCHES * max(len(labels), 2) + 0.5 for labels in shown)]
    figure = new_figure(_WIDTH_INCHES, _HEAD_INCHES + sum(heights) + _AXIS_INCHES)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    begin, end = _span(result)
    _draw_envelope(axes[0], result)
    time_axis(axes[0], end - begin, start_seconds=begin)
    for panel, stretch, labels in zip(axes[1:], result.stretches, shown, strict=True):
        places = np.arange(len(labels))
        scores = [label.score for label in labels]
        panel.barh(places, scores, color=BLUE, height=0.7)
        for place, score in zip(places, scores, strict=True):
            side = "left" if score >= 0 else "right"
            panel.annotate(
                f"{score:.3f}",
                (score, place),
                xytext=(4 if score >= 0 else -4, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=9,
            )
        panel.set_yticks(places, [_short(label.text) for label in labels])
        panel.invert_yaxis()
        if result.function != "none":
            panel.set_xlim(0, 1.08)
        panel.set_title("" if stretch.channel is None else f"channel {stretch.channel}")
        if not labels:
            panel.set_title("no label reaches the threshold")
    axes[-1].set_xlabel("score")
    return figure


def _draw_envelope(axes: Axes, result: Classification) -> None:
    if result.envelope is not None:
        draw_waveform(axes, result.envelope, start_seconds=_span(result)[0])


def _span(result: Classification) -> tuple[float, float]:
    """Return where what was classified begins and ends, in seconds."""
    begin = min(stretch.start_seconds for stretch in result.stretches)
    return begin, max(max(stretch.end_seconds for stretch in result.stretches), begin + 1e-3)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_NAME else f"{label[: _LONGEST_NAME - 1]}…"
