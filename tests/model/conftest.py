"""Small random networks, ours and the reference's, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

import w2v_cli

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 24,
    "tdnn_dim": [24, 24, 24, 24, 40],
    "xvector_output_dim": 20,
    "num_labels": 6,
    "codevector_dim": 16,
    "proj_codevector_dim": 20,
    "num_codevectors_per_group": 12,
    "num_negatives": 5,
    "vocab_size": 11,
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "feat_quantizer_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "initializer_range": 0.15,  # so that small layers pass on differences as large ones do
}
NORMS = {
    "group": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}

Pair = tuple[Any, Any]


@pytest.fixture
def pair() -> Callable[..., Pair]:
    """Return a function that makes the reference's and our model with equal weights."""

    def make(head: str, norm: str = "group", **changes: Any) -> Pair:
        torch.manual_seed(0)
        fields = {**SMALL, **NORMS[norm], **changes}
        name = f"Wav2Vec2{head}"
        reference = getattr(transformers, name)(transformers.Wav2Vec2Config(**fields))
        ours = getattr(w2v_cli, name)(w2v_cli.Wav2Vec2Config(**fields))
        for parameter in reference.parameters():  # biases and norms start as zeros and ones
            parameter.data.add_(0.02 * torch.randn_like(parameter))
        ours.load_state_dict(reference.state_dict(), strict=True)
        return reference.eval(), ours.eval()

    return make


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return three recordings of different lengths, zero-padded, and their mask."""
    generator = torch.Generator().manual_seed(7)
    lengths = torch.tensor([12000, 9123, 8000])
    attention_mask = (torch.arange(12000)[None] < lengths[:, None]).long()
    return torch.randn(3, 12000, generator=generator) * attention_mask, attention_mask
