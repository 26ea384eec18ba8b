"""A run over recordings: an engine's outcomes are written, counted, shown, and summed up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from w2v_cli.batch.ledger import Ledger, SetAside
from w2v_cli.cli.destinations import open_journal
from w2v_cli.cli.output import utf8_stdout
from w2v_cli.cli.sinks import Destination, Result
from w2v_cli.cli.summary import Failure, Tally, print_summary
from w2v_cli.errors import AudioError, W2VError

if TYPE_CHECKING:
    from w2v_cli.batch.outcome import Engine, Item, Outcome
    from w2v_cli.cli.batch_options import BatchChoice, Recordings
    from w2v_cli.cli.cluster_options import ClusterChoice
    from w2v_cli.cli.console import Console, ProgressDisplay
    from w2v_cli.tasks.task import ModelJob, Task


class BatchRun(Generic[Result]):
    """A run, from the first recording to the summary.

    Args:
        inputs: The recordings.
        results: Where results go; entered by whoever calls.
        ledger: What earlier runs did; None where that is not kept track of.
        console: Where errors are told.
        progress: What is shown meanwhile.
        fail_fast: Stop at the first recording that fails.
        done: What was done with a recording, such as ``transcribed``.
    """

    def __init__(
        self,
        inputs: Recordings,
        results: Destination[Result],
        ledger: Ledger | None,
        console: Console,
        progress: ProgressDisplay,
        *,
        fail_fast: bool = False,
        done: str = "done",
    ) -> None:
        self._items = inputs.found.items
        self._refused = inputs.found.refused
        self._n_inputs = inputs.n_inputs
        self._sums_up = inputs.many or (console.draws and inputs.n_inputs > 1)
        self._results = results
        self._ledger = ledger
        self._console = console
        self._progress = progress
        self._fail_fast = fail_fast
        self._done = done
        self._tally = Tally()
        self._mark = time.perf_counter()

    def loaded(self, task: Task[Result], seconds: float) -> None:
        """Say that the model is there; an engine calls it."""
        self._mark = time.perf_counter()
        self._console.note(f"{task.description}; loaded in {seconds:.2f} s")

    def heard(self, item: Item, seconds: float) -> None:
        """Show that more of an input was heard; an engine calls it."""
        self._progress.heard(item.source, seconds)

    def run(self, engine: Engine[Result]) -> int:
        """Return the exit code after every input was done.

        Raises:
            W2VError: What ends the whole run.
            KeyboardInterrupt: The user has interrupted; what was ready is written.
        """
        try:
            self._run(engine)
        except KeyboardInterrupt:
            n_kept = self._tally.n_done + self._tally.n_skipped
            are = "is" if n_kept == 1 else "are"
            kept = ""
            if self._n_inputs > 1:
                kept = f"; {n_kept} of {self._n_inputs} results {are} kept"
            if not self._results.keeps:
                kept = "; nothing is written"
            with self._progress.hidden():
                self._sum_up()
                self._console.error(f"interrupted{kept}")
            raise
        with self._progress.hidden():
            self._sum_up()
        return self._tally.exit_code

    def _run(self, engine: Engine[Result]) -> None:
        if self._items:
            self._progress.begin(self._items[0].relative.name)
        for item, error in self._refused:
            self._failed(item.source, error)
            if self._fail_fast:
                return
        items = self._ledger.todo(self._items) if self._ledger else iter(self._items)
        with contextlib.closing(engine.run(items)) as outcomes:
            for outcome in outcomes:
                self._settle()
                self._finish(outcome)
                if self._fail_fast and self._tally.failures:
                    return
        self._settle()

    def _settle(self) -> None:
        """Count what needed no work."""
        while self._ledger is not None and self._ledger.set_aside:
            aside = self._ledger.set_aside.popleft()
            self._ledger.accept(aside)
            self._count_aside(aside)

    def _count_aside(self, aside: SetAside) -> None:
        self._progress.skip()
        if aside.record is None or aside.record.error is None:
            self._tally.n_skipped += 1
            return
        error = AudioError(aside.record.error)
        error.exit_code = aside.record.exit_code
        self._tally.failures.append(Failure(aside.item.source, error))
        with self._progress.hidden():
            self._console.error(f"{error} (failed before; try again with --retry-failed)")

    def _finish(self, outcome: Outcome[Result]) -> None:
        """Write an input's result, or tell why there is none."""
        source = outcome.item.source
        now = time.perf_counter()
        took_seconds, self._mark = now - self._mark, now
        if outcome.error is not None:
            self._failed(source, outcome.error)
        else:
            assert outcome.result is not None
            said = f"{outcome.audio_seconds:.1f} s {self._done} in {took_seconds:.2f} s"
            # Not at each of a thousand files a second: the display would only flicker.
            prints = self._results.prints or self._console.verbose
            with self._progress.hidden() if prints else contextlib.nullcontext():
                self._console.note(f"{source}: {said}")
                self._results.write(outcome.result)
            self._tally.n_done += 1
            self._tally.audio_seconds += outcome.audio_seconds
        self._progress.input_done(source, outcome.audio_seconds)

    def _failed(self, source: str, error: W2VError) -> None:
        with self._progress.hidden():
            self._console.error(error)
            self._results.fail(source, error)
        self._tally.failures.append(Failure(source, error))

    def _sum_up(self) -> None:
        if self._sums_up:
            print_summary(self._tally, self._n_inputs, self._console)


@dataclass(frozen=True)
class BatchSettings:
    """What differs from one command to another in how its batches run.

    Attributes:
        batch_seconds: As for `LocalEngine`.
        writing: What results depend on besides the job's settings: how they are written.
        done: What was done with a recording, such as ``transcribed``.
    """

    batch_seconds: float | None = None
    writing: Mapping[str, Any] = field(default_factory=dict)
    done: str = "done"


def run(
    job: ModelJob[Result],
    recordings: Recordings,
    target: Destination[Result],
    choice: BatchChoice,
    console: Console,
    cluster: ClusterChoice,
    settings: BatchSettings,
) -> int:
    """Return the exit code after a job was done with all recordings.

    Args:
        job: What is done with each recording.
        recordings: These.
        target: Where results go.
        choice: What the options of a batch come to.
        console: Where errors are told.
        cluster: Where the work is done.
        settings: What else there is to know.

    Raises:
        W2VError: The model cannot be loaded, or results cannot be written.
    """
    from w2v_cli.checkpoint.progress import show_progress

    with contextlib.ExitStack() as stack:
        stack.enter_context(console.warnings_as_lines())
        # Of what lies on many machines, this one reads nothing to see if it has changed.
        hashes = cluster.engine == "local"
        ledger = ledger_of(target, job, choice, settings.writing, hashes=hashes)
        if ledger is not None:
            stack.enter_context(ledger.journal)
            target = target.keeping(ledger)
        if choice.dry_run:
            preview(recordings, target, ledger)
            return 0
        changed = [] if ledger is None else ledger.changed_settings()
        if changed and not choice.policy.skip_existing:
            console.warn(
                f"what the last run finished was done with another {', '.join(changed)}, and is "
                f"done again"
            )
        results = stack.enter_context(target)
        progress = stack.enter_context(console.progress(recordings.n_inputs))
        stack.enter_context(show_progress(progress))
        batch = BatchRun(
            recordings,
            results,
            ledger,
            console,
            progress,
            fail_fast=choice.fail_fast,
            done=settings.done,
        )
        engine = stack.enter_context(
            cluster.engine_for(
                job,
                console,
                batch_seconds=settings.batch_seconds,
                on_load=batch.loaded,
                on_heard=batch.heard,
            )
        )
        return batch.run(engine)


def ledger_of(
    target: Destination[Any],
    job: ModelJob[Any],
    choice: BatchChoice,
    settings: Mapping[str, Any],
    *,
    hashes: bool = True,
) -> Ledger | None:
    """Return what earlier runs into the same place did; None where that is not kept track of.

    Args:
        target: Where results go.
        job: What is done with each recording.
        choice: What is done about earlier results.
        settings: What results depend on besides the job's settings.
        hashes: Read recordings for a hash of their content.

    Raises:
        WriteError: Another run is writing there.
    """
    if target.journal_path is None:
        return None
    from w2v_cli.batch.fingerprint import files_fingerprint, model_fingerprint

    def model() -> str:
        models = [model_fingerprint(name, job.hub) for name in (job.model, *job.other_models())]
        return " ".join([*models, *(files_fingerprint(file) for file in job.other_files())])

    known = {"model": job.model, **job.settings(), "formats": list(target.formats), **settings}
    journal = open_journal(target, choice.shard)
    return Ledger(journal, known, model, target.files, choice.policy, hashes=hashes)


def preview(inputs: Recordings, target: Destination[Any], ledger: Ledger | None) -> None:
    """Write on stdout what would be done with each recording: a line with tabs between columns.

    These are what would be done, the recording, and its files.
    """
    lines = utf8_stdout()
    for item, _ in inputs.found.refused:
        lines.write(f"bad\t{_name(item.source)}\n")
    known: Iterator[tuple[Item, SetAside | None]] = (
        ledger.preview(inputs.found.items)
        if ledger is not None
        else ((item, None) for item in inputs.found.items)
    )
    for item, aside in known:
        files = [] if target.files is None else target.files[item.source].values()
        columns = [_state(aside), _name(item.source), *(_name(str(path)) for path in files)]
        lines.write("\t".join(columns) + "\n")


def _state(aside: SetAside | None) -> str:
    if aside is None:
        return "do"
    return "failed" if aside.record is not None and aside.record.error is not None else "skip"


def _name(name: str) -> str:
    """Return a name without what would end its line or column."""
    return name.translate({9: "\\t", 10: "\\n", 13: "\\r"})
