"""Added tokens are found in a text exactly where the reference finds them."""

from __future__ import annotations

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.tokenization_python import Trie

from w2v_cli.processing.token_trie import TokenTrie

FEW_LETTERS = st.text(alphabet="abc", max_size=12)


@settings(max_examples=2000, deadline=None)
@given(tokens=st.lists(st.text(alphabet="abc", max_size=5), max_size=5), text=FEW_LETTERS)
def test_cuts_where_the_reference_cuts(tokens: list[str], text: str) -> None:
    pieces = TokenTrie(tokens).split(text)
    assert pieces == Trie(tokens).split(text)
    assert "".join(pieces) == text
    assert "" not in pieces


@settings(max_examples=300, deadline=None)
@given(tokens=st.lists(st.text(max_size=3), max_size=5), text=st.text(max_size=20))
def test_cuts_any_script(tokens: list[str], text: str) -> None:
    assert TokenTrie(tokens).split(text) == Trie(tokens).split(text)


def test_the_longest_of_those_that_start_first() -> None:
    trie = TokenTrie(["aa", "aab", "bc", "<s>"])
    assert trie.split("xaabc<s>") == ["x", "aab", "c", "<s>"]
    assert trie.split("") == []
    assert TokenTrie().split("abc") == ["abc"]


def test_pickles_however_long_a_token_is() -> None:
    trie = TokenTrie(["a" * 5000])
    assert pickle.loads(pickle.dumps(trie)).split("a" * 5001) == ["a" * 5000, "a"]
