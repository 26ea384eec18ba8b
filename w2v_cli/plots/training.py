"""How a training went: loss, measures and learning rate over its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v_cli.plots.canvas import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    FloatArray,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES = 8.0
_LOGARITHMIC_FROM = 30.0  # highest by lowest loss
_SMOOTHED_FROM = 40  # losses
_SMOOTHING_SHARE = 0.03  # of all losses, under the running mean
_MEASURED = "dev_"


@styled()
def training_figure(
    log: Sequence[Mapping[str, Any]], *, measure: str, is_share: bool, higher_is_better: bool
) -> Figure:
    """Return a run's loss, its measures on the dev recordings where there were such, and its rate.

    Args:
        log: Lines of log.jsonl.
        measure: The measure that says how good the network is, without ``dev_``.
        is_share: All measures are shares, and are drawn together, in percent.
        higher_is_better: Of the measure.
    """
    from matplotlib.ticker import MaxNLocator

    losses = _points(log, "loss")
    rates = _points(log, "learning_rate")
    looks = _points(log, _MEASURED + measure)
    heights = [2.0, 2.0, 1.0] if looks else [2.0, 1.0]
    figure = new_figure(_WIDTH_INCHES, 1.0 + 1.2 * sum(heights))
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    _draw_loss(panels[0], losses)
    if looks:
        _draw_measure(panels[1], looks, measure, is_share, higher_is_better)
        others = [name for name in _measures(log) if is_share and name != measure]
        for name, color in zip(others, cycle((GREEN, ORANGE, PURPLE)), strict=False):
            steps, values = zip(*_points(log, _MEASURED + name), strict=True)
            panels[1].plot(steps, values, color=color, label=name)
        if is_share:
            panels[1].set_ylim(bottom=0)
        panels[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    if rates:
        panels[-1].plot(*zip(*rates, strict=True), color=GREEN)
    panels[-1].set_title("learning rate")
    panels[-1].set_ylim(bottom=0)
    panels[-1].yaxis.set_major_formatter("{x:g}")
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].xaxis.set_major_formatter("{x:,.0f}")
    for axes in panels:
        axes.grid(axis="y")
    return figure


def _points(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return the steps at which a figure was logged, with its values."""
    return [(line["step"], line[name]) for line in log if line.get(name) is not None]


def _measures(log: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the measures that were a number once at least."""
    found = {
        name.removeprefix(_MEASURED): None
        for line in log
        for name, value in line.items()
        if name.startswith(_MEASURED) and value is not None
    }
    return list(found)


def _draw_loss(axes: Axes, losses: Sequence[tuple[int, float]]) -> None:
    axes.set_title("loss in training")
    if not losses:
        return
    steps, values = (np.asarray(column, dtype=float) for column in zip(*losses, strict=True))
    if len(values) < _SMOOTHED_FROM:
        axes.plot(steps, values, color=BLUE)
    else:
        axes.plot(steps, values, color=SKY, linewidth=0.8, label="logged")
        axes.plot(steps, _smooth(values), color=BLUE, label="running mean")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    lowest = values.min()
    if lowest > 0 and values.max() / lowest > _LOGARITHMIC_FROM:
        from matplotlib.ticker import LogLocator, NullFormatter

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _smooth(values: FloatArray) -> FloatArray:
    """Return the mean around each value, of fewer at both ends."""
    reach = max(1, round(_SMOOTHING_SHARE * len(values) / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    end = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    means: FloatArray = (sums[end] - sums[first]) / (end - first)
    return means


def _draw_measure(
    axes: Axes,
    looks: Sequence[tuple[int, float]],
    measure: str,
    is_share: bool,
    higher_is_better: bool,
) -> None:
    """Draw the measure in front, and mark the first look at which it was best."""
    steps, values = zip(*looks, strict=True)
    marker = "o" if len(steps) <= _SMOOTHED_FROM else None
    axes.plot(steps, values, color=BLUE, marker=marker, markersize=4, zorder=3, label=measure)
    best = values.index(max(values) if higher_is_better else min(values))
    shown = f"{100 * values[best]:.2f} %" if is_share else f"{values[best]:.4g}"
    axes.plot(
        steps[best],
        values[best],
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgewidth=2,
        color=VERMILLION,
        zorder=4,
        clip_on=False,
        label="best",
    )
    axes.set_title(f"dev: best {measure} {shown}, at step {steps[best]:,}")
    if is_share:
        from matplotlib.ticker import PercentFormatter

        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
