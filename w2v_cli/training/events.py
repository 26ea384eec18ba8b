"""A run's log for TensorBoard: the same figures, as events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import explain_failure
from w2v_cli.errors import MissingDependencyError
from w2v_cli.training.state import Progress
from w2v_cli.training.watcher import Record, Watcher, read_log

EVENTS_FOLDER = "runs"
"""In a run's folder, as transformers' Trainer has it."""

_MEASURED = "dev_"


def scalars(record: Record) -> dict[str, float]:
    """Return a line of the log as TensorBoard names it, train/... or eval/...

    >>> scalars({"step": 10, "epoch": 0, "loss": 2.5, "learning_rate": None})
    {'train/epoch': 0, 'train/loss': 2.5}
    >>> scalars({"step": 10, "epoch": 0, "dev_wer": 0.5})
    {'eval/wer': 0.5}
    """
    figures = {name: value for name, value in record.items() if value is not None}
    measures = {
        f"eval/{name.removeprefix(_MEASURED)}": value
        for name, value in figures.items()
        if name.startswith(_MEASURED)
    }
    return measures or {f"train/{name}": value for name, value in figures.items() if name != "step"}


class EventWriter(Watcher):
    """Writes each line of a run's log as events.

    A run that goes on has what was written after its checkpoint taken back; one that was begun
    without events is told of what it has logged until then.

    Args:
        folder: Where TensorBoard is to look; it may hold other runs, below it.
        run: The run's folder.
    """

    def __init__(self, folder: Path, run: Path) -> None:
        self._folder, self._run = folder, run
        self._writer: Any = None
        self._tell_of_thread = threading.excepthook

    def began(self, progress: Progress, total_steps: int) -> None:
        """Open a file of its own.

        Raises:
            MissingDependencyError: tensorboard is not installed.
            WriteError: The disk is full, or the folder cannot be written.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                "tensorboard", extra="train", purpose="Writing events for TensorBoard"
            ) from error

        threading.excepthook = self._in_thread
        is_known = any(self._folder.glob("events.out.tfevents.*"))
        with self._as_write_errors():
            self._writer = SummaryWriter(self._folder, purge_step=progress.step + 1)
        for record in () if is_known else read_log(self._run):
            self.logged(record)

    def logged(self, record: Record) -> None:
        """Write a line of the log, and see that it is on the disk."""
        with self._as_write_errors():
            for name, value in scalars(record).items():
                self._writer.add_scalar(name, value, record["step"])
            self._writer.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._writer is not None:
            with self._as_write_errors():
                self._writer.close()
        threading.excepthook = self._tell_of_thread

    def _in_thread(self, failure: threading.ExceptHookArgs) -> None:
        """Tell of a thread that failed, unless it is TensorBoard's: the next line says so."""
        is_own = type(failure.thread).__module__.startswith("tensorboard")
        if not (is_own and isinstance(failure.exc_value, OSError)):
            self._tell_of_thread(failure)

    @contextmanager
    def _as_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain_failure(self._folder, error) from error
