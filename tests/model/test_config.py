from __future__ import annotations

import json
import math

import pytest
import torch
import transformers
from transformers import GenerationConfig

from w2v_cli import Wav2Vec2Config
from w2v_cli.model.generation_fields import GENERATION_FIELDS

CHANGES = [
    {},
    {"num_labels": 5, "problem_type": "multi_label_classification"},
    {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}},
    {"conv_dim": [8, 8], "conv_stride": [5, 4], "conv_kernel": [10, 8]},
    {"add_adapter": True, "output_hidden_size": 64, "adapter_attn_dim": 16},
    {"architectures": ["Wav2Vec2ForCTC"], "dtype": "float16"},
    {"torch_dtype": "bfloat16"},
    {"gradient_checkpointing": True, "feat_extract_dropout": 0.0, "anything": {"a": [1, None]}},
    {"output_hidden_states": True, "output_attentions": True, "return_dict": False},
    {"layerdrop": math.inf},
    {"vocab_size": None, "pad_token_id": None},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: ",".join(changes))
def test_dictionaries_and_files_equal_the_reference(changes):
    ours = Wav2Vec2Config(**changes)
    reference = transformers.Wav2Vec2Config(**changes)
    assert ours.to_dict() == reference.to_dict()
    assert ours.to_json_string() == reference.to_json_string()
    assert ours.to_json_string(use_diff=False) == reference.to_json_string(use_diff=False)
    for config in (ours, reference):
        again = Wav2Vec2Config.from_dict(config.to_dict())
        assert again.to_dict() == ours.to_dict()


def test_every_published_field_with_its_default():
    published = transformers.Wav2Vec2Config()
    ours = Wav2Vec2Config()
    names = {name for name in vars(published) if not name.startswith("_")}
    differing = {
        name: (getattr(ours, name), getattr(published, name))
        for name in names - {"transformers_version"}
        if getattr(ours, name) != getattr(published, name)
    }
    assert differing == {}


def test_unknown_fields_survive_a_file(tmp_path):
    Wav2Vec2Config(speciality={"nested": [1, 2]}).to_json_file(tmp_path / "config.json")
    again = Wav2Vec2Config.from_json_file(tmp_path / "config.json")
    assert again.speciality == {"nested": [1, 2]}
    assert "speciality" in json.loads(again.to_json_string())


@pytest.mark.parametrize(
    "lists", [{"conv_dim": (8,) * 6}, {"conv_stride": (2,) * 8}, {"conv_kernel": ()}]
)
def test_inconsistent_convolutions_are_refused(lists):
    with pytest.raises(ValueError, match="one length"):
        Wav2Vec2Config(**lists)


def test_another_number_of_convolutions_may_be_asked_of_a_configuration():
    lists = {"conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3)}
    config = Wav2Vec2Config.from_dict(Wav2Vec2Config().to_dict(), **lists)
    assert config.num_feat_extract_layers == 2
    with pytest.raises(ValueError, match="one length"):
        Wav2Vec2Config.from_dict(Wav2Vec2Config().to_dict(), conv_dim=(8, 8))


def test_a_number_of_convolutions_that_is_not_theirs_is_refused():
    with pytest.raises(ValueError, match="num_feat_extract_layers = 3"):
        Wav2Vec2Config(num_feat_extract_layers=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", "128"),
        ("hidden_size", 128.0),
        ("hidden_size", True),
        ("hidden_act", None),
        ("mask_time_prob", None),
        ("conv_bias", "yes"),
        ("conv_dim", [8.0] * 7),
        ("conv_kernel", 3),
        ("pad_token_id", "x"),
        ("eos_token_id", ["x"]),
    ],
)
def test_values_of_another_kind_are_refused_by_name_as_published(name, value):
    with pytest.raises(Exception, match=name):
        transformers.Wav2Vec2Config(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}: needs "):
        Wav2Vec2Config(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}: needs "):
        Wav2Vec2Config.from_dict({}, **{name: value})


def test_a_one_class_classifier_is_refused():
    with pytest.raises(ValueError, match="num_labels=2"):
        Wav2Vec2Config(problem_type="single_label_classification", num_labels=1)


def test_attention_weights_need_eager_attention():
    config = Wav2Vec2Config(attn_implementation="sdpa")
    with pytest.raises(ValueError, match="eager"):
        config.output_attentions = True
    config = Wav2Vec2Config()
    config.output_attentions = True
    assert config._attn_implementation == "eager"
    with pytest.raises(ValueError, match="eager"):
        Wav2Vec2Config(attn_implementation="sdpa", output_attentions=True)


@pytest.mark.parametrize("given", [{}, {"attn_implementation": "sdpa"}])
def test_the_stored_name_of_the_attention_counts_as_published(given):
    given["_attn_implementation"] = "eager"
    ours, published = Wav2Vec2Config(**given), transformers.Wav2Vec2Config(**given)
    assert ours._attn_implementation == published._attn_implementation == "eager"
    assert "_attn_implementation" not in ours.to_dict()


def test_fields_given_by_name_take_precedence_and_the_rest_comes_back():
    stored = Wav2Vec2Config(hidden_size=32).to_dict()
    config, unused = Wav2Vec2Config.from_dict(
        stored, hidden_size=64, num_labels=4, dtype="float16", nowhere=1, return_unused_kwargs=True
    )
    assert (config.hidden_size, config.num_labels, config.dtype) == (64, 4, torch.float16)
    assert unused == {"nowhere": 1}
    assert stored == Wav2Vec2Config(hidden_size=32).to_dict(), "the given mapping was changed"


def test_update_from_string_reads_values_as_their_fields_types():
    config = Wav2Vec2Config()
    config.update_from_string("hidden_size=5,hidden_dropout=0.25,conv_bias=yes,hidden_act=relu")
    assert (config.hidden_size, config.hidden_dropout, config.conv_bias, config.hidden_act) == (
        (5, 0.25, True, "relu")
    )
    with pytest.raises(ValueError, match="no field 'nonsense'"):
        config.update_from_string("nonsense=1")
    with pytest.raises(ValueError, match="neither true nor false"):
        config.update_from_string("conv_bias=perhaps")
    with pytest.raises(TypeError, match="conv_dim"):
        config.update_from_string("conv_dim=1")


def test_fields_about_making_texts_are_neither_kept_nor_saved():
    fields = GenerationConfig._get_default_generation_params()
    assert set(GENERATION_FIELDS) == set(fields)
    ours, reference = Wav2Vec2Config(**fields), transformers.Wav2Vec2Config(**fields)
    assert ours.to_json_string() == reference.to_json_string()
    assert not hasattr(Wav2Vec2Config(top_k=5), "top_k")


def test_ratio_of_samples_to_frames():
    assert Wav2Vec2Config().inputs_to_logits_ratio == 320
