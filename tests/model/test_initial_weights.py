"""Layers of torch's own are drawn as the published base class draws them."""

import pytest
import torch
import transformers
from torch import nn

from w2v_cli.model.initial_weights import draw_layer

LAYERS = {
    "linear": lambda: nn.Linear(64, 64),
    "conv": lambda: nn.Conv2d(16, 16, 5),
    "transposed": lambda: nn.ConvTranspose1d(32, 32, 5),
    "group norm": lambda: nn.GroupNorm(2, 8),
    "layer norm without weights": lambda: nn.LayerNorm(8, elementwise_affine=False),
    "batch norm": lambda: nn.BatchNorm1d(8),
    "lstm": lambda: nn.LSTM(64, 64),
    "embedding": lambda: nn.Embedding(64, 64, padding_idx=3),
    "attention": lambda: nn.MultiheadAttention(64, 2),
    "gru": lambda: nn.GRU(8, 8),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_drawn_as_published(name):
    config = transformers.Wav2Vec2Config(initializer_range=0.3)
    published = transformers.PreTrainedModel(config)
    drawn = []
    for draw in (lambda m: draw_layer(m, std=0.3), published._init_weights):
        torch.manual_seed(4)
        layer = LAYERS[name]()
        with torch.no_grad():
            for tensor in layer.state_dict().values():
                tensor.fill_(7)
        torch.manual_seed(5)
        with torch.no_grad():
            draw(layer)
        drawn.append(layer.state_dict())
    ours, theirs = drawn
    for key, tensor in theirs.items():
        assert torch.equal(ours[key], tensor), key
