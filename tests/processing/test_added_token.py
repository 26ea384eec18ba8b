"""Added tokens are interchangeable with those of the tokenizers library."""

from __future__ import annotations

import copy
import pickle

import pytest
import tokenizers

from w2v_cli.processing import AddedToken

RULES = [{}, {"special": True}, {"lstrip": True, "normalized": False}, {"single_word": True}]


@pytest.mark.parametrize("rules", RULES)
def test_equals_the_same_token_of_the_library(rules: dict[str, bool]) -> None:
    ours, theirs = AddedToken("<x>", **rules), tokenizers.AddedToken("<x>", **rules)
    assert ours == theirs
    assert theirs == ours
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    assert ours.__getstate__() == theirs.__getstate__()
    assert AddedToken.copy_of(theirs) == ours
    assert {ours: 1}[copy.deepcopy(ours)] == 1
    assert pickle.loads(pickle.dumps(ours)) == ours


def test_other_rules_are_another_token() -> None:
    assert AddedToken("a") != AddedToken("a", rstrip=True)
    assert AddedToken("a") != tokenizers.AddedToken("b")
    assert AddedToken("a") != "a"


def test_only_tokens_are_copied() -> None:
    assert AddedToken.copy_of("a", special=True) == AddedToken("a", special=True)
    with pytest.raises(TypeError, match="Token 3 is not a string"):
        AddedToken.copy_of(3)
