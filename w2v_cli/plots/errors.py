"""Where errors are: word error rates by length, and the kinds of errors of who speaks when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.plots.canvas import (
    BLUE,
    ORANGE,
    SKY,
    VERMILLION,
    FloatArray,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BINS = 8
_FEWEST_IN_BIN = 10
_MOST_BARS = 30
_BAR_INCHES = 0.28
_PALE = "#DDDDDD"  # behind what is wrong


@styled()
def word_errors_figure(
    seconds: FloatArray,
    errors: FloatArray,
    words: FloatArray,
    *,
    title: str,
) -> Figure:
    """Return word error rates over the length of recordings, and how many words are wrong.

    Args:
        seconds: The length of each recording, (recordings,).
        errors: Words that are wrong, (recordings,).
        words: Words of the reference, (recordings,).
        title: Above it.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = new_figure(9.0, 4.2)
    by_length, by_count = figure.subplots(1, 2, width_ratios=[3, 2])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    total = errors.sum() / max(words.sum(), 1.0)
    rates = errors / np.maximum(words, 1.0)
    by_length.scatter(seconds, rates, s=9, color=SKY, alpha=0.5, label="a recording")
    middles, means = _by_bins(seconds, errors, words)
    by_length.plot(middles, means, color=BLUE, marker="o", label="of about this length")
    by_length.axhline(total, color=VERMILLION, linestyle="--", label=f"all: {100 * total:.2f} %")
    by_length.set_xlabel("length of the recording in seconds")
    by_length.set_ylabel("word error rate")
    by_length.yaxis.set_major_formatter(PercentFormatter(1.0))
    by_length.set_ylim(0, 1.1 * max(0.1, float(np.quantile(rates, 0.995)), *means))
    by_length.set_xlim(left=0)
    by_length.grid(axis="y")
    by_length.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, handletextpad=0.4)
    most = 5
    counts = np.bincount(np.minimum(errors, most).astype(int), minlength=most + 1)
    names = [*map(str, range(most)), f"{most} or more"]
    bars = by_count.bar(names, counts, color=[BLUE, *[ORANGE] * most])
    by_count.bar_label(bars, [f"{c:,}" for c in counts], fontsize=9, padding=2)
    by_count.set_xlabel("wrong words in a recording")
    by_count.set_ylabel("recordings")
    by_count.yaxis.set_major_locator(MaxNLocator(integer=True))
    by_count.margins(y=0.12)
    return figure


def _by_bins(
    seconds: FloatArray, errors: FloatArray, words: FloatArray
) -> tuple[list[float], list[float]]:
    """Return the median length and the error rate of groups of recordings of similar length."""
    n_bins = max(1, min(_MOST_BINS, len(seconds) // _FEWEST_IN_BIN))
    groups = np.array_split(np.argsort(seconds, kind="stable"), n_bins)
    middles = [float(np.median(seconds[group])) for group in groups]
    means = [float(errors[group].sum() / max(words[group].sum(), 1.0)) for group in groups]
    return middles, means


@styled()
def turn_errors_figure(
    names: Sequence[str],
    components: dict[str, FloatArray],
    spoken_seconds: FloatArray,
    *,
    title: str,
) -> Figure:
    """Return what is wrong in each recording beside its speech, in seconds; the worst first.

    Args:
        names: The recordings'.
        components: Seconds that are wrong by kind, each (recordings,), such as missed.
        spoken_seconds: Speech in each recording, (recordings,).
        title: Above it.
    """
    wrong = np.sum(list(components.values()), axis=0)
    shown = np.argsort(-wrong, kind="stable")[:_MOST_BARS]
    if len(shown) < len(names):
        title += f"\nthe {len(shown)} recordings with most of what is wrong"
    figure = new_figure(8.5, 1.5 + _BAR_INCHES * len(shown))
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.barh(places, spoken_seconds[shown], height=0.85, color=_PALE, label="speech")
    left = np.zeros(len(shown))
    for (kind, values), colour in zip(components.items(), (BLUE, ORANGE, VERMILLION), strict=True):
        axes.barh(places, values[shown], left=left, height=0.45, color=colour, label=kind)
        left += values[shown]
    for place, index in zip(places, shown, strict=True):
        spoken = spoken_seconds[index]
        rate = f"{100 * wrong[index] / spoken:.1f} %" if spoken > 0 else "no speech"
        axes.annotate(
            rate,
            (max(wrong[index], spoken), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(places, [names[index] for index in shown])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds")
    axes.set_title(title)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
