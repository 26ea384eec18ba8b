"""`w2v quantize`, and the options that make a network smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Wav2Vec2ForXVector as ReferenceForXVector

from w2v_cli import Wav2Vec2ForXVector

DATA = Path(__file__).parent.parent / "data"
EMBEDDED = Path(__file__).parents[2] / "w2v_cli" / "models"
SEVEN = str(DATA / "seven.opus")


def test_a_quantized_folder_is_a_model(w2v, tmp_path):
    folder = tmp_path / "small"
    done = w2v("quantize", "mini", "--output", str(folder))
    assert done.exit_code == 0
    assert "9.8 MB instead of 7.9 MB" in done.stdout  # which has 16 bits for each weight
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
