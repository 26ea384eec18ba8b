"""The tokenizer equals the reference: ids, tokens, text and offsets, on whatever is awkward."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from w2v_cli.processing import Wav2Vec2CTCTokenizer

LANGUAGES = {
    "deu": {"<pad>": 0, "<unk>": 3, "|": 4, "ä": 5, "sch": 6, "b": 7},
    "fra": {"<pad>": 0, "<unk>": 3, "|": 4, "é": 5, "b": 8, "oi": 9},
    "xho": {"a": 23, "c": 88, "ntsh": 2},
}

Pair = tuple[Any, Any]


@pytest.mark.parametrize("seed", range(200))
def test_equals_the_reference_on_awkward_input(
    seed: int,
    make_pair: Callable[..., Pair],
    awkward: Callable[[int], Any],
    compare: Any,
) -> None:
    source = awkward(seed)
    pair = make_pair(source.vocabulary(), **source.settings())
    compare.check_state(pair)
    for _ in range(source.random.randint(0, 3)):
        theirs, ours = source.added()
        special = source.flag(0.3)
        assert compare.outcome(pair[0].add_tokens, theirs, special) == compare.outcome(
            pair[1].add_tokens, ours, special
        )
    compare.check_state(pair)
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
        compare.check(pair, "tokenize", text)
        compare.check(pair, "encode", text)
        compare.check(pair, "__call__", text, **options)
        compare.check(pair, "__call__", [text, other, ""], **options)
        compare.check(pair, "__call__", text, other, **options)
        compare.check(pair, "decode", ids, **flags)
        compare.check(pair, "batch_decode", [ids, ids[:3]], **flags)
        compare.check(pair, "convert_ids_to_tokens", ids)
        compare.check(pair, "convert_ids_to_tokens", ids, skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(40))
def test_languages_equal_the_reference(
    seed: int,
    make_pair: Callable[..., Pair],
    awkward: Callable[[int], Any],
    compare: Any,
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
        compare.check_state((theirs, ours))
        ids = source.ids(30)
        letters = ["ä", "sch", "b", "é", "oi", " ", "x", "ntsh"]
        text = "".join(source.random.choice(letters) for _ in ids)
        compare.check((theirs, ours), "decode", ids, output_word_offsets=True)
        compare.check((theirs, ours), "__call__", text)


def test_a_language_that_is_not_there_is_refused(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(LANGUAGES, target_lang="deu")
    with pytest.raises(ValueError, match=r"eng does not exist\. Choose one of deu, fra, xho"):
        ours.set_target_lang("eng")
    assert ours.target_lang == "deu"
    assert ours.encoder == LANGUAGES["deu"]


def test_one_language_has_no_other(make_pair: Callable[..., Pair], english: dict[str, int]) -> None:
    _, ours = make_pair(english)
    with pytest.raises(ValueError, match="not a multi-lingual, nested tokenizer"):
        ours.set_target_lang("eng")


def test_many_languages_need_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(LANGUAGES))
    with pytest.raises(ValueError, match=r"a part for each of its languages \(3\); choose one"):
        Wav2Vec2CTCTokenizer(path)
    with pytest.raises(ValueError, match="eng does not exist"):
        Wav2Vec2CTCTokenizer(path, target_lang="eng")


def test_the_word_delimiter_can_be_changed(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english)
    ours.word_delimiter_token = "*"
    assert ours.word_delimiter_token == "*"
    assert ours.special_tokens_map["word_delimiter_token"] == "*"
    assert ours.tokenize("HI A") == ["H", "I", "*", "A"]
    ours.word_delimiter_token_id = 4
    assert (ours.word_delimiter_token, ours.word_delimiter_token_id) == ("|", 4)


def test_without_a_word_delimiter_blanks_stay(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair({**english, " ": 32}, word_delimiter_token=None)
    assert ours.word_delimiter_token is None
    assert ours.word_delimiter_token_id is None
    assert ours.decode(ours("HI A").input_ids) == "HI A"


def test_copies_and_pickles_keep_everything(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    _, ours = make_pair(english, do_lower_case=True)
    ours.add_tokens(["xx", "y" * 2000])  # a long token is a deep tree
    ours.add_special_tokens({"cls_token": "[CLS]"})
    text = "hi <s> xx [CLS]" + "y" * 2000
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(copied) == repr(ours)
        assert copied(text) == ours(text)
        copied.add_tokens("new")
        assert "new" not in ours.get_vocab()


def test_the_arguments_are_those_of_the_reference() -> None:
    import inspect

    for name in ("__init__", "__call__", "decode", "batch_decode", "pad", "encode"):
        reference = inspect.signature(getattr(transformers.Wav2Vec2CTCTokenizer, name)).parameters
        ours = inspect.signature(getattr(Wav2Vec2CTCTokenizer, name)).parameters
        assert [(p.name, p.default) for p in ours.values()] == [
            (p.name, p.default) for p in reference.values()
        ], name


def test_an_empty_token_is_not_added(
    make_pair: Callable[..., Pair], english: dict[str, int]
) -> None:
    theirs, ours = make_pair({**english, "": len(english)})
    assert sorted(ours.added_tokens_decoder) == sorted(theirs.added_tokens_decoder)
