"""Lists, numpy arrays and tensors, told apart and turned into each other; batches of them.

torch is never imported to look at a value: what is a tensor can only exist where torch has
been imported already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def is_tensor(value: Any) -> bool:
    """Return whether `value` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_numpy(value: Any) -> Any:
    """Return `value` as a numpy array if it is a tensor, a list or a tuple, else as it is."""
    if is_tensor(value):
        return value.detach().cpu().numpy()
    return np.array(value) if isinstance(value, (list, tuple)) else value


def to_python(value: Any) -> Any:
    """Return `value` with every array and tensor in it turned into lists and numbers."""
    if isinstance(value, (int, float, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: to_python(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (int, float, np.number)) for item in value):
            return list(value)
        return [to_python(item) for item in value]
    if is_tensor(value) or isinstance(value, (np.ndarray, np.number)):
        return value.tolist()
    return value


def by_name(batch: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of a batch that is given as such, or as one mapping for each row.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(batch, Mapping):
        return dict(batch.items())
    rows = list(batch)
    if not rows or not isinstance(rows[0], Mapping):
        raise ValueError(f"pad() needs a mapping or a list of mappings, not {batch!r}")
    # .keys(), because not everything that is read by key also iterates over its keys.
    return {key: [row[key] for row in rows] for key in rows[0].keys()}  # noqa: SIM118


def rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a batch, of which there is at least one column.

    Raises:
        ValueError: The columns differ in length.
    """
    lengths = {key: len(column) for key, column in columns.items()}
    n_rows = next(iter(lengths.values()))
    if set(lengths.values()) != {n_rows}:
        raise ValueError(f"these belong to one batch and differ in batch size: {lengths}")
    return [{key: column[index] for key, column in columns.items()} for index in range(n_rows)]


def is_array_like(value: Any) -> bool:
    """Return whether `value` could become a tensor: numbers, however deep in lists."""
    while isinstance(value, (list, tuple)):
        if len(value) == 0:
            return True
        value = value[0]
    return isinstance(value, (int, float, np.number, np.ndarray)) or is_tensor(value)


def is_empty(value: Any) -> bool:
    """Return whether there is no number at any depth of the lists in `value`."""
    if isinstance(value, (list, tuple)):
        return all(is_empty(item) for item in value)
    return isinstance(value, np.ndarray) and value.size == 0


def stack_numpy(value: Any) -> Array:
    """Return `value` as one array; rows of different lengths give an array of objects."""
    has_rows = (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and isinstance(value[0], (list, tuple, np.ndarray))
    )
    if has_rows and len({len(row) for row in value}) > 1:
        return np.asarray([np.asarray(row) for row in value], dtype=object)
    return np.asarray(value)


def stack_torch(value: Any) -> Any:
    """Return `value` as one tensor; a list of tensors is stacked."""
    import torch

    if isinstance(value, (list, tuple)) and len(value) > 0:
        if isinstance(value[0], torch.Tensor):
            return torch.stack(list(value))
        inner = value[0]
        if isinstance(inner, (list, tuple)) and len(inner) > 0:
            inner = inner[0]
        if isinstance(inner, np.ndarray):
            value = np.array(value)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else torch.tensor(value)
