"""Indices of many vectors in the format of usearch: a graph in which the nearest are soon found.

Malkov and Yashunin 2016 (HNSW). The names lie beside it, as `vectors.names_json` writes them.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.errors import MissingDependencyError, UsageError
from w2v_cli.formats.vector_files import read_names, table_of_fields
from w2v_cli.formats.vectors import VectorTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]

INDEX_SUFFIX = ".usearch"

# To look at every vector of a smaller set takes milliseconds, and misses none.
_EXACT_ROWS = 20_000
# How widely the graph is searched: usearch's own default misses more, and takes a little less.
_EXPANSION = 256


def usearch_index(table: VectorTable) -> bytes:
    """Return an index of a table's rows, by their cosines.

    Raises:
        MissingDependencyError: usearch is not installed.
    """
    require_usearch()
    import numpy as np
    from usearch.index import Index

    index = Index(
        ndim=table.vectors.shape[1],
        metric="cos",
        dtype="f16" if table.vectors.dtype == np.float16 else "f32",
        expansion_add=_EXPANSION,
    )
    index.add(np.arange(len(table), dtype=np.uint64), table.vectors)
    saved = index.save()
    assert saved is not None
    return bytes(saved)


class VectorIndex:
    """An index on the disk; of it is read what a search comes by.

    Attributes:
        table: Names of the rows and what made them; its matrix has no columns.

    Args:
        path: Where it is.

    Raises:
        UsageError: It is no index, or its names are not beside it.
        MissingDependencyError: usearch is not installed.
    """

    def __init__(self, path: Path) -> None:
        require_usearch()
        import numpy as np
        from usearch.index import Index

        if not path.is_file():
            raise UsageError(f"{path}: no such index; build it with: w2v embed -o {path} FILE...")
        try:
            index: Any = Index.restore(os.fspath(path), view=True)
            if index is None:
                raise ValueError("no index")
            n_rows = len(index)
            self.table = table_of_fields(np.zeros((n_rows, 0), np.float32), read_names(path))
        except (ValueError, KeyError, RuntimeError) as error:
            raise UsageError(
                f"{path}: not what w2v embed writes ({error}); build it anew"
            ) from error
        self._index = index
        self._index.expansion_search = _EXPANSION

    @property
    def n_dimensions(self) -> int:
        """Of each vector."""
        return int(self._index.ndim)

    def closest(self, vectors: FloatArray, top_k: int) -> list[list[tuple[int, float]]]:
        """Return for each vector the rows that are closest, with their cosines, best first.

        Args:
            vectors: (vectors, dimensions).
            top_k: How many rows at most.
        """
        n_rows = len(self.table)
        found = self._index.search(
            vectors.astype("float32"), min(top_k, n_rows), exact=n_rows <= _EXACT_ROWS
        )
        keys = found.keys.reshape(len(vectors), -1)
        distances = found.distances.reshape(len(vectors), -1)
        return [
            [(int(row), 1.0 - float(far)) for row, far in zip(*pair, strict=True)]
            for pair in zip(keys, distances, strict=True)
        ]


def require_usearch() -> None:
    """Say so if there is nothing that builds and reads indices.

    Raises:
        MissingDependencyError: usearch is not installed.
    """
    if find_spec("usearch") is None:
        raise MissingDependencyError("usearch", extra="vectors", purpose="an index of vectors")
