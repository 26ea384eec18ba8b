"""Special tokens by name and by id equal the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Pair = tuple[Any, Any]


@pytest.mark.parametrize("seed", range(60))
def test_special_tokens_equal_the_reference(
    seed: int,
    make_pair: Callable[..., Pair],
    awkward: Callable[[int], Any],
    compare: Any,
) -> None:
    source = awkward(1000 + seed)
    pair = make_pair(source.vocabulary(), **source.settings())
    for _ in range(3):
        name = source.random.choice(["cls_token", "pad_token", "mask_token", "eos_token"])
        theirs, ours = source.added()
        extra = [source.token() for _ in range(source.random.randint(0, 2))]
        replace = source.flag()
        counts = [
            compare.outcome(
                tokenizer.add_special_tokens,
                {name: token, "extra_special_tokens": extra},
                replace_extra_special_tokens=replace,
            )
            for tokenizer, token in zip(pair, (theirs, ours), strict=True)
        ]
        assert counts[0] == counts[1]
        compare.check_state(pair)
        text = source.text()
        compare.check(pair, "__call__", text)
        compare.check(pair, "decode", source.ids(len(pair[1])), skip_special_tokens=True)


def test_ids_of_special_tokens_can_be_set(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    for tokenizer in make_pair(english):
        tokenizer.cls_token_id = 7
        assert (tokenizer.cls_token, tokenizer.cls_token_id) == ("A", 7)
        tokenizer.cls_token = None
        assert tokenizer.cls_token_id is None
        tokenizer.extra_special_tokens_ids = [5, 6]
        assert tokenizer.extra_special_tokens == ["E", "T"]
        with pytest.raises(ValueError, match=r"cls_token|non-string"):
            tokenizer.cls_token = 3
        with pytest.raises(AttributeError, match="has no attribute nothing"):
            tokenizer.nothing  # noqa: B018


def test_arguments_that_are_methods_are_refused(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    with pytest.raises(AttributeError, match="conflicts with the method get_vocab"):
        make_pair(english, get_vocab=True)
    with pytest.raises(ValueError, match=r"padding_side|Padding side"):
        make_pair(english, padding_side="middle")
