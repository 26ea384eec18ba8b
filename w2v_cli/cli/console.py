"""stderr: errors, warnings, notes and progress. Results never come here.

Progress is drawn with rich, on a terminal only, and neither under NO_COLOR nor --quiet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, TextIO

from w2v_cli.audio.sources import printable
from w2v_cli.cli.summary import hours
from w2v_cli.stderr import leave_stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BYTES_PER_MB = 1_000_000

# What TERM says where a line cannot be drawn over.
_DUMB_TERMINALS = ("dumb", "unknown")


def write_stderr(text: str) -> None:
    """Write to stderr; where that fails, nothing more is written there, and the work goes on."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # it leads to a full disk, or to a program that has ended
        leave_stderr()


def print_error(message: object) -> None:
    """Write one line about what went wrong."""
    write_stderr(f"w2v: {one_line(message)}\n")


def one_line(message: object) -> str:
    """Return a message without line breaks: each error is one line, for people and for grep."""
    return " ".join(str(message).split())


@dataclass(frozen=True)
class Console:
    """How much is said on stderr."""

    quiet: bool = False  # errors only
    verbose: bool = False  # what runs where, and how fast

    @property
    def draws(self) -> bool:
        """Whether progress is drawn."""
        is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in _DUMB_TERMINALS
        return not self.quiet and sys.stderr.isatty() and not is_plain

    def error(self, message: object) -> None:
        """Write an error; --quiet does not silence it."""
        print_error(message)

    def warn(self, message: object) -> None:
        """Write a warning, unless --quiet."""
        if not self.quiet:
            print_error(f"warning: {one_line(message)}")

    def tell(self, message: object) -> None:
        """Write what long work has come to, unless --quiet."""
        if not self.quiet:
            print_error(message)

    def note(self, message: object) -> None:
        """Write what --verbose asks for."""
        if self.verbose and not self.quiet:
            print_error(message)

    @contextlib.contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show Python's and the log's warnings as one line each inside the `with` block."""

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            self.warn(message)

        log = logging.getLogger("w2v_cli")
        handler = _WarningLines(self)
        log.addHandler(handler)
        if self.quiet:  # read when huggingface_hub is imported; it has a handler of its own
            os.environ.setdefault("HF_HUB_VERBOSITY", "error")
        try:
            with warnings.catch_warnings():
                warnings.showwarning = show
                yield
        finally:
            log.removeHandler(handler)

    @contextlib.contextmanager
    def progress(self, n_inputs: int) -> Iterator[ProgressDisplay]:
        """Yield a display for a run over `n_inputs` inputs; it is gone when the block ends."""
        display = RichDisplay(n_inputs) if self.draws else ProgressDisplay()
        with display.drawn():
            yield display


class _WarningLines(logging.Handler):
    """Shows what the package logs as warnings."""

    def __init__(self, console: Console) -> None:
        super().__init__(level=logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.warn(record.getMessage())


class ProgressDisplay:
    """A display that shows nothing: off a terminal, or when it should be quiet.

    It is also what `w2v_cli.checkpoint.progress` takes to show downloads.
    """

    def drawn(self) -> contextlib.AbstractContextManager[None]:
        """Show the display inside the `with` block."""
        return contextlib.nullcontext()

    def hidden(self) -> contextlib.AbstractContextManager[None]:
        """Take the display away inside the `with` block, while something else is printed."""
        return contextlib.nullcontext()

    def begin(self, what: str) -> None:
        """Say what is done now."""

    def heard(self, source: str, seconds: float) -> None:
        """Say which input is worked on now, and count audio of it."""

    def input_done(self, source: str = "", seconds: float = 0.0) -> None:
        """Count one input more, and all of its audio."""

    def skip(self) -> None:
        """Count one input less: there is nothing to do for it."""

    def start(self, filename: str, total_bytes: int | None) -> None:
        """Begin a download."""

    def advance(self, n_bytes: int) -> None:
        """Count `n_bytes` more of the download."""

    def finish(self) -> None:
        """End the download."""


class RichDisplay(ProgressDisplay):
    """A line with the input that is worked on, and one for the file being downloaded."""

    def __init__(self, n_inputs: int) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        name_column = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=name_column),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=RichConsole(stderr=True),
            expand=True,
            transient=True,
            # Left to itself rich would take what goes to stdout to stderr, pipe or not.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._n_inputs = n_inputs
        self._n_done = 0
        self._done_seconds = 0.0
        self._heard_seconds: dict[str, float] = {}
        self._began = time.monotonic()
        self._inputs = self._progress.add_task("", total=n_inputs, amount=self._count())
        self._download: TaskID | None = None
        self._n_bytes = 0
        self._total_bytes: int | None = None

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        self._progress.start()
        try:
            yield
        finally:
            self._progress.stop()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        self._progress.stop()
        yield
        self._progress.start()

    def begin(self, what: str) -> None:
        self._progress.update(self._inputs, description=printable(what))

    def heard(self, source: str, seconds: float) -> None:
        self._heard_seconds[source] = self._heard_seconds.get(source, 0.0) + seconds
        name = printable(PurePath(source).name)
        self._progress.update(self._inputs, description=name, amount=self._count())

    def input_done(self, source: str = "", seconds: float = 0.0) -> None:
        self._n_done += 1
        self._done_seconds += seconds
        self._heard_seconds.pop(source, None)
        self._progress.update(self._inputs, completed=self._n_done, amount=self._count())

    def skip(self) -> None:
        # Not as one more that is done: that would promise the rest in no time.
        self._n_inputs -= 1
        self._progress.update(self._inputs, total=self._n_inputs, amount=self._count())

    def _count(self) -> str:
        count = f"{self._n_done} of {self._n_inputs}" if self._n_inputs > 1 else ""
        seconds = self._done_seconds + sum(self._heard_seconds.values())
        if not seconds:
            return count
        speed = seconds / max(time.monotonic() - self._began, 1e-3)
        return f"{count}  {hours(seconds)}  {speed:.1f}x".strip()

    def start(self, filename: str, total_bytes: int | None) -> None:
        self._n_bytes, self._total_bytes = 0, total_bytes
        self._download = self._progress.add_task(
            f"downloading {filename}", total=total_bytes, amount=self._megabytes()
        )

    def advance(self, n_bytes: int) -> None:
        if self._download is not None:
            self._n_bytes += n_bytes
            self._progress.update(self._download, completed=self._n_bytes, amount=self._megabytes())

    def finish(self) -> None:
        if self._download is not None:
            self._progress.remove_task(self._download)
            self._download = None

    def _megabytes(self) -> str:
        done = f"{self._n_bytes / BYTES_PER_MB:.1f}"
        if self._total_bytes is None:
            return f"{done} MB"
        return f"{done} of {self._total_bytes / BYTES_PER_MB:.1f} MB"
