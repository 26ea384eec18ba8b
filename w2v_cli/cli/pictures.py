"""Results that are drawn, besides being written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from w2v_cli.batch.ledger import Ledger
from w2v_cli.cli.sinks import Destination, Result, WrappedDestination
from w2v_cli.errors import UsageError
from w2v_cli.formats.format import Format
from w2v_cli.plots.paths import SUFFIXES, check_plot_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PICTURES = tuple(suffix[1:] for suffix in SUFFIXES)
"""The formats that are pictures, by their names."""


def plot_choice(plot: str | None, n_recordings: int, output: str) -> Path | None:
    """Return where the picture of the only recording goes; None for nowhere.

    Raises:
        UsageError: It cannot go there, or there are several recordings.
        MissingDependencyError: matplotlib is not installed.
    """
    if plot is None:
        return None
    if n_recordings != 1:
        raise UsageError(
            f"--plot: a picture shows one recording, and there are {n_recordings}; draw each with "
            f"--format png --output DIR/"
        )
    return check_plot_path(plot, output)


def picture_formats(draw: Callable[[Result], Figure]) -> Mapping[str, Format[Result]]:
    """Return the formats that are pictures, of what a function draws of a result."""

    def drawn_as(kind: str) -> Callable[[Result], bytes]:
        def write(result: Result) -> bytes:
            from w2v_cli.plots.canvas import picture_bytes

            return picture_bytes(draw(result), kind)

        return write

    return {kind: Format(f".{kind}", drawn_as(kind)) for kind in PICTURES}


class Drawn(WrappedDestination[Result]):
    """A destination whose results also become a picture, one each in the same file.

    Args:
        inner: Where results are written.
        draw: Draws a result.
        path: The picture.
    """

    def __init__(
        self, inner: Destination[Result], draw: Callable[[Result], Figure], path: Path
    ) -> None:
        super().__init__(inner)
        self._draw, self._path = draw, path
        self.journal_path = inner.journal_path

    def write(self, result: Result) -> None:
        from w2v_cli.plots.canvas import save_figure

        # First, or a run that was killed in between would find nothing left to do.
        save_figure(self._draw(result), self._path)
        super().write(result)

    def keeping(self, ledger: Ledger) -> Destination[Result]:
        return Drawn(self.inner.keeping(ledger), self._draw, self._path)
