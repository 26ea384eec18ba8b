"""The tokenizer's files are byte for byte those of the reference, and either loads both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AddedToken as ReferenceToken

from w2v_cli.errors import CheckpointError, WriteError
from w2v_cli.processing import AddedToken, Wav2Vec2CTCTokenizer

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
VOCAB = {token: index for index, token in enumerate(LETTERS)}
LANGUAGES = {
    "deu": {"<pad>": 0, "</s>": 2, "<unk>": 3, "|": 4, "ä": 5, "sch": 6},
    "eng": {"<pad>": 0, "</s>": 2, "<unk>": 3, "|": 4, "th": 5, "a": 6},
}
TEXT = "HI <s> THERE sch th |[CLS] <new> ä a"

Reference = transformers.Wav2Vec2CTCTokenizer

PHONES = "Wav2Vec2PhonemeCTCTokenizer"


def write(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def assert_same_tokenizer(ours: Any, theirs: Any) -> None:
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.extra_special_tokens == theirs.extra_special_tokens
    assert ours.added_tokens_decoder == theirs.added_tokens_decoder
    assert dict(ours(TEXT)) == dict(theirs(TEXT))


def changed_plain(tokenizer: Any, token: Any) -> None:
    del tokenizer, token


def changed_tokens(tokenizer: Any, token: Any) -> None:
    tokenizer.add_tokens(["<new>", token("<rules>", lstrip=True, single_word=True)])


def changed_special(tokenizer: Any, token: Any) -> None:
    special = {"cls_token": token("[CLS]", rstrip=True), "extra_special_tokens": ["<a>", "<b>"]}
    tokenizer.add_special_tokens(special)


SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "lower case": {"do_lower_case": True, "model_max_length": 20, "padding_side": "left"},
    "other tokens": {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": None},
    "older words": {"additional_special_tokens": ["<x>"], "do_normalize": True},
    "named tokens": {"language_token": "<en>", "extra_special_tokens": ["<y>"]},
}


@pytest.mark.parametrize("change", [changed_plain, changed_tokens, changed_special])
@pytest.mark.parametrize("name", SETTINGS)
def test_saves_the_bytes_of_the_reference_and_loads_them(
    name: str, change: Callable[[Any, Any], None], tmp_path: Path
) -> None:
    source = write(tmp_path / "source", {"vocab.json": VOCAB})
    theirs = Reference.from_pretrained(str(source), **SETTINGS[name])
    ours = Wav2Vec2CTCTokenizer.from_pretrained(source, **SETTINGS[name])
    for generation in range(3):  # a loaded tokenizer saves more than a new one
        change(theirs, ReferenceToken)
        change(ours, AddedToken)
        assert_same_tokenizer(ours, theirs)
        by_them, by_us = tmp_path / f"theirs{generation}", tmp_path / f"ours{generation}"
        their_files = theirs.save_pretrained(str(by_them))
        our_files = ours.save_pretrained(by_us)
        assert [Path(f).name for f in our_files] == [Path(f).name for f in their_files]
        assert contents(by_us) == contents(by_them)
        theirs = Reference.from_pretrained(str(by_us))
        ours = Wav2Vec2CTCTokenizer.from_pretrained(by_them)


def test_a_prefix_is_put_before_every_name(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"vocab.json": VOCAB})
    ours = Wav2Vec2CTCTokenizer.from_pretrained(source)
    ours.add_tokens("<new>")
    ours.save_pretrained(tmp_path / "saved", filename_prefix="small")
    assert sorted(contents(tmp_path / "saved")) == [
        "small-added_tokens.json",
        "small-tokenizer_config.json",
        "small-vocab.json",
    ]


SPECIAL_TOKENS = {
    "strings": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "[P]"},
    "rules": {
        "bos_token": {"content": "<s>", "lstrip": True, "rstrip": False, "normalized": False},
        "pad_token": {"content": "[P]", "single_word": True},
        "additional_special_tokens": ["<a>", "<b>"],
    },
    "extra": {"extra_special_tokens": ["<a>", {"content": "<b>", "rstrip": True}]},
}


@pytest.mark.parametrize("name", SPECIAL_TOKENS)
@pytest.mark.parametrize("added", [None, {"<new>": 32, "[P]": 33, "<s>": 34}])
def test_loads_older_checkpoints(name: str, added: dict[str, int] | None, tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "vocab.json": VOCAB,
        "special_tokens_map.json": dict(SPECIAL_TOKENS[name]),
        "tokenizer_config.json": {
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "do_lower_case": False,
            "return_attention_mask": False,
            "do_normalize": True,
            "word_delimiter_token": "|",
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
        },
    }
    if added is not None:
        files["added_tokens.json"] = added
    folder = write(tmp_path / "older", files)
    ours, theirs = (
        Wav2Vec2CTCTokenizer.from_pretrained(folder),
        Reference.from_pretrained(str(folder)),
    )
    assert_same_tokenizer(ours, theirs)
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(str(tmp_path / "theirs"))
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


def test_loads_added_tokens_of_a_tokenizer_in_rust(tmp_path: Path) -> None:
    token = {"id": 32, "content": "<new>", "single_word": False, "lstrip": True, "rstrip": False}
    folder = write(
        tmp_path / "rust",
        {"vocab.json": VOCAB, "tokenizer.json": {"added_tokens": [{**token, "special": False}]}},
    )
    assert_same_tokenizer(
        Wav2Vec2CTCTokenizer.from_pretrained(folder), Reference.from_pretrained(str(folder))
    )


def test_loads_a_checkpoint_laid_out_like_mms(tmp_path: Path) -> None:
    settings = {
        "target_lang": "eng",
        "word_delimiter_token": "|",
        "replace_word_delimiter_char": " ",
    }
    folder = write(tmp_path / "mms", {"vocab.json": LANGUAGES, "tokenizer_config.json": settings})
    ours, theirs = (
        Wav2Vec2CTCTokenizer.from_pretrained(folder),
        Reference.from_pretrained(str(folder)),
    )
    assert_same_tokenizer(ours, theirs)
    assert ours.decode([5, 4, 6]) == "th a"
    for tokenizer in (ours, theirs):
        tokenizer.set_target_lang("deu")
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(str(tmp_path / "theirs"))
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    again = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "theirs")
    assert again.target_lang == "deu"
    assert again.vocab == LANGUAGES
    assert Wav2Vec2CTCTokenizer.from_pretrained(folder, target_lang="deu").encoder["sch"] == 6


def test_a_saved_word_delimiter_is_used(tmp_path: Path) -> None:
    """The reference reads it, and separates words by `|` all the same."""
    folder = write(
        tmp_path / "m",
        {"vocab.json": {**VOCAB, "_": 32}, "tokenizer_config.json": {"word_delimiter_token": "_"}},
    )
    ours = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    assert ours.word_delimiter_token == "_"
    assert ours.decode(ours("A B").input_ids) == "A B"
    ours.save_pretrained(tmp_path / "again")
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "again").word_delimiter_token == "_"


def test_a_word_delimiter_that_is_written_out_is_used(tmp_path: Path) -> None:
    """The reference takes the dictionary's text for it."""
    delimiter = {"content": "_", "lstrip": False, "normalized": False, "rstrip": False}
    config = {"word_delimiter_token": delimiter}
    folder = write(
        tmp_path / "m", {"vocab.json": {**VOCAB, "_": 32}, "tokenizer_config.json": config}
    )
    ours = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    assert ours.word_delimiter_token == "_"
    assert ours.decode(ours("A B").input_ids) == "A B"


def test_tokens_that_a_language_has_elsewhere_have_its_ids(tmp_path: Path) -> None:
    """Ids that a saved decoder gives to what another language's tokens have."""
    vocab = {"eng": {}, "fra": {"b": 0, "</s>": 1, "c": 2, "<s>": 3, "C": 4, "D": 5, "B": 7}}
    places = {"10": "[PAD]", "1": "<s>", "11": "</s>"}
    added = {place: {"content": token, "special": True} for place, token in places.items()}
    config = {"target_lang": "fra", "cls_token": "<cls>", "added_tokens_decoder": added}
    folder = write(tmp_path / "m", {"vocab.json": vocab, "tokenizer_config.json": config})
    ours = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    theirs = transformers.Wav2Vec2CTCTokenizer.from_pretrained(folder)
    for name in ("<pad>", "<s>", "</s>", "<unk>"):
        assert ours.convert_tokens_to_ids(name) == theirs.convert_tokens_to_ids(name), name


def test_a_checkpoint_cannot_name_its_own_vocabulary(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere.json": {"X": 0}})
    config = {"vocab_file": str(tmp_path / "elsewhere.json")}
    folder = write(tmp_path / "m", {"vocab.json": VOCAB, "tokenizer_config.json": config})
    assert Wav2Vec2CTCTokenizer.from_pretrained(folder).vocab == VOCAB
    given = Wav2Vec2CTCTokenizer.from_pretrained(folder, vocab_file=tmp_path / "elsewhere.json")
    assert given.vocab == {"X": 0}


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", {})
    with pytest.raises(CheckpointError, match=r"empty: no vocab\.json there"):
        Wav2Vec2CTCTokenizer.from_pretrained(empty)
    broken = write(tmp_path / "broken", {"vocab.json": "{", "tokenizer_config.json": {}})
    with pytest.raises(CheckpointError, match=r"vocab\.json: not valid JSON"):
        Wav2Vec2CTCTokenizer.from_pretrained(broken)
    with pytest.raises(ValueError, match="a tokenizer has several files"):
        Wav2Vec2CTCTokenizer.from_pretrained(broken / "vocab.json")
    phones = write(
        tmp_path / "phones",
        {"vocab.json": {}, "tokenizer_config.json": {"tokenizer_class": PHONES}},
    )
    with pytest.raises(CheckpointError, match=f"phones: this model writes phones .{PHONES}."):
        Wav2Vec2CTCTokenizer.from_pretrained(phones)


def test_saves_into_folders_only(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    ours = Wav2Vec2CTCTokenizer.from_pretrained(write(tmp_path / "m", {"vocab.json": VOCAB}))
    with pytest.raises(WriteError, match="a folder is needed here, and this is a file"):
        ours.save_pretrained(file)
    with pytest.raises(ValueError, match="nothing is uploaded from here"):
        ours.save_pretrained(tmp_path / "m", push_to_hub=True)
    with pytest.raises(NotADirectoryError, match="make it first"):
        ours.save_vocabulary(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="legacy_format=False"):
        ours.save_pretrained(tmp_path / "m", legacy_format=False)


@pytest.mark.parametrize("templates", ["{{ a }}", {"default": "{{ b }}", "other": "c"}, {"x": "d"}])
@pytest.mark.parametrize("save_jinja_files", [True, False])
def test_chat_templates_are_saved_like_the_reference_saves_them(
    templates: Any, save_jinja_files: bool, tmp_path: Path
) -> None:
    source = write(tmp_path / "source", {"vocab.json": VOCAB})
    ours, theirs = (
        Wav2Vec2CTCTokenizer.from_pretrained(source),
        Reference.from_pretrained(str(source)),
    )
    folders = {}
    for name, tokenizer in (("ours", ours), ("theirs", theirs)):
        tokenizer.chat_template = templates
        saved = tokenizer.save_pretrained(
            str(tmp_path / name), save_jinja_files=save_jinja_files, filename_prefix=None
        )
        folders[name] = [
            (path.relative_to(tmp_path / name), path.read_text())
            for path in sorted((tmp_path / name).rglob("*"))
            if path.is_file()
        ]
        folders[name] += [Path(path).name for path in saved]
    assert folders["ours"] == folders["theirs"]
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "theirs").chat_template == templates
    assert Reference.from_pretrained(str(tmp_path / "ours")).chat_template == templates


def test_a_chat_template_stays_in_its_folder(tmp_path: Path) -> None:
    ours = Wav2Vec2CTCTokenizer.from_pretrained(write(tmp_path / "m", {"vocab.json": VOCAB}))
    ours.chat_template = {"default": "a", "../../evil": "b"}
    with pytest.raises(ValueError, match="cannot be the name of a chat template"):
        ours.save_pretrained(tmp_path / "deep" / "saved")
    assert not list(tmp_path.rglob("*evil*"))
