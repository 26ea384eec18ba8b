"""The process's stderr: where it takes nothing, and where libraries write past Python."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def leave_stderr() -> None:
    """Have nothing more written to stderr, which is closed or takes nothing."""
    sys.stderr = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  # as long as the program runs


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep what is written to the process's stderr, progress bars too, from the terminal."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr to keep quiet
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
