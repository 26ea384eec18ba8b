"""The processor equals the reference: inputs, labels, padding, and which half gets what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from w2v_cli.processing import (
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
)

VOCAB = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", *"|ABCDEHLOR"])}
Pair = tuple[Any, Any]


@pytest.fixture
def make_processors(make_pair: Callable[..., Pair]) -> Callable[..., Pair]:
    """Return a function that makes the reference's processor and ours."""

    def make(extractor: dict[str, Any] | None = None, **tokenizer: Any) -> Pair:
        theirs, ours = make_pair(VOCAB, **tokenizer)
        extractor = extractor or {}
        return (
            transformers.Wav2Vec2Processor(
                transformers.Wav2Vec2FeatureExtractor(**extractor), theirs
            ),
            Wav2Vec2Processor(Wav2Vec2FeatureExtractor(**extractor), ours),
        )

    return make


@pytest.mark.parametrize("seed", range(200))
def test_equals_the_reference_on_awkward_input(
    seed: int,
    make_processors: Callable[..., Pair],
    awkward: Callable[[int], Any],
    compare: Any,
) -> None:
    source = awkward(5000 + seed)
    numbers = np.random.default_rng(seed)
    theirs, ours = make_processors(
        {"return_attention_mask": source.flag()},
        **({"padding": "max_length", "max_length": 12} if source.flag(0.2) else {}),
    )
    for _ in range(5):
        lengths = [source.random.randint(1, 60) for _ in range(source.random.randint(1, 3))]
        audio: Any = [numbers.normal(size=n).astype(np.float32) for n in lengths]
        audio = source.random.choice([audio, audio[0], None])
        text = source.random.choice([[source.text() for _ in lengths], source.text(), None])
        halves = {
            name: source.call_options()
            for name in ("audio_kwargs", "text_kwargs", "common_kwargs")
            if source.flag(0.2)
        }
        options = {"sampling_rate": 16000, **source.call_options(), **halves}
        if audio is None and text is None:
            continue
        given = {"audio": audio, "text": text, **options}
        assert compare.outcome(ours, **given) == compare.outcome(theirs, **given), given


def test_the_defaults_of_each_half_are_the_reference_ones(
    make_processors: Callable[..., Pair],
) -> None:
    theirs, ours = make_processors(padding="longest", max_length=7)
    for given in ({}, {"max_length": 3}, {"text_kwargs": {"padding": False}}):
        sorted_by_them = theirs._merge_kwargs(
            tokenizer_init_kwargs=theirs.tokenizer.init_kwargs, **given
        )
        sorted_by_us = ours._merge_kwargs(tokenizer_init_kwargs=ours.tokenizer.init_kwargs, **given)
        for half in ("audio_kwargs", "text_kwargs"):
            assert sorted_by_us[half] == sorted_by_them[half]


def test_inputs_with_labels(make_processors: Callable[..., Pair]) -> None:
    _, ours = make_processors()
    inputs = ours(np.zeros(10, np.float32), text="HELLO", sampling_rate=16000)
    assert set(inputs) == {"input_values", "labels"}
    assert inputs.labels == ours.tokenizer("HELLO").input_ids
    assert ours.decode(inputs.labels, group_tokens=False) == "HELLO"
    assert ours.batch_decode([inputs.labels]) == ["HELO"]
    assert ours.model_input_names == ["input_values", "attention_mask", "labels"]


def test_something_must_be_given(make_processors: Callable[..., Pair]) -> None:
    _, ours = make_processors()
    with pytest.raises(ValueError, match="either an `audio` or `text`"):
        ours()


@pytest.mark.parametrize("tensors", [None, "np", "pt"])
def test_pads_what_the_reference_pads(
    tensors: str | None, make_processors: Callable[..., Pair], compare: Any
) -> None:
    theirs, ours = make_processors({"return_attention_mask": True})
    features = [{"input_values": [0.5] * n} for n in (3, 5)]
    labels = [{"input_ids": [5] * n} for n in (2, 1)]
    for given in (
        {"input_features": features},
        {"labels": labels},
        {"input_features": features, "labels": labels},
    ):
        kwargs = {**given, "padding": True, "return_tensors": tensors}
        assert compare.outcome(ours.pad, **kwargs) == compare.outcome(theirs.pad, **kwargs)
    assert compare.outcome(ours.pad, features, labels=labels) == compare.outcome(
        theirs.pad, features, labels=labels
    )


def test_the_halves_are_told_apart(make_processors: Callable[..., Pair]) -> None:
    _, ours = make_processors()
    with pytest.raises(TypeError, match="Received a Wav2Vec2CTCTokenizer for argument feature"):
        Wav2Vec2Processor(ours.tokenizer, ours.feature_extractor)


def test_halves_of_the_reference_fit(make_processors: Callable[..., Pair], compare: Any) -> None:
    theirs, ours = make_processors()
    mixed = Wav2Vec2Processor(theirs.feature_extractor, theirs.tokenizer)
    audio = np.linspace(0, 1, 50, dtype=np.float32)
    given = {"audio": audio, "text": "HELLO WORLD", "sampling_rate": 16000}
    assert compare.outcome(mixed, **given) == compare.outcome(ours, **given)
    assert mixed.to_dict() == ours.to_dict() == theirs.to_dict()


def test_either_saves_what_the_other_loads(
    make_processors: Callable[..., Pair], tmp_path: Path
) -> None:
    theirs, ours = make_processors({"return_attention_mask": True}, model_max_length=50)
    for folder, processor in (("theirs", theirs), ("ours", ours)):
        saved = processor.save_pretrained(str(tmp_path / folder))
        assert saved == [str(tmp_path / folder / "processor_config.json")]
    files = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "ours").iterdir())
    for name in files:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    for folder in ("theirs", "ours"):
        loaded = Wav2Vec2Processor.from_pretrained(tmp_path / folder, pad_token="A")
        assert isinstance(loaded.tokenizer, Wav2Vec2CTCTokenizer)
        assert isinstance(loaded.feature_extractor, Wav2Vec2FeatureExtractor)
        assert loaded.feature_extractor.return_attention_mask
        assert loaded.tokenizer.pad_token == "A"
        reference = transformers.Wav2Vec2Processor.from_pretrained(str(tmp_path / folder))
        assert reference.tokenizer.get_vocab() == loaded.tokenizer.get_vocab()
        assert repr(reference.feature_extractor) == repr(loaded.feature_extractor)


def test_either_half_can_be_replaced_on_loading(
    make_processors: Callable[..., Pair], tmp_path: Path
) -> None:
    _, ours = make_processors()
    ours.save_pretrained(tmp_path)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    loaded, unused = Wav2Vec2Processor.from_pretrained(
        tmp_path, feature_extractor=extractor, return_unused_kwargs=True
    )
    assert loaded.feature_extractor is extractor
    assert unused == {}
    assert json.loads(loaded.to_json_string())["feature_extractor"]["do_normalize"] is False
    assert repr(loaded).startswith("Wav2Vec2Processor:\n- feature_extractor: Wav2Vec2Feature")
