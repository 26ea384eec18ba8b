"""Waveforms cut to a length and padded to a common one, with the mask that says what is real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from w2v_cli.processing.batch import BatchFeature
from w2v_cli.processing.options import PaddingStrategy, TensorType, round_up
from w2v_cli.processing.tensors import by_name, is_tensor, rows_of, to_numpy

MASK = "attention_mask"

Features = dict[str, Any]


class WaveformPadding:
    """The part of the feature extractor that brings waveforms of one batch to one length."""

    model_input_names: list[str]
    feature_size: int
    padding_value: float
    padding_side: str
    return_attention_mask: bool

    def pad(
        self,
        processed_features: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        padding: bool | str | PaddingStrategy = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | TensorType | None = None,
    ) -> BatchFeature:
        """Return the batch with its waveforms cut and padded, in float32 where they were float64.

        Args:
            processed_features: ``input_values`` (and more) of a batch, as one mapping of
                lists or as one mapping for each recording.
            padding: True or ``longest``; ``max_length``; False or ``do_not_pad``.
            max_length: Samples to cut and pad to.
            truncation: Whether to cut what is longer than `max_length`.
            pad_to_multiple_of: Lengths are rounded up to a multiple of this many samples.
            return_attention_mask: Whether to add the mask, 1 for a sample and 0 for padding;
                None for the extractor's own setting.
            return_tensors: ``np`` or ``pt``; None for tensors if tensors came in, else arrays.

        Raises:
            ValueError: There are no ``input_values``, rows do not match, or `max_length` is
                missing where it is needed.
        """
        features = by_name(processed_features)
        name = self.model_input_names[0]
        if name not in features:
            raise ValueError(
                f"pad() needs a batch with {name!r}, and this one has {sorted(features)}"
            )
        if return_attention_mask is None:
            return_attention_mask = self.return_attention_mask
        if len(features[name]) == 0:
            masks: Features = {MASK: []} if return_attention_mask else {}
            return BatchFeature({**features, **masks})
        if return_tensors is None:
            return_tensors = _kind_of(features[name])

        strategy = self._get_padding_strategies(padding, max_length)
        rows = [
            self._truncate(row, max_length, pad_to_multiple_of, truncation)
            for row in _rows(features)
        ]
        if strategy is PaddingStrategy.LONGEST:
            max_length = max(len(row[name]) for row in rows)
        if strategy is PaddingStrategy.DO_NOT_PAD:
            max_length = None
        rows = [
            self._pad(row, max_length, pad_to_multiple_of, return_attention_mask) for row in rows
        ]
        columns = {key: [_single(row[key]) for row in rows] for key in rows[0]}
        return BatchFeature(columns, tensor_type=return_tensors)

    def _truncate(
        self, row: Features, max_length: int | None, multiple: int | None, truncation: bool
    ) -> Features:
        """Return the features of one recording, none longer than `max_length` rounded up."""
        if not truncation:
            return row
        if max_length is None:
            raise ValueError("truncation=True needs max_length, the number of samples to keep")
        kept = round_up(max_length, multiple)
        name = self.model_input_names[0]
        if len(row[name]) <= kept:
            return row
        return {key: value[:kept] if key in (name, MASK) else value for key, value in row.items()}

    def _pad(
        self, row: Features, length: int | None, multiple: int | None, with_mask: bool
    ) -> Features:
        """Return the features of one recording, padded to `length` rounded up."""
        name = self.model_input_names[0]
        waveform = row[name]
        if with_mask and MASK not in row:
            row = {**row, MASK: np.ones(len(waveform), dtype=np.int32)}
        missing = 0 if length is None else round_up(length, multiple) - len(waveform)
        if missing <= 0:
            return row
        if self.padding_side not in ("left", "right"):
            raise ValueError(f"padding_side must be 'left' or 'right', not {self.padding_side!r}")
        margin = (missing, 0) if self.padding_side == "left" else (0, missing)
        # A waveform has one axis; features of more than one dimension have (frames, size).
        margins = (margin, (0, 0)) if self.feature_size > 1 else margin
        padded = {name: np.pad(waveform, margins, constant_values=self.padding_value)}
        if with_mask:
            padded[MASK] = np.pad(row[MASK], margin)
        return {**row, **padded}

    def _get_padding_strategies(
        self, padding: bool | str | PaddingStrategy = False, max_length: int | None = None
    ) -> PaddingStrategy:
        strategy = PaddingStrategy.parse(padding)
        if strategy is PaddingStrategy.MAX_LENGTH and max_length is None:
            raise ValueError("padding='max_length' needs max_length, the number of samples")
        if strategy is not PaddingStrategy.DO_NOT_PAD and self.padding_value is None:
            raise ValueError("padding needs a value: set padding_value, for instance to 0.0")
        return strategy


def _kind_of(rows: Any) -> TensorType:
    """Return whether the first sample found belongs to a tensor or to an array or list."""
    first = next((row for row in rows if not isinstance(row, (list, tuple)) or len(row)), rows[0])
    if isinstance(first, (list, tuple)) and first:
        first = first[0]
    if is_tensor(first):
        return TensorType.PYTORCH
    if isinstance(first, (int, float, list, tuple, np.ndarray, np.number)):
        return TensorType.NUMPY
    raise ValueError(f"waveforms are lists, arrays or tensors, not {type(first).__name__}")


def _rows(features: Features) -> list[Features]:
    """Return the features of each recording, as arrays."""
    columns = {
        key: to_numpy(value)
        if isinstance(value[0], (int, float))
        else value
        if isinstance(value, np.ndarray)
        else [to_numpy(item) for item in value]
        for key, value in features.items()
    }
    return rows_of(columns)


def _single(value: Any) -> Any:
    return value.astype(np.float32) if value.dtype == np.float64 else value
