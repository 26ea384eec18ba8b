"""What the engines of `w2v_cli.batch` run: a task, fed chunk by chunk.

A recording is a session. Whoever runs it asks the session for chunks, in one thread, passes
chunks of any sessions through the network together, hands each output back to its session, in
order, and in the end asks for the result, which may have to be waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from w2v_cli.audio.streams import WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.runtime import Runtime

    FloatArray = npt.NDArray[np.float32]

Result_co = TypeVar("Result_co", covariant=True)


class Pending(Protocol[Result_co]):
    """A result that was begun."""

    @property
    def ready(self) -> bool:
        """Whether it need not be waited for."""
        ...

    def result(self) -> Result_co:
        """Wait for it, and return it or raise what is wrong with the input."""
        ...


@dataclass(frozen=True)
class Ready(Generic[Result_co]):
    """A result that need not be waited for; a `Pending`."""

    value: Result_co
    ready: bool = True

    def result(self) -> Result_co:
        """Return it."""
        return self.value


class Session(Protocol[Result_co]):
    """One recording on its way through a task."""

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield what the network is to hear, in order.

        It may run in another thread than the rest, ahead of it.

        Raises:
            AudioError: The recording cannot be read to its end.
        """
        ...

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in what the network made of a chunk, in the order of the chunks."""
        ...

    def finish(self) -> Pending[Result_co]:
        """Return the result, after the last chunk was taken in."""
        ...


class Task(Protocol[Result_co]):
    """A model and what it is used for, loaded."""

    @property
    def description(self) -> str:
        """One line about what runs where."""
        ...

    @property
    def batch_seconds(self) -> float:
        """How much audio `run` should hear at once, padding included; 0 for a chunk at a time."""
        ...

    def session(self, stream: WaveformStream, source: str) -> Session[Result_co]:
        """Begin with a recording that is open."""
        ...

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Pass chunks through the network together, padded to the longest.

        Returns:
            Each chunk's output, the same whatever its neighbours are, up to rounding.

        Raises:
            OutOfMemoryError: They are too many or too long for the memory.
        """
        ...

    def close(self) -> None:
        """Let go of processes and models."""
        ...


class Job(Protocol[Result_co]):
    """What is to be done with every recording: a frozen, picklable description.

    It opens recordings without the model, so that a wrong name need not wait for one.
    """

    def open(self, source: str) -> AbstractContextManager[WaveformStream]:
        """Open a recording for reading.

        Raises:
            AudioError: It cannot be opened.
        """
        ...

    def load(self) -> Task[Result_co]:
        """Load the model.

        Raises:
            ModelError: It cannot be loaded.
        """
        ...

    def settings(self) -> dict[str, Any]:
        """Return all that a result depends on besides recording and model, as JSON values."""
        ...


class ModelJob(Job[Result_co], Protocol):
    """A job of the command line: with a model that can be fingerprinted, and a place to run it.

    Attributes:
        model: A folder, an embedded model or a model id.
        runtime: Device, precision, threads and attention.
        hub: Where to look for the model.
    """

    @property
    def model(self) -> str: ...

    @property
    def runtime(self) -> Runtime: ...

    @property
    def hub(self) -> HubOptions: ...

    def other_models(self) -> tuple[str, ...]:
        """Return what else it depends on: the names of models besides `model`."""
        ...

    def other_files(self) -> tuple[str, ...]:
        """Return what else a result depends on: files whose content is fingerprinted."""
        ...
