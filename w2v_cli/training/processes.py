"""The processes of a run: one, or several that share each batch (see `many_processes`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from w2v_cli.errors import UsageError
from w2v_cli.inference.runtime import choose_device
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.parameters import AverageWeights

Result = TypeVar("Result")

# As torchrun and `accelerate launch` set them.
_COUNT = "WORLD_SIZE"
_INDEX = "RANK"
_SHARDS = "ACCELERATE_USE_FSDP"
_PRECISION = "ACCELERATE_MIXED_PRECISION"
_PRECISIONS = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True)
class Weighed:
    """The loss of a batch.

    Attributes:
        loss: That of the whole batch.
        seconds: Audio in the whole batch.
        own: What this process's gradients are taken of.
    """

    loss: float
    seconds: float
    own: torch.Tensor


class OneProcess:
    """A run in one process: it does all by itself, and agrees with itself.

    Args:
        device: What it calculates on.

    Attributes:
        count: How many processes there are.
        index: Which of them this one is, from 0.
        shards: Whether each process keeps a part of the weights.
    """

    count = 1
    index = 0
    shards = False

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, measures and tells."""
        return self.index == 0

    def share(self, n_items: int) -> range:
        """Return which items of a batch are this process's.

        Neighbours are of similar length, and go to different processes.
        """
        return range(self.index, n_items, self.count)

    def spread(self, model: Any, options: TrainingOptions) -> Any:
        """Return the network in the form that losses are calculated with."""
        return model

    def weigh(self, loss: torch.Tensor, weight: float, seconds: float, *, is_sum: bool) -> Weighed:
        """Return the loss of a batch, from that of this process's part.

        Args:
            loss: That of the part.
            weight: How much the part counts in the mean; 0 for nothing.
            seconds: Audio in the part.
            is_sum: The loss is a sum, not a mean.
        """
        return Weighed(loss.item(), seconds, loss)

    def mean(self, total: torch.Tensor, count: torch.Tensor, *, counts: bool) -> torch.Tensor:
        """Return the mean over a batch, from what this process's part adds to it.

        Args:
            total: The sum over the part.
            count: How many are in the part, a number.
            counts: Whether the part belongs to the batch.
        """
        return total / count

    def most(self, value: int) -> int:
        """Return the highest value of all processes."""
        return value

    def any(self, value: bool) -> bool:
        """Return whether it is so in any process."""
        return value

    def together(self, action: Callable[[], Result]) -> Result:
        """Return what each process does; where one fails, all end, and that one says why."""
        return action()

    def first(self, action: Callable[[], Result]) -> Result:
        """Return what the first process does, to all of them; it has to be small.

        Where it fails with an error for people, the others end with the same exit code.
        """
        return action()

    def gather(self, value: Result) -> list[Result]:
        """Return the value of each process, to all of them."""
        return [value]

    @contextlib.contextmanager
    def complete(self, model: Any, average: AverageWeights | None) -> Iterator[Any]:
        """Give the first process the network with the weights to keep, inside the `with` block."""
        with average.in_place() if average else contextlib.nullcontext():
            yield model

    def whole(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return all of a tensor to the first process; the others get anything."""
        return tensor

    def own_part(self, tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return what of a whole tensor this process keeps, split like another one."""
        return tensor

    def number(self, tensor: torch.Tensor) -> float:
        """Return the number that a tensor without axes is, of all of its parts."""
        return tensor.item()

    def close(self) -> None:
        """Take leave of the others."""


def expects_others() -> bool:
    """Return whether this process was started as one of several, without loading anything."""
    count = os.environ.get(_COUNT, "")
    return count.isdigit() and int(count) > 1 and _INDEX in os.environ


def join_processes(device: str, precision: str, *, shards: bool) -> OneProcess:
    """Return the processes of this run, as it was started.

    Args:
        device: auto, cpu, cuda or mps; or cuda:1 for a single process.
        precision: What the run calculates in; it must not contradict the launcher.
        shards: Each process keeps a part of the weights.

    Raises:
        UsageError: There is no such device, or the launcher says otherwise.
        MissingDependencyError: There are several processes and no package accelerate.
    """
    if not expects_others():
        if shards:
            raise UsageError(
                "--fsdp: shares a network among several processes, and there is one; start it with "
                "torchrun or accelerate launch, or leave it out"
            )
        return OneProcess(choose_device(device))
    shards = shards or os.environ.get(_SHARDS, "false").lower() == "true"
    launched = os.environ.get(_PRECISION, "no")
    if launched != "no" and _PRECISIONS.get(launched) != precision:
        raise UsageError(
            f"the launcher says --mixed_precision {launched}, and the command doesn't; give w2v "
            f"--bf16 or --fp16, and the launcher --mixed_precision no"
        )
    from w2v_cli.training.many_processes import ManyProcesses

    return ManyProcesses(device, precision, shards=shards)
