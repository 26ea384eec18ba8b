"""What goes into a run over many recordings, and what comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from w2v_cli.errors import W2VError

if TYPE_CHECKING:
    from typing_extensions import Self

Result = TypeVar("Result")


@dataclass(frozen=True)
class Item:
    """One input.

    Attributes:
        source: What is opened: a path, a URL, or "-" for standard input.
        relative: Its place below the folder that was named, or its name alone: where its
            results lie below the output folder.
    """

    source: str
    relative: PurePath


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of one input.

    Attributes:
        item: The input.
        result: Its result; None if there is an error.
        error: What is wrong with it; None if there is a result.
        audio_seconds: How much audio was read.
    """

    item: Item
    result: Result | None
    error: W2VError | None = None
    audio_seconds: float = 0.0


class Engine(ABC, Generic[Result]):
    """Runs a job over inputs; a `with` block ends what is running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def run(self, items: Iterable[Item]) -> Generator[Outcome[Result], None, None]:
        """Yield an outcome for every item, in their order, each as soon as that allows.

        A bad input is an outcome with an error; what ends the whole run, a model that cannot be
        loaded for instance, is raised. Closing the iterator ends the work.
        """

    @abstractmethod
    def close(self) -> None:
        """End what is running, and let go of the model and of other machines."""
