"""A run over many recordings on a Ray cluster: a local run's job, on every machine's device."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from w2v_cli.audio.sources import STDIN
from w2v_cli.batch.outcome import Engine, Item, Outcome
from w2v_cli.batch.ray_driver import Driver
from w2v_cli.batch.ray_feed import Feed
from w2v_cli.batch.ray_worker import Assignment, Ledger, Worker
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError, W2VError

if TYPE_CHECKING:
    from w2v_cli.batch.ray_worker import Message
    from w2v_cli.tasks.task import Job

Result = TypeVar("Result")

# What a lost worker has to do again, and what its engine may sort by length.
_BLOCK_ITEMS = 16
# Of a short run every worker should get some blocks.
_BLOCKS_EACH = 4


@dataclass(frozen=True)
class Workers:
    """How a job is spread over a cluster.

    Attributes:
        count: How many workers there are.
        num_gpus: GPUs of each.
        num_cpus: Cores that Ray keeps for each.
    """

    count: int
    num_gpus: float
    num_cpus: float

    def __str__(self) -> str:
        each = "one GPU" if self.num_gpus else f"{2 * self.num_cpus:g} cores"
        return f"a Ray cluster with room for {counted(self.count, 'worker')} of {each}"

    @classmethod
    def on(
        cls, machines: list[dict[str, float]], *, use_gpus: bool, cores_each: int | None
    ) -> Workers:
        """Return a worker for each GPU, or where there is none for each machine.

        Without GPUs a worker asks for half the cores that it is going to use, so that one that
        was on a lost machine finds room on another, and does not wait for the end of the run.

        Args:
            machines: What each machine has, by Ray's names.
            use_gpus: Whether the job's device may be a GPU.
            cores_each: Cores of a worker without a GPU; None for all that its machine has.

        Raises:
            W2VError: There is nothing to work on.
        """
        n_gpus = int(sum(machine.get("GPU", 0) for machine in machines)) if use_gpus else 0
        if n_gpus:
            return cls(n_gpus, num_gpus=1, num_cpus=1)
        cores = [machine["CPU"] for machine in machines if machine.get("CPU", 0) >= 1]
        if not cores:
            raise W2VError("the Ray cluster has no cores to work on; see: ray status")
        if cores_each is None:
            return cls(len(cores), num_gpus=0, num_cpus=min(cores) / 2)
        fitting = int(sum(n_cores // cores_each for n_cores in cores))
        if not fitting:
            raise UsageError(
                f"--threads {cores_each} is more than any machine of the cluster has "
                f"({max(cores):g})"
            )
        return cls(fitting, num_gpus=0, num_cpus=cores_each / 2)


class RayEngine(Engine[Result]):
    """Runs a job on a Ray cluster, through Ray Data.

    An actor for each GPU, or for each machine without one, holds the model and runs a
    `LocalEngine` on a block of items after the other. Outcomes come back in the order of the
    inputs, and as a local run would give them. What a lost machine had is done again by others.

    Args:
        job: What is to be done.
        address: The cluster's; None for the one that RAY_ADDRESS names or that this machine
            belongs to, else for a new one of this machine alone.
        batch_seconds: As for `LocalEngine`.
        use_gpus: Whether the job's device may be a GPU.
        worker_cores: Cores of a worker without a GPU; None for all that its machine has.
        on_heard: Told of an input that is done and its seconds.
        warn: Told what workers warn of, once each.
        note: Told what the job is spread over.
    """

    def __init__(
        self,
        job: Job[Result],
        *,
        address: str | None = None,
        batch_seconds: float | None = None,
        use_gpus: bool = True,
        worker_cores: int | None = None,
        on_heard: Callable[[Item, float], None] | None = None,
        warn: Callable[[str], None] = warnings.warn,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._job = job
        self._address = address
        self._batch_seconds = batch_seconds
        self._use_gpus = use_gpus
        self._worker_cores = worker_cores
        self._on_heard = on_heard
        self._warn = warn
        self._note = note
        self._warned: set[str] = set()
        self._driver: Driver | None = None

    def close(self) -> None:
        """Leave the cluster, which ends this run's workers."""
        if self._driver is not None:
            self._driver.leave()
            self._driver = None

    def run(self, items: Iterable[Item]) -> Generator[Outcome[Result], None, None]:
        """Yield an outcome for every item, in their order, each as soon as that allows.

        A bad input is an outcome with an error. Closing the iterator ends the work.

        Raises:
            W2VError: There is no such cluster, or no model can be loaded there.
        """
        with Feed(items) as feed:
            for wave in feed.waves():
                if any(item.source == STDIN for item in wave):
                    raise UsageError("- is this machine's standard input; a cluster needs files")
                yield from self._run_wave(wave)

    def _run_wave(self, items: list[Item]) -> Iterator[Outcome[Result]]:
        """Yield the outcomes of items that are all known to Ray at once."""
        if self._driver is None:
            self._driver = Driver(self._address)
        messages = self._messages(self._driver, items)
        try:
            for position, item in enumerate(items):
                message = next(messages, None)
                if message is not None and message.failure is not None:
                    raise message.failure
                if message is None or message.position != position or message.outcome is None:
                    raise RuntimeError(f"{item.source}: its outcome was lost on the cluster")
                for text in message.warnings:
                    self._warn_once(text)
                if self._on_heard is not None:
                    self._on_heard(item, message.outcome.audio_seconds)
                yield replace(message.outcome, item=item)
        finally:
            messages.close()

    def _messages(self, driver: Driver, items: list[Item]) -> Generator[Message, None, None]:
        """Yield what the workers say of the items, in their order."""
        ray = driver.ray
        workers = Workers.on(
            driver.machines(), use_gpus=self._use_gpus, cores_each=self._worker_cores
        )
        if self._note is not None:
            self._note(str(workers))
        n_threads = 1 if workers.num_gpus else self._worker_cores
        assignment = Assignment(self._job, self._batch_seconds, n_threads, str(Path.cwd()))
        ledger = _start_ledger(ray)
        rows = list(_blocks(items, workers.count))
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
        dataset = dataset.flat_map(
            Worker,
            fn_constructor_args=(assignment, ledger),
            compute=ray.data.ActorPoolStrategy(
                size=min(workers.count, len(rows)), max_tasks_in_flight_per_actor=2
            ),
            num_cpus=workers.num_cpus,
            num_gpus=workers.num_gpus,
        )
        dataset.context.execution_options.preserve_order = True
        dataset.context.enable_progress_bars = False
        driver.lost_machines()
        # Not iter_batches: its threads live on when this process leaves, and Ray ends it then.
        bundles = dataset.iter_internal_ref_bundles()
        try:
            for bundle in bundles:
                for address in driver.lost_machines():
                    self._warn(f"the machine {address} was lost; others do again what it had")
                for block in ray.get(list(bundle.block_refs)):
                    table = ray.data.block.BlockAccessor.for_block(block).to_arrow()
                    yield from map(pickle.loads, table["message"].to_pylist())
        except ray.exceptions.OutOfMemoryError as error:
            raise W2VError(
                "a machine of the cluster ran out of memory, and Ray ended its workers; free some "
                "there, and give the same command again: it goes on where it was"
            ) from error
        finally:
            del bundles
            driver.wait_for_executors()
            ray.kill(ledger)

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)


def _blocks(items: list[Item], n_workers: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each block of items."""
    n_items = max(1, min(_BLOCK_ITEMS, len(items) // (_BLOCKS_EACH * n_workers)))
    for first in range(0, len(items), n_items):
        yield {"first": first, "items": pickle.dumps(items[first : first + n_items])}


def _start_ledger(ray: Any) -> Any:
    """Return the handle of a ledger on this machine, which is lost only with the whole run."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Ledger).options(num_cpus=0, scheduling_strategy=here).remote()
