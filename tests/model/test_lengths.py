from __future__ import annotations

import pytest
import torch


def test_formula_equals_the_real_length_for_every_number_of_samples(pair):
    """From the receptive field to 4,000 samples; the convolutions alone decide."""
    _, model = pair("Model", conv_dim=[2] * 7)
    with torch.inference_mode():
        for n_samples in range(400, 4001):
            features = model.feature_extractor(torch.zeros(1, n_samples))
            assert features.shape[-1] == model._get_feat_extract_output_lengths(n_samples)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_adapters_shorten_by_their_own_formula(pair, n_layers):
    _, model = pair("Model", add_adapter=True, num_adapter_layers=n_layers)
    with torch.inference_mode():
        for n_samples in range(4000, 12000, 331):
            output = model(torch.zeros(1, n_samples)).last_hidden_state
            assert output.shape[1] == model._get_feat_extract_output_lengths(n_samples)


def test_lengths_of_many_recordings_at_once(pair):
    reference, ours = pair("ForXVector")
    lengths = torch.arange(400, 20000, 77)
    assert torch.equal(
        ours._get_feat_extract_output_lengths(lengths),
        reference._get_feat_extract_output_lengths(lengths),
    )
    frames = torch.arange(20, 60)
    assert torch.equal(
        ours._get_tdnn_output_lengths(frames), reference._get_tdnn_output_lengths(frames)
    )
    attention_mask = (torch.arange(20000)[None] < lengths[:, None]).long()
    assert torch.equal(
        ours._get_feature_vector_attention_mask(62, attention_mask),
        reference._get_feature_vector_attention_mask(62, attention_mask),
    )


@pytest.mark.parametrize("kernels", [[5, 3], [5, 3, 1, 1, 1, 3]])
def test_layers_of_a_head_are_as_many_as_it_has_widths(pair, batch, kernels):
    """Though lists for more layers, as by default, stay in the configuration."""
    changes = {"tdnn_dim": [24, 24], "tdnn_kernel": kernels}
    reference, ours = pair("ForXVector", **changes)
    input_values, attention_mask = batch
    for model in (reference, ours):
        model.eval()
    expected = reference(input_values, attention_mask=attention_mask)
    got = ours(input_values, attention_mask=attention_mask)
    torch.testing.assert_close(got.embeddings, expected.embeddings, atol=1e-5, rtol=1e-4)
    ours.padding_invariant = True
    alone = ours(input_values[2:, :8000], attention_mask=attention_mask[2:, :8000])
    got = ours(input_values, attention_mask=attention_mask)
    torch.testing.assert_close(got.embeddings[2:], alone.embeddings, atol=1e-5, rtol=1e-4)
