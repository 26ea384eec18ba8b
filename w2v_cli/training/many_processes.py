"""A run in several processes, which `torchrun` or `accelerate launch` has started.

They share each batch. Each calculates the loss of its part, and gradients are put together so
that one process with the whole batch would have the same.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import distributed

from w2v_cli.counts import counted
from w2v_cli.errors import MissingDependencyError, UsageError, W2VError
from w2v_cli.inference.runtime import choose_device
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.parameters import AverageWeights, set_trained
from w2v_cli.training.processes import OneProcess, Weighed

Result = TypeVar("Result")

# The others wait while the first one measures and writes.
_PATIENCE = timedelta(hours=24)


class ManyProcesses(OneProcess):
    """One of several processes, each with a device of its own.

    Gradients are averaged (DistributedDataParallel), or weights, gradients and the optimiser's
    state are split among the processes (fully sharded, Zhao et al. 2023).

    Args:
        device: auto, cpu or cuda.
        precision: What is calculated in.
        shards: Split the weights.

    Raises:
        MissingDependencyError: The package accelerate is not installed.
        UsageError: Devices that not every process can have, or fp16 with split weights.
    """

    def __init__(self, device: str, precision: str, *, shards: bool) -> None:
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise MissingDependencyError(
                "accelerate", extra="train", purpose="Training in several processes"
            ) from error
        kind = choose_device(device)
        if kind.index is not None or kind.type == "mps":
            raise UsageError(
                f"--device {device}: each of several processes has a device of its own; use "
                f"--device cuda or cpu, or leave it out"
            )
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if kind.type == "cuda" and here > torch.cuda.device_count():
            raise UsageError(
                f"{here} processes on this machine, which has "
                f"{counted(torch.cuda.device_count(), 'GPU')}; start one for each of them, or give "
                f"--device cpu"
            )
        if shards and precision == "float16":
            raise UsageError("--fsdp and --fp16: one of them; use --bf16 with --fsdp")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how many threads are taken, which --threads says
            self._state: Any = PartialState(cpu=kind.type == "cpu", timeout=_PATIENCE)
        super().__init__(self._state.device)
        self.count = self._state.num_processes
        self.index = self._state.process_index
        self.shards = shards
        self._copy: Any = None
        self._split: Any = None

    def spread(self, model: Any, options: TrainingOptions) -> Any:
        """Return the network in the form that losses are calculated with.

        With split weights the network itself is changed: its weights become parts.

        Raises:
            UsageError: Split weights, and layers that are left out at random.
        """
        set_trained(model, options, options.freeze_base_steps)
        if not self.shards:
            parallel = torch.nn.parallel.DistributedDataParallel(
                model,
                device_ids=None if self.device.type == "cpu" else [self.device],
                # Layers that were left out, and the vector of masks where nothing was masked.
                find_unused_parameters=True,
            )
            return _Called(parallel, model)
        if model.config.layerdrop:
            raise UsageError(
                "--fsdp: the processes would leave out different layers; add --layerdrop 0"
            )
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        if self.is_first:
            self._copy = copy.deepcopy(model).to("cpu")
        mesh = init_device_mesh(self.device.type, (self.count,))
        for layer in model.wav2vec2.encoder.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        self._split = model
        # The logits are a view, which nothing here writes into.
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
        return model

    def weigh(self, loss: torch.Tensor, weight: float, seconds: float, *, is_sum: bool) -> Weighed:
        """Return the loss of the whole batch, and this process's share of it.

        Gradients are averaged over the processes, so that a share is `count` times its part.
        """
        own = loss.item()
        if is_sum and weight:
            weight = 1.0
        counted = [weight, weight * own if weight else 0.0, seconds]
        total = torch.tensor(counted, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        total_weight, lost, total_seconds = total.tolist()
        denominator = 1.0 if is_sum else total_weight
        mean = lost / denominator if denominator else math.nan
        if self.shards and not math.isfinite(mean):
            self._forget()
        return Weighed(mean, total_seconds, loss * (weight * self.count / (denominator or 1.0)))

    def _forget(self) -> None:
        """Let go of the others' parts of the weights, which a way back would have done."""
        from torch.distributed.fsdp import FSDPModule

        for module in self._split.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    def mean(self, total: torch.Tensor, count: torch.Tensor, *, counts: bool) -> torch.Tensor:
        """Return the mean over the whole batch; gradients flow to this process's part alone.

        What depends on the mean is taken to be in each process's loss as often as its part
        counts, so that what the others' losses say about this part is added here: nothing has to
        be sent on the way back.
        """
        share = float(counts)
        known = torch.cat([total.detach().flatten(), count.reshape(1).to(total.dtype)]) * share
        distributed.all_reduce(known)
        whole, n_whole = known[:-1].view_as(total), known[-1]
        own = (total - total.detach()) * (share * n_whole / count)
        return (whole + own) / n_whole

    def most(self, value: int) -> int:
        """Return the highest value of all processes."""
        highest = torch.tensor([value], device=self.device)
        distributed.all_reduce(highest, distributed.ReduceOp.MAX)
        return int(highest.item())

    def any(self, value: bool) -> bool:
        """Return whether it is so in any process."""
        total = torch.tensor([float(value)], device=self.device)
        distributed.all_reduce(total)
        return bool(total.item())

    def together(self, action: Callable[[], Result]) -> Result:
        """Return what each process does; where one fails, all end, and that one says why."""
        result, failure = None, None
        try:
            result = action()
        except W2VError as error:
            failure = error
        codes = self.gather(failure.exit_code if failure else 0)
        self._end_if_any_failed(codes, failure)
        return cast(Result, result)

    def first(self, action: Callable[[], Result]) -> Result:
        """Return what the first process does, to all of them; it has to be small."""
        result, failure = None, None
        if self.is_first:
            try:
                result = action()
            except W2VError as error:
                failure = error
        told = [failure.exit_code if failure else 0, result]
        distributed.broadcast_object_list(told, src=0, device=self.device)
        self._end_if_any_failed([cast(int, told[0])], failure)
        return cast(Result, told[1])

    def _end_if_any_failed(self, codes: list[int], failure: W2VError | None) -> None:
        """Raise the error of the first process that failed, and end the others in silence."""
        failed = [index for index, code in enumerate(codes) if code]
        if failed and failure is not None and failed[0] == self.index:
            raise failure
        if failed:
            raise SystemExit(codes[failed[0]])

    def gather(self, value: Result) -> list[Result]:
        """Return the value of each process, to all of them."""
        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value)
        return values

    @contextlib.contextmanager
    def complete(self, model: Any, average: AverageWeights | None) -> Iterator[Any]:
        """Give the first process the network with the weights to keep, inside the `with` block.

        Split weights are put together in a copy, since the other processes are not asked again.
        """
        if not self.shards:
            with super().complete(model, average) as same:
                yield same
            return
        weights = dict(model.named_parameters()) if average is None else average.weights
        whole = {name: self.whole(tensor) for name, tensor in weights.items()}
        if self.is_first:
            self._copy.load_state_dict(whole, strict=False)  # buffers are the same everywhere
            self._copy.to(self.device)
        try:
            yield self._copy if self.is_first else model
        finally:
            if self.is_first:
                self._copy.to("cpu")

    def whole(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return all of a tensor to the first process, on the CPU; the others get nothing."""
        put_together = getattr(tensor, "full_tensor", None)
        if put_together is None:
            return tensor
        full: torch.Tensor = put_together().detach()
        return full.cpu() if self.is_first else torch.empty(0)

    def own_part(self, tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return what of a whole tensor this process keeps, split like another one."""
        if not hasattr(like, "full_tensor"):
            return tensor
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(like, DTensor)
        whole = tensor.to(self.device)
        # Each process has read the same, so that nothing is sent.
        return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)

    def number(self, tensor: torch.Tensor) -> float:
        """Return the number that a tensor without axes is, of all of its parts."""
        put_together = getattr(tensor, "full_tensor", None)
        return (tensor if put_together is None else put_together()).item()

    def close(self) -> None:
        """Take leave of the others."""
        self._state.destroy_process_group()


class _Called:
    """A network that is called through its parallel form, and is itself in all else."""

    def __init__(self, parallel: torch.nn.Module, model: Any) -> None:
        self._parallel = parallel
        self._model = model

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        return self._parallel(*inputs, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
