"""What a picture's file may be called: known before anything is heard or drawn."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from w2v_cli.errors import MissingDependencyError, UsageError

EXTRA = "plots"
SUFFIXES = (".png", ".svg")


def check_plot_path(
    path: str | os.PathLike[str], results: str | None = None, *, purpose: str = "--plot"
) -> Path:
    """Return where a picture is to go, if it can; matplotlib is looked for and not imported.

    Args:
        path: Its file; the suffix says what it is written as.
        results: What was given as --output, where there is such an option.
        purpose: What the user wanted, as the start of a sentence.

    Raises:
        UsageError: The suffix is none of a picture, there is no such folder, or results go there.
        MissingDependencyError: matplotlib is not installed.

    >>> check_plot_path("turns.jpg")
    Traceback (most recent call last):
    w2v_cli.errors.UsageError: --plot: turns.jpg: pictures are .png or .svg; give such a name
    """
    plot = Path(path)
    if plot.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{purpose}: {path}: pictures are .png or .svg; give such a name")
    if plot.is_dir():
        raise UsageError(f"{purpose}: {path} is a folder; name a file")
    if not plot.parent.is_dir():
        raise UsageError(f"{purpose}: {plot.parent}: no such folder; make it first")
    if results is not None and os.path.realpath(results) == os.path.realpath(plot):
        raise UsageError(f"{purpose}: {path}: the results go there, by --output; name another file")
    require_matplotlib(purpose)
    return plot


def require_matplotlib(purpose: str) -> None:
    """Say so if nothing can be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", extra=EXTRA, purpose=purpose)
