"""Who is told what a run does: what is shown, drawn and written about it while it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from w2v_cli.training.objective import Evaluation
    from w2v_cli.training.state import Progress

LOG_FILE = "log.jsonl"

Record = dict[str, Any]
"""A line of log.jsonl: where the run is, and figures by name; None where one is no number."""


def read_log(run: Path) -> list[Record]:
    """Return the lines of the log in a run's folder."""
    lines = (run / LOG_FILE).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class Watcher:
    """Is told what a run does; subclasses do something about what they care for."""

    def began(self, progress: Progress, total_steps: int) -> None:
        """The run begins, or goes on."""

    def stepped(self, progress: Progress, loss: float | None) -> None:
        """A step is taken; None where its loss was no number."""

    def logged(self, record: Record) -> None:
        """A line was added to the log."""

    def evaluated(self, progress: Progress, evaluation: Evaluation) -> None:
        """The dev examples were looked at."""


class Watchers(Watcher):
    """Several watchers, told one after the other."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def began(self, progress: Progress, total_steps: int) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.began(progress, total_steps)

    def stepped(self, progress: Progress, loss: float | None) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.stepped(progress, loss)

    def logged(self, record: Record) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.logged(record)

    def evaluated(self, progress: Progress, evaluation: Evaluation) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.evaluated(progress, evaluation)
