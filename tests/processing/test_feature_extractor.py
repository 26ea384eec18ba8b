"""The feature extractor equals the reference, to the last bit, on whatever is awkward."""

from __future__ import annotations

import inspect
import json
import logging
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from w2v_cli.processing import BatchFeature, Wav2Vec2FeatureExtractor

Reference = transformers.Wav2Vec2FeatureExtractor


def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a call gives, exactly and with its types, or that it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference takes the mean of nothing
        try:
            return exact(call(*args, **kwargs))
        except (ValueError, TypeError, IndexError):
            return "fails"


def exact(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return ("pt", str(value.dtype), tuple(value.shape), value.numpy().tobytes())
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("np of objects", [exact(row) for row in value])
        return ("np", str(value.dtype), value.shape, value.tobytes())
    if hasattr(value, "items"):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else value


class Recordings:
    """Random settings, recordings and arguments."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)

    def flag(self, probability: float = 0.5) -> bool:
        return self.random.random() < probability

    def choose(self, options: dict[str, list[Any]], probability: float) -> dict[str, Any]:
        return {
            name: self.random.choice(choices)
            for name, choices in options.items()
            if self.flag(probability)
        }

    def extractor_settings(self) -> dict[str, Any]:
        return self.choose(
            {
                "return_attention_mask": [True, False],
                "do_normalize": [True, False],
                "padding_value": [-1.0, 0.5, 0],
                "padding_side": ["left", "right"],
                "sampling_rate": [8000],
            },
            0.4,
        )

    def options(self) -> dict[str, Any]:
        return self.choose(
            {
                "padding": [True, False, "longest", "max_length", "do_not_pad"],
                "max_length": [1, 7, 100, 1000],
                "truncation": [True, False],
                "pad_to_multiple_of": [1, 8, 64],
                "return_attention_mask": [True, False],
                "return_tensors": ["np", "pt"],
            },
            0.4,
        )

    def waveform(self, length: int | None = None) -> np.ndarray:
        length = self.random.choice([1, 2, 3, 50, 400, 999]) if length is None else length
        kind = self.random.choice([np.float32, np.float64, np.float16, np.int16, np.int64])
        noise = self.numbers.normal(size=length) * self.random.choice([0, 1e-6, 0.3, 100])
        return (noise + self.random.choice([0, 0.1, 5])).astype(kind)

    def recordings(self) -> Any:
        """Return one recording or several, as lists, arrays or a tensor."""
        kind = self.random.choice(["one", "list", "tensor", "several", "lists", "tuple", "2-D"])
        if kind == "one":
            return self.waveform()
        if kind == "list":
            return self.waveform().tolist()
        if kind == "tensor":
            return torch.from_numpy(self.waveform())
        if kind == "2-D":
            length = self.random.choice([1, 30, 400])
            return np.stack([self.waveform(length).astype(np.float32) for _ in range(3)])
        several = [self.waveform() for _ in range(self.random.randint(1, 4))]
        if kind == "several":
            return several
        return [row.tolist() for row in several] if kind == "lists" else tuple(several)


@pytest.mark.parametrize("seed", range(150))
def test_equals_the_reference_on_awkward_input(seed: int) -> None:
    source = Recordings(seed)
    made_with = source.extractor_settings()
    theirs, ours = Reference(**made_with), Wav2Vec2FeatureExtractor(**made_with)
    assert ours.to_dict() == theirs.to_dict()
    assert repr(ours) == repr(theirs)
    for _ in range(10):
        speech, options = source.recordings(), source.options()
        rate = {"sampling_rate": made_with.get("sampling_rate", 16000)}
        expected = outcome(theirs, speech, **options, **rate)
        assert outcome(ours, speech, **options, **rate) == expected, (made_with, options, speech)


@pytest.mark.parametrize("seed", range(100))
def test_pads_what_the_reference_pads(seed: int) -> None:
    source = Recordings(500 + seed)
    made_with = source.extractor_settings()
    theirs, ours = Reference(**made_with), Wav2Vec2FeatureExtractor(**made_with)
    rows = [source.waveform() for _ in range(source.random.randint(1, 4))]
    if source.flag():
        rows = [row.tolist() for row in rows]
    elif source.flag():
        rows = [torch.from_numpy(row) for row in rows]
    named: dict[str, Any] = {"input_values": rows}
    if source.flag(0.3):
        named["attention_mask"] = [np.ones(len(row), dtype=np.int32) for row in rows]
    if source.flag(0.3):
        named["labels"] = list(range(len(rows)))
    forms: list[Any] = [
        named,
        BatchFeature(named),
        transformers.BatchFeature(named),
        [{"input_values": row} for row in rows],
        {"input_features": rows},
        {"input_values": []},
    ]
    for _ in range(3):
        options = source.options()
        for form in forms:
            # The reference changes the mapping that it is given.
            copied = form.copy() if hasattr(form, "copy") else form
            expected = outcome(theirs.pad, copied, **options)
            assert outcome(ours.pad, form, **options) == expected, (options, form)


@settings(max_examples=300, deadline=None)
@given(
    waveforms=st.lists(
        arrays.arrays(
            st.sampled_from([np.float32, np.float64]),
            st.integers(1, 20),
            elements=st.floats(width=32),  # NaN and infinity among them
        ),
        min_size=1,
        max_size=3,
    ),
    padding=st.sampled_from([True, False, "longest"]),
    with_mask=st.booleans(),
)
def test_normalises_like_the_reference(
    waveforms: list[np.ndarray], padding: Any, with_mask: bool
) -> None:
    options = {"padding": padding, "return_attention_mask": with_mask, "sampling_rate": 16000}
    with np.errstate(all="ignore"):
        expected = outcome(Reference(), waveforms, **options)
        assert outcome(Wav2Vec2FeatureExtractor(), waveforms, **options) == expected


@pytest.mark.parametrize("padding", [False, True, "max_length"])
@pytest.mark.parametrize("return_tensors", [None, "np", "pt"])
def test_nothing_is_recorded(padding: Any, return_tensors: str | None) -> None:
    """No samples are no error and no warning; padded, they are all padding."""
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True, padding_value=0.25)
    for silence in ([], np.zeros(0, np.float32), torch.zeros(0), [[]]):
        output = extractor(
            silence,
            padding=padding,
            max_length=4 if padding == "max_length" else None,
            return_tensors=return_tensors,
            sampling_rate=16000,
        )
        expected = [0.25] * 4 if padding == "max_length" else []
        assert [list(map(float, row)) for row in output.input_values] == [expected]
        assert [list(map(int, row)) for row in output.attention_mask] == [[0] * len(expected)]


def test_a_batch_normalises_real_samples_only() -> None:
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    short, long = np.linspace(0, 3, 800), np.linspace(-5, 1, 1200)
    values = extractor(
        [short, long], padding=True, return_tensors="np", sampling_rate=16000
    ).input_values
    assert values.shape == (2, 1200)
    assert abs(values[0, :800].mean()) < 1e-6
    assert abs(values[0, :800].var() - 1) < 1e-5
    assert not values[0, 800:].any()


@pytest.mark.parametrize(
    "several",
    [
        lambda rows: [torch.from_numpy(row) for row in rows],
        lambda rows: torch.from_numpy(np.stack(rows)),
    ],
)
def test_tensors_are_batches_like_arrays(several: Callable[[Any], Any]) -> None:
    rows = list(np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32))
    extractor = Wav2Vec2FeatureExtractor()
    expected = extractor(rows, sampling_rate=16000)["input_values"]
    given = extractor(several(rows), sampling_rate=16000)["input_values"]
    assert exact(given) == exact(expected)


def test_another_sampling_rate_is_refused() -> None:
    extractor = Wav2Vec2FeatureExtractor()
    with pytest.raises(ValueError, match="44100 Hz and the model was trained on 16000 Hz"):
        extractor(np.zeros(100), sampling_rate=44100)


def test_an_unknown_sampling_rate_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    extractor = Wav2Vec2FeatureExtractor()
    with caplog.at_level(logging.WARNING):
        extractor(np.zeros(100))
        assert "strongly recommended to pass" in caplog.text
        caplog.clear()
        extractor(np.zeros(100), sampling_rate=16000)
        assert not caplog.records


@pytest.mark.parametrize(
    "stereo",
    [
        np.zeros((2, 100, 2)),
        torch.zeros(2, 100, 2),
        [np.zeros((100, 2))],
        [np.zeros(100), np.zeros((2, 100))],
        [torch.zeros(1, 100)],
        [[[0.0, 1.0]]],
    ],
)
def test_more_than_one_channel_is_refused(stereo: Any) -> None:
    with pytest.raises(ValueError, match=r"only mono recordings .* shape \(\d+, \d+\)"):
        Wav2Vec2FeatureExtractor()(stereo, sampling_rate=16000)


def test_lengths_must_be_given_where_they_are_needed() -> None:
    extractor = Wav2Vec2FeatureExtractor()
    for options in ({"padding": "max_length"}, {"truncation": True}):
        with pytest.raises(ValueError, match="max_length"):
            extractor([[1.0, 2.0], [1.0]], sampling_rate=16000, **options)
    with pytest.raises(ValueError, match="'widest' is not a valid PaddingStrategy"):
        extractor([1.0], padding="widest", sampling_rate=16000)
    with pytest.raises(ValueError, match="pad with padding=True"):
        extractor([[1.0, 2.0], [1.0]], return_tensors="pt", sampling_rate=16000)


def test_the_reference_strategy_is_understood() -> None:
    extractor = Wav2Vec2FeatureExtractor()
    strategy = transformers.utils.PaddingStrategy.LONGEST
    output = extractor([[1.0, 2.0], [1.0]], padding=strategy, sampling_rate=16000)
    assert [len(row) for row in output.input_values] == [2, 2]


def test_settings_come_back_from_json(tmp_path: Path) -> None:
    ours = Wav2Vec2FeatureExtractor(do_normalize=False, padding_side="left", note="kept")
    path = tmp_path / "settings.json"
    ours.to_json_file(path)
    assert Wav2Vec2FeatureExtractor.from_json_file(path).to_dict() == ours.to_dict()
    assert Reference.from_json_file(path).to_dict() == ours.to_dict()
    assert json.loads(ours.to_json_string())["note"] == "kept"


def test_settings_can_be_replaced() -> None:
    saved = {"do_normalize": True}
    ours, unused = Wav2Vec2FeatureExtractor.from_dict(
        saved, do_normalize=False, return_attention_mask=True, foo=1, return_unused_kwargs=True
    )
    assert (ours.do_normalize, ours.return_attention_mask) == (False, True)
    assert unused == {"foo": 1}
    assert saved == {"do_normalize": True}


def test_the_arguments_are_those_of_the_reference() -> None:
    for name in ("__init__", "__call__", "pad", "zero_mean_unit_var_norm"):
        reference = inspect.signature(getattr(Reference, name)).parameters
        ours = inspect.signature(getattr(Wav2Vec2FeatureExtractor, name)).parameters
        assert [(p.name, p.default) for p in ours.values()] == [
            (p.name, p.default) for p in reference.values()
        ], name
