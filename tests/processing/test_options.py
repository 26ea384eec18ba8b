"""The words for padding, truncation and tensors."""

from __future__ import annotations

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from w2v_cli.processing import PaddingStrategy, TensorType, TruncationStrategy
from w2v_cli.processing.options import round_up


def test_true_false_and_words_are_strategies() -> None:
    assert PaddingStrategy.parse(True) is PaddingStrategy.LONGEST
    assert PaddingStrategy.parse(False) is PaddingStrategy.DO_NOT_PAD
    assert PaddingStrategy.parse("max_length") is PaddingStrategy.MAX_LENGTH
    assert TruncationStrategy.parse(True) is TruncationStrategy.LONGEST_FIRST
    assert TruncationStrategy.parse(None) is TruncationStrategy.DO_NOT_TRUNCATE
    assert TruncationStrategy.parse("only_first") is TruncationStrategy.ONLY_FIRST


def test_the_enums_of_the_reference_are_understood() -> None:
    assert TensorType(transformers.TensorType.PYTORCH) is TensorType.PYTORCH
    for member in transformers.utils.PaddingStrategy:
        assert PaddingStrategy.parse(member).value == member.value


def test_another_word_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'x' is not a valid TensorType; choose one of 'pt', 'np'"):
        TensorType("x")


@given(length=st.integers(0, 1000), multiple=st.integers(1, 50))
def test_rounding_up_is_the_next_multiple(length: int, multiple: int) -> None:
    rounded = round_up(length, multiple)
    assert rounded % multiple == 0
    assert 0 <= rounded - length < multiple
    assert round_up(length, None) == length
