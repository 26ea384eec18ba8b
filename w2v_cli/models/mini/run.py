"""One stage of `mini`'s training: steps, a running average of weights, checkpoints, a log."""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from w2v_cli.models.mini.examples import Batch, Item, batches
from w2v_cli.training.bands import is_tied


class Heard(Protocol):
    """What a step learns from."""

    @property
    def seconds(self) -> float:
        """How much audio it is."""


AnyBatch = TypeVar("AnyBatch", bound=Heard)


@dataclass(frozen=True)
class Recipe:
    """How one stage is optimised."""

    peak_rate: float
    warmup_share: float
    batch_seconds: float
    pool_items: int
    strength: float = 1.0
    power: float = 0.4
    long_pauses: float = 0.0
    average: float = 0.999
    weight_decay: float = 0.02
    tied_rate: float = 1.5

    def batches(
        self, compose: Callable[[np.random.Generator], Item], rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield batches of this stage's size, without end."""
        return batches(compose, rng, batch_seconds=self.batch_seconds, pool_items=self.pool_items)


class Run:
    """One stage of training: a network, its running average, and where they stand."""

    def __init__(self, stage: str, network: nn.Module, recipe: Recipe, folder: Path) -> None:
        """Start at step 0, or where the stage's last checkpoint stands."""
        self.stage, self.network, self.folder = stage, network, folder
        self.recipe = recipe
        self.average = copy.deepcopy(network).eval()
        self.optimizer = torch.optim.AdamW(
            parameter_groups(network, self.recipe), betas=(0.9, 0.98)
        )
        self.step, self.seconds = 0, 0.0
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]

    @property
    def checkpoint(self) -> Path:
        """The file the stage can be resumed from."""
        return self.folder / f"{self.stage}.pt"

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the old one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        fresh = self.checkpoint.with_suffix(".tmp")
        torch.save(state, fresh)
        fresh.replace(self.checkpoint)

    def learn(self, loss: torch.Tensor, progress: float) -> None:
        """Take one step: cosine from the peak to a hundredth of it, after a linear warm-up."""
        warm = min(1.0, progress / self.recipe.warmup_share)
        cosine = 0.505 + 0.495 * math.cos(math.pi * min(progress, 1.0))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.peak_rate * group["scale"] * warm * cosine
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        self.step += 1
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            theirs = self.network.state_dict().values()
            for slow, fast in zip(self.average.state_dict().values(), theirs, strict=True):
                if slow.is_floating_point():  # not a batch norm's count of batches
                    slow.lerp_(fast, 1 - keep)


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Return AdamW's groups: weights that make many learn faster, vectors don't decay."""
    tied, matrices, vectors = [], [], []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if is_tied(name):
            tied.append(parameter)
        elif parameter.ndim > 1:
            matrices.append(parameter)
        else:
            vectors.append(parameter)
    groups: list[dict[str, object]] = [
        {"params": tied, "scale": recipe.tied_rate, "weight_decay": recipe.weight_decay},
        {"params": matrices, "scale": 1.0, "weight_decay": recipe.weight_decay},
        {"params": vectors, "scale": 1.0, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def train(
    run: Run,
    source: Iterator[AnyBatch],
    loss_of: Callable[[Any, AnyBatch], torch.Tensor],
    check: Callable[[Any], dict[str, float]],
    options: argparse.Namespace,
) -> None:
    """Train until the minutes are up, with a look at the dev set now and then."""
    budget = options.minutes * 60
    losses: list[float] = []
    heard = 0.0
    last = saved = checked = time.monotonic()
    run.network.train()
    while run.seconds < budget:
        batch = next(source)
        heard += batch.seconds
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bfloat16):
            loss = loss_of(run.network, batch)
        run.learn(loss, run.seconds / budget)
        losses.append(loss.item())
        now = time.monotonic()
        run.seconds += now - last
        last = now
        if run.step % 100 == 0:
            log(run, options, loss=float(np.mean(losses)), audio_seconds=round(heard))
            losses.clear()
        if now - saved > options.save_minutes * 60:
            run.save()
            saved = time.monotonic()
        if now - checked > options.check_minutes * 60:
            log(run, options, **check(run.average))
            last = checked = time.monotonic()
    run.save()
    log(run, options, **check(run.average))


def log(run: Run, options: argparse.Namespace, **figures: float) -> None:
    """Add one line to the run's log."""
    line = {"stage": run.stage, "step": run.step, "minutes": round(run.seconds / 60, 2)}
    line |= {name: round(value, 4) for name, value in figures.items()}
    text = json.dumps(line)
    print(text, flush=True)
    with open(options.output / "log.jsonl", "a", encoding="utf-8") as lines:
        lines.write(text + "\n")
