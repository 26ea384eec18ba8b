"""What all kinds of `w2v finetune` do: look at the data, train, write the report."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.cli.console import Console
from w2v_cli.cli.finetune_choices import material_of, start_of, training_options
from w2v_cli.cli.finetune_display import shown_figures, watching
from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.cli.stopping import stopping
from w2v_cli.cli.summary import hours
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError, W2VError, WriteError

if TYPE_CHECKING:
    from w2v_cli.training.loop import Material, Trainer
    from w2v_cli.training.objective import Evaluation
    from w2v_cli.training.processes import OneProcess
    from w2v_cli.training.run import Data, Findings
    from w2v_cli.training.start import Start
    from w2v_cli.training.state import Progress


Prepare = Callable[["Start", "Data"], Any]
"""Returns, of how a run begins and what it learns from, the network, its objective, what was found
about targets, and the options that are particular to the kind."""


def train(
    name: str,
    shared: SharedOptions,
    manifests: Sequence[str],
    prepare: Prepare,
    crop_seconds: float | None = None,
    max_seconds: float = 20.0,
    teacher: str | None = None,
    **sampling: Any,
) -> None:
    """Run a training from its options to its report.

    Args:
        name: What it is called.
        shared: The options that all kinds share.
        manifests: What is learnt from.
        prepare: What is particular to the kind.
        crop_seconds: Longer recordings are heard in part.
        max_seconds: Longer ones are left out, where the shared options say nothing else.
        teacher: Another model that it learns from.
        **sampling: How batches are made up, besides the shared options.

    Raises:
        W2VError: Something cannot be read, loaded or written.
        KeyboardInterrupt: The user has interrupted; the run can go on.
    """
    shared.check()
    check_used(name, shared)
    if "WORLD_SIZE" in os.environ:  # or torch remarks in each process that all weights are in use
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

    from w2v_cli.inference.runtime import keep_memory_together, set_threads
    from w2v_cli.training.processes import join_processes
    from w2v_cli.training.run import alone_in, check_folder, claim_folder

    refuse_own_start(shared, teacher)
    precision = training_options(shared).precision
    with closing(join_processes(shared.device, precision, shards=shared.fsdp)) as processes:
        set_threads(shared.threads)
        keep_memory_together()
        console = Console(quiet=shared.quiet or not processes.is_first, verbose=shared.verbose)
        folder = Path(shared.output)
        processes.first(lambda: check_folder(folder, overwrite=shared.overwrite))
        longest = max_seconds if shared.max_duration is None else shared.max_duration
        prepared = processes.together(
            lambda: look_at(shared, manifests, prepare, console, max_seconds=longest)
        )
        data = prepared.data
        if processes.is_first:
            tell_data(data, prepared.findings, console, even_if_quiet=shared.dry_run)
            if shared.gain and prepared.objective.feature_extractor.do_normalize:
                console.warn(
                    "--gain: changes nothing here, since this network hears all recordings equally "
                    "loud (do_normalize)"
                )
        material = processes.together(lambda: material_of(shared, data, crop_seconds, **sampling))
        if shared.dry_run:
            return
        settings: dict[str, Any] = {
            "kind": name,
            "manifests": list(data.manifests),
            "data": data.fingerprint,
        }
        settings |= shared.decisive()
        settings |= prepared.particular
        if processes.count > 1:
            settings["processes"] = processes.count
        # What one process alone meets, such as a broken recording, it says itself.
        with replace(console, quiet=shared.quiet).warnings_as_lines(), ExitStack() as held:

            def claim() -> None:
                held.enter_context(alone_in(folder))
                claim_folder(folder, settings, overwrite=shared.overwrite)

            processes.first(claim)
            run(prepared, material, settings, shared, console, processes)


def check_used(name: str, shared: SharedOptions) -> None:
    """Refuse shared options that this kind of training has no use for.

    Raises:
        UsageError: There is one.
    """
    if shared.final_dropout is not None and name not in ("ctc", "adapter"):
        raise UsageError("--final-dropout: only a head that writes texts has it; leave it out")
    if name == "pretrain" and shared.balance != 1:
        raise UsageError("--balance: is about texts and labels, which are not heard; leave it out")
    if name in ("speakers", "frames", "pretrain") and shared.cut_off:
        raise UsageError("--cut-off: is for words, of ctc, keywords and adapter; leave it out")
    if name in ("speakers", "frames") and shared.balance_speakers != 1:
        raise UsageError("--balance-speakers: speakers are the labels here; use --balance")


def refuse_own_start(shared: SharedOptions, teacher: str | None = None) -> None:
    """Refuse to overwrite what the run learns from: broken off early, nothing would be left of it.

    Raises:
        UsageError: That is what it would do.
    """
    if not shared.overwrite:
        return
    folder = Path(shared.output).resolve()
    needed = {shared.model: "with which the run begins", teacher: "from which it learns"}
    for model, why in needed.items():
        if model is None or not Path(model).exists():
            continue
        place = Path(model).resolve()
        if folder in (place, *place.parents):
            raise UsageError(f"--overwrite: would remove {model}, {why}; name another --output")


@dataclass(frozen=True)
class Prepared:
    """What a run is made of.

    Attributes:
        data: What it learns from, without what cannot be used.
        model: The network, as it begins.
        objective: What it is trained for.
        findings: What was found about targets.
        particular: The options of this kind of training.
    """

    data: Data
    model: Any
    objective: Any
    findings: Findings
    particular: dict[str, Any]


def look_at(
    shared: SharedOptions,
    manifests: Sequence[str],
    prepare: Prepare,
    console: Console,
    *,
    max_seconds: float,
) -> Prepared:
    """Return what a run is made of.

    Raises:
        W2VError: Something cannot be read or loaded, or nothing is left to learn from.
    """
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.training.examples import some_speech
    from w2v_cli.training.report import data_remarks
    from w2v_cli.training.run import gather
    from w2v_cli.training.start import check_masks, shortest_seconds

    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        start = start_of(shared)
        progress.begin("opening recordings")
        data = gather(
            manifests,
            shared.eval_manifest or (),
            min_seconds=max(shared.min_duration, shortest_seconds(start.config())),
            max_seconds=max_seconds,
        )
        if start.bands:
            start = replace(start, speech=lambda: some_speech(data.train.examples, shared.seed))
        prepared = Prepared(data, *prepare(start, data))
        check_masks(prepared.model.config, start.settings)
    if shared.early_stopping_patience is not None and not data.dev.examples:
        raise UsageError(
            "--early-stopping-patience: there are no dev recordings to measure; give some with "
            "--eval-manifest, or leave it out"
        )
    if not data.train.examples:
        remarks = " ".join(data_remarks(data, prepared.findings))
        raise W2VError(f"nothing is left to learn from. {remarks}")
    return prepared


def run(
    prepared: Prepared,
    material: Material,
    settings: dict[str, Any],
    shared: SharedOptions,
    console: Console,
    processes: OneProcess,
) -> None:
    """Train a network that is prepared, and write the report."""
    from w2v_cli.training.bands import count_parameters
    from w2v_cli.training.loop import Trainer
    from w2v_cli.training.report import Account, skipped_remark, write_report
    from w2v_cli.training.run import be_deterministic
    from w2v_cli.training.watcher import read_log

    folder = Path(shared.output)
    if shared.full_determinism:
        be_deterministic()
    objective, data = prepared.objective, prepared.data
    how = replace(training_options(shared), adapters_alone=objective.adapters_alone)
    with (
        _advising(folder, overwrites=shared.overwrite),
        stopping() as should_stop,
        watching(shared, console, objective, is_first=processes.is_first) as watcher,
    ):
        trainer = Trainer(
            prepared.model.to(processes.device),
            objective,
            material,
            how,
            folder,
            watcher=watcher,
            should_stop=should_stop,
            processes=processes,
        )
        progress = steps(trainer, console, overwrites=shared.overwrite)
    if not processes.is_first:
        return
    evaluation = finish(trainer, processes.device)
    account = Account(
        objective=objective,
        data=data,
        findings=prepared.findings,
        progress=progress,
        evaluation=evaluation,
        settings=settings,
        command=shlex.join(["w2v", *sys.argv[1:]]),
        n_parameters=count_parameters(trainer.model),
        licence=shared.licence,
    )
    missing = write_report(account, folder)
    if missing is not None:
        console.note(missing)
    logged = [line["loss"] for line in read_log(folder) if "loss" in line]
    if logged and all(loss is None for loss in logged):
        raise W2VError(
            f"{folder}: nothing was learnt, since the loss of every batch was no number; look at "
            f"the texts, and try a smaller --learning-rate"
        )
    if remark := skipped_remark(progress):
        console.warn(remark)
    figures = shown_figures(evaluation) or "not measured"
    console.tell(f"{folder}: {counted(progress.step, 'step')}; {figures}")


def steps(trainer: Trainer, console: Console, *, overwrites: bool = False) -> Progress:
    """Take all steps, and return how far it came; what ends them early says how to go on.

    Raises:
        KeyboardInterrupt: The user has interrupted.
        W2VError: The memory is too small.
        WriteError: The folder cannot be written.
    """
    try:
        return trainer.run()
    except KeyboardInterrupt:
        if trainer.processes.is_first:
            step = trainer.progress.step
            console.error(f"interrupted at step {step}; {_kept(trainer.folder, step, overwrites)}")
        raise
    except (RuntimeError, MemoryError) as error:
        from w2v_cli.inference.network import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        raise W2VError(
            f"the memory is too small for step {trainer.progress.step + 1}: give a smaller "
            f"--batch-seconds or --max-duration-in-seconds, or --gradient-checkpointing, and an "
            f"--output of its own"
        ) from error


def finish(trainer: Trainer, device: Any) -> Evaluation:
    """Return what the finished model makes of the dev recordings, after its last touch."""
    from w2v_cli.training.objective import Evaluation

    objective, material, folder = trainer.objective, trainer.material, trainer.folder
    evaluation = Evaluation()
    if material.dev or objective.finishes:
        best = type(objective).model_class.from_pretrained(folder).to(device)
        if objective.finishes:
            objective.finish(best, material.train, trainer.recordings)
            best.save_pretrained(folder)
        if material.dev:
            evaluation = objective.evaluate(best, material.dev, trainer.recordings)
    return evaluation


def same_command(overwrites: bool) -> str:
    """Return what goes on with a run: its command, unless that would begin anew."""
    return f"the same command{', without --overwrite,' if overwrites else ''} goes on"


@contextmanager
def _advising(folder: Path, *, overwrites: bool) -> Iterator[None]:
    """Say how a run goes on that could not write.

    Raises:
        WriteError: The folder, or TensorBoard's, cannot be written.
    """
    try:
        yield
    except WriteError as error:
        raise WriteError(f"{error}; {next_step(folder, overwrites=overwrites)}") from error


def _kept(folder: Path, step: int, overwrites: bool) -> str:
    """Return from where a run that was interrupted goes on: a second Ctrl-C waits for nothing."""
    from w2v_cli.training.checkpoints import find_resumable

    last = find_resumable(folder)
    if last is None:
        return "nothing is kept, and the same command begins anew"
    where = "there" if last.name == f"checkpoint-{step}" else last.name
    return f"{same_command(overwrites)} from {where}"


def next_step(folder: Path, *, overwrites: bool) -> str:
    """Return how a run that could not write goes on."""
    from w2v_cli.training.checkpoints import find_resumable

    last = find_resumable(folder)
    if last is None:
        return "then repeat the command"
    return f"{last.name} is kept, and {same_command(overwrites)} from there"


def tell_data(data: Data, findings: Findings, console: Console, *, even_if_quiet: bool) -> None:
    """Say what there is to learn from, and what should be known about it."""
    from w2v_cli.training.report import data_remarks

    for part, name in ((data.train, "train"), (data.dev, "dev")):
        voices = f", {counted(part.n_speakers, 'speaker')}" if part.n_speakers else ""
        line = f"{name}: {counted(len(part.examples), 'recording')}, {hours(part.seconds)}{voices}"
        if even_if_quiet:
            console.error(line)
        else:
            console.note(line)
    for remark in data_remarks(data, findings):
        console.warn(remark)
    if even_if_quiet or console.verbose:  # the remarks name the first
        for path, reason in (*data.train.unreadable[1:], *data.dev.unreadable[1:]):
            console.warn(f"left out: {path}: {reason}")
