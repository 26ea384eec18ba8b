"""What runs on a cluster's machines: a worker for each device, and a ledger of what was begun."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import w2v_cli
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item, Outcome
from w2v_cli.batch.ray_driver import import_ray
from w2v_cli.errors import W2VError, WorkerLostError
from w2v_cli.inference.runtime import set_threads

if TYPE_CHECKING:
    from w2v_cli.tasks.task import Job

Result = TypeVar("Result")

# A block of items that took its worker down as often as this is tried item by item; an item
# that did so alone, as often again, is given up. Once may be the machine's fault.
_TRIES = 2


@dataclass(frozen=True)
class Assignment(Generic[Result]):
    """What every worker is told.

    Attributes:
        job: What is to be done.
        batch_seconds: As for `LocalEngine`.
        n_threads: Threads of a worker without a GPU; None for all cores of its machine.
        folder: Where relative paths begin.
        version: Of w2v, on the machine that gives out the work.
    """

    job: Job[Result]
    batch_seconds: float | None
    n_threads: int | None
    folder: str
    version: str = w2v_cli.__version__


@dataclass(frozen=True)
class Message:
    """What a worker sends back.

    Attributes:
        position: Which of the run's items it is about.
        outcome: What became of it; its item is left out. None if the whole run must end.
        failure: Why it must end.
        warnings: What else is to be said.
    """

    position: int
    outcome: Outcome[Any] | None = None
    failure: W2VError | None = None
    warnings: tuple[str, ...] = ()

    def packed(self) -> bytes:
        """Return it as bytes: Ray Data's columns know no objects."""
        return pickle.dumps(self)


class Ledger:
    """Counts what was begun and not ended, so that what takes workers down is found.

    It lives beside the run, on the machine that gives out the work.
    """

    def __init__(self) -> None:
        self._begun: dict[tuple[int, int | None], int] = {}

    def begin(self, block: int, position: int | None = None) -> int:
        """Return how often a block, or an item of it alone, has been begun, this time too."""
        key = (block, position)
        self._begun[key] = self._begun.get(key, 0) + 1
        return self._begun[key]

    def end(self, block: int, position: int | None = None) -> None:
        """Forget it: it is done."""
        self._begun.pop((block, position), None)


class Worker(Generic[Result]):
    """An actor that holds the model of one device and runs a local engine on blocks of items.

    Args:
        assignment: What to do.
        ledger: The handle of the run's `Ledger`.
    """

    def __init__(self, assignment: Assignment[Result], ledger: Any) -> None:
        # Ray gives a worker one thread, and torch has read that: with the assignment it was loaded.
        n_threads = assignment.n_threads or _cores_of_this_machine()
        os.environ["OMP_NUM_THREADS"] = str(n_threads)
        set_threads(n_threads)
        if Path(assignment.folder).is_dir():
            os.chdir(assignment.folder)
        self._ledger = ledger
        self._version = assignment.version
        self._warnings: list[str] = []
        self._engine = LocalEngine(
            assignment.job, batch_seconds=assignment.batch_seconds, warn=self._warnings.append
        )

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what became of a block's items, one after the other."""
        first: int = row["first"]
        items: list[Item] = pickle.loads(row["items"])
        for message in self._messages(first, items):
            yield {"message": message.packed()}

    def _messages(self, first: int, items: list[Item]) -> Iterator[Message]:
        if self._version != w2v_cli.__version__:
            host, mine, theirs = os.uname().nodename, w2v_cli.__version__, self._version
            message = f"{host} has w2v {mine}, and this machine {theirs}; install the same on both"
            yield Message(first, failure=W2VError(message))
            return
        position = first
        try:
            for outcome in self._outcomes(first, items):
                warnings, self._warnings[:] = tuple(self._warnings), []
                yield Message(position, replace(outcome, item=_NOT_SENT), warnings=warnings)
                position += 1
        except W2VError as error:
            yield Message(position, failure=error)

    def _outcomes(self, first: int, items: list[Item]) -> Iterator[Outcome[Result]]:
        if self._ask("begin", first) <= _TRIES:
            yield from self._engine.run(items)
        else:
            for position, item in enumerate(items, start=first):
                yield self._alone(first, position, item)
        self._ask("end", first)

    def _alone(self, block: int, position: int, item: Item) -> Outcome[Result]:
        """Return what became of an item of a block that workers did not survive."""
        if self._ask("begin", block, position) > _TRIES:
            error = WorkerLostError(
                f"{item.source}: {2 * _TRIES} workers died while they had it; "
                "if the file is sound, it needs more memory than a worker has"
            )
            outcome: Outcome[Result] = Outcome(item, None, error)
        else:
            (outcome,) = self._engine.run([item])
        self._ask("end", block, position)
        return outcome

    def _ask(self, method: str, *of: int) -> int:
        answer: int = import_ray().get(getattr(self._ledger, method).remote(*of))
        return answer


def _cores_of_this_machine() -> int:
    """Return how many cores Ray was told that this machine has."""
    ray = import_ray()
    here = ray.get_runtime_context().get_node_id()
    for node in ray.nodes():
        if node["NodeID"] == here:
            return max(1, int(node["Resources"].get("CPU", 1)))
    return os.cpu_count() or 1


_NOT_SENT: Any = None
