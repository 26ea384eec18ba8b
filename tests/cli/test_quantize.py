"""`w2v quantize`, and the options that make a network smaller."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2ForXVector as ReferenceForXVector

from w2v_cli import Wav2Vec2ForXVector

DATA = Path(__file__).parent.parent / "data"
EMBEDDED = Path(__file__).parents[2] / "w2v_cli" / "models"
SEVEN = str(DATA / "seven.opus")


def test_a_quantized_folder_is_a_model(w2v, tmp_path):
    folder = tmp_path / "small"
    done = w2v("quantize", "mini", "--output", str(folder))
    assert done.exit_code == 0
    assert "6.0 MB instead of 7.9 MB" in done.stdout  # which has 16 bits for each weight
    heard = w2v("transcribe", "--model", str(folder), "--verbose", SEVEN)
    assert heard.stdout == "seven\n"
    assert "in whole numbers of 8 bits" in heard.stderr
    again = w2v("quantize", str(folder), "--output", str(tmp_path / "smaller"))
    assert again.exit_code == 4
    assert again.stderr.startswith(f"w2v: {folder}: its weights are whole numbers by w2v quantize")


def test_half_of_the_bits_are_a_published_folder(w2v, tmp_path):
    """With the same tensors in half the space, which calculate in float32 here and there."""
    folder, again = tmp_path / "half", tmp_path / "again"
    done = w2v("quantize", "mini-speakers", "--output", folder, "--weights", "float16")
    assert done.exit_code == 0, done.stderr
    whole = load_file(EMBEDDED / "mini-speakers" / "model.safetensors")
    half = load_file(folder / "model.safetensors")
    assert {name: tensor.half().tolist() for name, tensor in whole.items()} == {
        name: tensor.tolist() for name, tensor in half.items()
    }
    loaded = [kind.from_pretrained(folder) for kind in (Wav2Vec2ForXVector, ReferenceForXVector)]
    assert [model.dtype for model in loaded] == [torch.float32, torch.float32]
    assert (folder / "preprocessor_config.json").exists()
    assert w2v("embed", "--model", folder, SEVEN).exit_code == 0
    assert w2v("quantize", folder, "--output", again, "--weights", "float16").exit_code == 0
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_weights_that_16_bits_cannot_hold_are_refused(w2v, tmp_path):
    model = Wav2Vec2ForXVector.from_pretrained("mini-speakers")
    with torch.no_grad():
        model.projector.bias[0] = 1e5
    model.save_pretrained(tmp_path / "loud")
    refused = w2v("quantize", tmp_path / "loud", "-o", tmp_path / "half", "--weights", "float16")
    assert refused.exit_code == 4
    assert "which 16 bits cannot hold: projector.bias" in refused.stderr
    assert not (tmp_path / "half" / "model.safetensors").exists()


def test_a_folder_with_files_in_it_is_kept_unless_forced(w2v, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused = w2v("quantize", "mini", "--output", str(tmp_path))
    assert refused.exit_code == 2
    assert "there are files in this folder" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert w2v("quantize", "mini", "--output", str(tmp_path), "--force").exit_code == 0


def test_a_file_is_no_folder(w2v, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused = w2v("quantize", "no-such-model", "--output", tmp_path / "notes.txt", "--force")
    assert refused.exit_code == 2
    assert "notes.txt: a file, not a folder; name another" in refused.stderr


def test_a_model_is_not_written_over_itself(w2v, tmp_path):
    refused = w2v("quantize", str(tmp_path), "--output", f"{tmp_path}/", "--force")
    assert refused.exit_code == 2
    assert "this is the model itself" in refused.stderr


@pytest.mark.parametrize("command", ["transcribe", "classify", "embed", "diarize-frames"])
def test_contradictions_are_usage_errors_of_every_job(w2v, command):
    refused = w2v(command, "--quantize", "int8", "--load-in-8bit", SEVEN)
    assert refused.exit_code == 2
    assert "two ways to do the same" in refused.stderr


def test_8_bits_without_bitsandbytes_name_the_extra(w2v, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    refused = w2v("transcribe", "--model", "mini", "--load-in-8bit", SEVEN)
    assert refused.exit_code == 5
    assert "pip install 'w2v[8bit]'" in refused.stderr


@pytest.mark.slow
def test_8_bits_tell_what_they_save(w2v):
    pytest.importorskip("bitsandbytes")
    heard = w2v("transcribe", "--model", "mini", "--load-in-8bit", "--verbose", SEVEN)
    assert heard.stdout == "seven\n"
    assert "24 linear layers in 8 bits: 15.9 MB became 9.8 MB" in heard.stderr
    assert "as trained: its linear layers are in 8 bits" in heard.stderr


def test_another_precision_is_another_result(w2v, tmp_path):
    """What a run finished is done again where it was calculated otherwise."""
    output = f"{tmp_path}/"
    assert w2v("transcribe", "--model", "mini", SEVEN, "--output", output).exit_code == 0
    again = w2v("transcribe", "--model", "mini", "--quantize", "int8", SEVEN, "--output", output)
    assert again.exit_code == 0
    assert "another quantize" in again.stderr


def folder_of(tmp_path, name, **changes):
    """A small CTC model whose config.json has other fields."""
    folder = tmp_path / name
    shutil.copytree(EMBEDDED / "mini", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def test_a_model_without_its_head_is_not_made_one_with_random_numbers(w2v, tmp_path):
    folder = folder_of(tmp_path, "headless")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("lm_head")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    for more in ((), ("--weights", "float16")):
        refused = w2v("quantize", folder, "-o", tmp_path / "small", *more)
        assert refused.exit_code == 4
        assert "no weights for lm_head.bias, lm_head.weight" in refused.stderr
        assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_attention_heads": 3},
        {"num_attention_heads": 0},
        {"hidden_act": "foo"},
        {"hidden_act": 3},
        {"feat_extract_norm": "batch"},
        {"hidden_size": "256"},
        {"vocab_size": None},
        {"conv_stride": [5, 0, 2, 2, 2, 2, 2]},
        {"num_conv_pos_embedding_groups": 3},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_network(w2v, tmp_path, changes):
    folder = folder_of(tmp_path, "odd", **changes)
    for command in (("transcribe", "--model", folder, SEVEN), ("quantize", folder, "-o", "x")):
        run = w2v(*command)
        assert run.exit_code == 4, run.stderr
        assert "config.json" in run.stderr or "conv_" in run.stderr


def test_an_architecture_that_is_no_class(w2v, tmp_path):
    run = w2v("quantize", folder_of(tmp_path, "odd", architectures=["ctc_loss"]), "-o", "x")
    assert run.exit_code == 4
    assert "names ctc_loss as architecture" in run.stderr


def test_what_an_earlier_model_has_left_is_gone(w2v, tmp_path):
    first = folder_of(tmp_path, "first")
    (first / "language_model").mkdir()
    (first / "language_model" / "attrs.json").write_text("{}")
    (first / "alphabet.json").write_text("{}")
    (first / "adapter.eng.safetensors").write_bytes(b"")
    target = tmp_path / "small"
    for more in ((), ("--weights", "float16")):
        assert w2v("quantize", first, "-o", target, "--force", *more).exit_code == 0
        assert (target / "language_model" / "attrs.json").exists()
        assert (target / "adapter.eng.safetensors").exists()
        assert w2v("quantize", "mini", "-o", target, "--force", *more).exit_code == 0
        left = {path.name for path in target.iterdir()}
        assert not left & {"language_model", "alphabet.json", "adapter.eng.safetensors"}
        weights = {"int8.safetensors", "model.safetensors"}
        assert len(left & weights) == 1
        assert (target / "lexicon.json").exists()


@pytest.mark.parametrize("command", [("quantize", "mini"), ("lm", "attach", "mini", "lm.bin")])
def test_an_embedded_model_is_not_hidden(w2v, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    refused = w2v(*command, "-o", "mini-turns")
    assert refused.exit_code == 2
    assert "mini-turns: here it would hide the embedded model of that name" in refused.stderr
