"""Lists, numpy arrays and tensors, told apart and turned into each other.

torch is never imported to look at a value: what is a tensor can only exist where torch has
been imported already.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
