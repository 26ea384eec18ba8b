"""What the processing classes return: a mapping that can also be read by attribute."""

from __future__ import annotations

import logging
from collections import UserDict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v_cli.processing.options import TensorType
from w2v_cli.processing.tensors import (
    is_array_like,
    is_empty,
    is_tensor,
    stack_numpy,
    stack_torch,
)

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

logger = logging.getLogger(__name__)

# What numpy and torch raise for rows of different lengths and for values that are no numbers.
_CONVERSION_ERRORS = (ValueError, TypeError, RuntimeError, IndexError, OverflowError)


class _Batch(UserDict[str, Any]):
    """A dictionary with its keys as attributes; copies and pickles keep the data alone."""

    def __getattr__(self, name: str) -> Any:
        if name != "data" and name in self.data:  # "data" is missing only while unpickling
            return self.data[name]
        raise AttributeError(f"{type(self).__name__!r} has no attribute or key {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.data = dict(state.get("data", {}))


def _already(value: Any, kind: TensorType) -> bool:
    return is_tensor(value) if kind is TensorType.PYTORCH else isinstance(value, np.ndarray)


class BatchFeature(_Batch):
    """The output of a feature extractor, by key (`batch["input_values"]`) or by attribute."""

    skip_tensor_conversion: Collection[str] | None = None

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        tensor_type: str | TensorType | None = None,
        skip_tensor_conversion: Collection[str] | None = None,
    ) -> None:
        """Keep a copy of `data`, with its values turned into tensors if asked for.

        Args:
            data: Lists, arrays or tensors by name.
            tensor_type: ``np`` or ``pt``; None leaves the values as they are.
            skip_tensor_conversion: Keys whose values are never turned into tensors.

        Raises:
            ValueError: A value cannot be turned into one tensor.
        """
        super().__init__(data)
        if skip_tensor_conversion is not None:
            self.skip_tensor_conversion = skip_tensor_conversion
        self.convert_to_tensors(tensor_type)

    def __getitem__(self, key: str) -> Any:
        if not isinstance(key, str):
            raise KeyError(f"{key!r}: features are read by name, one of {list(self.data)}")
        return self.data[key]

    def convert_to_tensors(
        self,
        tensor_type: str | TensorType | None = None,
        skip_tensor_conversion: Collection[str] | None = None,
    ) -> Self:
        """Return this batch, with every value that holds numbers turned into a tensor.

        Rows of different lengths become an array of arrays with ``np``.

        Raises:
            ValueError: A value has rows of different lengths, with ``pt``.
        """
        if tensor_type is None:
            return self
        kind = TensorType(tensor_type)
        skipped = skip_tensor_conversion or self.skip_tensor_conversion or ()
        stack = stack_torch if kind is TensorType.PYTORCH else stack_numpy
        for key, value in self.data.items():
            if key in skipped or _already(value, kind) or not is_array_like(value):
                continue
            try:
                self.data[key] = stack(value)
            except _CONVERSION_ERRORS as error:
                raise ValueError(
                    f"Unable to convert output '{key}' ({type(value).__name__}) to one tensor: "
                    f"{error}; pad with padding=True, or leave return_tensors out"
                ) from error
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return this batch, its tensors moved to a device and its floating ones to a dtype.

        Args:
            args: As for `torch.Tensor.to`: a device, a dtype, or a device and a dtype.
            kwargs: ``device``, ``dtype`` and ``non_blocking``.

        Raises:
            ValueError: The first argument is neither a device nor a dtype.
        """
        import torch

        device = kwargs.get("device")
        if device is None and args:
            first = args[0]
            if isinstance(first, (str, int, torch.device)):
                device = first
            elif not isinstance(first, torch.dtype):
                raise ValueError(
                    f"Attempting to cast a BatchFeature to type {first}; give a device or a dtype"
                )
        non_blocking = kwargs.get("non_blocking", False)

        def moved(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return type(value)(moved(item) for item in value)
            if not isinstance(value, torch.Tensor):
                return value
            if torch.is_floating_point(value):
                return value.to(*args, **kwargs)
            # Ids and masks stay integers, whatever dtype is asked for.
            return value if device is None else value.to(device, non_blocking=non_blocking)

        self.data = {key: moved(value) for key, value in self.data.items()}
        return self


class BatchEncoding(_Batch):
    """The output of the tokenizer, by key, by attribute, or (a slice) by position."""

    is_fast = False
    encodings = None
    n_sequences: int | None = None

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: None = None,
        tensor_type: str | TensorType | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        """Keep a copy of `data`, with its values turned into tensors if asked for.

        Args:
            data: Lists of ids, masks and the like by name.
            encoding: None; the published argument for tokenizers written in Rust.
            tensor_type: ``np`` or ``pt``; None leaves the lists as they are.
            prepend_batch_axis: Whether tensors get a first axis of length 1.
            n_sequences: How many texts each row was made of, if known.

        Raises:
            ValueError: A value cannot be turned into one tensor.
        """
        super().__init__(data)
        if encoding is not None:
            raise ValueError("encoding is what a tokenizer in Rust returns; this one has none")
        self.n_sequences = n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, slice):
            return {name: value[key] for name, value in self.data.items()}
        raise KeyError(f"{key!r}: read an encoding by name, one of {list(self.data)}, or by slice")

    def convert_to_tensors(
        self, tensor_type: str | TensorType | None = None, prepend_batch_axis: bool = False
    ) -> Self:
        """Return this encoding with every value turned into a tensor.

        Raises:
            ValueError: A value has rows of different lengths (with ``pt``), or no numbers.
        """
        if tensor_type is None:
            return self
        kind = TensorType(tensor_type)
        for key, value in self.data.items():
            value = [value] if prepend_batch_axis else value
            if _already(value, kind):
                continue
            try:
                self.data[key] = _id_tensor(value, kind)
            except _CONVERSION_ERRORS as error:
                raise ValueError(
                    f"Unable to create a tensor of '{key}': {error}; activate padding and/or "
                    "truncation with padding=True, truncation=True to get rows of one length"
                ) from error
        return self

    def to(self, device: str | int | torch.device, *, non_blocking: bool = False) -> Self:
        """Return this encoding with its tensors moved to `device`; ids keep their dtype."""
        import torch

        if not isinstance(device, (str, int, torch.device)):
            logger.warning("Attempting to cast a BatchEncoding to type %s: ignored", device)
            return self
        self.data = {
            key: value.to(device=device, non_blocking=non_blocking) if is_tensor(value) else value
            for key, value in self.data.items()
        }
        return self


def _id_tensor(value: Any, kind: TensorType) -> Any:
    """Return ids as a tensor; without a single id it is still one of integers."""
    empty = is_empty(value)
    if kind is TensorType.NUMPY:
        return np.asarray(value, dtype=np.int64) if empty else stack_numpy(value)
    import torch

    if isinstance(value, list) and len(value) > 0 and isinstance(value[0], np.ndarray):
        return torch.from_numpy(np.array(value))
    return torch.tensor(value, dtype=torch.int64 if empty else None)
