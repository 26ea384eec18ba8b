"""What the reference saved is loaded bit by bit, and what does not fit is named."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hub_server import HubModel
from safetensors.torch import load_file, save_file
from small_models import (
    HEADS,
    SMALL,
    STABLE,
    WITH_ADAPTERS,
    assert_same_weights,
    class_of,
    our_model,
    reference_model,
    rewrite_weights,
    with_older_weight_norm,
)

import w2v_cli
from w2v_cli.errors import CheckpointError, ModelNotFoundError


def load(head: str, folder: Path | str | None, **kwargs: Any) -> Any:
    return class_of(w2v_cli, head).from_pretrained(folder, **kwargs)


def assert_drawn_alike(key: str, drawn: torch.Tensor, wanted: torch.Tensor) -> None:
    """Fail unless both tensors look like samples of one distribution."""
    spread = wanted.std().item()
    if spread == 0:
        assert torch.equal(drawn, wanted), key
        return
    tolerance = 5 / wanted.numel() ** 0.5  # of standard errors
    assert drawn.std().item() == pytest.approx(spread, rel=tolerance), key
    assert drawn.mean().item() == pytest.approx(wanted.mean().item(), abs=spread * tolerance), key


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that gives the warnings of loading so far, as one text."""

    def text() -> str:
        return "\n".join(
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("w2v_cli") and record.levelno >= logging.WARNING
        )

    return text


@pytest.mark.parametrize("changes", [{}, STABLE, {**WITH_ADAPTERS, "add_adapter": True}])
@pytest.mark.parametrize("head", HEADS)
def test_what_the_reference_saved_is_loaded_bit_by_bit(tmp_path, warned, head, changes):
    if head == "ForAudioFrameClassification" or head == "ForSequenceClassification":
        changes = {**changes, "add_adapter": False}
    reference = reference_model(head, **changes)
    reference.save_pretrained(tmp_path)
    model, info = load(head, tmp_path, output_loading_info=True)
    assert_same_weights(model, reference)
    assert info == {
        "missing_keys": set(),
        "unexpected_keys": set(),
        "mismatched_keys": set(),
        "error_msgs": [],
    }
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(buffer.is_meta for buffer in model.buffers())
    assert model.config.to_dict() == {**reference.config.to_dict(), "_name_or_path": str(tmp_path)}
    assert warned() == ""


def test_a_loaded_model_computes_what_the_reference_does(tmp_path):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path)
    samples = torch.randn(1, 4000)
    with torch.no_grad():
        difference = load("ForCTC", tmp_path)(samples).logits - reference(samples).logits
    assert difference.abs().max() < 1e-5


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_weights_are_mapped_from_the_file_not_copied(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)
    model = load("ForCTC", tmp_path)
    mapped = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(tmp_path / "model.safetensors")):
            first, last = line.split()[0].split("-")
            mapped.append(range(int(first, 16), int(last, 16)))
    for key, parameter in model.named_parameters():
        assert any(parameter.data_ptr() in memory for memory in mapped), key


def test_a_mapped_model_is_trained_and_saved_over_its_own_file(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)
    before = load_file(tmp_path / "model.safetensors")["lm_head.weight"].clone()
    model = load("ForCTC", tmp_path)
    with torch.no_grad():
        model.lm_head.weight += 1
    assert torch.equal(load_file(tmp_path / "model.safetensors")["lm_head.weight"], before)
    model.save_pretrained(tmp_path)
    assert torch.equal(load("ForCTC", tmp_path).lm_head.weight, before + 1)


@pytest.mark.parametrize("change", [{"dtype": "auto"}, {}, {"torch_dtype": "auto"}])
def test_the_stored_type_is_kept(tmp_path, change):
    reference = reference_model("ForCTC").half()
    reference.save_pretrained(tmp_path)
    model = load("ForCTC", tmp_path, **change)
    assert_same_weights(model, reference)
    assert model.config.dtype == torch.float16


@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("dtype", [torch.float32, "float32", "torch.bfloat16"])
def test_another_type_may_be_asked_for(tmp_path, name, dtype):
    reference = reference_model("ForCTC").half()
    reference.save_pretrained(tmp_path)
    model = load("ForCTC", tmp_path, **{name: dtype})
    wanted = torch.bfloat16 if "bfloat16" in str(dtype) else torch.float32
    assert_same_weights(model, reference.to(wanted))
    assert model.config.dtype == wanted


def test_without_a_type_in_the_configuration_the_weights_tell_it(tmp_path):
    reference_model("ForCTC").half().save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dtype": None}))
    assert load("ForCTC", tmp_path).dtype == torch.float16


def test_a_type_that_is_none(tmp_path):
    our_model("Model").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="dtype='floaty': give 'auto'"):
        load("Model", tmp_path, dtype="floaty")


@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_weight_norm_in_its_older_spelling(tmp_path, head):
    reference = reference_model(head)
    reference.save_pretrained(tmp_path)
    rewrite_weights(tmp_path, with_older_weight_norm)
    assert any("weight_g" in key for key in load_file(tmp_path / "model.safetensors"))
    assert_same_weights(load(head, tmp_path), reference)


def test_weight_norm_in_its_older_spelling_without_the_prefix(tmp_path):
    reference = reference_model("Model")
    reference.save_pretrained(tmp_path)
    rewrite_weights(tmp_path, with_older_weight_norm)
    assert_same_weights(load("ForCTC", tmp_path).wav2vec2, reference)


def test_layer_norms_named_gamma_and_beta(tmp_path):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path)

    def older(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            re.sub(r"(layer_norm)\.weight$", r"\1.gamma", key).replace(
                "layer_norm.bias", "layer_norm.beta"
            ): tensor
            for key, tensor in weights.items()
        }

    rewrite_weights(tmp_path, older)
    assert_same_weights(load("ForCTC", tmp_path), reference)


@pytest.mark.parametrize("target", HEADS)
@pytest.mark.parametrize("source", HEADS)
def test_every_class_loads_every_other_as_the_reference_does(tmp_path, source, target):
    reference_model(source).save_pretrained(tmp_path)
    how = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    reference, wanted = class_of(transformers, target).from_pretrained(tmp_path, **how)
    model, info = load(target, tmp_path, **how)
    assert info == {name: type(info[name])(keys) for name, keys in wanted.items()}
    theirs = reference.state_dict()
    fresh = {*info["missing_keys"], *(key for key, _, _ in info["mismatched_keys"])}
    for key, tensor in model.state_dict().items():
        assert tensor.shape == theirs[key].shape
        if key not in fresh:
            assert torch.equal(tensor, theirs[key]), key
    load(target, tmp_path, ignore_mismatched_sizes=True)  # strict: no error


@pytest.mark.parametrize("head", [head for head in HEADS if head != "Model"])
def test_a_fresh_head_is_drawn_as_by_the_reference_and_listed(tmp_path, warned, head):
    reference_model("Model").save_pretrained(tmp_path)
    torch.manual_seed(0)
    reference, info = class_of(transformers, head).from_pretrained(
        tmp_path, output_loading_info=True
    )
    model = load(head, tmp_path)
    weights, theirs = model.state_dict(), reference.state_dict()
    for key in info["missing_keys"]:
        assert_drawn_alike(key, weights[key], theirs[key])
    assert "drawn at random" in warned()
    for key in info["missing_keys"]:
        assert re.sub(r"\.\d+\.", ".{0-1}.", key) in warned()


def test_two_loads_draw_differently_and_a_seed_decides(tmp_path):
    reference_model("Model").save_pretrained(tmp_path)
    torch.manual_seed(5)
    first = load("ForCTC", tmp_path)
    second = load("ForCTC", tmp_path)
    torch.manual_seed(5)
    third = load("ForCTC", tmp_path)
    assert not torch.equal(first.lm_head.weight, second.lm_head.weight)
    assert_same_weights(first, third)


@pytest.mark.parametrize(
    "added", [{"add_adapter": True}, {**STABLE, "adapter_attn_dim": 16}, {"mask_time_prob": 0.1}]
)
def test_a_part_that_the_caller_adds_is_fresh(tmp_path, warned, added):
    plain = {key: value for key, value in added.items() if key in STABLE}
    reference_model("ForCTC", mask_time_prob=0.0, **plain).save_pretrained(tmp_path)
    _, info = load("ForCTC", tmp_path, output_loading_info=True, **added)
    _, wanted = transformers.Wav2Vec2ForCTC.from_pretrained(
        tmp_path, output_loading_info=True, **added
    )
    assert info["missing_keys"] == wanted["missing_keys"] != set()
    strict = load("ForCTC", tmp_path, **added)
    assert all(torch.isfinite(tensor).all() for tensor in strict.state_dict().values())
    assert ("adapter" in warned()) == ("mask_time_prob" not in added)


def test_the_mask_vector_may_be_missing_or_left_over_without_a_word(tmp_path, warned):
    reference_model("ForCTC").save_pretrained(tmp_path)
    vector = "wav2vec2.masked_spec_embed"
    model = load("ForCTC", tmp_path, mask_time_prob=0.0)
    assert vector not in model.state_dict()
    rewrite_weights(
        tmp_path, lambda weights: {key: weights[key] for key in weights if key != vector}
    )
    drawn = load("ForCTC", tmp_path).wav2vec2.masked_spec_embed
    assert 0 <= drawn.min() < drawn.max() <= 1  # uniform, as published
    assert warned() == ""


def test_one_error_names_everything_that_does_not_fit(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)

    def damage(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        for layer in (0, 1):
            del weights[f"wav2vec2.encoder.layers.{layer}.attention.q_proj.bias"]
        del weights["wav2vec2.encoder.layer_norm.weight"]
        weights["wav2vec2.encoder.layers.7.final_layer_norm.bias"] = torch.zeros(3)
        weights["something.else"] = torch.zeros(3)
        weights["lm_head.weight"] = torch.zeros(9, 64)
        weights["lm_head.bias"] = torch.zeros(9)
        return weights

    rewrite_weights(tmp_path, damage)
    with pytest.raises(CheckpointError) as caught:
        load("ForCTC", tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert message == (
        f"{tmp_path}: the weights do not fit Wav2Vec2ForCTC: missing: "
        "wav2vec2.encoder.layer_norm.weight, "
        "wav2vec2.encoder.layers.{0-1}.attention.q_proj.bias; unexpected: something.else, "
        "wav2vec2.encoder.layers.7.final_layer_norm.bias; wrong shape: lm_head.bias [9] instead "
        "of [30], lm_head.weight [9, 64] instead of [30, 64] (ignore_mismatched_sizes=True draws "
        "these afresh); check that config.json belongs to these weights"
    )


def test_half_a_head_is_damage_not_a_fresh_one(tmp_path):
    reference_model("ForSequenceClassification").save_pretrained(tmp_path)

    def without_classifier(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key: weights[key] for key in weights if not key.startswith("classifier")}

    rewrite_weights(tmp_path, without_classifier)
    with pytest.raises(CheckpointError, match=r"missing: classifier\.weight, classifier\.bias"):
        load("ForSequenceClassification", tmp_path)


def test_weights_of_another_shape_are_drawn_when_asked(tmp_path, warned):
    reference_model("ForCTC").save_pretrained(tmp_path)
    for error in (CheckpointError, RuntimeError):  # the second is what the reference raises
        with pytest.raises(error, match="wrong shape: lm_head"):
            load("ForCTC", tmp_path, vocab_size=12)
    model, info = load(
        "ForCTC", tmp_path, vocab_size=12, ignore_mismatched_sizes=True, output_loading_info=True
    )
    assert info["mismatched_keys"] == {
        ("lm_head.weight", (30, 64), (12, 64)),
        ("lm_head.bias", (30,), (12,)),
    }
    assert model.lm_head.weight.shape == (12, 64)
    assert model.lm_head.weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert model.config.vocab_size == 12
    assert "lm_head.weight" in warned()


def test_the_report_and_strictness_may_be_had_together(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)
    query = "wav2vec2.encoder.layers.0.attention.q_proj.bias"
    rewrite_weights(
        tmp_path, lambda weights: {key: weights[key] for key in weights if key != query}
    )
    _, info = load("ForCTC", tmp_path, output_loading_info=True)
    assert info["missing_keys"] == {query}
    load("ForCTC", tmp_path, strict=False)
    for how in ({}, {"strict": True}, {"strict": True, "output_loading_info": True}):
        with pytest.raises(CheckpointError, match=f"missing: {re.escape(query)}"):
            load("ForCTC", tmp_path, **how)


def test_a_key_in_both_spellings_is_not_taken_twice(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)

    def doubled(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        older = with_older_weight_norm(weights)
        return {**weights, **{key: tensor.clone() for key, tensor in older.items()}}

    rewrite_weights(tmp_path, doubled)
    with pytest.raises(CheckpointError, match=r"unexpected: .*original0"):
        load("ForCTC", tmp_path)


def test_fields_of_the_configuration_may_be_replaced(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    model = load("ForCTC", tmp_path, layerdrop=0.3, attn_implementation="eager")
    assert model.config.layerdrop == 0.3
    assert model.config._attn_implementation == "eager"
    config = w2v_cli.Wav2Vec2Config(**{**SMALL, "final_dropout": 0.7})
    model = load("ForCTC", tmp_path, config=config, attn_implementation="sdpa")
    assert model.config.final_dropout == 0.7
    assert model.config._attn_implementation == "sdpa"
    assert config._attn_implementation is None
    elsewhere = tmp_path / "elsewhere"
    config.save_pretrained(elsewhere)
    assert load("ForCTC", tmp_path, config=elsewhere).config.final_dropout == 0.7


def test_an_unknown_argument_is_refused(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="quick"):
        load("ForCTC", tmp_path, quick=True)


def test_arguments_of_older_code_are_taken(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    loaded = load("ForCTC", tmp_path, low_cpu_mem_usage=True, resume_download=True, proxies=None)
    assert_same_weights(loaded, model)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"device": "cpu"},
        {"device": torch.device("cpu")},
        {"device_map": "auto"},
        {"device_map": "cpu"},
        {"device_map": {"": "cpu"}},
    ],
)
def test_a_device_may_be_named_in_every_form(tmp_path, where):
    our_model("ForCTC").save_pretrained(tmp_path)
    device = load("ForCTC", tmp_path, **where).device
    if where.get("device_map") == "auto":
        assert device.type in ("cpu", "cuda", "mps")
    else:
        assert device == torch.device("cpu")


def test_a_model_on_the_meta_device_has_no_weights_yet(tmp_path):
    our_model("Model").save_pretrained(tmp_path)
    assert load("ForCTC", tmp_path, device="meta").device.type == "meta"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "cpu", "device_map": "cpu"}, "give one of them"),
        ({"device_map": {"wav2vec2": "cpu", "lm_head": "cpu"}}, "one device"),
        ({"weights_only": False}, "always True"),
        ({"state_dict": {}}, "either a name or"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, arguments, message):
    our_model("ForCTC").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        load("ForCTC", tmp_path, **arguments)


def test_a_state_dict_instead_of_a_file(tmp_path, warned):
    model = our_model("ForCTC")
    weights = model.state_dict()
    assert_same_weights(load("ForCTC", None, config=model.config, state_dict=weights), model)
    del weights["wav2vec2.encoder.layers.0.attention.q_proj.weight"]
    drawn = load("ForCTC", None, config=model.config, state_dict=weights)
    query = drawn.wav2vec2.encoder.layers[0].attention.q_proj.weight
    assert query.std().item() == pytest.approx(0.02, rel=0.2)
    assert "layers.0.attention.q_proj.weight" in warned()
    with pytest.raises(ValueError, match="give config as well"):
        load("ForCTC", None, state_dict=weights)


def test_an_empty_state_dict_draws_every_weight():
    model = our_model("ForPreTraining")
    drawn = load("ForPreTraining", None, config=model.config, state_dict={})
    fresh = class_of(w2v_cli, "ForPreTraining")(model.config)
    for key, tensor in drawn.state_dict().items():
        assert_drawn_alike(key, tensor, fresh.state_dict()[key])


def test_the_configuration_given_is_not_changed(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    config = w2v_cli.Wav2Vec2Config(**SMALL)
    before = config.to_dict()
    load("ForCTC", tmp_path, config=config, dtype="float16")
    assert config.to_dict() == before


def test_a_folder_without_weights_or_configuration(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"there is no config\.json"):
        load("ForCTC", tmp_path)
    with pytest.raises(OSError, match=r"config\.json"):  # what the reference raises
        load("ForCTC", tmp_path)
    our_model("ForCTC").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"no weights \(model\.safetensors or pytorch"):
        load("ForCTC", tmp_path)


def test_a_part_of_a_larger_file_name(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path, variant="fp16")
    assert (tmp_path / "model.fp16.safetensors").is_file()
    with pytest.raises(ModelNotFoundError, match="no weights"):
        load("ForCTC", tmp_path)
    assert_same_weights(load("ForCTC", tmp_path, variant="fp16"), model)


def test_a_subfolder(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "inner")
    assert_same_weights(load("ForCTC", tmp_path, subfolder="inner"), model)


def test_a_model_of_the_hub(hub, tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "saved", max_shard_size="40KB")
    names = [path.name for path in (tmp_path / "saved").iterdir()]
    assert len(names) > 4
    files = {name: (tmp_path / "saved" / name).read_bytes() for name in names}
    for unwanted in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md"):
        files[unwanted] = b"not needed"
    hub.models["owner/name"] = HubModel(files)
    assert_same_weights(load("ForCTC", "owner/name"), model)
    assert sorted(hub.downloads()) == sorted(names)
    asked = len(hub.requests)
    assert_same_weights(load("ForCTC", "owner/name"), model)
    assert len(hub.requests) == asked + 1  # is this still the newest commit?
    assert_same_weights(load("ForCTC", "owner/name", local_files_only=True), model)
    assert len(hub.requests) == asked + 1


def test_a_model_of_the_hub_whose_download_was_never_finished(hub, tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path / "saved")
    config = (tmp_path / "saved" / "config.json").read_bytes()
    hub.models["owner/name"] = HubModel({"config.json": config})
    w2v_cli.Wav2Vec2Config.from_pretrained("owner/name")
    with pytest.raises(ModelNotFoundError, match="once without --offline"):
        load("ForCTC", "owner/name", local_files_only=True)


def test_an_embedded_model(tmp_path, monkeypatch):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "models" / "tiny")
    monkeypatch.setattr("w2v_cli.checkpoint.resolve.EMBEDDED_FOLDER", tmp_path / "models")
    loaded = load("ForCTC", "tiny")
    assert_same_weights(loaded, model)
    assert loaded.name_or_path == "tiny"


def test_loading_does_not_import_the_compiler(tmp_path):
    """It takes a second, which `w2v transcribe` would pay at every start."""
    our_model("ForCTC").save_pretrained(tmp_path)
    code = (
        "import sys; from w2v_cli import Wav2Vec2ForCTC;"
        f"Wav2Vec2ForCTC.from_pretrained({str(tmp_path)!r});"
        "assert not {'sympy', 'torch._inductor', 'transformers'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=True,
    )


def test_loading_does_not_draw_random_numbers(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    state = torch.get_rng_state()
    load("ForCTC", tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_copy_of_a_folder_is_the_same_model(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    weights = load_file(tmp_path / "b" / "model.safetensors")
    save_file(weights, tmp_path / "c.safetensors")  # no {"format": "pt"}, as some tools write
    shutil.copy(tmp_path / "c.safetensors", tmp_path / "b" / "model.safetensors")
    assert_same_weights(load("ForCTC", tmp_path / "b"), model)
