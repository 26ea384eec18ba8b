"""Folders of whole numbers: what comes back is what went in, and nobody else reads them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

import w2v_cli
from w2v_cli.checkpoint.resolve import EMBEDDED_FOLDER
from w2v_cli.errors import CheckpointError, ModelNotFoundError, UsageError
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.loading import Loading
from w2v_cli.inference.quantization import is_int8_form
from w2v_cli.inference.quantized_folder import halve_folder, quantize_folder
from w2v_cli.inference.runtime import Runtime

SAMPLES = np.random.default_rng(1).standard_normal(16_000).astype(np.float32) / 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("quantized") / "mini"
    quantize_folder("mini", path)
    return path


def test_it_says_exactly_what_quantizing_on_the_way_says(folder):
    exact = Emitter.load("mini").emissions(SAMPLES, sample_rate=16_000)
    on_the_way = Emitter.load("mini", runtime=Runtime(quantize="int8"))
    from_folder = Emitter.load(folder)
    assert is_int8_form(from_folder.model)
    assert "in whole numbers of 8 bits" in from_folder.description
    emissions = from_folder.emissions(SAMPLES, sample_rate=16_000)
    assert np.array_equal(emissions, on_the_way.emissions(SAMPLES, sample_rate=16_000))
    assert not np.array_equal(emissions, exact)
    assert np.abs(np.exp(emissions) - np.exp(exact)).max() < 0.1


def test_loading_does_not_import_the_compiler(folder):
    """It takes a second, which a command would pay at every start."""
    code = (
        f"import sys; from w2v_cli.inference.emitter import Emitter; Emitter.load({str(folder)!r});"
        "assert not {'sympy', 'torch._dynamo', 'torch._inductor'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=True,
    )


def test_it_is_a_half_to_a_quarter_of_the_size_of_32_bits(tmp_path):
    """Of a network that is mostly transformer, as the published ones are."""
    config = w2v_cli.Wav2Vec2Config(
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=16,
    )
    w2v_cli.Wav2Vec2ForCTC(config).save_pretrained(tmp_path / "large")
    folder = tmp_path / "small"
    before, after = quantize_folder(tmp_path / "large", folder)
    assert (folder / "int8.safetensors").stat().st_size == after
    assert 0.25 < after / before < 0.5
    with safe_open(folder / "int8.safetensors", "pt") as weights:
        types = {weights.get_tensor(key).dtype for key in weights.keys()}  # noqa: SIM118
    assert types == {torch.int8, torch.float32}


def test_what_had_16_bits_keeps_them(tmp_path):
    """Or convolutions would take twice the space: the folder was larger than the model's."""
    before, after = quantize_folder("mini", tmp_path / "mini")
    assert after < 0.8 * before


def test_all_else_that_the_model_consists_of_is_there(folder):
    names = {path.name for path in folder.iterdir()}
    assert names >= {"vocab.json", "preprocessor_config.json", "LICENSE", "config.json"}
    assert not any(name.endswith(".py") for name in names)
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization_config"] == {"quant_method": "w2v_int8", "version": 1}
    assert config["architectures"] == ["Wav2Vec2ForCTC"]


@pytest.mark.parametrize("kind", ["Wav2Vec2ForCTC", "Wav2Vec2Model"])
def test_the_published_classes_refuse_it(folder, kind):
    with pytest.raises(CheckpointError, match="its weights are whole numbers by w2v quantize"):
        getattr(w2v_cli, kind).from_pretrained(folder)


def test_the_reference_finds_no_weights_in_it(folder):
    with pytest.raises(OSError, match=r"no file named .*model\.safetensors"):
        transformers.Wav2Vec2ForCTC.from_pretrained(folder)


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ({"quant_method": "w2v_int8", "version": 2}, "another version of w2v"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "quantized by bitsandbytes"),
        ("gptq", "quantized by another program"),
    ],
)
def test_what_others_quantized_is_refused(folder, tmp_path, mark, message):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "quantization_config": mark}))
    with pytest.raises(CheckpointError, match=message):
        Emitter.load(copy)
    with pytest.raises(CheckpointError, match=message) as raised:
        w2v_cli.Wav2Vec2ForCTC.from_pretrained(copy)
    assert str(raised.value).startswith(f"{copy}: ")


def test_it_is_not_quantized_again(folder, tmp_path):
    with pytest.raises(CheckpointError, match="which w2v quantize cannot hold"):
        quantize_folder(folder, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_folder_within_the_model_is_not_copied_into_itself(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER / "mini", model)
    quantize_folder(model, model / "int8")
    quantize_folder(model, model / "int8")
    assert (model / "int8" / "vocab.json").is_file()
    assert not (model / "int8" / "int8").exists()


def test_a_language_model_comes_along_and_what_a_run_left_does_not(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER / "mini", model)
    there = {"language_model/5gram.bin", "language_model/attrs.json", "onnx/README.md"}
    left = {
        "checkpoint-500/vocab.json",
        "runs/events.out",
        "__pycache__/a.pyc",
        "flax_model.msgpack",
    }
    for name in there | left:
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(b"1")
    quantize_folder(model, tmp_path / "small")
    copied = {str(p.relative_to(tmp_path / "small")) for p in (tmp_path / "small").rglob("*")}
    assert copied >= there
    assert not copied & left


def test_a_file_that_is_missing_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "int8.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"there is no int8\.safetensors"):
        Emitter.load(copy)


def test_weights_of_another_model_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}))
    with pytest.raises(CheckpointError, match=r"whole numbers do not fit .*intermediate_dense"):
        Emitter.load(copy)


def test_the_network_without_its_head(folder):
    model = Loading.prepare(folder, None, None).model(w2v_cli.Wav2Vec2Model, None)
    exact = w2v_cli.Wav2Vec2Model.from_pretrained("mini")
    samples = torch.from_numpy(SAMPLES)[None] * 10
    with torch.inference_mode():
        mine, theirs = (m(samples).last_hidden_state for m in (model, exact))
    assert (mine - theirs).norm() / theirs.norm() < 0.1


def test_a_language_is_chosen_as_in_the_model_itself(tmp_path):
    torch.manual_seed(0)
    config = w2v_cli.Wav2Vec2Config(
        vocab_size=12,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=[16, 16],
        conv_kernel=[10, 8],
        conv_stride=[5, 4],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        adapter_attn_dim=8,
    )
    model = w2v_cli.Wav2Vec2ForCTC(config)
    model.save_pretrained(tmp_path / "model")
    other = w2v_cli.Wav2Vec2ForCTC(config)
    adapter = {key: p.detach().clone() for key, p in other._get_adapters().items()}
    save_file(adapter, tmp_path / "model" / "adapter.fra.safetensors")
    quantize_folder(tmp_path / "model", tmp_path / "small")
    samples = torch.from_numpy(SAMPLES)[None]
    logits = {}
    for name, runtime in (("small", None), ("model", Runtime(quantize="int8"))):
        for language in (None, "fra"):
            chosen = {} if language is None else {"target_lang": language}
            loading = Loading.prepare(tmp_path / name, runtime, None)
            network = loading.model(w2v_cli.Wav2Vec2ForCTC, None, **chosen)
            with torch.inference_mode():
                logits[name, language] = network(samples).logits
    torch.testing.assert_close(logits["small", None], logits["model", None])
    # The biases of the folder were made with another adapter's inputs.
    difference = (logits["small", "fra"] - logits["model", "fra"]).norm()
    assert difference < 0.03 * logits["model", "fra"].norm()
    assert not torch.allclose(logits["small", None], logits["small", "fra"], atol=0.1)


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (Runtime(device="cuda"), "runs on the CPU only"),
        (Runtime(dtype="float16"), "leave out --dtype float16"),
        (Runtime(load_in_8bit=True), "leave out --load-in-8bit"),
    ],
)
def test_it_runs_on_the_cpu_alone(folder, runtime, message):
    with pytest.raises(UsageError, match=message):
        Emitter.load(folder, runtime=runtime)


@pytest.mark.parametrize("write", [quantize_folder, halve_folder])
def test_words_of_an_earlier_model_do_not_stay(tmp_path, write):
    """Another model would write them alone."""
    plain = shutil.copytree(EMBEDDED_FOLDER / "mini", tmp_path / "plain")
    (plain / "lexicon.json").unlink()
    write("mini", tmp_path / "out")
    assert (tmp_path / "out" / "lexicon.json").is_file()
    for name in ("text_rules.json", "added_tokens.json", "preprocessor_config.json"):
        (tmp_path / "out" / name).write_text("{}")
        (plain / name).unlink(missing_ok=True)
    write(plain, tmp_path / "out")
    for name in ("lexicon.json", "text_rules.json", "added_tokens.json"):
        assert not (tmp_path / "out" / name).exists()
    assert not (tmp_path / "out" / "preprocessor_config.json").exists()
    assert (tmp_path / "out" / "vocab.json").is_file()


def test_what_does_not_fit_is_told_in_a_line(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"and \d+ others; quantize") as caught:
        Emitter.load(other)
    assert len(str(caught.value)) < 600
