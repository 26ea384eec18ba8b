"""The loop: batches, losses, steps, looks at the dev examples, checkpoints."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from w2v_cli.checkpoint.atomic import explain_failure, make_folder
from w2v_cli.counts import counted
from w2v_cli.errors import W2VError
from w2v_cli.model.features import edge_samples
from w2v_cli.training.augmentation import Augmentation, Augmenter
from w2v_cli.training.checkpoints import (
    checkpoint_folder,
    find_resumable,
    prune_checkpoints,
    publish_checkpoint,
    remove_partial,
    write_checkpoint,
)
from w2v_cli.training.examples import Batch, Part, Recordings, batches_ahead
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import Evaluation, Objective
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.parameters import (
    AverageWeights,
    drop_untrained,
    parameter_groups,
    set_trained,
)
from w2v_cli.training.processes import OneProcess, Weighed
from w2v_cli.training.sampler import Group, Sampling, plan_epoch
from w2v_cli.training.schedules import Schedule
from w2v_cli.training.state import (
    Progress,
    State,
    collect_tensors,
    generators,
    load_progress,
    load_state,
    save_state,
)
from w2v_cli.training.watcher import LOG_FILE, Record, Watcher

log = logging.getLogger(__name__)

_WARMUP_SHARE = 0.1
_DIGITS = 6
_DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Material:
    """What a run learns from and is measured on.

    Attributes:
        train: The examples to learn from, each with its length.
        dev: The examples to measure on; empty for none.
        sampling: How batches are made up.
        augmentation: How recordings are changed.
        cache_mb: How much decoded audio is kept in memory, and as much again of noise and rooms.
        crop_seconds: Of longer recordings a stretch of this length is heard, another each time.
    """

    train: Sequence[Example]
    dev: Sequence[Example] = ()
    sampling: Sampling = field(default_factory=Sampling)
    augmentation: Augmentation = field(default_factory=Augmentation)
    cache_mb: float = 0.0
    crop_seconds: float | None = None


class Trainer:
    """A run: it begins, or goes on from the last checkpoint in its folder.

    Args:
        model: The network, with the weights to begin with, on its device.
        objective: What it is trained for.
        material: What it learns from.
        options: How.
        folder: Where checkpoints, the log and the finished model go.
        watcher: Is told what happens.
        should_stop: Asked after each step; True has a checkpoint written and the run interrupted.
        processes: Those that share each batch; None for this one alone.
    """

    def __init__(
        self,
        model: Any,
        objective: Objective,
        material: Material,
        options: TrainingOptions,
        folder: Path,
        *,
        watcher: Watcher | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        processes: OneProcess | None = None,
    ) -> None:
        self.model, self.objective, self.material = model, objective, material
        model.edge_samples = edge_samples(model.config)
        self.options, self.folder = options, folder
        self.watcher = watcher or Watcher()
        self.should_stop = should_stop
        self.processes = objective.processes = processes or OneProcess(model.device)
        self.progress = Progress()
        self.recordings = Recordings(material.cache_mb)
        self._composer = objective.composer(material.train, self.recordings, seed=options.seed)
        self._composer.crop_seconds = material.crop_seconds
        self._composer.shortest_samples = objective.shortest_samples(model.config, masks=True)
        if not material.augmentation.does_nothing:
            around = Recordings(material.cache_mb)
            self._composer.augmenter = Augmenter(
                material.augmentation,
                self._composer.draw_waveform,
                lambda path: around.read(Example(path, channel=1)),
            )
        longest = material.crop_seconds or math.inf
        self._lengths = [min(objective.seconds(example), longest) for example in material.train]
        self._kinds = [objective.kind(example) for example in material.train]
        self._speakers = [example.speaker for example in material.train]
        self._weights = [example.weight for example in material.train]
        self.schedule = self._make_schedule()
        if options.gradient_checkpointing:
            model.gradient_checkpointing_enable()
        self._network = self.processes.spread(model, options)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, options), betas=options.betas, eps=options.epsilon
        )
        self._dtype = _DTYPES[options.precision]
        scales = options.precision == "float16"
        self._scaler = torch.amp.GradScaler(model.device.type, enabled=scales)
        self._average = AverageWeights(model, options.average) if options.average else None
        self._saved_step = -1

    def _make_schedule(self) -> Schedule:
        options = self.options
        total = options.max_steps
        if total is None:
            n_batches = 0.0
            for epoch in range(math.ceil(options.epochs)):
                share = min(1.0, options.epochs - epoch)
                n_batches += share * len(self.plan(epoch))
            total = max(1, round(n_batches / options.accumulation))
        warmup = options.warmup_steps
        if warmup is None:
            warmup = round(_WARMUP_SHARE * total)
        if warmup > total and self.processes.is_first:
            log.warning(
                "the run has %s and ends before the rate has risen, which takes %s; choose "
                "fewer with --warmup-steps",
                counted(total, "step"),
                f"{warmup:,}",
            )
        return Schedule(options.schedule, total, warmup, options.hold_ratio, options.final_scale)

    def plan(self, epoch: int) -> list[list[Group]]:
        """Return the batches of an epoch, as numbers of examples."""
        sampling = self.material.sampling.times(self.processes.count)
        seed = self.options.seed
        return plan_epoch(
            self._lengths,
            self._kinds,
            sampling,
            speakers=self._speakers,
            weights=self._weights,
            seed=seed,
            epoch=epoch,
        )

    def batches(self) -> Generator[Batch, None, None]:
        """Yield batches without end, from where the progress is, which moves along."""
        progress = self.progress
        while True:
            plan = self.plan(progress.epoch)
            make = functools.partial(self._make_part, plan, progress.epoch)
            found, first = False, progress.batch
            for number, part in batches_ahead(make, range(first, len(plan))):
                progress.batch = number + 1
                n_samples = self.processes.most(part.n_samples if part else 0)
                if n_samples:
                    if part is None:
                        raise W2VError("recordings that other processes read cannot be read here")
                    found = True
                    yield self._padded(part, n_samples)
            if not found and first == 0:
                raise W2VError("none of the recordings can be decoded; see the warnings")
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def _make_part(self, plan: list[list[Group]], epoch: int, number: int) -> Part | None:
        """Return this process's part of a batch; None where none of it can be decoded."""
        groups = plan[number]
        items_at = functools.partial(self._composer.items, groups, epoch=epoch, number=number)
        own = self.processes.share(len(groups))
        items = items_at(places=own)
        if items:
            return Part(items, self.objective.collate(items))
        for place in range(len(groups)):
            if place not in own and (items := items_at(places=[place])):
                batch = replace(self.objective.collate(items), seconds=0.0, counts=False)
                return Part(items, batch)
        return None

    def _padded(self, part: Part, n_samples: int) -> Batch:
        """Return a part as long as the longest of all: some networks hear padding."""
        if part.n_samples == n_samples:
            return part.batch
        longer = self.objective.collate(part.items, n_samples=n_samples)
        return replace(longer, seconds=part.batch.seconds, counts=part.batch.counts)

    def run(self) -> Progress:
        """Train until the end, and return how it went.

        The finished model lies in the run's folder: the best on the dev examples, the last
        without any.

        Raises:
            KeyboardInterrupt: `should_stop` said so; a checkpoint is written.
            WriteError: The disk is full; the last checkpoint before it is kept.
        """
        self._begin()
        progress = self.progress
        self.watcher.began(progress, self.schedule.total_steps)
        with contextlib.closing(self.batches()) as batches:
            while not progress.is_done:
                self._step(batches)
                self._after_step()
                if self.processes.any(self.should_stop()) and not progress.is_done:
                    self._save()
                    raise KeyboardInterrupt
        self._prune()  # what a run that was killed at its end has left
        best = progress.best[0][1] if progress.best else progress.step
        source = checkpoint_folder(self.folder, best)
        self.processes.first(lambda: publish_checkpoint(source, self.folder))
        return progress

    def _begin(self) -> None:
        self.processes.first(self._prepare_folder)
        seed = self.options.seed + self.processes.index
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        start = find_resumable(self.folder)
        if len(set(self.processes.gather(start.name if start else ""))) > 1:
            raise W2VError(f"{self.folder}: has to be on a disk that all machines share")
        if start is not None:
            self.progress = load_progress(start)
            load_state(
                start,
                self.model,
                self.optimizer,
                self._scaler,
                self._average.weights if self._average else {},
                own_part=self.processes.own_part,
                process=self.processes.index,
            )
            self._saved_step = self.progress.step
        self.processes.first(self._cut_log)

    def _prepare_folder(self) -> None:
        make_folder(self.folder)
        remove_partial(self.folder)
        (self.folder / LOG_FILE).touch()

    def _cut_log(self) -> None:
        """Remove what was logged after the checkpoint: it will be logged again."""
        with open(self.folder / LOG_FILE, "r+b") as lines:
            if len(lines.read()) >= self.progress.log_bytes:
                lines.truncate(self.progress.log_bytes)
            else:  # somebody has taken lines out of it
                self.progress.log_bytes = lines.tell()

    def _step(self, batches: Iterator[Batch]) -> None:
        """Take one step: some batches forward and back, then the optimiser."""
        began = time.monotonic()
        options, progress, model = self.options, self.progress, self.model
        if self.processes.count == 1:
            set_trained(model, options, progress.step)
        self.objective.begin_step(model, progress.step)
        model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self.schedule.factor(progress.step)
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for _ in range(options.accumulation):
            batch = next(batches)
            weighed = self._loss(batch.to(model.device))
            progress.audio_seconds += weighed.seconds
            if not math.isfinite(weighed.loss):
                progress.n_skipped += 1
                continue
            self._scaler.scale(weighed.own / options.accumulation).backward()  # type: ignore[no-untyped-call]  # torch's own
            losses.append(weighed.loss)
        if losses:
            self._take_gradients()
        progress.step += 1
        if self._average is not None:
            self._average.update(progress.step)
        progress.seconds += time.monotonic() - began
        mean = sum(losses) / len(losses) if losses else None
        if mean is not None:
            progress.losses.append(mean)
        self.watcher.stepped(progress, mean)

    def _loss(self, batch: Batch) -> Weighed:
        kind, dtype = self.model.device.type, self._dtype
        with torch.autocast(kind, dtype=dtype) if dtype else contextlib.nullcontext():
            loss, weight = self.objective.weighed_loss(self._network, batch)
        share = weight if batch.counts else 0.0
        return self.processes.weigh(loss, share, batch.seconds, is_sum=self.objective.is_sum)

    def _take_gradients(self) -> None:
        """Move the weights, unless the gradients are no numbers."""
        if self.processes.count > 1:
            drop_untrained(self.model, self.options, self.progress.step)
        self._scaler.unscale_(self.optimizer)
        longest = self.options.max_grad_norm or math.inf
        trained = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(trained, longest)
        if (
            math.isfinite(self.processes.number(norm)) or self._scaler.is_enabled()
        ):  # a scaler looks for itself
            self._scaler.step(self.optimizer)
        else:
            self.progress.n_skipped += 1
        self._scaler.update()

    def _after_step(self) -> None:
        """Log, look at the dev examples and write a checkpoint, each when it is due."""
        options, progress = self.options, self.progress
        at_end = progress.step >= self.schedule.total_steps
        if progress.step % options.logging_steps == 0 or at_end:
            rate = max(group["lr"] for group in self.optimizer.param_groups)
            losses = progress.losses
            mean = sum(losses) / len(losses) if losses else math.nan  # nothing but no numbers
            self._log(loss=mean, learning_rate=rate, skipped=progress.n_skipped)
            progress.losses = []
        looks = bool(self.material.dev) and (progress.step % options.eval_steps == 0 or at_end)
        if looks:
            self._look()
        progress.is_done = at_end or self._is_stuck
        if looks or progress.is_done or progress.step % options.save_steps == 0:
            self._save()

    @property
    def _is_stuck(self) -> bool:
        patience = self.options.patience
        return patience is not None and self.progress.n_without_gain >= patience

    def _look(self) -> None:
        """Measure the network on the dev examples, and see if it is one of the best."""
        progress, objective = self.progress, self.objective
        began = time.monotonic()
        found = Evaluation()

        def measure() -> float:
            nonlocal found
            found = objective.evaluate(model, self.material.dev, self.recordings)
            return found.figures[objective.metric]

        with self.processes.complete(self.model, self._average) as model:
            figure = self.processes.first(measure)
        progress.seconds += time.monotonic() - began
        if not math.isnan(figure):  # such as a rate of pairs where there are none
            self._rank(figure)
        self._log(**{f"dev_{name}": value for name, value in found.figures.items()})
        if self.processes.is_first:
            self.watcher.evaluated(progress, found)

    def _rank(self, figure: float) -> None:
        """See if a look's figure is a gain, and one of the best."""
        progress = self.progress
        sign = -1.0 if self.objective.higher_is_better else 1.0
        gain = progress.best and sign * (progress.best[0][0] - figure) > self.options.threshold
        progress.n_without_gain = 0 if gain or not progress.best else progress.n_without_gain + 1
        ranked = [*progress.best, (figure, progress.step)]
        ranked.sort(key=lambda one: sign * one[0])  # stable: of equals the earlier one
        progress.best = ranked[: max(1, self.options.keep_best)]

    def _save(self) -> None:
        """Write a checkpoint, and remove those that are not needed any more."""
        progress, processes, average = self.progress, self.processes, self._average
        if self._saved_step != progress.step:
            weights = average.weights if average else {}
            state = State(
                tensors=collect_tensors(self.model, self.optimizer, weights, processes.whole),
                generators=processes.gather(generators()),
                scaler=self._scaler.state_dict(),
            )

            def write(folder: Path) -> None:
                self.objective.save_network(model, folder)
                self.objective.save(folder)
                save_state(folder, progress, state)

            with processes.complete(self.model, average) as model:
                processes.first(lambda: bool(write_checkpoint(self.folder, progress.step, write)))
            self._saved_step = progress.step
        self._prune()

    def _prune(self) -> None:
        """Remove the checkpoints that are not needed any more."""
        best = {step for _, step in self.progress.best}
        last = self.progress.step
        self.processes.first(lambda: prune_checkpoints(self.folder, last=last, best=best))

    def _log(self, **figures: float) -> None:
        """Add a line to the log, with where the run is.

        Raises:
            WriteError: The disk is full.
        """
        progress = self.progress
        line: Record = {
            "step": progress.step,
            "epoch": progress.epoch,
            "audio_seconds": round(progress.audio_seconds, 1),
            "seconds": round(progress.seconds, 1),
        }
        for name, value in figures.items():
            line[name] = float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        self.processes.first(lambda: self._write_line(line))

    def _write_line(self, line: Record) -> None:
        text = json.dumps(line) + "\n"
        path = self.folder / LOG_FILE
        try:
            with open(path, "a", encoding="utf-8") as lines:
                lines.write(text)
        except OSError as error:
            raise explain_failure(path, error) from error
        self.progress.log_bytes += len(text.encode())
        self.watcher.logged(line)
