"""config.json, read and written as by the reference."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from small_models import SMALL

from w2v_cli import Wav2Vec2Config
from w2v_cli.errors import CheckpointError, ModelNotFoundError, WriteError

CHANGES = [
    {},
    {"num_labels": 7, "problem_type": "regression"},
    {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}},
    {"dtype": "float16", "architectures": ["Wav2Vec2ForCTC"]},
    {"add_adapter": True, "adapter_attn_dim": 8, "own": {"field": [1.5, None]}},
    {"layer_norm_eps": float("inf"), "pad_token_id": None, "output_hidden_states": True},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_the_file_is_the_references_byte_by_byte(tmp_path, changes):
    Wav2Vec2Config(**{**SMALL, **changes}).save_pretrained(tmp_path / "ours")
    transformers.Wav2Vec2Config(**{**SMALL, **changes}).save_pretrained(tmp_path / "reference")
    ours, theirs = (tmp_path / side / "config.json" for side in ("ours", "reference"))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("changes", CHANGES)
def test_either_reads_what_the_other_wrote(tmp_path, changes):
    written = transformers.Wav2Vec2Config(**{**SMALL, **changes})
    written.save_pretrained(tmp_path)
    read = Wav2Vec2Config.from_pretrained(tmp_path)
    again = transformers.Wav2Vec2Config.from_pretrained(tmp_path)
    assert read.to_dict() == again.to_dict()
    read.save_pretrained(tmp_path / "ours")
    assert transformers.Wav2Vec2Config.from_pretrained(tmp_path / "ours") == again


def test_fields_may_be_replaced_and_the_rest_is_handed_back(tmp_path):
    Wav2Vec2Config(**SMALL).save_pretrained(tmp_path)
    how = {"vocab_size": 99, "num_labels": 4, "no_such_field": 1, "output_attentions": True}
    read, unused = Wav2Vec2Config.from_pretrained(tmp_path, return_unused_kwargs=True, **how)
    theirs, their_unused = transformers.Wav2Vec2Config.from_pretrained(
        tmp_path, return_unused_kwargs=True, **how
    )
    assert unused == their_unused == {"no_such_field": 1}
    assert read.to_dict() == theirs.to_dict()
    assert read.vocab_size == 99


def test_places_to_look_are_no_fields(tmp_path):
    Wav2Vec2Config(**SMALL).save_pretrained(tmp_path / "inner")
    read, unused = Wav2Vec2Config.from_pretrained(
        tmp_path,
        subfolder="inner",
        revision="main",
        cache_dir=None,
        token=None,
        local_files_only=True,
        force_download=False,
        trust_remote_code=False,
        return_unused_kwargs=True,
    )
    assert unused == {}
    assert read.hidden_size == SMALL["hidden_size"]


def test_the_dictionary_alone(tmp_path):
    Wav2Vec2Config(**SMALL).save_pretrained(tmp_path)
    content, kwargs = Wav2Vec2Config.get_config_dict(tmp_path, revision="main", other=3)
    assert content == json.loads((tmp_path / "config.json").read_text())
    assert kwargs == {"other": 3}


def test_the_file_may_be_named_itself(tmp_path):
    Wav2Vec2Config(**SMALL).save_pretrained(tmp_path)
    renamed = (tmp_path / "config.json").rename(tmp_path / "mine.json")
    for name in (renamed, str(renamed)):
        assert Wav2Vec2Config.from_pretrained(name).hidden_size == SMALL["hidden_size"]


def test_the_encoder_of_a_larger_model_is_found(tmp_path):
    content = {
        "model_type": "speech-encoder-decoder",
        "decoder": {"model_type": "gpt2"},
        "encoder": {"model_type": "wav2vec2", "hidden_size": 24, "num_attention_heads": 2},
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert Wav2Vec2Config.from_pretrained(tmp_path).hidden_size == 24


def test_the_type_of_older_files(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2", "torch_dtype": "float16"}')
    assert Wav2Vec2Config.from_pretrained(tmp_path).dtype == torch.float16


def test_another_kind_of_model(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    with pytest.raises(CheckpointError, match="this is a whisper model, and a wav2vec2 model is"):
        Wav2Vec2Config.from_pretrained(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\xff"])
def test_a_file_that_is_not_a_json_object(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"config\.json: ") as caught:
        Wav2Vec2Config.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "field", [{"conv_dim": [1, 2]}, {"dtype": "floaty"}, {"conv_dim": 3}, {"layer_norm_eps": None}]
)
def test_a_file_whose_fields_make_no_network(tmp_path, field):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2", **field}))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Wav2Vec2Config.from_pretrained(tmp_path)


def test_a_folder_without_one(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"there is no config\.json, so this is not"):
        Wav2Vec2Config.from_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"there is no config\.json in inner"):
        Wav2Vec2Config.from_pretrained(tmp_path, subfolder="inner")


def test_nothing_is_uploaded(tmp_path):
    with pytest.raises(ValueError, match="nothing is uploaded"):
        Wav2Vec2Config().save_pretrained(tmp_path, push_to_hub=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="this is a file"):
        Wav2Vec2Config().save_pretrained(tmp_path / "file")
