"""Text of any kind becomes the ids that it becomes with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Pair = tuple[Any, Any]


def test_long_texts_are_warned_of_once(
    make_pair: Callable[..., Pair],
    caplog: pytest.LogCaptureFixture,
    english: dict[str, int],
) -> None:
    _, ours = make_pair(english, model_max_length=3)
    for _ in range(2):
        ours("HELLO")
    assert [record.message[:24] for record in caplog.records] == ["Token indices sequence l"]


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=3), lower=st.booleans())
def test_any_text_has_the_ids_of_the_reference(
    texts: list[str],
    lower: bool,
    make_pair: Callable[..., Pair],
    english: dict[str, int],
    compare: Any,
) -> None:
    pair = make_pair({**english, "ß": 32, "SS": 33, "é": 34, "\u0301": 35}, do_lower_case=lower)
    compare.check(pair, "__call__", texts)
    compare.check(pair, "tokenize", texts[0], is_split_into_words=True)
    compare.check(pair, "__call__", [texts, texts], is_split_into_words=True, padding=True)
    compare.check(pair, "__call__", [(text, text[::-1]) for text in texts], padding=True)
    compare.check(pair, "encode", texts[0], texts[-1], return_tensors="np")


def test_targets_are_labels(
    make_pair: Callable[..., Pair], english: dict[str, int], compare: Any
) -> None:
    pair = make_pair(english)
    for options in ({}, {"max_target_length": 2, "truncation": True, "max_length": 3}):
        compare.check(pair, "__call__", "HELLO", text_target="WORLD", **options)
        compare.check(pair, "__call__", text_target=["WORLD", "A"], **options)


def test_what_is_no_text_is_refused(
    make_pair: Callable[..., Pair], english: dict[str, int], compare: Any
) -> None:
    pair = make_pair(english)
    for text in (3, {"a": "b"}, [], [["A", "B", "C"]], [3.5], [None]):
        compare.check(pair, "__call__", text)
    with pytest.raises(ValueError, match="either `text` or `text_target`"):
        pair[1]()
    with pytest.raises(ValueError, match="a batch of as many pairs"):
        pair[1](["A", "B"], ["A"])
    with pytest.raises(ValueError, match="Expected a pair of sequences, got 3"):
        pair[1]([["A", "B", "C"]])


@pytest.mark.parametrize("seed", range(60))
def test_prepares_ids_like_the_reference(
    seed: int, make_pair: Callable[..., Pair], awkward: Callable[[int], Any], compare: Any
) -> None:
    source = awkward(6000 + seed)
    pair = make_pair(source.vocabulary(), **source.settings())
    for _ in range(10):
        ids, other, options = source.ids(9), source.ids(9) or [3], source.call_options()
        options.pop("split_special_tokens", None)
        if "return_tensors" in options:  # one length is no tensor for the reference
            options.pop("return_length", None)
        compare.check(pair, "prepare_for_model", ids, **options)
        compare.check(pair, "prepare_for_model", ids, other, **options)
        strategy = source.random.choice(["longest_first", "only_first", "only_second"])
        count, stride = source.random.randint(0, 12), source.random.randint(0, 3)
        compare.check(pair, "truncate_sequences", ids, other, count, strategy, stride)
        compare.check(pair, "get_special_tokens_mask", ids, other)
        compare.check(pair, "get_special_tokens_mask", ids, already_has_special_tokens=True)
        compare.check(pair, "create_token_type_ids_from_sequences", ids, other)
        compare.check(pair, "num_special_tokens_to_add", pair=source.flag())
