"""Added tokens get the ids, and are found, as with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from w2v_cli.processing import AddedToken

Pair = tuple[Any, Any]


def test_new_tokens_get_the_next_ids(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english)
    assert ours.add_tokens(["aaa", "bb", "aaa", "A", ""]) == 2
    assert (ours.vocab_size, len(ours)) == (32, 34)
    assert ours("C aaa Abb").input_ids == [19, 4, 32, 4, 7, 33]
    assert ours.get_vocab()["bb"] == ours.convert_tokens_to_ids("bb") == 33
    assert ours.add_tokens([]) == ours.add_tokens(None) == 0


def test_blanks_beside_a_token_can_belong_to_it(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english)
    ours.add_tokens(AddedToken("x", lstrip=True, rstrip=True))
    ours.add_tokens(AddedToken("y", single_word=True))
    assert ours.tokenize("A x B") == ["A", "x", "B"]
    assert ours.tokenize("A y By") == ["A", "|", "y", "|", "B", "y"]


def test_what_is_not_there_is_unknown(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair({"A": 0, "<unk>": 1})
    for tokenizer in pair:
        assert tokenizer.convert_tokens_to_ids(["A", "B"]) == [0, 1]
        assert tokenizer.convert_ids_to_tokens([0, 99]) == ["A", "<unk>"]
        assert tokenizer.convert_ids_to_tokens(99) == "<unk>"
    _, without = make_pair({"A": 0}, unk_token=None)
    assert without.convert_tokens_to_ids("B") is None


def test_added_tokens_can_be_placed(make_pair: Callable[..., Pair]) -> None:
    for tokenizer in make_pair({"A": 0, "<unk>": 1}):
        tokenizer.added_tokens_decoder = {40: "x", 41: "y"}
        assert tokenizer.added_tokens_encoder["x"] == 40
        with pytest.raises(TypeError):
            tokenizer.added_tokens_decoder = {"x": 40}


def test_only_tokens_can_be_added(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair({"A": 0})
    with pytest.raises(TypeError, match="Token 3 is not a string"):
        ours.add_tokens([3])
