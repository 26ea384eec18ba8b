"""The form for inference gives what the trained form gives, which equals the reference."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import w2v_cli
from w2v_cli.inference.form import (
    FloatProducts,
    build,
    features,
    has_form,
    inference_form,
    layers,
    products_dtype,
    why_not,
)
from w2v_cli.inference.form.layers import narrow_attention
from w2v_cli.inference.form.positions import FoldedPositions, SpectralPositions, positions_form
from w2v_cli.inference.moments import MomentsSurvey

HEADS = [
    "Model",
    "ForCTC",
    "ForSequenceClassification",
    "ForAudioFrameClassification",
    "ForXVector",
    "ForPreTraining",
]
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 64,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 24,
    "tdnn_dim": [24, 24, 24, 24, 40],
    "xvector_output_dim": 20,
    "num_labels": 6,
    "codevector_dim": 16,
    "proj_codevector_dim": 20,
    "num_codevectors_per_group": 12,
    "vocab_size": 11,
    "initializer_range": 0.15,  # so that small layers pass on differences as large ones do
}
NORMS = {
    "group": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "group norm with a bias": {"conv_bias": True},
    "group norm, norms before": {"do_stable_layer_norm": True},
    "layer norm, norms after": {"feat_extract_norm": "layer"},
    "narrow positions": {"num_conv_pos_embedding_groups": 4},
    "odd positions": {"num_conv_pos_embeddings": 65},
    "other activations": {"hidden_act": "relu", "feat_extract_activation": "gelu_new"},
    "language adapter": {**NORMS["layer"], "adapter_attn_dim": 8},
    "adapter": {"add_adapter": True},
    "adapter of another width": {**NORMS["layer"], "add_adapter": True, "output_hidden_size": 40},
    "mini's convolutions": {
        **NORMS["layer"],
        "conv_dim": [8, 12, 16],
        "conv_kernel": [160, 8, 4],
        "conv_stride": [20, 4, 4],
    },
}
LENGTHS = (8000, 7123, 5999)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(features, "_TILE_BYTES", 5 * 64 * 16 * 4)  # five frames of SMALL
    monkeypatch.setattr(features, "_SURVEY_SAMPLES", 1000)


def both_forms(head: str, norm: str = "group", **changes: Any) -> tuple[Any, Any]:
    """Return a small model as trained, and the same in the form for inference."""
    torch.manual_seed(0)
    config = w2v_cli.Wav2Vec2Config(**{**SMALL, **NORMS[norm], **changes})
    trained = getattr(w2v_cli, f"Wav2Vec2{head}")(config).eval()
    for parameter in trained.parameters():  # biases and norms start as zeros and ones
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return trained, inference_form(copy.deepcopy(trained))


def recordings(lengths: tuple[int, ...] = LENGTHS) -> tuple[torch.Tensor, torch.Tensor]:
    """Return recordings (batch, samples), padded by zeros, and which samples are real."""
    generator = torch.Generator().manual_seed(7)
    mask = (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]).long()
    return torch.randn(len(lengths), max(lengths), generator=generator) * mask, mask


def assert_alike(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert got.shape == expected.shape
    scale = max(1.0, float(expected.abs().max()))
    assert float((got - expected).abs().max()) <= 2e-5 * scale


def assert_outputs_alike(got: Any, expected: Any, n_frames: list[int] | None = None) -> None:
    """Fail unless all fields are alike; of padded frames only what the published form defines."""
    assert list(got) == list(expected)
    for name in expected:
        pairs = [(got[name], expected[name])]
        if isinstance(expected[name], tuple):
            pairs = list(zip(got[name], expected[name], strict=True))
        for ours, theirs in pairs:
            if n_frames is not None and ours.ndim == 3 and ours.shape[1] == max(n_frames):
                for row, n in enumerate(n_frames):
                    assert_alike(ours[row, :n], theirs[row, :n])
            else:
                assert_alike(ours, theirs)


@pytest.mark.parametrize("norm", list(NORMS))
@pytest.mark.parametrize("head", HEADS)
def test_every_head_gives_the_same_with_its_hidden_states(head, norm):
    trained, form = both_forms(head, norm)
    values, _ = recordings()
    with torch.inference_mode():
        expected = trained(values, output_hidden_states=True)
        assert_outputs_alike(form(values, output_hidden_states=True), expected)


@pytest.mark.parametrize("invariant", [False, True], ids=["as published", "padding invariant"])
@pytest.mark.parametrize("norm", list(NORMS))
@pytest.mark.parametrize("head", HEADS[:5])
def test_padded_batches_give_the_same(head, norm, invariant):
    trained, form = both_forms(head, norm)
    values, mask = recordings()
    trained.padding_invariant = form.padding_invariant = invariant
    n_frames = trained._get_feat_extract_output_lengths(mask.sum(-1)).tolist()
    with torch.inference_mode():
        expected = trained(values, attention_mask=mask, output_hidden_states=True)
        got = form(values, attention_mask=mask, output_hidden_states=True)
    assert_outputs_alike(got, expected, n_frames)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_gives_the_same(variant):
    trained, form = both_forms("ForCTC", **VARIANTS[variant])
    values, mask = recordings()
    trained.padding_invariant = form.padding_invariant = True
    n_frames = trained._get_feat_extract_output_lengths(mask.sum(-1)).tolist()
    with torch.inference_mode():
        assert_outputs_alike(form(values[:1]), trained(values[:1]))
        got, expected = form(values, attention_mask=mask), trained(values, attention_mask=mask)
    assert_outputs_alike(got, expected, n_frames)


@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForXVector"])
def test_a_sum_of_layers_gives_the_same(head):
    trained, form = both_forms(head, use_weighted_layer_sum=True)
    values, mask = recordings()
    with torch.inference_mode():
        got, expected = form(values, attention_mask=mask), trained(values, attention_mask=mask)
    assert_outputs_alike(got, expected)


@pytest.mark.parametrize("norm", list(NORMS))
def test_every_length_from_one_frame_on_gives_the_same(norm):
    trained, form = both_forms("ForCTC", norm)
    values, _ = recordings((9000,))
    lengths = [*range(400, 2400, 77), *range(719, 722), 9000]
    with torch.inference_mode():
        for length in lengths:
            got, expected = form(values[:, :length]), trained(values[:, :length])
            assert_outputs_alike(got, expected)


@pytest.mark.parametrize("window", [1, 7, 70])
def test_frames_that_attend_to_what_is_near_give_the_same(window):
    trained, form = both_forms("ForCTC")
    values, mask = recordings((70000, 51000))  # 218 frames: several blocks of each window
    trained.attention_window = form.attention_window = window
    trained.padding_invariant = form.padding_invariant = True
    with torch.inference_mode():
        assert_outputs_alike(form(values[:1]), trained(values[:1]))
        got, expected = form(values, attention_mask=mask), trained(values, attention_mask=mask)
        form.attention_window = None
        whole = form(values[:1])
    assert_outputs_alike(got, expected, [218, 159])
    assert float((whole.logits - got.logits[:1]).abs().max()) > 0.01, "the window does nothing"


def test_parts_of_a_recording_have_the_group_norm_of_all_of_it():
    trained, form = both_forms("ForCTC")
    values, _ = recordings((8000, 8000))
    survey = MomentsSurvey(10, 5)
    survey.add(3 * values[0].numpy() + 1)
    layer = trained.wav2vec2.feature_extractor.conv_layers[0]
    moments = survey.moments().mean_and_variance(layer.conv.weight.detach().numpy()[:, 0], None)
    mean, variance = (torch.from_numpy(np.stack([part, part + 1])).float() for part in moments)
    with torch.inference_mode():
        for model in (trained, form):
            model.wav2vec2.feature_extractor.conv_layers[0].statistics = mean, variance
        assert_outputs_alike(form(values), trained(values))


@pytest.mark.parametrize("loud", [1e-4, 1.0, 1e3])
def test_a_folded_group_norm_is_exact(loud):
    """Against the norm in float64, for quiet and loud recordings that are not centred."""
    trained, form = both_forms("Model")
    values = loud * (recordings((16000,))[0] + 0.5)
    layer = form.feature_extractor.conv_layers[0]
    weight, bias = features.folded(layer, values[0], 0)
    got = values[0].double().unfold(0, 10, 5) @ weight.double() + bias.double()
    exact = trained.double().feature_extractor.conv_layers[0]
    with torch.inference_mode():
        expected = exact.layer_norm(exact.conv(values.double()[:, None]))[0].t()
    assert float((got - expected).abs().max()) < 2e-6


def test_attention_weights_are_returned_where_they_are_calculated():
    trained, form = both_forms("ForCTC", attn_implementation="eager")
    values, mask = recordings()
    given = {"attention_mask": mask, "output_attentions": True}
    n_frames = trained._get_feat_extract_output_lengths(mask.sum(-1)).tolist()
    with torch.inference_mode():
        expected, got = trained(values, **given), form(values, **given)
    assert_outputs_alike(got, expected, n_frames)


@pytest.mark.parametrize(("groups", "kernel"), [(2, 64), (2, 128), (1, 100)])
def test_spectra_of_positions_equal_the_convolution(groups, kernel):
    torch.manual_seed(0)
    config = w2v_cli.Wav2Vec2Config(
        **{
            **SMALL,
            "num_conv_pos_embedding_groups": groups,
            "num_conv_pos_embeddings": kernel,
        }
    )
    trained = w2v_cli.Wav2Vec2Model(config).eval().encoder.pos_conv_embed
    trained.conv.bias.data.normal_()
    with torch.inference_mode():
        form = positions_form(trained)
        assert isinstance(form, SpectralPositions)
        for n_frames in (1, 2, 64, 65, 129, 130, 300):
            hidden = torch.randn(2, n_frames, 64)
            assert_alike(form(hidden), trained(hidden))
        assert_alike(FoldedPositions(trained)(hidden), trained(hidden))


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_products_in_bfloat16_differ_by_rounding_alone(norm):
    trained, _ = both_forms("ForCTC", norm)
    form = inference_form(copy.deepcopy(trained), FloatProducts(torch.bfloat16))
    assert products_dtype(form) is torch.bfloat16
    assert form.dtype is torch.float32
    values, mask = recordings()
    with torch.inference_mode():
        exact = trained(values, attention_mask=mask).logits
        narrow = form(values, attention_mask=mask).logits
    assert narrow.dtype is torch.float32
    assert 1e-4 < (narrow - exact).norm() / exact.norm() < 2e-2


def test_where_a_model_has_a_form(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for is_narrow in (True, False):
        monkeypatch.setattr(build, "multiplies_bfloat16", lambda found=is_narrow: found)
        assert has_form(cpu, torch.float32)
        assert has_form(cpu, torch.bfloat16) == is_narrow
        assert not has_form(cpu, torch.float16)
        assert not has_form(cuda, torch.float32)
    monkeypatch.setattr(build.torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_form(cpu, torch.float32)


def test_what_no_form_is_made_of():
    model = both_forms("ForCTC")[0]
    assert why_not(model) is None
    assert why_not(model.train()) == "it is being trained"
    assert why_not(model.eval().bfloat16()) == "it calculates in bfloat16"
    with pytest.raises(ValueError, match="it calculates in bfloat16"):
        inference_form(model)
    assert why_not(model.to("meta")) == "it runs on meta"


def test_without_onednn_the_trained_form_runs(monkeypatch):
    model = both_forms("ForCTC")[0]
    monkeypatch.setattr(build.torch.backends.mkldnn, "is_available", lambda: False)
    assert why_not(model) == "this PyTorch has no oneDNN"


@pytest.mark.parametrize("scores", [3_000_000, 500], ids=["at once", "in blocks"])
@pytest.mark.parametrize("is_masked", [False, True])
def test_attention_in_bfloat16_is_attention(monkeypatch, scores, is_masked):
    monkeypatch.setattr(layers, "_SCORES", scores)
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 30, 16)
    key = key + 10.0  # what all keys share: it must not take the scores' digits
    visible = torch.rand(2, 1, 30, 30) < 0.7 if is_masked else None
    exact = F.scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=0.25)
    got = narrow_attention(query, key, value, visible, 0.25)
    assert got.shape == exact.shape
    assert float((got - exact).norm() / exact.norm()) < 0.01
