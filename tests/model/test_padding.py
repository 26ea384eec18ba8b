"""With `padding_invariant`, a padded batch gives every recording its own output."""

from __future__ import annotations

import pytest
import torch

CASES = [
    ("Model", {}),
    ("ForCTC", {}),
    ("ForCTC", {"add_adapter": True, "output_hidden_size": 24}),
    ("ForSequenceClassification", {"use_weighted_layer_sum": True}),
    ("ForAudioFrameClassification", {}),
    ("ForXVector", {}),
]


def difference_from_single(model, batch) -> float:
    """Return the largest difference between a recording in a batch and alone."""
    input_values, attention_mask = batch
    worst = 0.0
    with torch.no_grad():
        together = model(input_values, attention_mask=attention_mask)[0]
        for row, mask, output in zip(input_values, attention_mask, together, strict=True):
            alone = model(row[None, : int(mask.sum())])[0][0]
            if alone.dim() == 2:  # (frames, ...): padding's own frames don't matter
                output = output[: len(alone)]
            worst = max(worst, float((alone - output).abs().max()))
    return worst


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize(("head", "changes"), CASES)
def test_a_batch_equals_its_recordings_alone(pair, batch, head, changes, norm):
    _, model = pair(head, norm, **changes)
    model.padding_invariant = True
    assert model.base_model.padding_invariant
    assert difference_from_single(model, batch) < 2e-5


def test_as_published_the_group_norm_sees_padding(pair, batch):
    _, model = pair("ForCTC", "group")
    assert not model.padding_invariant
    assert difference_from_single(model, batch) > 1e-3


def test_as_published_some_pooled_frames_saw_padding(pair, batch):
    _, model = pair("ForXVector", "layer")
    assert difference_from_single(model, batch) > 1e-4


def test_without_padding_nothing_changes(pair, batch):
    _, model = pair("ForCTC", "group")
    everything = torch.ones_like(batch[1])
    with torch.no_grad():
        before = model(batch[0], attention_mask=everything).logits
        model.padding_invariant = True
        after = model(batch[0], attention_mask=everything).logits
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


def test_what_lies_in_the_padding_is_ignored(pair, batch):
    _, model = pair("ForCTC", "group")
    model.padding_invariant = True
    input_values, attention_mask = batch
    noisy = torch.where(attention_mask.bool(), input_values, 100.0)
    frames = model._get_feature_vector_attention_mask(37, attention_mask)
    with torch.no_grad():
        quiet = model(input_values, attention_mask=attention_mask).logits
        loud = model(noisy, attention_mask=attention_mask).logits
    assert torch.equal(quiet[frames], loud[frames])
