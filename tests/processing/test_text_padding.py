"""Ids are cut and padded like the reference cuts and pads them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

Pair = tuple[Any, Any]


@pytest.mark.parametrize("seed", range(40))
def test_pads_what_the_reference_pads(
    seed: int,
    make_pair: Callable[..., Pair],
    awkward: Callable[[int], Any],
    compare: Any,
    english: dict[str, int],
) -> None:
    source = awkward(2000 + seed)
    pair = make_pair(english)
    rows = [source.ids(30) for _ in range(source.random.randint(1, 3))]
    named = {"input_ids": rows}
    if source.flag():
        named["attention_mask"] = [[1] * len(row) for row in rows]
    forms: list[Any] = [
        named,
        {"input_ids": rows[0]},
        [{"input_ids": row} for row in rows],
        [{"input_ids": torch.tensor(row, dtype=torch.int64)} for row in rows],
        [{"input_ids": np.array(row, dtype=np.int64)} for row in rows],
        [{"labels": row} for row in rows],
    ]
    for options in ({}, source.call_options(), source.call_options()):
        kept = {
            name: value
            for name, value in options.items()
            if name in ("padding", "max_length", "pad_to_multiple_of", "padding_side")
            or name in ("return_attention_mask", "return_tensors")
        }
        for form in forms:
            theirs, ours = (compare.outcome(t.pad, copy.deepcopy(form), **kept) for t in pair)
            assert ours == theirs, (form, kept)


def test_there_must_be_something_to_pad_with(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair({"A": 0}, pad_token=None)
    with pytest.raises(ValueError, match="has no token to pad with"):
        ours(["A", "AA"], padding=True)


def test_lengths_must_fit(make_pair: Callable[..., Pair], english: dict[str, int]) -> None:
    _, ours = make_pair(english)
    with pytest.raises(ValueError, match="not a multiple of pad_to_multiple_of=4"):
        ours("A", padding="max_length", truncation=True, max_length=6, pad_to_multiple_of=4)
    with pytest.raises(ValueError, match="differ in batch size"):
        ours.pad({"input_ids": [[1], [2]], "attention_mask": [[1]]})
    with pytest.raises(ValueError, match="padding_side is 'left' or 'right'"):
        ours(["A", "AA"], padding=True, padding_side="top")
    with pytest.raises(ValueError, match="integers, not str"):
        ours.pad({"input_ids": ["A"]})


def test_a_length_that_changes_nothing_is_warned_of(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english)
    with pytest.warns(UserWarning, match="max_length is ignored with padding=True"):
        ours(["A"], padding=True, max_length=3)
