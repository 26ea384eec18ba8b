"""How well speakers are told apart: both kinds of errors at every threshold, as a DET curve."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.plots.canvas import BLUE, GREY, VERMILLION, FloatArray, new_figure, styled
from w2v_cli.scoring.verification import DetectionErrors, equal_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDE_INCHES = 6.0
_TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_LOWEST, _HIGHEST = _TICKS[0], 0.9
_OUTSIDE = 1e-7
_NORMAL = NormalDist()


@styled()
def detection_figure(
    errors: DetectionErrors, interval: tuple[float, float] | None, *, title: str
) -> Figure:
    """Return a DET curve: where scores are normal, it is a straight line (Martin et al. 1997).

    Args:
        errors: At every threshold.
        interval: Of the equal error rate; None where it is not known.
        title: Above it, below the equal error rate.
    """
    rate, threshold = equal_error(errors)
    figure = new_figure(_SIDE_INCHES, _SIDE_INCHES + 0.4)
    axes = figure.add_subplot()
    lowest, highest = _range(errors, rate)
    low, high = _probit(np.array([lowest, highest]))
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle=":")
    known = ""
    if interval is not None:
        ends = _probit(np.clip(interval, lowest, highest))
        axes.plot(ends, ends, color=VERMILLION, linewidth=4, alpha=0.5)
        known = f" ({100 * interval[0]:.2f} % to {100 * interval[1]:.2f} %)"
    axes.plot(_probit(errors.accepted), _probit(errors.refused), color=BLUE, linewidth=1.8)
    if rate >= lowest:
        point = _probit(np.array([min(rate, highest)]))
        axes.plot(point, point, "o", markersize=8, color=VERMILLION, clip_on=False, zorder=3)
    else:
        below = f"below {100 * lowest:g} %"
        axes.annotate(below, (0.02, 0.02), xycoords="axes fraction", color=VERMILLION)
    axes.set_title(f"eer {100 * rate:.2f} %{known}, at the threshold {threshold:.3f}\n{title}")
    axes.set_xlabel("pairs of two speakers that are accepted (false alarms)")
    axes.set_ylabel("pairs of one speaker that are refused (misses)")
    axes.set_aspect("equal")
    _probit_ticks(axes, lowest, highest)
    return figure


def _range(errors: DetectionErrors, rate: float) -> tuple[float, float]:
    """Return between which rates something is drawn: as fine as there are pairs to count."""
    found = np.concatenate([errors.refused, errors.accepted])
    above_zero = found[found > 1e-9]
    finest = float(above_zero.min()) if len(above_zero) else _LOWEST
    lowest = max(max((t for t in _TICKS if t <= finest), default=_LOWEST), _LOWEST)
    highest = next((t for t in _TICKS if t >= max(0.4, 2.5 * rate)), _HIGHEST)
    return min(lowest, 0.02), highest


def _probit(rates: npt.NDArray[Any]) -> FloatArray:
    """Return the inverse of the normal distribution; of 0 and 1 something far outside."""
    rates = np.clip(rates, _OUTSIDE, 1 - _OUTSIDE)
    return np.array([_NORMAL.inv_cdf(float(rate)) for rate in rates])


def _probit_ticks(axes: Axes, lowest: float, highest: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator

    ticks = [tick for tick in _TICKS if lowest <= tick <= highest]
    places = _probit(np.array(ticks)).tolist()
    ends = _probit(np.array([lowest, highest]))
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FixedFormatter([f"{100 * tick:g} %" for tick in ticks]))
        limit(*ends)
    axes.tick_params(axis="x", rotation=45)
    axes.grid()
