"""Weights in every kind of file, and files that are not what they seem."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import assert_same_weights, our_model, reference_model

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.weights import find_weights, read_weight_file, read_weights, with_variant
from w2v_cli.errors import CheckpointError, ModelNotFoundError


def save_pickle(folder: Path, content: Any, **how: Any) -> Path:
    """Replace a folder's safetensors by a pickle."""
    (folder / "model.safetensors").unlink(missing_ok=True)
    path = folder / "pytorch_model.bin"
    torch.save(content, path, **how)
    return path


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_pickle_is_read_with_a_warning(tmp_path, caplog, how):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path)
    save_pickle(tmp_path, OrderedDict(reference.state_dict()), **how)
    with caplog.at_level(logging.WARNING):
        model = Wav2Vec2ForCTC.from_pretrained(tmp_path)
    assert_same_weights(model, reference)
    assert "pytorch_model.bin is a pickle; only tensors are read" in caplog.text


def test_safetensors_are_preferred_and_may_be_demanded(tmp_path, caplog):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    assert_same_weights(Wav2Vec2ForCTC.from_pretrained(tmp_path), model)
    assert caplog.text == ""
    with pytest.raises(CheckpointError, match="missing: "):
        Wav2Vec2ForCTC.from_pretrained(tmp_path, use_safetensors=False)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"no weights \(model\.safetensors\)"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path, use_safetensors=True)


class Trap:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('the file ran its code')",)


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, how):
    our_model("ForCTC").save_pretrained(tmp_path)
    save_pickle(tmp_path, {"weight": Trap()}, **how)
    with pytest.raises(CheckpointError, match="could run code; use a checkpoint with"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"model": {"a": torch.zeros(1)}}, {"a": 1}])
def test_a_pickle_of_something_else(tmp_path, content):
    path = save_pickle(tmp_path, content)
    with pytest.raises(CheckpointError, match="not a model's weights"):
        read_weight_file(path)


@pytest.mark.parametrize("n_bytes", [0, 7, 60, 5000])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_file_that_ends_early(tmp_path, name, n_bytes):
    weights = {"a": torch.zeros(1000), "b": torch.ones(1000)}
    path = tmp_path / name
    if path.suffix == ".bin":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(CheckpointError) as caught:
        read_weight_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_web_page_saved_under_the_name_of_weights(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("<!doctype html>")
    with pytest.raises(CheckpointError, match="damaged"):
        read_weight_file(path)


def write_index(folder: Path, weight_map: Any) -> None:
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_a_pickle_in_shards(tmp_path):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    weights = list(reference.state_dict().items())
    shards = {"part-1.bin": dict(weights[:20]), "part-2.bin": dict(weights[20:])}
    for name, shard in shards.items():
        torch.save(shard, tmp_path / name)
    write_index(tmp_path, {key: name for name, shard in shards.items() for key in shard})
    assert_same_weights(Wav2Vec2ForCTC.from_pretrained(tmp_path), reference)


def test_a_shard_that_is_missing_or_lacks_a_weight(tmp_path):
    reference_model("ForCTC").save_pretrained(tmp_path, max_shard_size="90KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shard = tmp_path / index["weight_map"]["lm_head.weight"]
    weights = load_file(shard)
    del weights["lm_head.weight"]
    save_file({key: tensor.clone() for key, tensor in weights.items()}, shard)
    with pytest.raises(CheckpointError, match=r"promises lm_head\.weight in this shard"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path)
    shard.unlink()
    with pytest.raises(ModelNotFoundError, match=f"the shard {shard.name} is missing"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "weight_map", [None, [], {"a": 1}, {"a": "../../secret.bin"}, {"a": "/etc/passwd"}]
)
def test_an_index_that_points_elsewhere_or_nowhere(tmp_path, weight_map):
    write_index(tmp_path, weight_map)
    with pytest.raises(CheckpointError, match="weight_map must name a file of this folder"):
        find_weights(tmp_path, HubOptions())


def test_an_index_that_is_not_json(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        find_weights(tmp_path, HubOptions())


def test_one_file_is_taken_before_shards(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text("{")
    assert list(read_weights(find_weights(tmp_path, HubOptions()))) == ["a"]


def test_variants_are_named_as_by_the_reference():
    assert with_variant("model.safetensors", "fp16") == "model.fp16.safetensors"
    assert with_variant("pytorch_model.bin", None) == "pytorch_model.bin"
    index = with_variant("model.safetensors.index.json", "fp16")
    assert index == "model.safetensors.index.fp16.json"


@pytest.mark.parametrize(
    "content",
    [b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", b"<!DOCTYPE html><p>404"],
)
def test_a_page_or_a_pointer_is_no_pickle(tmp_path, content):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="no weights, but something else"):
        read_weight_file(path)


def test_tensors_without_names_are_no_weights(tmp_path):
    torch.save({1: torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="tensors by name"):
        read_weight_file(tmp_path / "pytorch_model.bin")
