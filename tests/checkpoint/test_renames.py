"""Keys of checkpoints and keys of models, without any tensor."""

from __future__ import annotations

import pytest

from w2v_cli.checkpoint.renames import (
    abbreviate,
    absent_parts,
    is_foreign,
    match_keys,
    older_weight_norm,
    with_older_weight_norm,
)

CONV = "encoder.pos_conv_embed.conv"
OLDER = f"{CONV}.weight_g"
NEWER = f"{CONV}.parametrizations.weight.original0"


@pytest.mark.parametrize(
    ("model_key", "checkpoint_key"),
    [
        ("a.weight", "a.weight"),
        (NEWER, OLDER),
        (OLDER, NEWER),
        (f"wav2vec2.{NEWER}", OLDER),
        (NEWER, f"wav2vec2.{OLDER}"),
        (f"wav2vec2.{OLDER}", f"wav2vec2.{NEWER}"),
        ("layer_norm.weight", "layer_norm.gamma"),
        ("layer_norm.bias", "wav2vec2.layer_norm.beta"),
        ("wav2vec2.masked_spec_embed", "masked_spec_embed"),
        ("masked_spec_embed", "wav2vec2.masked_spec_embed"),
    ],
)
def test_a_weight_is_found_under_each_of_its_names(model_key, checkpoint_key):
    match = match_keys([model_key], [checkpoint_key], prefix="wav2vec2")
    assert match.source_of == {model_key: checkpoint_key}
    assert match.missing == match.unexpected == []


@pytest.mark.parametrize("checkpoint_key", ["b.weight", "a.weights", "hubert.a.weight", "a"])
def test_another_name_is_no_match(checkpoint_key):
    match = match_keys(["a.weight"], [checkpoint_key], prefix="wav2vec2")
    assert match.source_of == {}
    assert match.missing == ["a.weight"]
    assert match.unexpected == [checkpoint_key]


@pytest.mark.parametrize("keys", [["a.w", "wav2vec2.a.w"], ["wav2vec2.a.w", "a.w"]])
def test_the_exact_name_wins_over_a_renamed_one(keys):
    match = match_keys(["a.w"], keys, prefix="wav2vec2")
    assert match.source_of == {"a.w": "a.w"}
    assert match.unexpected == ["wav2vec2.a.w"]


def test_weight_norm_is_spelled_both_ways():
    assert older_weight_norm(["lm_head.bias", OLDER])
    assert not older_weight_norm([NEWER])
    assert with_older_weight_norm(NEWER) == OLDER
    assert with_older_weight_norm("lm_head.weight") == "lm_head.weight"


WITH_HEAD = [
    "wav2vec2.masked_spec_embed",
    "wav2vec2.encoder.layers.0.attention.q_proj.bias",
    "wav2vec2.encoder.layers.0.adapter_layer.norm.bias",
    "wav2vec2.encoder.layers.1.adapter_layer.norm.bias",
    "wav2vec2.adapter.layers.0.conv.bias",
    "layer_weights",
    "projector.bias",
    "classifier.bias",
]


@pytest.mark.parametrize(
    ("missing", "absent"),
    [
        (["projector.bias", "classifier.bias"], True),
        (["classifier.bias"], False),
        (["layer_weights"], True),
        (["wav2vec2.masked_spec_embed"], True),
        (["wav2vec2.adapter.layers.0.conv.bias"], True),
        (["wav2vec2.encoder.layers.0.adapter_layer.norm.bias"], False),
        ([f"wav2vec2.encoder.layers.{layer}.adapter_layer.norm.bias" for layer in (0, 1)], True),
        (["wav2vec2.encoder.layers.0.attention.q_proj.bias"], False),
    ],
)
def test_a_whole_part_may_be_absent_and_half_a_part_may_not(missing, absent):
    assert absent_parts(WITH_HEAD, missing, prefix="wav2vec2") == (missing if absent else [])


def test_a_head_of_another_task_with_a_name_in_common_counts_as_absent():
    found = absent_parts(WITH_HEAD, ["projector.bias"], ["classifier.bias"], prefix="wav2vec2")
    assert found == ["projector.bias"]


def test_without_a_head_the_encoder_is_no_optional_part():
    bare = [key.removeprefix("wav2vec2.") for key in WITH_HEAD[:5]]
    assert absent_parts(bare, bare, prefix="wav2vec2") == [bare[0], *bare[2:]]


@pytest.mark.parametrize(
    ("key", "foreign"),
    [
        ("lm_head.weight", True),
        ("quantizer.weight_proj.bias", True),
        ("tdnn.0.kernel.weight", True),
        ("layer_weights", True),
        ("feature_extractor.weight", True),
        ("feature_extractor.conv_layers.7.conv.weight", False),
        ("masked_spec_embed", True),
        ("wav2vec2.masked_spec_embed", True),
        ("wav2vec2.lm_head.weight", False),
        ("encoder.layers.9.attention.q_proj.bias", False),
        ("layer_weights_2", False),
        ("something", False),
    ],
)
def test_the_heads_of_other_tasks_are_known(key, foreign):
    assert is_foreign(key, prefix="wav2vec2") == foreign


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ([], ""),
        (["a.b"], "a.b"),
        (["l.3.b"], "l.3.b"),
        (["l.0.b", "x", "l.1.b", "l.3.b"], "l.{0-1,3}.b, x"),
        (["l.0.w", "l.0.b", "l.1.w", "l.1.b"], "l.{0-1}.w, l.{0-1}.b"),
    ],
)
def test_layers_are_drawn_together_in_a_list(keys, text):
    assert abbreviate(keys) == text
