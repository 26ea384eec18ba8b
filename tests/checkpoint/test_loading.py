"""What the reference saved is loaded bit by bit, from wherever it lies."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
    load,
    our_model,
    reference_model,
    rewrite_weights,
    with_older_weight_norm,
)

import w2v_cli
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.errors import ModelNotFoundError
from w2v_cli.inference.emitter import Emitter


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


def test_whole_numbers_become_what_the_network_computes_in_as_published(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path)

    def change(weights):
        return {**weights, "lm_head.bias": torch.arange(30, dtype=torch.int32)}

    rewrite_weights(tmp_path, change)
    bias = load("ForCTC", tmp_path).lm_head.bias
    published = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path).lm_head.bias
    assert bias.dtype == published.dtype == torch.float32
    assert torch.equal(bias, published)
    with pytest.raises(ValueError, match="int8: a network computes in a floating-point type"):
        load("ForCTC", tmp_path, dtype=torch.int8)


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
    newer = {"max_memory": None, "offload_folder": "x", "disable_mmap": True, "key_mapping": {}}
    assert_same_weights(load("ForCTC", tmp_path, **newer), model)


@pytest.mark.parametrize(
    "arguments",
    [
        {"fusion_config": None, "distributed_config": None, "gguf_file": None},
        {"adapter_name": "default", "allow_all_kernels": False},
        {"dtype": {"": torch.float16}, "attn_implementation": {"": "eager"}},
        {"key_mapping": {"^lm_head": "lm_head"}},
    ],
    ids=str,
)
def test_forms_of_arguments_that_the_reference_takes(tmp_path, arguments):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    ours = load("ForCTC", tmp_path, **arguments)
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path, **arguments)
    assert ours.dtype == reference.dtype
    assert ours.config._attn_implementation == reference.config._attn_implementation
    assert_same_weights(ours, model.to(ours.dtype))


def test_weights_have_the_names_that_a_mapping_gives_them(tmp_path):
    model = our_model("ForCTC")
    weights = {f"old.{key}": value for key, value in model.state_dict().items()}
    given = {"state_dict": weights, "config": model.config, "key_mapping": {r"^old\.": ""}}
    loaded = load("ForCTC", None, **given)
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
        {"device_map": {"wav2vec2": "cpu", "lm_head": "cpu"}},
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
        ({"device_map": {"wav2vec2": "cpu", "lm_head": "meta"}}, "one device"),
        ({"dtype": {"lm_head": "float16"}}, "give 'auto', a torch.dtype or its name"),
        ({"weights_only": False}, "always True"),
        ({"state_dict": {}}, "either a name or"),
        ({"tp_plan": "auto"}, "tp_plan=...: there is no such thing here"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, arguments, message):
    our_model("ForCTC").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        load("ForCTC", tmp_path, **arguments)


def test_the_configuration_given_is_not_changed(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    config = w2v_cli.Wav2Vec2Config(**SMALL)
    before = config.to_dict()
    load("ForCTC", tmp_path, config=config, dtype="float16")
    assert config.to_dict() == before


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


def test_a_model_in_the_cache_with_its_processor_is_one_question_to_the_hub(hub, ctc_folder):
    files = {path.name: path.read_bytes() for path in ctc_folder.iterdir()}
    hub.models["owner/name"] = HubModel(files)
    Emitter.load("owner/name")
    assert len(hub.downloads()) == len(set(hub.downloads()))
    hub.requests.clear()
    Emitter.load("owner/name")
    assert hub.requests == [("HEAD", "/owner/name/resolve/main/config.json")]
    Emitter.load("owner/name", hub=HubOptions(local_files_only=True))
    assert len(hub.requests) == 1


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


def test_the_meta_device_has_no_room_for_weights(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    with torch.device("meta"), pytest.raises(RuntimeError, match="meta device context manager"):
        w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path)
