"""What a picture's file may be called: known before anything is heard or drawn."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from w2v_cli.errors import MissingDependencyError, UsageError

EXTRA = "plots"
SUFFIXES = (".png", ".svg")


def check_plot_path(path: str | os.PathLike[str], *, purpose: str = "--plot") -> Path:
    """Return where a picture is to go, if it can; matplotlib is looked for and not imported.

    Args:
        path: Its file; the suffix says what it is written as.
        purpose: What the user wanted, as the start of a sentence.

    Raises:
        UsageError: The suffix is none of a picture, or there is no such folder.
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
    require_matplotlib(purpose)
    return plot


def require_matplotlib(purpose: str) -> None:
    """Say so if nothing can be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", extra=EXTRA, purpose=purpose)
