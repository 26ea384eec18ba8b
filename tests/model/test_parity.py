"""Every class equals the reference on random weights: outputs, losses, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from w2v_cli.model import _compute_mask_indices, _sample_negative_indices

HEADS = [
    "Model",
    "ForCTC",
    "ForSequenceClassification",
    "ForAudioFrameClassification",
    "ForXVector",
    "ForPreTraining",
]
RELATIVE = 1e-5
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "odd positions": {"num_conv_pos_embeddings": 15},
    "one group": {"num_conv_pos_embedding_groups": 1},
    "relu": {"hidden_act": "relu", "feat_extract_activation": "gelu_new"},
}


def assert_relatively_close(ours: torch.Tensor, reference: torch.Tensor, what: str) -> None:
    ours, reference = ours.detach(), reference.detach()
    assert ours.shape == reference.shape, what
    if reference.numel() == 0:
        return
    scale = max(float(reference.abs().max()), 1e-6)
    worst = float((ours - reference).abs().max()) / scale
    assert worst <= RELATIVE, f"{what}: relative difference {worst:.2e}"


def assert_outputs_close(ours: Any, reference: Any) -> None:
    assert list(ours.keys()) == list(reference.keys())
    for name in list(reference):
        a, b = ours[name], reference[name]
        if isinstance(b, torch.Tensor):
            a, b = (a,), (b,)
        assert len(a) == len(b), name
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_relatively_close(x, y, f"{name}[{i}]")


def training_inputs(head: str, model: Any, n_frames: int) -> dict[str, torch.Tensor]:
    """Return the labels that give a head a loss, for three recordings."""
    generator = torch.Generator().manual_seed(3)
    if head == "ForCTC":
        labels = torch.randint(1, 11, (3, 5), generator=generator)
        labels[1, 3:] = -100
        return {"labels": labels}
    if head == "ForAudioFrameClassification":
        speakers = torch.randint(0, 6, (3, n_frames), generator=generator)
        return {"labels": torch.nn.functional.one_hot(speakers, 6)}
    if head in ("ForSequenceClassification", "ForXVector"):
        return {"labels": torch.tensor([0, 5, 2])}
    np.random.seed(5)
    mask = _compute_mask_indices((3, n_frames), 0.4, 3, min_masks=2)
    negatives = _sample_negative_indices((3, n_frames), model.config.num_negatives, mask)
    return {
        "mask_time_indices": torch.from_numpy(mask),
        "sampled_negative_indices": torch.from_numpy(negatives),
    }


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("head", HEADS)
def test_outputs_equal_the_reference(pair, batch, head, norm, masked):
    reference, ours = pair(head, norm)
    input_values, attention_mask = batch
    given = {"attention_mask": attention_mask if masked else None, "output_hidden_states": True}
    with torch.no_grad():
        assert_outputs_close(ours(input_values, **given), reference(input_values, **given))


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("head", HEADS[:5])
def test_a_row_too_short_for_a_frame_equals_the_reference(pair, batch, head, norm):
    reference, ours = pair(head, norm)
    input_values, attention_mask = batch
    attention_mask = attention_mask.clone()
    attention_mask[1, 20:] = 0
    attention_mask[1, :20] = 1
    given = {"attention_mask": attention_mask, "output_hidden_states": True}
    with torch.no_grad():
        found = ours(input_values, **given)
        assert_outputs_close(found, reference(input_values, **given))
    assert found[0].isfinite().all()


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_variants_of_the_network_equal_the_reference(pair, batch, norm, case):
    reference, ours = pair("ForCTC", norm, **CASES[case])
    with torch.no_grad():
        assert_outputs_close(ours(*batch), reference(*batch))


@pytest.mark.parametrize("mixed", [("group", True), ("layer", False)])
def test_either_norm_goes_with_either_encoder(pair, batch, mixed):
    norm, stable = mixed
    reference, ours = pair("Model", norm, do_stable_layer_norm=stable)
    with torch.no_grad():
        assert_outputs_close(ours(*batch), reference(*batch))


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("head", HEADS[1:])
def test_losses_and_gradients_equal_the_reference(pair, batch, head, norm):
    reference, ours = pair(head, norm)
    input_values, attention_mask = batch
    n_frames = int(ours._get_feat_extract_output_lengths(input_values.shape[1]))
    given = {"attention_mask": attention_mask, **training_inputs(head, ours, n_frames)}
    expected = reference(input_values, **given)
    got = ours(input_values, **given)
    assert_outputs_close(got, expected)
    assert got.loss is not None
    expected.loss.backward()
    got.loss.backward()
    gradients = dict(reference.named_parameters())
    for name, parameter in ours.named_parameters():
        expected_gradient = gradients[name].grad
        assert (parameter.grad is None) == (expected_gradient is None), name
        if expected_gradient is not None and float(expected_gradient.abs().max()) > 1e-5:
            assert_relatively_close(parameter.grad, expected_gradient, name)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_ctc_reductions_and_blank_padding(pair, batch, reduction):
    reference, ours = pair("ForCTC", "layer", ctc_loss_reduction=reduction, ctc_zero_infinity=True)
    labels = torch.tensor([[1, 2, 2, 3], [4, 0, 0, 0], [5, 6, -100, -100]])  # 0 is the blank
    expected = reference(*batch, labels=labels).loss
    assert_relatively_close(ours(*batch, labels=labels).loss, expected, reduction)


def test_attention_weights_equal_the_reference(pair, batch):
    reference, ours = pair("ForCTC", "layer", attn_implementation="eager")
    given = {"attention_mask": batch[1], "output_attentions": True, "output_hidden_states": True}
    with torch.no_grad():
        assert_outputs_close(ours(batch[0], **given), reference(batch[0], **given))


@pytest.mark.parametrize(
    "head", ["ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"]
)
def test_weighted_layer_sum_equals_the_reference(pair, batch, head):
    reference, ours = pair(head, "layer", use_weighted_layer_sum=True)
    with torch.no_grad():
        assert_outputs_close(ours(*batch), reference(*batch))
        given = {"output_hidden_states": True}
        assert_outputs_close(ours(*batch, **given), reference(*batch, **given))


@pytest.mark.parametrize("width", [32, 20], ids=["same width", "projected"])
@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_convolutional_adapters_equal_the_reference(pair, batch, head, width):
    reference, ours = pair(head, "layer", add_adapter=True, output_hidden_size=width)
    with torch.no_grad():
        assert_outputs_close(ours(*batch), reference(*batch))


def test_attention_adapters_equal_the_reference(pair, batch):
    reference, ours = pair("ForCTC", "layer", adapter_attn_dim=8)
    assert ours._get_adapters().keys() == reference._get_adapters().keys()
    with torch.no_grad():
        assert_outputs_close(ours(*batch), reference(*batch))


@pytest.mark.parametrize("chosen", [1, -1, [0, 2], [7]])
def test_chosen_hidden_states_equal_the_reference(pair, batch, chosen):
    reference, ours = pair("Model", "layer")
    with torch.no_grad():
        expected = reference(*batch, output_hidden_states=chosen).hidden_states
        got = ours(*batch, output_hidden_states=chosen).hidden_states
    assert [state is None for state in got] == [state is None for state in expected]
    for x, y in zip(got, expected, strict=True):
        if y is not None:
            assert_relatively_close(x, y, str(chosen))


def test_a_tuple_instead_of_fields(pair, batch):
    reference, ours = pair("ForXVector")
    with torch.no_grad():
        expected = reference(*batch, return_dict=False)
        got = ours(*batch, return_dict=False)
        ours.config.return_dict = False
        by_config = ours(*batch)
    assert isinstance(got, tuple)
    for x, y, z in zip(got, expected, by_config, strict=True):
        assert_relatively_close(x, y, "return_dict=False")
        assert torch.equal(x, z)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_training_with_masks_and_layer_drop_draws_as_the_reference(pair, batch, norm):
    """SpecAugment, layer drop and the optimiser: eight steps from the same seeds."""
    changes = {
        "mask_time_prob": 0.3,
        "mask_time_length": 3,
        "mask_feature_prob": 0.2,
        "mask_feature_length": 4,
        "layerdrop": 0.3,
    }
    losses = []
    for model in pair("ForCTC", norm, **changes):
        model.train()
        model.freeze_feature_encoder()
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(trained, lr=1e-4)
        torch.manual_seed(11)
        np.random.seed(12)
        steps = []
        for _ in range(8):
            loss = model(*batch, labels=torch.tensor([[1, 2, 3], [4, 5, -100], [6, 7, 8]])).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            steps.append(loss.item())
        losses.append(steps)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert len(set(losses[0])) == 8


def test_a_layer_sum_returns_the_chosen_states_alone(pair, batch):
    _, ours = pair("ForSequenceClassification", "layer", use_weighted_layer_sum=True)
    with torch.no_grad():
        states = ours(*batch, output_hidden_states=[0, -1, 7]).hidden_states
    assert [state is None for state in states] == [False, True, True, False]
    with torch.no_grad():
        states = ours(*batch, output_hidden_states=[7]).hidden_states
    assert states == (None,) * 4, "an index out of range names no state"
