"""All that a run needs to go on as if it had not been interrupted, as files without pickles."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from w2v_cli.checkpoint.atomic import write_tensors, write_text
from w2v_cli.errors import W2VError

TENSORS_FILE = "training_state.safetensors"
PROGRESS_FILE = "training_state.json"
VERSION = 1

Tensors = dict[str, torch.Tensor]
Generators = tuple[Tensors, dict[str, Any]]
"""The states of random generators: large ones as tensors, small ones as numbers."""


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: Steps taken.
        epoch: The epoch of the next batch.
        batch: The number of the next batch in it.
        losses: The losses since the last line of log.
        n_skipped: Batches left out for a loss or a gradient that was no number.
        audio_seconds: Audio heard.
        seconds: Time taken, in all sittings.
        best: The best looks at the dev examples, each as its figure and step, best first.
        n_without_gain: Looks since the best one.
        log_bytes: The length of the log.
        is_done: The run has ended.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    n_skipped: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    best: list[tuple[float, int]] = field(default_factory=list)
    n_without_gain: int = 0
    log_bytes: int = 0
    is_done: bool = False


@dataclass(frozen=True)
class State:
    """What is written besides the progress.

    Attributes:
        tensors: The weights, their running mean, the optimiser's moments, each whole.
        generators: The random generators of each process, as `generators` returns them.
        scaler: The scaler's.
    """

    tensors: Tensors
    generators: Sequence[Generators]
    scaler: Mapping[str, Any]


def collect_tensors(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Mapping[str, torch.Tensor],
    whole: Callable[[torch.Tensor], torch.Tensor],
) -> Tensors:
    """Return all tensors of a run's state, each as `whole` returns it."""
    tensors: Tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
    return {name: whole(tensor) for name, tensor in tensors.items()}


def save_state(folder: Path, progress: Progress, state: State) -> None:
    """Write a run's state into a checkpoint's folder.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    tensors = dict(state.tensors)
    for index, (generators, _) in enumerate(state.generators):
        tensors |= {_generators_prefix(index) + name: t for name, t in generators.items()}
    separate = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_tensors(folder / TENSORS_FILE, separate)
    numbers = [numbers for _, numbers in state.generators]
    content = {
        "version": VERSION,
        "progress": asdict(progress),
        "scaler": dict(state.scaler),
        "generators": numbers[0],
        "other_processes": numbers[1:],
    }
    write_text(folder / PROGRESS_FILE, json.dumps(content, indent=1) + "\n")


def load_progress(folder: Path) -> Progress:
    """Return how far a run had come when it wrote a checkpoint.

    Raises:
        W2VError: The checkpoint is of another version of w2v.
    """
    content = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
    if content["version"] != VERSION:
        raise W2VError(
            f"{folder}: written by another version of w2v (state {content['version']}, this one "
            f"reads {VERSION}); go on with that version, or begin anew with another --output"
        )
    fields = content["progress"]
    fields["best"] = [(figure, step) for figure, step in fields["best"]]
    return Progress(**fields)


def load_state(
    folder: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: Any,
    average: Tensors,
    own_part: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    process: int = 0,
) -> None:
    """Put back what `save_state` wrote; random generators come last.

    Args:
        folder: The checkpoint's.
        model: The network; like the next ones, it is changed.
        optimizer: Its optimiser.
        scaler: Its scaler.
        average: The running mean of its weights, empty for none.
        own_part: Returns what of a whole tensor belongs here, split like another one.
        process: Whose random generators are put back.
    """
    tensors = load_file(folder / TENSORS_FILE)
    content = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
    own = model.state_dict()
    weights = _below(tensors, "model.").items()
    model.load_state_dict({name: own_part(tensor, own[name]) for name, tensor in weights})
    for name, value in _below(tensors, "average.").items():
        average[name].copy_(own_part(value, average[name]))
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states: dict[int, Tensors] = {}
    for name, value in _below(tensors, "optimizer.").items():
        index, _, inner = name.partition(".")
        part = own_part(value, parameters[int(index)]) if value.ndim else value  # not of a count
        states.setdefault(int(index), {})[inner] = part
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    scaler.load_state_dict(content["scaler"])
    numbers = [content["generators"], *content.get("other_processes", ())]
    _restore_generators(_below(tensors, _generators_prefix(process)), numbers[process])


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _generators_prefix(process: int) -> str:
    """Return what the names of a process's generators begin with."""
    return f"process{process}." if process else ""


def generators() -> Generators:
    """Return the states of all random generators: large ones as tensors, small ones as numbers."""
    kind, keys, position, has_gauss, cached = np.random.get_state()
    assert kind == "MT19937"
    version, internal, gauss = random.getstate()
    tensors = {
        "random.torch": torch.get_rng_state(),
        "random.numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "random.python": torch.tensor(internal, dtype=torch.int64),
    }
    if torch.cuda.is_available():
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"random.cuda.{index}"] = state
    numbers = {
        "numpy": [int(position), int(has_gauss), float(cached)],
        "python": [version, gauss],
    }
    return tensors, numbers


def _restore_generators(tensors: Tensors, numbers: Mapping[str, Any]) -> None:
    torch.set_rng_state(tensors["random.torch"])
    position, has_gauss, cached = numbers["numpy"]
    keys = tensors["random.numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, position, has_gauss, cached))
    version, gauss = numbers["python"]
    random.setstate((version, tuple(tensors["random.python"].tolist()), gauss))
    on_cuda = _below(tensors, "random.cuda.")
    if on_cuda and torch.cuda.device_count() == len(on_cuda):
        torch.cuda.set_rng_state_all([on_cuda[str(i)] for i in range(len(on_cuda))])
