"""What a checkpoint and a model do not have in common: drawn afresh, left out, or named."""

from __future__ import annotations

import re

import pytest
import torch
import transformers
from small_models import (
    HEADS,
    STABLE,
    assert_drawn_alike,
    assert_same_weights,
    class_of,
    load,
    our_model,
    reference_model,
    rewrite_weights,
    with_older_weight_norm,
)

import w2v_cli
from w2v_cli.errors import CheckpointError, ModelNotFoundError


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


def test_a_folder_without_weights_or_configuration(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"there is no config\.json"):
        load("ForCTC", tmp_path)
    with pytest.raises(OSError, match=r"config\.json"):  # what the reference raises
        load("ForCTC", tmp_path)
    our_model("ForCTC").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"no weights \(model\.safetensors or pytorch"):
        load("ForCTC", tmp_path)


class TwoHeads(w2v_cli.Wav2Vec2PreTrainedModel):
    """A caller's own class: a published head beside one of its own."""

    def __init__(self, config):
        super().__init__(config)
        self.wav2vec2 = w2v_cli.Wav2Vec2Model(config)
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size)
        self.emotion = torch.nn.Linear(config.hidden_size, 4)
        self.post_init()


def test_a_head_of_the_callers_own_is_fresh_beside_one_of_the_checkpoint(tmp_path, warned):
    reference = reference_model("ForCTC")
    reference.save_pretrained(tmp_path)
    model = TwoHeads.from_pretrained(tmp_path)
    assert torch.equal(model.lm_head.weight, reference.lm_head.weight)
    assert torch.isfinite(model.emotion.weight).all()
    assert "emotion.weight, emotion.bias" in warned()


def test_what_a_class_says_may_be_missing_or_too_many_is_so(tmp_path, warned):
    class Forgiving(w2v_cli.Wav2Vec2ForCTC):
        _keys_to_ignore_on_load_missing = (r"lm_head\.bias",)
        _keys_to_ignore_on_load_unexpected = (r"^extra\.",)

    reference_model("ForCTC").save_pretrained(tmp_path)

    def change(weights):
        del weights["lm_head.bias"]
        return {**weights, "extra.weight": torch.ones(2)}

    rewrite_weights(tmp_path, change)
    with pytest.raises(CheckpointError, match=r"missing: lm_head.bias; unexpected: extra.weight"):
        w2v_cli.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    model, info = Forgiving.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert torch.isfinite(model.lm_head.bias).all()
    Forgiving.from_pretrained(tmp_path)
    assert "lm_head.bias" not in warned()
