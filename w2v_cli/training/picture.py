"""A run's picture, drawn anew now and then while it goes on."""

from __future__ import annotations

import time
from pathlib import Path

from w2v_cli.errors import MissingDependencyError
from w2v_cli.training.figures import PLAIN_FIGURES
from w2v_cli.training.objective import Evaluation, Objective
from w2v_cli.training.state import Progress
from w2v_cli.training.watcher import Watcher, read_log

PICTURE_FILE = "training.png"

_EVERY_SECONDS = 60.0


def draw_training(objective: Objective, run: Path) -> None:
    """Draw a run's log as training.png in its folder.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        WriteError: The disk is full, or the folder cannot be written.
    """
    from w2v_cli.plots.canvas import save_figure
    from w2v_cli.plots.paths import require_matplotlib
    from w2v_cli.plots.training import training_figure

    require_matplotlib(PICTURE_FILE)
    figure = training_figure(
        read_log(run),
        measure=objective.metric,
        is_share=objective.metric not in PLAIN_FIGURES,
        higher_is_better=objective.higher_is_better,
    )
    save_figure(figure, run / PICTURE_FILE)


class TrainingPicture(Watcher):
    """Draws a run after looks at the dev examples, but not more often than each minute.

    Without matplotlib nothing is drawn; the report says so in the end.

    Args:
        objective: What is trained for.
        run: The run's folder.
    """

    def __init__(self, objective: Objective, run: Path) -> None:
        self._objective, self._run = objective, run
        self._drawn_at = time.monotonic()

    def evaluated(self, progress: Progress, evaluation: Evaluation) -> None:
        """Draw it, if it is time."""
        if time.monotonic() - self._drawn_at < _EVERY_SECONDS:
            return
        try:
            draw_training(self._objective, self._run)
        except MissingDependencyError:
            return  # said in the report
        self._drawn_at = time.monotonic()
