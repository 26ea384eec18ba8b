"""What a recording's vector is like: the closest of a file of vectors, or of enrolled speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from w2v_cli.errors import UsageError
from w2v_cli.formats.vector_files import read_vectors
from w2v_cli.formats.vector_index import INDEX_SUFFIX, VectorIndex
from w2v_cli.formats.vectors import VectorTable, row_name
from w2v_cli.inference.pooling import unit_length
from w2v_cli.recording_parts import split_part
from w2v_cli.results import VectorKind

FloatArray = npt.NDArray[np.float32]
AnyFloatArray = npt.NDArray[np.floating[Any]]


def cosines(vectors: AnyFloatArray, others: AnyFloatArray) -> FloatArray:
    """Return the cosine of each vector with each of the others, (vectors, others), -1 to 1.

    Args:
        vectors: (vectors, dimensions).
        others: (others, dimensions).

    Raises:
        UsageError: They have not as many dimensions.
    """
    check_dimensions(vectors.shape[1], others.shape[1])
    scores = unit_length(vectors.astype(np.float64)) @ unit_length(others.astype(np.float64)).T
    return np.clip(scores, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Candidate:
    """What a vector is near.

    Attributes:
        name: A speaker or a recording.
        score: The cosine with its vector.
    """

    name: str
    score: float


class Names(Protocol):
    """Vectors with names, among which the closest are looked for."""

    kind: VectorKind | None

    def closest(self, vectors: FloatArray, top_k: int) -> list[list[Candidate]]:
        """Return for each vector (vectors, dimensions) at most so many, best first."""
        ...


class HeldVectors:
    """Vectors in memory, all of which are looked at.

    Attributes:
        kind: What made them; None where they are known to fit.

    Args:
        names: What each is called.
        vectors: (names, dimensions).
        kind: What made them.
    """

    def __init__(
        self, names: Sequence[str], vectors: FloatArray, kind: VectorKind | None = None
    ) -> None:
        self.kind = kind
        self._names, self._vectors = names, vectors

    def closest(self, vectors: FloatArray, top_k: int) -> list[list[Candidate]]:
        """Return for each vector at most so many names, best first."""
        scores = cosines(vectors, self._vectors)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return [
            [Candidate(self._names[index], float(row[index])) for index in order]
            for row, order in zip(scores, best, strict=True)
        ]


class IndexedVectors:
    """Vectors in an index on the disk.

    Attributes:
        kind: What made them.

    Args:
        index: The index.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self.kind: VectorKind | None = index.table.kind

    def closest(self, vectors: FloatArray, top_k: int) -> list[list[Candidate]]:
        """Return for each vector at most so many recordings, best first."""
        check_dimensions(vectors.shape[1], self._index.n_dimensions)
        table = self._index.table
        return [
            [Candidate(_name(table, row), score) for row, score in found]
            for found in self._index.closest(vectors, top_k)
        ]


def open_vectors(path: Path) -> HeldVectors | IndexedVectors:
    """Return the vectors in a file: an index, or one of the other formats.

    Raises:
        UsageError: There is no such file, or no vectors in it.
        MissingDependencyError: Its format needs a package that is not installed.
    """
    if path.suffix.lower() == INDEX_SUFFIX:
        return IndexedVectors(VectorIndex(path))
    table = read_vectors(path)
    names = [_name(table, row) for row in range(len(table))]
    return HeldVectors(names, table.vectors.astype(np.float32), table.kind)


def _name(table: VectorTable, row: int) -> str:
    return row_name(table.sources[row], table.channels[row])


def check_dimensions(found: int, wanted: int) -> None:
    """Refuse to compare vectors of different lengths: another model of the same name made them.

    Raises:
        UsageError: They are.
    """
    if found != wanted:
        raise UsageError(
            f"vectors of {found} dimensions cannot be compared with those of {wanted}; make them "
            f"anew with one model"
        )


def check_kinds(found: VectorKind, wanted: VectorKind, name: str) -> None:
    """Refuse to compare vectors that different models, layers or pools made.

    Args:
        found: What made the vectors in a file.
        wanted: What makes those of this run.
        name: The file.

    Raises:
        UsageError: They are not the same; their lengths don't matter.
    """
    for what, there, here in (
        ("--model", found.model, wanted.model),
        ("--layer", found.layer, wanted.layer),
        ("--pool", found.pool, wanted.pool),
    ):
        if there != here:
            made = f"with {what} {there}" if there else f"without {what}"
            asked = f"with {what} {here}" if here else f"without {what}"
            raise UsageError(f"{name}: its vectors were made {made}, and this run is {asked}")


def speaker_of(relative: PurePath | str) -> str:
    """Return whose a recording in a folder of speakers is: its subfolder, or else its stem.

    >>> speaker_of("anna/2024/call.wav"), speaker_of("ben.wav")
    ('anna', 'ben')
    """
    path = PurePath(split_part(str(relative)).recording)
    return path.parts[0] if len(path.parts) > 1 else path.stem


def enrolled(speakers: Sequence[str], vectors: FloatArray) -> HeldVectors:
    """Return the speakers, each with the mean of its vectors, of which every one counts alike.

    Args:
        speakers: Whose each vector is.
        vectors: (vectors, dimensions).
    """
    names = sorted(set(speakers))
    numbers = np.array([names.index(speaker) for speaker in speakers])
    directions = unit_length(vectors.astype(np.float64))
    means = [directions[numbers == number].mean(axis=0) for number in range(len(names))]
    return HeldVectors(names, np.array(means, np.float32))
