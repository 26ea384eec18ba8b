"""Which label was taken for which: the confusion matrix of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.plots.canvas import BLUE, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Counts = npt.NDArray[np.int64]

_CELL_INCHES = 0.46
_LEAST_INCHES = 2.2
_LETTER_INCHES = 0.085
_MOST_LABELS = 40
_DARK_FROM = 0.5  # of a colour's depth: numbers on it are white
_FAINTEST = 0.12  # the depth of a cell that is not empty


@styled()
def confusion_figure(labels: Sequence[str], counts: Counts, *, title: str) -> Figure:
    """Return a confusion matrix: a row for each label that is right, a column for each heard.

    Colours are shares of a row: blue what is right, red what is not. Of very many labels those
    with the most mistakes are drawn.

    Args:
        labels: In the order of the rows and columns.
        counts: Recordings, (labels, labels).
        title: Above it.
    """
    labels, counts, chosen = _worst(labels, counts)
    side = max(_LEAST_INCHES, _CELL_INCHES * len(labels))
    margin = 0.9 + _LETTER_INCHES * max(map(len, labels))
    figure = new_figure(side + margin, side + margin + 0.3)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Rare mistakes should be seen, too: the depth is the root of the share.
    depth = np.where(counts > 0, np.maximum(np.sqrt(shares), _FAINTEST), 0.0)
    axes.imshow(_colours(depth), interpolation="nearest", aspect="equal")
    longest = max(len(str(count)) for count in counts.ravel())
    size = max(9, 11 - longest / 2)
    for row, column in zip(*np.nonzero(counts), strict=True):
        is_dark = depth[row, column] > _DARK_FROM
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if is_dark else "black",
        )
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=90)
    axes.set_yticks(places, labels)
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor")
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("heard as")
    axes.set_ylabel("is")
    axes.set_title(title + chosen)
    return figure


def _worst(labels: Sequence[str], counts: Counts) -> tuple[list[str], Counts, str]:
    """Return not too many labels, those with the most mistakes, and what is to be said of it."""
    if len(labels) <= _MOST_LABELS:
        return list(labels), counts, ""
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:_MOST_LABELS])
    chosen = f"\nthe {_MOST_LABELS} of {len(labels)} labels with most mistakes"
    return [labels[index] for index in kept], counts[np.ix_(kept, kept)], chosen


def _colours(depth: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return colours, (rows, columns, 3): white to blue on the diagonal, to red beside it."""
    from matplotlib.colors import to_rgb

    right = np.eye(len(depth), dtype=bool)[..., None]
    full = np.where(right, np.array(to_rgb(BLUE)), np.array(to_rgb(VERMILLION)))
    colours: npt.NDArray[Any] = 1 - depth[..., None] * (1 - full)
    return colours
