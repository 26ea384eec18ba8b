"""What the processing tests share: the reference's object and ours, and what to compare."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AddedToken as ReferenceToken

from w2v_cli.processing import AddedToken, Wav2Vec2CTCTokenizer

LETTERS = "ABCDE"
CLUSTERS = ["CH", "SCH", "AA", "AAB", "ʈʰ", "æ̃", "x y"]
SPECIALS = ["<pad>", "<s>", "</s>", "<unk>", "|"]
BLANKS = [" ", "  ", "\t", "\n", "\u00a0", " \u2003 "]
ODD = ["é", "ß", "生", "😊", "İ", "ŉ", "-", "'", "", "a", "b", "ch", "|", "||", "N'T", " .", " 's"]

ENGLISH = ["<pad>", "<s>", "</s>", "<unk>", *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ"]

Pair = tuple[Any, Any]


class Comparison:
    """Whether the reference and ours do the same, failing included."""

    @staticmethod
    def plain(value: Any) -> Any:
        """Return `value` as something that can be compared, kinds of tensors told apart."""
        plain = Comparison.plain
        if isinstance(value, torch.Tensor):
            return ("pt", str(value.dtype), value.tolist())
        if isinstance(value, np.ndarray):
            return ("np", str(value.dtype), plain(value.tolist()))
        if hasattr(value, "items"):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    @staticmethod
    def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what a call gives, or that it fails."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return Comparison.plain(call(*args, **kwargs))
            except (ValueError, TypeError, KeyError, IndexError, AssertionError, OverflowError):
                return "fails"

    @staticmethod
    def check(pair: Pair, method: str, /, *args: Any, **kwargs: Any) -> None:
        """Check that a method of both does the same."""
        theirs, ours = (
            Comparison.outcome(getattr(tokenizer, method), *args, **kwargs) for tokenizer in pair
        )
        assert ours == theirs, (method, args, kwargs)

    @staticmethod
    def check_state(pair: Pair) -> None:
        """Check that both tokenizers hold the same."""
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
            theirs, ours = (Comparison.outcome(getattr, tokenizer, name) for tokenizer in pair)
            assert ours == theirs, name
        for method in ("get_vocab", "get_added_vocab", "__len__", "__repr__"):
            Comparison.check(pair, method)


@pytest.fixture
def compare() -> type[Comparison]:
    """Return what compares the reference with ours."""
    return Comparison


@pytest.fixture
def english() -> dict[str, int]:
    """Return the vocabulary of wav2vec2-base-960h."""
    return {token: index for index, token in enumerate(ENGLISH)}


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., Pair]:
    """Return a function that makes the reference's tokenizer and ours of one vocabulary."""

    def make(vocab: dict[str, Any], **settings: Any) -> Pair:
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps(vocab), encoding="utf-8")
        theirs = transformers.Wav2Vec2CTCTokenizer(str(path), **settings)
        return theirs, Wav2Vec2CTCTokenizer(path, **settings)

    return make


class Awkward:
    """Random vocabularies, settings, tokens, texts and ids that are hard to get right."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def flag(self, probability: float = 0.5) -> bool:
        return self.random.random() < probability

    def vocabulary(self) -> dict[str, int]:
        tokens = [*self.random.sample(LETTERS, self.random.randint(1, len(LETTERS)))]
        tokens += self.random.sample(CLUSTERS, self.random.randint(0, 3))
        tokens += [token for token in SPECIALS if self.flag(0.8)]
        if self.flag(0.2):
            tokens += [" "]
        self.random.shuffle(tokens)
        ids = list(range(len(tokens)))
        if self.flag(0.2):  # holes between the ids
            ids = sorted(self.random.sample(range(3 * len(tokens)), len(tokens)))
        return dict(zip(tokens, ids, strict=True))

    def settings(self) -> dict[str, Any]:
        options: dict[str, list[Any]] = {
            "do_lower_case": [True],
            "word_delimiter_token": ["*", "A", "SCH", "<s>"],
            "replace_word_delimiter_char": ["", "-", "__", "A"],
            "pad_token": ["[PAD]", "A", None],
            "unk_token": ["[UNK]", "A"],
            "bos_token": ["[BOS]", None],
            "cls_token": ["[CLS]", "B"],
            "extra_special_tokens": [["<x>", "CH"], []],
            "model_max_length": [3, 10],
            "padding_side": ["left"],
            "truncation_side": ["left"],
            "clean_up_tokenization_spaces": [True],
            "split_special_tokens": [True],
            "model_input_names": [["input_ids"], ["input_ids", "token_type_ids"]],
        }
        return {
            name: self.random.choice(choices)
            for name, choices in options.items()
            if self.flag(0.15)
        }

    def token(self) -> str:
        kinds = [LETTERS, CLUSTERS, SPECIALS, ODD, ["<x>", "[PAD]", "BA", "ABC", "new word"]]
        return self.random.choice(self.random.choice(kinds))

    def added(self) -> tuple[Any, Any]:
        """Return a token to add: for the reference, and for our tokenizer."""
        text = self.token()
        if self.flag():
            return text, text
        rules = {
            name: self.flag(0.4)
            for name in ("single_word", "lstrip", "rstrip", "normalized", "special")
        }
        ours = ReferenceToken if self.flag() else AddedToken
        return ReferenceToken(text, **rules), ours(text, **rules)

    def text(self) -> str:
        pieces = []
        for _ in range(self.random.choice([0, 1, 2, 3, 5, 8, 20])):
            pieces += [self.random.choice(BLANKS)] if self.flag(0.25) else [self.token()]
        text = "".join(pieces)
        return self.random.choice([text, text, text.lower(), text.title()])

    def ids(self, size: int) -> list[int]:
        """Return ids as a network gives them: in runs, blanks between, some out of range."""
        ids: list[int] = []
        for _ in range(self.random.choice([0, 1, 2, 5, 20])):
            ids += [self.random.randint(0, size + 2)] * self.random.choice([1, 1, 2, 4])
        return ids

    def call_options(self) -> dict[str, Any]:
        options: dict[str, list[Any]] = {
            "padding": [True, "longest", "max_length", "do_not_pad", False],
            "truncation": [True, "only_first", "only_second", "longest_first", False],
            "max_length": [0, 1, 3, 8],
            "stride": [1, 2],
            "pad_to_multiple_of": [1, 4],
            "padding_side": ["left", "right"],
            "return_tensors": ["np", "pt"],
            "return_token_type_ids": [True, False],
            "return_attention_mask": [True, False],
            "return_overflowing_tokens": [True],
            "return_special_tokens_mask": [True],
            "return_length": [True],
            "add_special_tokens": [False],
            "split_special_tokens": [True, False],
        }
        return {
            name: self.random.choice(choices)
            for name, choices in options.items()
            if self.flag(0.25)
        }


@pytest.fixture
def awkward() -> Callable[[int], Awkward]:
    """Return the class that makes random input from a seed."""
    return Awkward
