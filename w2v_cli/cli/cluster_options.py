"""The options of a run on more than one machine, each declared once, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.batch.outcome import Engine, Item
    from w2v_cli.cli.console import Console
    from w2v_cli.tasks.task import ModelJob, Task

Result = TypeVar("Result")

CLUSTER_GROUP = "More than one machine"

EngineName = Literal["local", "ray"]

EngineChoice = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="local works on this machine. ray works on a Ray cluster, with the model on each "
        "GPU, or on each machine without one, where --threads is how many cores a worker has.",
        rich_help_panel=CLUSTER_GROUP,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The Ray cluster. [default: RAY_ADDRESS, else the one that this machine belongs "
        "to, else a new one of this machine alone]",
        rich_help_panel=CLUSTER_GROUP,
    ),
]


@dataclass(frozen=True)
class ClusterChoice:
    """Where the work is done.

    Attributes:
        engine: The engine's name.
        address: Of the Ray cluster, if one was named.
    """

    engine: EngineName = "local"
    address: str | None = None

    def engine_for(
        self,
        job: ModelJob[Result],
        console: Console,
        *,
        batch_seconds: float | None = None,
        on_load: Callable[[Task[Result], float], None],
        on_heard: Callable[[Item, float], None],
    ) -> AbstractContextManager[Engine[Result]]:
        """Return the engine that runs a job; args are those of `LocalEngine`."""
        if self.engine == "local":
            from w2v_cli.batch.local import LocalEngine

            return LocalEngine(
                job,
                batch_seconds=batch_seconds,
                on_load=on_load,
                on_heard=on_heard,
                warn=console.warn,
            )
        from w2v_cli.batch.ray import RayEngine

        return RayEngine(
            job,
            address=self.address,
            batch_seconds=batch_seconds,
            use_gpus=job.runtime.device != "cpu",
            worker_cores=job.runtime.threads,
            on_heard=on_heard,
            warn=console.warn,
            note=console.note,
        )


def cluster_choice(params: Mapping[str, Any], *, reads_stdin: bool) -> ClusterChoice:
    """Return what the options of this group come to.

    Args:
        params: The values of the command's parameters, by their names; with those of this group.
        reads_stdin: Whether a recording comes on standard input.

    Raises:
        UsageError: One of them contradicts another.
    """
    engine, address, device = params["engine"], params["address"], params["device"]
    if engine == "local":
        if address is not None:
            raise UsageError("--address names a Ray cluster; add --engine ray")
        return ClusterChoice()
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {device} is one of this machine's; with --engine ray use auto, cpu or cuda"
        )
    if reads_stdin:
        raise UsageError("- is this machine's standard input; with --engine ray name a file")
    return ClusterChoice(engine, address)
