"""Vectors as files: numpy's, parquet, JSON lines and safetensors, with the recordings' names.

A table is what such a file holds: a row for every vector, of one recording or of many.
`vector_files` reads them again.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from w2v_cli.errors import MissingDependencyError
from w2v_cli.formats.spoken import as_unicode
from w2v_cli.results import Embedding, VectorKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

METADATA_KEY = "w2v"
"""Where a parquet file has, as JSON, what made the vectors."""

NAMES_SUFFIX = ".names.json"
"""Beside a format that has no place for names lies a file of its name and this."""


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Vectors with the recordings that they are of.

    Attributes:
        vectors: float32 or float16, (rows, dimensions).
        kind: What made them.
        sources: The recording of each row, as the user named it.
        channels: The channel of each row, from 1, or None where channels were not heard apart.
        starts_seconds: Where the frame of each row begins, (rows,); nan where a row stands for a
            whole channel.
    """

    vectors: FloatArray
    kind: VectorKind
    sources: tuple[str, ...]
    channels: tuple[int | None, ...]
    starts_seconds: FloatArray

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def has_frames(self) -> bool:
        """Whether rows are frames."""
        return self.kind.pool == "none"

    @property
    def has_channels(self) -> bool:
        """Whether channels were heard apart."""
        return any(channel is not None for channel in self.channels)


def vector_table(embeddings: Sequence[Embedding]) -> VectorTable:
    """Return the vectors of recordings, one after the other.

    Args:
        embeddings: At least one; all were made alike.
    """
    import numpy as np

    sources: list[str] = []
    channels: list[int | None] = []
    starts = []
    for embedding in embeddings:
        n_rows = len(embedding.vectors)
        sources += [as_unicode(embedding.source) or ""] * n_rows
        channels += embedding.channels or [None] * n_rows
        found = embedding.starts_seconds
        starts.append(np.full(n_rows, np.nan) if found is None else found.astype(np.float64))
    vectors = [embedding.vectors for embedding in embeddings]
    return VectorTable(
        vectors=np.concatenate(vectors) if len(vectors) > 1 else vectors[0],
        kind=embeddings[0].kind,
        sources=tuple(sources),
        channels=tuple(channels),
        starts_seconds=np.concatenate(starts),
    )


def row_name(source: str, channel: int | None) -> str:
    """Return what a row is called where people read it.

    >>> row_name("call.wav", 2)
    'call.wav (channel 2)'
    """
    return source if channel is None else f"{source} (channel {channel})"


def npy(table: VectorTable) -> bytes:
    """Return the matrix as numpy saves it; `names_json` has the rest."""
    import numpy as np

    file = io.BytesIO()
    np.save(file, table.vectors, allow_pickle=False)
    return file.getvalue()


def npz(table: VectorTable) -> bytes:
    """Return arrays as numpy saves them: vectors, sources, channels, start_seconds and kind.

    Channels are 0 where they were not heard apart, starts nan where rows are no frames.
    """
    import numpy as np

    file = io.BytesIO()
    np.savez(
        file,
        vectors=table.vectors,
        sources=np.array(table.sources, dtype=np.str_),
        channels=np.array([channel or 0 for channel in table.channels], np.int32),
        start_seconds=table.starts_seconds,
        kind=np.array(_kind_json(table.kind)),
    )
    return file.getvalue()


def parquet(table: VectorTable) -> bytes:
    """Return a table with the columns source, channel, start_seconds and vector.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    require_pyarrow()
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    n_dimensions = table.vectors.shape[1]
    numbers = pa.array(np.ascontiguousarray(table.vectors).reshape(-1))
    columns = {
        "source": pa.array(table.sources, pa.string()),
        "channel": pa.array(table.channels, pa.int32()),
        "start_seconds": pa.array(table.starts_seconds, pa.float64(), from_pandas=True),
        "vector": pa.FixedSizeListArray.from_arrays(numbers, n_dimensions),
    }
    arrow = pa.table(columns).replace_schema_metadata({METADATA_KEY: _kind_json(table.kind)})
    file = io.BytesIO()
    pyarrow.parquet.write_table(arrow, file)
    return file.getvalue()


def safetensors(table: VectorTable) -> bytes:
    """Return the tensor vectors, for frames also start_seconds; names are in the metadata."""
    import numpy as np
    from safetensors.numpy import save

    tensors: dict[str, Any] = {"vectors": np.ascontiguousarray(table.vectors)}
    if table.has_frames:
        tensors["start_seconds"] = table.starts_seconds
    metadata = {"kind": _kind_json(table.kind), "sources": _json(table.sources)}
    if table.has_channels:
        metadata["channels"] = _json(table.channels)
    return save(tensors, metadata)


def json_lines(table: VectorTable) -> str:
    """Return a line for every row."""
    kind = _kind_fields(table.kind)
    lines: list[str] = []
    for row, start_seconds in zip(table.vectors, table.starts_seconds.tolist(), strict=True):
        index = len(lines)
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "source": table.sources[index],
            **kind,
        }
        if table.channels[index] is not None:
            fields["channel"] = table.channels[index]
        if not math.isnan(start_seconds):
            fields["start"] = round(start_seconds, 4)
        # As few digits as tell one float32 from the next: str, unlike float, knows the type.
        numbers = ",".join(map(str, row))
        lines.append(f'{_json(fields)[:-1]}, "vector": [{numbers}]}}\n')
    return "".join(lines)


def names_json(table: VectorTable) -> bytes:
    """Return what a format without a place for it leaves out: names, and what made the rows."""
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **_kind_fields(table.kind),
        "sources": table.sources,
    }
    if table.has_channels:
        fields["channels"] = table.channels
    if table.has_frames:
        fields["start_seconds"] = table.starts_seconds.tolist()
    return (_json(fields) + "\n").encode()


def packed(embedding: Embedding) -> str:
    """Return a recording's vectors as a text that a journal can hold; `unpacked` undoes it."""
    starts = embedding.starts_seconds
    fields = {
        "source": as_unicode(embedding.source),
        "shape": embedding.vectors.shape,
        "dtype": str(embedding.vectors.dtype),
        "vectors": base64.b64encode(embedding.vectors.tobytes()).decode(),
        "kind": asdict(embedding.kind),
        "seconds": embedding.duration_seconds,
        "channels": embedding.channels,
        "starts": None if starts is None else starts.tolist(),
    }
    return _json(fields)


def unpacked(text: str) -> Embedding:
    """Return the vectors that `packed` made a text of."""
    import numpy as np

    fields = json.loads(text)
    numbers = np.frombuffer(base64.b64decode(fields["vectors"]), np.dtype(fields["dtype"]))
    starts = fields["starts"]
    return Embedding(
        vectors=numbers.reshape(fields["shape"]),
        kind=VectorKind(**fields["kind"]),
        duration_seconds=fields["seconds"],
        source=fields["source"],
        channels=tuple(fields["channels"]),
        starts_seconds=None if starts is None else np.array(starts),
    )


def require_pyarrow() -> None:
    """Say so if there is nothing that reads and writes parquet.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise MissingDependencyError("pyarrow", extra="vectors", purpose="parquet")


def _kind_fields(kind: VectorKind) -> dict[str, Any]:
    """Return what made vectors as it is written: an x-vector has neither layer nor pool."""
    fields = {name: value for name, value in asdict(kind).items() if value is not None}
    return {**fields, "model": as_unicode(kind.model)}


def _kind_json(kind: VectorKind) -> str:
    return _json(_kind_fields(kind))


def _json(value: dict[str, Any] | Iterable[Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
