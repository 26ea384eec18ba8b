"""How alike recordings are: a square for every two, the brighter the more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.counts import counted
from w2v_cli.plots.canvas import GREY, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.floating[Any]]

# Brightness grows with the number, for whatever colours an eye can see (Nuñez et al. 2018).
COLOURS = "cividis"

# As many rows have a name each, and as many a number in each square.
_MOST_NAMES = 48
_MOST_NUMBERS = 14
_SQUARE_INCHES = 0.32
_NUMBER_INCHES = 0.52
_LETTER_INCHES = 0.075
_MOST_LETTERS = 36
_MOST_INCHES = 11.0
_LEAST_INCHES = 3.0


@styled()
def draw_similarity(
    names: Sequence[str], cosines: FloatArray, *, title: str = "", threshold: float | None = None
) -> Figure:
    """Return a picture of the cosines of recordings, in their order.

    Up to 48 have their names; of more, neighbours in one folder share that folder's.

    Args:
        names: What each is called.
        cosines: Of each with each, (names, names), -1 to 1.
        title: What the picture is of.
        threshold: From which cosine on two are of one speaker; marked beside the colours.
    """
    n = len(names)
    labels = short_names(names)
    each = _NUMBER_INCHES if n <= _MOST_NUMBERS else _SQUARE_INCHES
    side = min(max(n * each, _LEAST_INCHES), _MOST_INCHES)
    longest = max((len(label) for label in labels), default=0) * _LETTER_INCHES
    figure = new_figure(side + longest + 1.6, side + longest + (0.6 if title else 0.3))
    axes = figure.add_subplot()
    lowest = min(0.0, float(cosines.min()) if cosines.size else 0.0)
    image = axes.imshow(cosines, cmap=COLOURS, vmin=lowest, vmax=1.0, interpolation="nearest")
    if title:
        axes.set_title(title)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    _name_rows(axes, labels, names)
    if n <= _MOST_NUMBERS:
        _write_numbers(axes, cosines, lowest)
    bar = figure.colorbar(image, ax=axes, shrink=0.95, pad=0.02, label="cosine")
    bar.outline.set_visible(False)
    if threshold is not None and lowest <= threshold <= 1:
        bar.set_label(f"cosine; one speaker from {threshold:.3g}")
        bar.ax.axhline(threshold, color=VERMILLION, linewidth=3)
    return figure


def _name_rows(axes: Axes, labels: Sequence[str], names: Sequence[str]) -> None:
    """Name each row and column, or each folder's where there are too many."""
    if len(labels) <= _MOST_NAMES:
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        axes.set_yticks(range(len(labels)), labels)
        return
    centres, folders, begin = [], [], 0
    for folder, rows in groupby(names, lambda name: PurePath(name).parent.name):
        end = begin + len(list(rows))
        centres.append((begin + end - 1) / 2)
        folders.append(_shortened(folder))
        if begin:
            axes.axhline(begin - 0.5, color="white", linewidth=0.6)
            axes.axvline(begin - 0.5, color="white", linewidth=0.6)
        begin = end
    if len(folders) == 1 or len(folders) > _MOST_NAMES:
        axes.set_xlabel(counted(len(names), "recording"), color=GREY)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.set_xticks(centres, folders, rotation=90)
    axes.set_yticks(centres, folders)


def _write_numbers(axes: Axes, cosines: FloatArray, lowest: float) -> None:
    for (row, column), cosine in np.ndenumerate(cosines):
        share = (float(cosine) - lowest) / max(1.0 - lowest, 1e-6)
        color = "black" if share > 0.55 else "white"
        axes.text(column, row, f"{cosine:.2f}", ha="center", va="center", color=color, fontsize=9)


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without the folders that all have in common, and without suffixes if unique.

    >>> short_names(["calls/anna/1.wav", "calls/ben/2.wav"])
    ['anna/1', 'ben/2']
    """
    # The longest beginning that all have, up to the folder that it ends in.
    begins = [name[: max(name.rfind("/"), name.rfind("\\")) + 1] for name in names]
    common = os.path.commonprefix(begins)  # noqa: RUF071  # letter by letter, and cut below
    common = common[: max(common.rfind("/"), common.rfind("\\")) + 1]
    shorter = [name.removeprefix(common) for name in names]
    stems = [os.path.splitext(name)[0] for name in shorter]  # noqa: PTH122  # names may be URLs
    if len(set(stems)) == len(stems):
        shorter = stems
    return [_shortened(name) for name in shorter]


def _shortened(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else "…" + name[-(_MOST_LETTERS - 1) :]
