"""What a checkpoint lacks is drawn as the class draws it, whatever layers a caller has added."""

from __future__ import annotations

import pytest
import torch
from small_models import reference_model
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import w2v_cli


class OfAllKinds(w2v_cli.Wav2Vec2PreTrainedModel):
    """A caller's own class, of layers that the published ones do not have."""

    def __init__(self, config):
        super().__init__(config)
        self.wav2vec2 = w2v_cli.Wav2Vec2Model(config)
        self.norm = torch.nn.BatchNorm1d(64)
        self.lstm = torch.nn.LSTM(64, 64, batch_first=True)
        self.gru = torch.nn.GRU(64, 8)
        self.attention = torch.nn.MultiheadAttention(64, 2)
        self.names = torch.nn.Embedding(50, 64, padding_idx=1)
        self.image = torch.nn.Conv2d(8, 8, 3)
        self.scale = torch.nn.Parameter(torch.full((3,), 2.0))
        self.register_buffer("places", torch.arange(3.0), persistent=False)
        self.post_init()


def test_layers_of_every_kind_are_drawn_as_by_the_class(tmp_path):
    reference = reference_model("Model")
    reference.save_pretrained(tmp_path)
    model = OfAllKinds.from_pretrained(tmp_path)
    fresh = OfAllKinds(model.config)
    for (name, tensor), (_, like) in zip(tensors_of(model), tensors_of(fresh), strict=True):
        if not name.startswith("wav2vec2."):
            ours, theirs = tensor.detach().double(), like.detach().double()
            spread, wanted = float(ours.std(correction=0)), float(theirs.std(correction=0))
            assert spread == pytest.approx(wanted, rel=0.4, abs=1e-9), name
            assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.2), name
    assert model.names.weight[1].count_nonzero() == 0
    assert not model.lstm.bias_hh_l0.any()
    assert torch.equal(model.places, torch.arange(3.0))
    taken = model.wav2vec2.encoder.layer_norm.weight
    assert torch.equal(taken, reference.encoder.layer_norm.weight)


def tensors_of(model):
    return [*model.named_parameters(), *model.named_buffers()]


class Lora(nn.Linear):
    """A linear layer with weights of its own beside, one of them frozen."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(n_inputs, n_outputs)
        self.low_rank = nn.Parameter(torch.full((n_outputs, 2), 3.0))
        self.scale = nn.Parameter(torch.full((1,), 4.0), requires_grad=False)


class Parametrized(w2v_cli.Wav2Vec2PreTrainedModel):
    """A caller's own class, whose layers hold more than a layer of their kind."""

    def __init__(self, config):
        super().__init__(config)
        self.wav2vec2 = w2v_cli.Wav2Vec2Model(config)
        self.lora = Lora(64, 8)
        self.conv = weight_norm(nn.Conv1d(8, 8, 3))
        self.linear = weight_norm(nn.Linear(8, 8))
        self.spectral = spectral_norm(nn.Linear(8, 8))
        self.post_init()


def test_layers_that_hold_more_than_their_kind_are_drawn_whole(tmp_path):
    reference_model("Model").save_pretrained(tmp_path)
    model = Parametrized.from_pretrained(tmp_path)
    fresh = dict(tensors_of(Parametrized(model.config)))
    for name, tensor in tensors_of(model):
        assert tensor.isfinite().all(), name
        if not name.startswith("wav2vec2.") and tensor.numel() > 1:
            spread, wanted = float(tensor.detach().std()), float(fresh[name].detach().std())
            assert spread == pytest.approx(wanted, rel=0.6, abs=0.2), name
    assert torch.equal(model.lora.low_rank, torch.full((8, 2), 3.0))
    assert not model.lora.scale.requires_grad
    assert model.linear.weight.isfinite().all()
