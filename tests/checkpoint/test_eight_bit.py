"""Linear layers in 8 bits through bitsandbytes, on the CPU; the reference is the oracle."""

from __future__ import annotations

import copy
import logging
import sys

import pytest
import torch
import transformers
from small_models import HEADS, STABLE, WITH_ADAPTERS, class_of, our_model, reference_model

import w2v_cli
from w2v_cli.checkpoint.eight_bit import EightBitOptions
from w2v_cli.errors import MissingDependencyError

bitsandbytes = pytest.importorskip("bitsandbytes")

# What the reference would replace as well, were it not told.
ELSEWHERE = [
    "projection",
    "lm_head",
    "classifier",
    "projector",
    "adapter_layer",
    "tdnn",
    "feature_extractor",
    "objective",
    "project_hid",
    "project_q",
    "weight_proj",
]
IN_A_LAYER = [
    "attention.k_proj",
    "attention.v_proj",
    "attention.q_proj",
    "attention.out_proj",
    "feed_forward.intermediate_dense",
    "feed_forward.output_dense",
]


def in_8_bits(model: torch.nn.Module) -> set[str]:
    return {
        path
        for path, module in model.named_modules()
        if isinstance(module, bitsandbytes.nn.Linear8bitLt)
    }


@pytest.fixture(autouse=True)
def quiet_log():
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


@pytest.mark.parametrize("changes", [{}, WITH_ADAPTERS], ids=["post-norm", "pre-norm, adapters"])
@pytest.mark.parametrize("head", HEADS)
def test_the_encoders_linear_layers_alone_are_replaced_and_biases_kept(tmp_path, head, changes):
    model = our_model(head, **changes)
    model.save_pretrained(tmp_path)
    small = class_of(w2v_cli, head).from_pretrained(tmp_path, load_in_8bit=True, device_map="auto")
    prefix = "" if head == "Model" else "wav2vec2."
    assert in_8_bits(small) == {
        f"{prefix}encoder.layers.{index}.{name}" for index in range(2) for name in IN_A_LAYER
    }
    kept = {
        k: v
        for k, v in model.state_dict().items()
        if k.removesuffix(".weight") not in in_8_bits(small)
    }
    found = small.state_dict()
    assert all(torch.equal(found[key], value) for key, value in kept.items())
    assert small.is_loaded_in_8bit
    assert not any(weight.requires_grad for weight in small.parameters())


@pytest.mark.parametrize("changes", [{}, STABLE], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("threshold", [6.0, 1.0])
def test_what_comes_out_is_the_references(tmp_path, changes, threshold):
    reference_model("ForCTC", **changes).save_pretrained(tmp_path)
    settings = transformers.BitsAndBytesConfig(
        load_in_8bit=True, llm_int8_threshold=threshold, llm_int8_skip_modules=ELSEWHERE
    )
    theirs = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path, quantization_config=settings)
    ours = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path, quantization_config=settings)
    assert in_8_bits(ours) == in_8_bits(theirs)
    samples = torch.randn(2, 1500, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(ours(samples).logits, theirs(samples).logits)
        exact = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path)(samples).logits
        error = (ours(samples).logits - exact).norm() / exact.norm()
    assert 0 < error < 0.03


def test_the_report_counts_what_weights_take(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    before = sum(weight.nbytes for weight in model.parameters())
    small = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path, load_in_8bit=True)
    layers = [small.get_submodule(path) for path in in_8_bits(small)]
    saved = sum(3 * layer.weight.numel() - 4 * layer.out_features for layer in layers)
    assert small.eight_bit.bytes_before == before
    assert small.eight_bit.bytes_after == before - saved
    assert str(small.eight_bit).startswith("12 linear layers in 8 bits: ")


def test_layers_can_be_left_alone(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    small = w2v_cli.Wav2Vec2ForCTC.from_pretrained(
        tmp_path,
        quantization_config={"load_in_8bit": True, "llm_int8_skip_modules": ["layers.0", "q_proj"]},
    )
    assert in_8_bits(small) == {
        f"wav2vec2.encoder.layers.1.{name}" for name in IN_A_LAYER if "q_proj" not in name
    }


def test_it_is_not_saved(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    small = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path, load_in_8bit=True)
    with pytest.raises(ValueError, match="loaded in 8 bits, which are not saved"):
        small.save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("wanted", [{"load_in_4bit": True}, {"quant_method": "gptq"}])
def test_other_methods_are_refused(wanted):
    with pytest.raises(ValueError, match="only load_in_8bit=True of bitsandbytes"):
        EightBitOptions.take_from({"quantization_config": copy.copy(wanted)})


def test_nothing_asked_is_nothing_done():
    kwargs = {"load_in_8bit": False, "dtype": "auto"}
    assert EightBitOptions.take_from(kwargs) is None
    assert kwargs == {"dtype": "auto"}


def test_without_the_package_the_extra_is_named_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'w2v\[8bit\]'"):
        w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path, load_in_8bit=True)
