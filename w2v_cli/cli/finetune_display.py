"""What is shown of a training while it runs: on a terminal a line that moves, else its figures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.cli.console import Console
from w2v_cli.training.watcher import Watcher

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from w2v_cli.cli.finetune_options import SharedOptions
    from w2v_cli.training.objective import Evaluation, Objective
    from w2v_cli.training.state import Progress

_SMOOTHING = 0.95


class TrainingDisplay(Watcher):
    """Shows loss, the last figure, speed and the time left.

    Args:
        console: Where, and how much.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn: RichProgress | None = None
        self._task: Any = None
        self._loss: float | None = None
        self._figure = ""
        self._total = 0
        self._seconds_before = 0.0
        self._audio_before = 0.0

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """Show it inside the `with` block."""
        if not self._console.draws:
            yield
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._drawn = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=RichConsole(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._drawn:
            yield

    def began(self, progress: Progress, total_steps: int) -> None:
        """The run begins, or goes on."""
        self._total = total_steps
        self._seconds_before, self._audio_before = progress.seconds, progress.audio_seconds
        if progress.step:
            self._console.tell(f"going on from step {progress.step} of {total_steps}")
        if self._drawn is not None:
            completed = progress.step
            self._task = self._drawn.add_task(
                "training", total=total_steps, completed=completed, state=""
            )

    def stepped(self, progress: Progress, loss: float | None) -> None:
        """A step is taken."""
        if loss is not None:
            smooth = loss if self._loss is None else self._loss
            self._loss = _SMOOTHING * smooth + (1 - _SMOOTHING) * loss
        if self._drawn is not None:
            self._drawn.update(self._task, completed=progress.step, state=self._state(progress))

    def evaluated(self, progress: Progress, evaluation: Evaluation) -> None:
        """The dev examples were looked at."""
        figures = shown_figures(evaluation)
        self._figure = figures.partition(", ")[0]
        self._console.tell(f"step {progress.step} of {self._total}: {figures}")

    def _state(self, progress: Progress) -> str:
        heard_seconds = progress.audio_seconds - self._audio_before
        speed = heard_seconds / max(progress.seconds - self._seconds_before, 1e-3)
        parts = [f"step {progress.step} of {self._total}"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.3f}")
        parts += [self._figure, f"{speed:.0f}x real time"]
        return "  ".join(part for part in parts if part)


@contextlib.contextmanager
def watching(
    shared: SharedOptions, console: Console, objective: Objective, *, is_first: bool
) -> Iterator[Watcher]:
    """Yield what watches a run: the display, and in the first process its picture and events."""
    from w2v_cli.training.events import EVENTS_FOLDER, EventWriter
    from w2v_cli.training.picture import TrainingPicture
    from w2v_cli.training.watcher import Watchers

    run = Path(shared.output)
    display = TrainingDisplay(console)
    with contextlib.ExitStack() as stack:
        stack.enter_context(display.drawn())
        watchers: list[Watcher] = [display]
        if is_first:
            watchers.append(TrainingPicture(objective, run))
        if is_first and shared.has_events:
            shared_folder = shared.logging_dir
            own = Path(shared_folder) / run.resolve().name if shared_folder else run / EVENTS_FOLDER
            events = EventWriter(own, run)
            stack.callback(events.close)
            watchers.append(events)
        yield Watchers(*watchers)


def shown_figures(evaluation: Evaluation) -> str:
    """Return the measures of a network in a line; empty where there are none."""
    from w2v_cli.training.figures import show_figure

    figures = evaluation.figures.items()
    return ", ".join(f"{name} {show_figure(name, value)}" for name, value in figures)
