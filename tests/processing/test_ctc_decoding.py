"""Ids become text with the frames of its characters and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from w2v_cli.processing import Wav2Vec2CTCTokenizerOutput

Pair = tuple[Any, Any]


def test_offsets_are_frames(make_pair: Callable[..., Pair], english: dict[str, int]) -> None:
    _, ours = make_pair(english)
    # H EEEEE || LLL <pad> L O <unk>
    ids = [11, 5, 5, 5, 5, 5, 4, 4, 15, 15, 15, 0, 15, 8, 98]
    output = ours.decode(ids, output_char_offsets=True, output_word_offsets=True)
    assert isinstance(output, Wav2Vec2CTCTokenizerOutput)
    assert output.text == "HE LLO<unk>"
    assert output.word_offsets == [
        {"word": "HE", "start_offset": 0, "end_offset": 6},
        {"word": "LLO<unk>", "start_offset": 8, "end_offset": 15},
    ]
    assert [offset["start_offset"] for offset in output.char_offsets] == [0, 1, 6, 8, 12, 13, 14]


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_ids_come_as_lists_arrays_and_tensors(
    kind: Callable[..., Any],
    make_pair: Callable[..., Pair],
    english: dict[str, int],
) -> None:
    _, ours = make_pair(english)
    assert ours.decode(kind([11, 5, 15, 0, 15, 8])) == "HELLO"
    assert ours.batch_decode(kind([[11, 5, 15, 0, 15, 8], [11, 10, 10, 10, 10, 10]])) == [
        "HELLO",
        "HI",
    ]


def test_an_empty_batch_with_offsets_is_empty(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english)
    assert ours.batch_decode([]) == []
    output = ours.batch_decode([], output_word_offsets=True)
    assert (output.text, output.word_offsets) == ([], [])
