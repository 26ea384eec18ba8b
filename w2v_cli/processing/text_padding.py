"""Token ids cut to a length and padded to a common one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from w2v_cli.processing.added_vocabulary import AddedVocabulary
from w2v_cli.processing.batch import BatchEncoding
from w2v_cli.processing.options import (
    PaddingStrategy,
    TensorType,
    TruncationStrategy,
    round_up,
)
from w2v_cli.processing.tensors import by_name, is_tensor, rows_of, to_python

logger = logging.getLogger(__name__)

# A model_max_length above this means that there is none.
_LARGEST_LENGTH = int(1e20)


@dataclass(frozen=True)
class Lengths:
    """How texts are brought to one length."""

    padding: PaddingStrategy
    truncation: TruncationStrategy
    max_length: int | None


class TextPadding(AddedVocabulary):
    """The part of the tokenizer that brings the ids of one batch to one length."""

    pad_token_type_id = 0

    def _lengths(
        self,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        verbose: bool = True,
    ) -> Lengths:
        """Return what the published arguments mean together.

        Raises:
            ValueError: There is nothing to pad with, or lengths contradict each other.
        """
        if max_length is not None and padding is False and truncation is None:
            truncation = TruncationStrategy.LONGEST_FIRST
        how_to_pad = PaddingStrategy.parse(padding)
        how_to_cut = TruncationStrategy.parse(truncation)
        no_cut = how_to_cut is TruncationStrategy.DO_NOT_TRUNCATE
        if padding is True and verbose and max_length is not None and no_cut:
            warnings.warn(
                "max_length is ignored with padding=True and no truncation; "
                "to pad to it, use padding='max_length'",
                stacklevel=3,
            )
        if max_length is None:
            if self.model_max_length <= _LARGEST_LENGTH:
                if how_to_pad is PaddingStrategy.MAX_LENGTH or not no_cut:
                    max_length = self.model_max_length
            else:  # there is no length to cut or to pad to
                how_to_cut = TruncationStrategy.DO_NOT_TRUNCATE
                if how_to_pad is PaddingStrategy.MAX_LENGTH:
                    how_to_pad = PaddingStrategy.DO_NOT_PAD
        pads = how_to_pad is not PaddingStrategy.DO_NOT_PAD
        if pads and (self.pad_token is None or self.pad_token_id is None):
            raise ValueError(
                "the tokenizer has no token to pad with; set pad_token, for instance to eos_token"
            )
        cuts = how_to_cut is not TruncationStrategy.DO_NOT_TRUNCATE
        both = cuts and pads and max_length is not None
        if both and round_up(max_length or 0, pad_to_multiple_of) != max_length:
            raise ValueError(
                f"texts are cut to {max_length} tokens, and that is not a multiple of "
                f"pad_to_multiple_of={pad_to_multiple_of}"
            )
        return Lengths(how_to_pad, how_to_cut, max_length)

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        padding: bool | str | PaddingStrategy = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | TensorType | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Return one text's or a batch's ids, padded with `pad_token_id`; nothing is cut.

        Args:
            encoded_inputs: ``input_ids`` (and more), as one mapping or as one for each text.
            padding: True or ``longest``; ``max_length``; False or ``do_not_pad``.
            max_length: Tokens to pad to, with ``max_length``.
            pad_to_multiple_of: Lengths are rounded up to a multiple of this.
            padding_side: ``right`` or ``left``; None for the tokenizer's own.
            return_attention_mask: Whether to add the mask, 1 for a token and 0 for padding;
                None for yes if it is one of `model_input_names`.
            return_tensors: ``np`` or ``pt``; None for lists, unless tensors came in.
            verbose: Whether to warn of a `max_length` that changes nothing.

        Raises:
            ValueError: There are no ``input_ids``, or rows do not match.
        """
        columns = by_name(encoded_inputs)
        name = self.model_input_names[0]
        if name not in columns:
            raise ValueError(f"pad() needs encodings with {name!r}, and these have {list(columns)}")
        ids = columns[name]
        if ids is None or (hasattr(ids, "__len__") and len(ids) == 0):
            return BatchEncoding(
                {**columns, **({"attention_mask": []} if return_attention_mask else {})}
            )
        kind = _kind_of(ids)
        if kind is not None:
            columns = {key: to_python(value) for key, value in columns.items()}
            return_tensors = return_tensors or kind
            ids = columns[name]
        lengths = self._lengths(padding, max_length=max_length, verbose=verbose)
        rule = _Padding(
            length=None if lengths.padding is PaddingStrategy.DO_NOT_PAD else lengths.max_length,
            multiple=pad_to_multiple_of,
            side=padding_side or self.padding_side,
            with_mask=self._returns_mask(return_attention_mask),
        )
        longest = lengths.padding is PaddingStrategy.LONGEST
        if not isinstance(ids[0], (list, tuple)):
            rule = replace(rule, length=len(ids)) if longest else rule
            return BatchEncoding(self._pad(columns, rule), tensor_type=return_tensors)
        rule = replace(rule, length=max(map(len, ids))) if longest else rule
        rows = [self._pad(row, rule) for row in rows_of(columns)]
        padded = {key: [row[key] for row in rows] for key in rows[0]}
        return BatchEncoding(padded, tensor_type=return_tensors)

    def _returns_mask(self, return_attention_mask: bool | None) -> bool:
        if return_attention_mask is None:
            return "attention_mask" in self.model_input_names
        return return_attention_mask

    def _pad(self, row: dict[str, Any], rule: _Padding) -> dict[str, Any]:
        """Return the ids of one text, and what goes with them, padded."""
        name = self.model_input_names[0]
        if rule.with_mask and "attention_mask" not in row:
            row = {**row, "attention_mask": [1] * len(row[name])}
        length = rule.length
        missing = 0 if length is None else round_up(length, rule.multiple) - len(row[name])
        if missing == 0:
            return row
        if rule.side not in ("left", "right"):
            raise ValueError(f"padding_side is 'left' or 'right', not {rule.side!r}")
        fillers = {
            name: self.pad_token_id,
            "token_type_ids": self.pad_token_type_id,
            "special_tokens_mask": 1,
        }
        if rule.with_mask:
            fillers["attention_mask"] = 0
        padded = dict(row)
        for key, filler in fillers.items():
            if key in row:
                margin = [filler] * missing
                values = list(row[key])
                padded[key] = margin + values if rule.side == "left" else values + margin
        return padded

    def truncate_sequences(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: str | TruncationStrategy = "longest_first",
        stride: int = 0,
    ) -> tuple[list[int], list[int] | None, list[int]]:
        """Return one or two texts' ids with some removed, and the ids that were removed.

        Args:
            ids: The first text's ids.
            pair_ids: The second text's, if there is one.
            num_tokens_to_remove: How many ids are too many.
            truncation_strategy: Which text gives them up.
            stride: How many ids that were kept are repeated with those removed.
        """
        if num_tokens_to_remove <= 0:
            return ids, pair_ids, []
        strategy = TruncationStrategy(truncation_strategy)
        if strategy is TruncationStrategy.LONGEST_FIRST and pair_ids is not None:
            logger.warning(
                "overflowing tokens of two texts are not returned with the truncation strategy "
                "'longest_first'"
            )
            from_first, from_second = _shares(len(ids), len(pair_ids), num_tokens_to_remove)
            return self._cut(ids, from_first), self._cut(pair_ids, from_second), []
        overlap = stride + num_tokens_to_remove
        if strategy in (TruncationStrategy.ONLY_FIRST, TruncationStrategy.LONGEST_FIRST):
            return self._cut(ids, num_tokens_to_remove), pair_ids, self._edge(ids, overlap)
        if strategy is TruncationStrategy.ONLY_SECOND and pair_ids:
            return ids, self._cut(pair_ids, num_tokens_to_remove), self._edge(pair_ids, overlap)
        return ids, pair_ids, []

    def _cut(self, ids: list[int], count: int) -> list[int]:
        return ids[count:] if self.truncation_side == "left" else ids[: max(len(ids) - count, 0)]

    def _edge(self, ids: list[int], count: int) -> list[int]:
        count = min(len(ids), count)
        return ids[:count] if self.truncation_side == "left" else ids[len(ids) - count :]


@dataclass(frozen=True)
class _Padding:
    """To what length a row is padded, how, and whether it gets a mask."""

    length: int | None
    multiple: int | None
    side: str
    with_mask: bool


def _kind_of(ids: Any) -> TensorType | None:
    """Return what kind of tensors the ids are; None for lists."""
    first = next((row for row in ids if not isinstance(row, (list, tuple)) or len(row)), ids[0])
    if isinstance(first, (list, tuple)):
        first = first[0] if first else 0
    if isinstance(first, int):
        return None
    if is_tensor(first):
        return TensorType.PYTORCH
    if isinstance(first, (np.ndarray, np.integer)):
        return TensorType.NUMPY
    raise ValueError(f"ids are lists, arrays or tensors of integers, not {type(first).__name__}")


def _shares(n_first: int, n_second: int, excess: int) -> tuple[int, int]:
    """Return how many ids each text gives up: the longer one first, then both in turn."""
    from_longer = min(abs(n_first - n_second), excess)
    rest = excess - from_longer
    if n_first > n_second:
        return from_longer + rest // 2, rest - rest // 2
    return rest // 2, from_longer + rest - rest // 2
