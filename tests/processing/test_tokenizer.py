"""The tokenizer equals the reference: ids, tokens, text and offsets, on whatever is awkward."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from w2v_cli.processing import Wav2Vec2CTCTokenizer, Wav2Vec2CTCTokenizerOutput

ENGLISH = ["<pad>", "<s>", "</s>", "<unk>", *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
VOCAB = {token: index for index, token in enumerate(ENGLISH)}
LANGUAGES = {
    "deu": {"<pad>": 0, "<unk>": 3, "|": 4, "ä": 5, "sch": 6, "b": 7},
    "fra": {"<pad>": 0, "<unk>": 3, "|": 4, "é": 5, "b": 8, "oi": 9},
    "xho": {"a": 23, "c": 88, "ntsh": 2},
}

Pair = tuple[Any, Any]


def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a call gives, or that it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(call(*args, **kwargs))
        except (ValueError, TypeError, KeyError, IndexError, AssertionError, OverflowError):
            return "fails"


def plain(value: Any) -> Any:
    """Return `value` as something that can be compared, kinds of tensors told apart."""
    if isinstance(value, torch.Tensor):
        return ("pt", str(value.dtype), value.tolist())
    if isinstance(value, np.ndarray):
        return ("np", str(value.dtype), plain(value.tolist()))
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def check(pair: Pair, method: str, *args: Any, **kwargs: Any) -> None:
    """Check that both tokenizers give the same, or that both fail."""
    theirs, ours = (outcome(getattr(tokenizer, method), *args, **kwargs) for tokenizer in pair)
    assert ours == theirs, (method, args, kwargs)


def check_state(pair: Pair) -> None:
    for name in (
        "added_tokens_encoder",
        "all_special_tokens",
        "all_special_ids",
        "special_tokens_map",
        "extra_special_tokens",
        "vocab_size",
        "init_kwargs",
        "pad_token_id",
        "unk_token_id",
        "word_delimiter_token",
        "word_delimiter_token_id",
        "model_max_length",
    ):
        theirs, ours = (outcome(getattr, tokenizer, name) for tokenizer in pair)
        assert ours == theirs, name
    for method in ("get_vocab", "get_added_vocab", "__len__", "__repr__"):
        check(pair, method)


@pytest.mark.parametrize("seed", range(300))
def test_equals_the_reference_on_awkward_input(
    seed: int, make_pair: Callable[..., Pair], awkward: Callable[[int], Any]
) -> None:
    source = awkward(seed)
    pair = make_pair(source.vocabulary(), **source.settings())
    check_state(pair)
    for _ in range(source.random.randint(0, 3)):
        theirs, ours = source.added()
        special = source.flag(0.3)
        assert outcome(pair[0].add_tokens, theirs, special) == outcome(
            pair[1].add_tokens, ours, special
        )
    check_state(pair)
    for _ in range(15):
        text, other, options = source.text(), source.text(), source.call_options()
        ids = source.ids(len(pair[1]))
        flags = {
            "skip_special_tokens": source.flag(),
            "group_tokens": source.flag(0.8),
            "spaces_between_special_tokens": source.flag(0.2),
            "output_char_offsets": source.flag(),
            "output_word_offsets": source.flag(),
        }
        check(pair, "tokenize", text)
        check(pair, "encode", text)
        check(pair, "__call__", text, **options)
        check(pair, "__call__", [text, other, ""], **options)
        check(pair, "__call__", text, other, **options)
        check(pair, "decode", ids, **flags)
        check(pair, "batch_decode", [ids, ids[:3]], **flags)
        check(pair, "convert_ids_to_tokens", ids)
        check(pair, "convert_ids_to_tokens", ids, skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(60))
def test_special_tokens_equal_the_reference(
    seed: int, make_pair: Callable[..., Pair], awkward: Callable[[int], Any]
) -> None:
    source = awkward(1000 + seed)
    pair = make_pair(source.vocabulary(), **source.settings())
    for _ in range(3):
        name = source.random.choice(["cls_token", "pad_token", "mask_token", "eos_token"])
        theirs, ours = source.added()
        extra = [source.token() for _ in range(source.random.randint(0, 2))]
        replace = source.flag()
        counts = [
            outcome(
                tokenizer.add_special_tokens,
                {name: token, "extra_special_tokens": extra},
                replace_extra_special_tokens=replace,
            )
            for tokenizer, token in zip(pair, (theirs, ours), strict=True)
        ]
        assert counts[0] == counts[1]
        check_state(pair)
        text = source.text()
        check(pair, "__call__", text)
        check(pair, "decode", source.ids(len(pair[1])), skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(40))
def test_pads_what_the_reference_pads(
    seed: int, make_pair: Callable[..., Pair], awkward: Callable[[int], Any]
) -> None:
    source = awkward(2000 + seed)
    pair = make_pair(VOCAB)
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
            theirs, ours = (outcome(t.pad, copy.deepcopy(form), **kept) for t in pair)
            assert ours == theirs, (form, kept)


@pytest.mark.parametrize("seed", range(40))
def test_languages_equal_the_reference(
    seed: int, make_pair: Callable[..., Pair], awkward: Callable[[int], Any]
) -> None:
    source = awkward(3000 + seed)
    theirs, ours = make_pair(LANGUAGES, target_lang=source.random.choice(list(LANGUAGES)))
    for _ in range(4):
        language = source.random.choice(list(LANGUAGES))
        theirs.set_target_lang(language)
        ours.set_target_lang(language)
        assert ours.target_lang == ours.init_kwargs["target_lang"] == language
        # The reference counts its tokens only when some are added.
        theirs._update_total_vocab_size()
        check_state((theirs, ours))
        ids = source.ids(30)
        letters = ["ä", "sch", "b", "é", "oi", " ", "x", "ntsh"]
        text = "".join(source.random.choice(letters) for _ in ids)
        check((theirs, ours), "decode", ids, output_word_offsets=True)
        check((theirs, ours), "__call__", text)


def test_a_language_that_is_not_there_is_refused(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(LANGUAGES, target_lang="deu")
    with pytest.raises(ValueError, match=r"eng does not exist\. Choose one of deu, fra, xho"):
        ours.set_target_lang("eng")
    assert ours.target_lang == "deu"
    assert ours.encoder == LANGUAGES["deu"]


def test_one_language_has_no_other(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)
    with pytest.raises(ValueError, match="not a multi-lingual, nested tokenizer"):
        ours.set_target_lang("eng")


def test_many_languages_need_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(LANGUAGES))
    with pytest.raises(ValueError, match="one part for each of 3 languages; choose one"):
        Wav2Vec2CTCTokenizer(path)
    with pytest.raises(ValueError, match="eng does not exist"):
        Wav2Vec2CTCTokenizer(path, target_lang="eng")


def test_offsets_are_frames(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)
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
    kind: Callable[..., Any], make_pair: Callable[..., Pair]
) -> None:
    _, ours = make_pair(VOCAB)
    assert ours.decode(kind([11, 5, 15, 0, 15, 8])) == "HELLO"
    assert ours.batch_decode(kind([[11, 5, 15, 0, 15, 8], [11, 10, 10, 10, 10, 10]])) == [
        "HELLO",
        "HI",
    ]


def test_an_empty_batch_with_offsets_is_empty(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)
    assert ours.batch_decode([]) == []
    output = ours.batch_decode([], output_word_offsets=True)
    assert (output.text, output.word_offsets) == ([], [])


def test_the_word_delimiter_can_be_changed(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)
    ours.word_delimiter_token = "*"
    assert ours.word_delimiter_token == "*"
    assert ours.special_tokens_map["word_delimiter_token"] == "*"
    assert ours.tokenize("HI A") == ["H", "I", "*", "A"]
    ours.word_delimiter_token_id = 4
    assert (ours.word_delimiter_token, ours.word_delimiter_token_id) == ("|", 4)


def test_without_a_word_delimiter_blanks_stay(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair({**VOCAB, " ": 32}, word_delimiter_token=None)
    assert ours.word_delimiter_token is None
    assert ours.word_delimiter_token_id is None
    assert ours.decode(ours("HI A").input_ids) == "HI A"


def test_ids_of_special_tokens_can_be_set(make_pair: Callable[..., Pair]) -> None:
    for tokenizer in make_pair(VOCAB):
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


def test_copies_and_pickles_keep_everything(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB, do_lower_case=True)
    ours.add_tokens(["xx", "y" * 2000])  # a long token is a deep tree
    ours.add_special_tokens({"cls_token": "[CLS]"})
    text = "hi <s> xx [CLS]" + "y" * 2000
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(copied) == repr(ours)
        assert copied(text) == ours(text)
        copied.add_tokens("new")
        assert "new" not in ours.get_vocab()


def test_arguments_that_are_methods_are_refused(make_pair: Callable[..., Pair]) -> None:
    with pytest.raises(AttributeError, match="conflicts with the method get_vocab"):
        make_pair(VOCAB, get_vocab=True)
    with pytest.raises(ValueError, match=r"padding_side|Padding side"):
        make_pair(VOCAB, padding_side="middle")


def test_long_texts_are_warned_of_once(
    make_pair: Callable[..., Pair], caplog: pytest.LogCaptureFixture
) -> None:
    _, ours = make_pair(VOCAB, model_max_length=3)
    for _ in range(2):
        ours("HELLO")
    assert [record.message[:24] for record in caplog.records] == ["Token indices sequence l"]


def test_the_arguments_are_those_of_the_reference() -> None:
    import inspect

    for name in ("__init__", "__call__", "decode", "batch_decode", "pad", "encode"):
        reference = inspect.signature(getattr(transformers.Wav2Vec2CTCTokenizer, name)).parameters
        ours = inspect.signature(getattr(Wav2Vec2CTCTokenizer, name)).parameters
        assert [(p.name, p.default) for p in ours.values()] == [
            (p.name, p.default) for p in reference.values()
        ], name
