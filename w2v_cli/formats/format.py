"""What a format is, whatever results it is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Generic, Literal, Protocol, TypeVar

Joining = Literal["headings", "array", "header", "lines"]
"""How several recordings share a file: each line under the recording's name, as elements of an
array, below one row with the columns' names, or just one after the other."""


class OfRecording(Protocol):
    """A result, as far as whoever writes it has to know it.

    Attributes:
        source: The recording as the user named it; None for one held in memory.
        duration_seconds: How much of it was read.
    """

    @property
    def source(self) -> str | None: ...

    @property
    def duration_seconds(self) -> float: ...


Result_contra = TypeVar("Result_contra", contravariant=True)


@dataclass(frozen=True)
class Gathering(Generic[Result_contra]):
    """How results of several recordings share a file that is no text, put together in the end.

    Attributes:
        note: Returns a line of text that holds a result; journals keep it until then.
        write: Writes the file for such lines, in the order of the recordings.
    """

    note: Callable[[Result_contra], str]
    write: Callable[[Iterable[str], BinaryIO], None]


@dataclass(frozen=True)
class Format(Generic[Result_contra]):
    """A format that results are written in.

    Attributes:
        suffix: What its files end with.
        write: Returns the whole file for one result: text, ended by a newline unless it is
            empty, or bytes.
        joining: How several recordings share a file; None where they don't, as text.
        gathering: How they share one that is no text; None where they don't.
        tells_apart_by_name: Lines belong to a recording by its `recording_name` alone, so that two
            of one name cannot share a file.
    """

    suffix: str
    write: Callable[[Result_contra], str | bytes]
    joining: Joining | None = None
    gathering: Gathering[Result_contra] | None = None
    tells_apart_by_name: bool = False

    @property
    def holds_several(self) -> bool:
        """Whether several recordings can share a file."""
        return self.joining is not None or self.gathering is not None
