"""What is saved here is what the reference would save, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from small_models import (
    HEADS,
    WITH_ADAPTERS,
    assert_same_weights,
    class_of,
    our_model,
    reference_model,
    rewrite_weights,
    with_older_weight_norm,
)

import w2v_cli
from w2v_cli.errors import WriteError

SHARD = "40KB"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("changes", [{}, {**WITH_ADAPTERS, "num_labels": 2}])
@pytest.mark.parametrize("head", HEADS)
def test_the_reference_loads_it_bit_by_bit(tmp_path, head, changes):
    model = our_model(head, **changes)
    model.save_pretrained(tmp_path)
    reference, info = class_of(transformers, head).from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert_same_weights(model, reference)
    assert not any(info.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("max_shard_size", ["50GB", SHARD, 100_000])
@pytest.mark.parametrize("head", HEADS)
def test_every_byte_is_the_references(tmp_path, head, max_shard_size, dtype):
    reference = reference_model(head).to(dtype)
    reference.save_pretrained(tmp_path / "reference", max_shard_size=max_shard_size)
    model = our_model(head).to(dtype)
    model.load_state_dict(reference.state_dict())
    model.save_pretrained(tmp_path / "ours", max_shard_size=max_shard_size)
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "reference")
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name] == theirs[name], name


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("head", ["ForCTC", "ForPreTraining"])
def test_every_byte_of_a_loaded_model_in_shards_is_the_references(tmp_path, head, older):
    reference_model(head, num_hidden_layers=11).save_pretrained(tmp_path / "source")
    for name, library in (("reference", transformers), ("ours", w2v_cli)):
        model = class_of(library, head).from_pretrained(tmp_path / "source")
        model.save_pretrained(tmp_path / name, max_shard_size=60_000, save_original_format=older)
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "reference")
    assert len(theirs) > 5
    assert ours == theirs


def test_the_file_says_whose_tensors_it_holds(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_shards_are_loaded_by_either(tmp_path, head):
    model = our_model(head)
    model.save_pretrained(tmp_path, max_shard_size=SHARD)
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 3
    assert_same_weights(class_of(w2v_cli, head).from_pretrained(tmp_path), model)
    assert_same_weights(class_of(transformers, head).from_pretrained(tmp_path), model)


def test_a_reference_model_in_shards_is_loaded(tmp_path):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path, max_shard_size=SHARD)
    assert_same_weights(w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path), reference)


def test_no_shard_is_larger_than_asked_unless_one_weight_is(tmp_path):
    our_model("ForCTC").save_pretrained(tmp_path, max_shard_size="20KB")
    for path in tmp_path.glob("model-*.safetensors"):
        weights = load_file(path)
        assert len(weights) == 1 or sum(tensor.nbytes for tensor in weights.values()) <= 20_000


@pytest.mark.parametrize(("first", "second"), [("50GB", SHARD), (SHARD, "50GB"), (SHARD, "90KB")])
def test_weights_of_an_earlier_save_do_not_stay(tmp_path, first, second):
    our_model("ForCTC").save_pretrained(tmp_path, max_shard_size=first)
    (tmp_path / "adapter.fra.safetensors").write_bytes(b"stays")
    (tmp_path / "model.fp16.safetensors").write_bytes(b"stays")
    later = reference_model("ForCTC")
    model = our_model("ForCTC")
    model.load_state_dict(later.state_dict())
    model.save_pretrained(tmp_path, max_shard_size=second)
    assert_same_weights(w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path), later)
    alone = tmp_path / "alone"
    model.save_pretrained(alone, max_shard_size=second)
    kept = {"adapter.fra.safetensors", "model.fp16.safetensors", "alone"}
    assert {path.name for path in tmp_path.iterdir()} == {*contents(alone), *kept}


@pytest.mark.parametrize("keep", [True, False])
def test_weight_norm_is_spelled_as_it_was_loaded(tmp_path, keep):
    reference_model("ForCTC").save_pretrained(tmp_path / "older")
    rewrite_weights(tmp_path / "older", with_older_weight_norm)
    model = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path / "older")
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path / "older")
    model.save_pretrained(tmp_path / "ours", save_original_format=keep)
    reference.save_pretrained(tmp_path / "reference", save_original_format=keep)
    ours, theirs = (
        (tmp_path / folder / "model.safetensors").read_bytes() for folder in ("ours", "reference")
    )
    assert ours == theirs
    assert (b"weight_g" in ours) == keep


def test_weights_that_share_memory_are_written_twice(tmp_path):
    model = our_model("ForSequenceClassification", num_hidden_layers=2)
    layers = model.wav2vec2.encoder.layers
    layers[1].attention.q_proj.weight = layers[0].attention.q_proj.weight
    model.save_pretrained(tmp_path)
    assert_same_weights(w2v_cli.Wav2Vec2ForSequenceClassification.from_pretrained(tmp_path), model)


def test_another_state_dict_may_be_saved(tmp_path):
    model = our_model("ForCTC")
    weights = {key: tensor + 1 for key, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path, state_dict=weights)
    loaded = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    assert torch.equal(loaded.lm_head.bias, model.lm_head.bias + 1)


def test_a_transposed_weight_is_written_in_order(tmp_path):
    model = our_model("ForCTC")
    weight = model.lm_head.weight.detach().T.contiguous().T
    assert not weight.is_contiguous()
    model.lm_head.weight = torch.nn.Parameter(weight)
    model.save_pretrained(tmp_path)
    assert_same_weights(w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path), model)


def test_another_process_writes(tmp_path):
    our_model("Model").save_pretrained(tmp_path / "folder", is_main_process=False)
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"push_to_hub": True}, "nothing is uploaded"),
        ({"distributed_checkpoint": True}, "only safetensors"),
        ({"safe_serialization": False}, "only safetensors"),
        ({"max_shard_size": "5 apples"}, "give bytes, or a size"),
    ],
)
def test_arguments_that_are_not_possible(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        our_model("Model").save_pretrained(tmp_path / "folder", **arguments)
    assert not (tmp_path / "folder").exists()


def test_arguments_of_published_code_are_taken(tmp_path):
    """As accelerate's examples save: the function is theirs, the file is the same."""
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "plain")
    model.save_pretrained(
        tmp_path / "taken",
        save_function=torch.save,
        token=None,
        save_peft_format=True,
        commit_message="as the trainer's callbacks give it",
        private=True,
    )
    assert contents(tmp_path / "taken") == contents(tmp_path / "plain")
    with pytest.raises(TypeError, match="no argument safe_serialisation"):
        model.save_pretrained(tmp_path / "misspelt", safe_serialisation=True)


def test_what_cannot_be_uploaded_says_what_to_do():
    for thing in (our_model("Model"), w2v_cli.Wav2Vec2FeatureExtractor()):
        with pytest.raises(ValueError, match="hf upload"):
            thing.push_to_hub("owner/name")


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(WriteError, match=str(place)):
            our_model("Model").save_pretrained(place)


def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(WriteError, match="cannot be written"):
        our_model("Model").save_pretrained(tmp_path)


SAVE_ON_A_SMALL_DISK = """
import resource, signal, sys
import torch
from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.errors import WriteError
model = Wav2Vec2ForCTC.from_pretrained(sys.argv[1], dtype=torch.float32)
with torch.no_grad():
    model.lm_head.weight += 1
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    model.save_pretrained(sys.argv[1])
except WriteError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_disk_that_fills_up_leaves_the_older_model_whole(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    completed = subprocess.run(
        [sys.executable, "-c", SAVE_ON_A_SMALL_DISK, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = f"{tmp_path / 'model.safetensors'}: the disk is full; make room"
    assert completed.stdout.startswith(wanted)
    assert contents(tmp_path) == before


def test_saving_does_not_depend_on_the_home_of_the_model(tmp_path):
    model = our_model("ForCTC")
    model.save_pretrained(tmp_path / "a")
    loaded = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path / "a")
    loaded.save_pretrained(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_loaded_reference_configuration_keeps_its_unknown_fields(tmp_path):
    config: dict[str, Any] = {"our_own_field": {"nested": [1, None]}}
    model = our_model("ForCTC", **config)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["our_own_field"] == {
        "nested": [1, None]
    }
    loaded = w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    assert loaded.config.our_own_field == {"nested": [1, None]}
