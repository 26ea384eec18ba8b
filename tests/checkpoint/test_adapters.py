"""Languages of one model, kept as the reference keeps those of MMS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hub_server import HubModel
from safetensors.torch import load_file, save_file
from small_models import WITH_ADAPTERS, assert_same_weights, reference_model

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.errors import CheckpointError, ModelNotFoundError

SAFETENSORS = "adapter.{}.safetensors"
PICKLE = "adapter.{}.bin"


@pytest.fixture
def languages(tmp_path: Path) -> Path:
    """Return a folder with a model of 30 characters, and adapters of 30 and of 41."""
    reference_model("ForCTC", **WITH_ADAPTERS).save_pretrained(tmp_path)
    torch.manual_seed(8)
    for language, vocab_size in (("eng", 30), ("fra", 41), ("cmn-script_simplified", 30)):
        save_file(adapter(vocab_size), tmp_path / SAFETENSORS.format(language))
    return tmp_path


def adapter(vocab_size: int) -> dict[str, torch.Tensor]:
    """Return random weights for the adapters of a model, and for a head."""
    model = reference_model("ForCTC", **WITH_ADAPTERS, vocab_size=vocab_size)
    return {key: torch.randn_like(weight) for key, weight in model._get_adapters().items()}


@pytest.mark.parametrize("language", ["eng", "fra", "cmn-script_simplified"])
def test_a_language_is_loaded_as_by_the_reference(languages, language):
    how: dict[str, Any] = {"target_lang": language, "ignore_mismatched_sizes": True}
    model = Wav2Vec2ForCTC.from_pretrained(languages, **how)
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(languages, **how)
    assert_same_weights(model, reference)
    assert model.target_lang == reference.target_lang == language
    assert model.config.vocab_size == reference.config.vocab_size
    stored = load_file(languages / SAFETENSORS.format(language))
    assert torch.equal(model.lm_head.bias, stored["lm_head.bias"])
    samples = torch.randn(1, 3000)
    with torch.no_grad():
        difference = model(samples).logits - reference(samples).logits
    assert difference.abs().max() < 1e-5


def test_languages_are_changed_in_a_loaded_model(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages)
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(languages)
    for language in ("fra", "eng", "fra"):
        model.load_adapter(language)
        reference.load_adapter(language)
        assert_same_weights(model, reference)
        assert model.lm_head.out_features == model.config.vocab_size


def test_what_a_model_saves_of_its_adapters_it_loads(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages, target_lang="fra")
    saved = {key: weight.clone() for key, weight in model._get_adapters().items()}
    save_file(saved, languages / SAFETENSORS.format("new"), metadata={"format": "pt"})
    model.load_adapter("eng")
    model.load_adapter("new")
    for key, weight in model._get_adapters().items():
        assert torch.equal(weight, saved[key])


def test_a_present_language_may_be_left_alone(languages, caplog):
    model = Wav2Vec2ForCTC.from_pretrained(languages, target_lang="eng")
    with torch.no_grad():
        model.lm_head.bias.fill_(7)
    model.load_adapter("eng", force_load=False)
    assert model.lm_head.bias[0] == 7
    assert "already set to eng" in caplog.text
    model.load_adapter("eng")
    assert model.lm_head.bias[0] != 7


def test_the_type_of_the_model_is_kept(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages, target_lang="fra", dtype=torch.float16)
    assert {weight.dtype for weight in model.state_dict().values()} == {torch.float16}


def test_a_frozen_head_stays_frozen(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages)
    model.requires_grad_(False)
    model.load_adapter("fra")
    assert not any(weight.requires_grad for weight in model.parameters())


def test_a_pickle_and_the_choice_between_formats(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages)
    with pytest.raises(OSError, match=r"adapter\.eng\.bin"):  # what the reference raises
        model.load_adapter("eng", use_safetensors=False)
    weights = adapter(30)
    torch.save(weights, languages / PICKLE.format("deu"))
    model.load_adapter("deu")
    assert torch.equal(model.lm_head.bias, weights["lm_head.bias"])
    with pytest.raises(OSError, match=r"adapter\.deu\.safetensors"):
        model.load_adapter("deu", use_safetensors=True)


def test_a_language_there_is_none_of(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages)
    before = model.lm_head.bias.clone()
    with pytest.raises(ModelNotFoundError) as caught:
        model.load_adapter("frr")
    message = str(caught.value)
    assert "no adapter for the language frr (adapter.frr.safetensors or adapter.frr.bin)" in message
    assert "did you mean fra? there: cmn-script_simplified, eng, fra" in message
    assert torch.equal(model.lm_head.bias, before)
    assert model.target_lang is None
    with pytest.raises(ModelNotFoundError, match="no adapter for the language zzz"):
        Wav2Vec2ForCTC.from_pretrained(languages, target_lang="zzz")


def test_a_language_is_not_a_way_out_of_the_folder(languages):
    model = Wav2Vec2ForCTC.from_pretrained(languages / ".")
    (languages.parent / "adapter.x.bin").write_bytes(b"")
    with pytest.raises(ModelNotFoundError, match="no adapter"):
        model.load_adapter("x/../../adapter.x")


def test_a_model_without_adapters(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"`config\.adapter_attn_dim` is not"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path).load_adapter("eng")
    with pytest.raises(ValueError, match=r"`config\.adapter_attn_dim` is not"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path, target_lang="eng")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra.weight": torch.zeros(1)}, r"has unexpected keys: extra\.weight"),
        ({"lm_head.bias": None}, r"has missing keys: lm_head\.bias"),
        ({"lm_head.weight": torch.zeros(41, 3)}, "head reads 3 channels"),
        ({"lm_head.bias": torch.zeros(1)}, "its bias another number"),
        (
            {"wav2vec2.encoder.layers.0.adapter_layer.linear_1.bias": torch.zeros(9)},
            r"linear_1\.bias \[9\] instead of \[16\]",
        ),
    ],
)
def test_an_adapter_that_does_not_fit(languages, change, message):
    weights = {**adapter(30), **change}
    path = languages / SAFETENSORS.format("odd")
    save_file({key: tensor for key, tensor in weights.items() if tensor is not None}, path)
    model = Wav2Vec2ForCTC.from_pretrained(languages)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    for error in (CheckpointError, ValueError):
        with pytest.raises(error, match=message):
            model.load_adapter("odd")
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key])


def test_only_the_languages_file_is_fetched_from_the_hub(hub, languages):
    files = {path.name: path.read_bytes() for path in languages.iterdir()}
    hub.models["owner/many"] = HubModel(files)
    model = Wav2Vec2ForCTC.from_pretrained("owner/many", target_lang="fra")
    names = ["config.json", "model.safetensors", "adapter.fra.safetensors"]
    assert hub.downloads() == names
    model.load_adapter("eng")
    assert hub.downloads() == [*names, "adapter.eng.safetensors"]
    with pytest.raises(ModelNotFoundError, match="no adapter for the language xyz"):
        model.load_adapter("xyz")
    model.load_adapter("fra", local_files_only=True)


def test_an_unknown_argument_is_refused(languages):
    with pytest.raises(TypeError, match="quick"):
        Wav2Vec2ForCTC.from_pretrained(languages).load_adapter("eng", quick=True)
