"""Files of vectors read again, to compare others with what is in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.errors import UsageError
from w2v_cli.formats.vectors import METADATA_KEY, NAMES_SUFFIX, VectorTable, require_pyarrow
from w2v_cli.results import VectorKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]


def read_vectors(path: Path) -> VectorTable:
    """Return the table in a file of vectors, whose suffix says in which format.

    Raises:
        UsageError: It cannot be read, or holds something else.
        MissingDependencyError: pyarrow is not installed, for parquet.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: no file of vectors; they end with {', '.join(READERS)}")
    try:
        return reader(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path}: not what w2v embed writes ({error}); make it anew with w2v embed"
        ) from error


def read_names(path: Path) -> dict[str, Any]:
    """Return the names that lie beside a file of vectors, with what made them.

    Raises:
        UsageError: They are not there.
    """
    names = path.with_name(path.name + NAMES_SUFFIX)
    if not names.is_file():
        raise UsageError(f"{path}: {names.name} is not beside it; w2v embed writes both")
    fields = json.loads(names.read_text(encoding="utf-8"))
    if not isinstance(fields, dict):
        raise ValueError("names are missing")
    return fields


def table_of_fields(vectors: FloatArray, fields: dict[str, Any]) -> VectorTable:
    """Return the table of a matrix and the names beside it."""
    return _table(
        vectors,
        _kind(fields),
        fields["sources"],
        fields.get("channels"),
        fields.get("start_seconds"),
    )


def _read_npy(path: Path) -> VectorTable:
    import numpy as np

    return table_of_fields(np.load(path, allow_pickle=False), read_names(path))


def _read_npz(path: Path) -> VectorTable:
    import numpy as np

    with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise ValueError("one array, and not several with their names")
        return _table(
            arrays["vectors"],
            _kind(json.loads(str(arrays["kind"]))),
            arrays["sources"].tolist(),
            [channel or None for channel in arrays["channels"].tolist()],
            arrays["start_seconds"],
        )


def _read_parquet(path: Path) -> VectorTable:
    require_pyarrow()
    import numpy as np
    import pyarrow.parquet

    arrow = pyarrow.parquet.read_table(path)
    kind = json.loads((arrow.schema.metadata or {})[METADATA_KEY.encode()])
    column = arrow["vector"].combine_chunks()
    numbers = column.values.to_numpy(zero_copy_only=False)
    starts = arrow["start_seconds"].to_pylist()
    return _table(
        numbers.reshape(len(arrow), -1),
        _kind(kind),
        arrow["source"].to_pylist(),
        arrow["channel"].to_pylist(),
        [np.nan if start is None else start for start in starts],
    )


def _read_safetensors(path: Path) -> VectorTable:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return _table(
        tensors["vectors"],
        _kind(json.loads(metadata["kind"])),
        json.loads(metadata["sources"]),
        json.loads(metadata["channels"]) if "channels" in metadata else None,
        tensors.get("start_seconds"),
    )


def _read_json_lines(path: Path) -> VectorTable:
    import numpy as np

    with path.open(encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if "error" not in row]
    if not rows:
        raise ValueError("there is no vector in it")
    return _table(
        np.array([row["vector"] for row in rows], np.float32),
        _kind(rows[0]),
        [row["source"] for row in rows],
        [row.get("channel") for row in rows],
        [row.get("start", np.nan) for row in rows],
    )


READERS: dict[str, Callable[[Path], VectorTable]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
    ".jsonl": _read_json_lines,
}
"""What reads a file of each suffix."""


def _kind(fields: dict[str, Any]) -> VectorKind:
    return VectorKind(
        fields["model"],
        fields.get("layer"),
        fields.get("pool"),
        fields.get("unit_length", False),
    )


def _table(
    vectors: FloatArray,
    kind: VectorKind,
    sources: Sequence[str],
    channels: Sequence[int | None] | None,
    starts: Sequence[float] | FloatArray | None,
) -> VectorTable:
    import numpy as np

    if vectors.ndim != 2 or len(vectors) != len(sources):
        raise ValueError(f"{len(sources)} names for vectors of shape {vectors.shape}")
    return VectorTable(
        vectors=vectors,
        kind=kind,
        sources=tuple(sources),
        channels=tuple(channels or [None] * len(sources)),
        starts_seconds=np.full(len(sources), np.nan) if starts is None else np.asarray(starts),
    )
