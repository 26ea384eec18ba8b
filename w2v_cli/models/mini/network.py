"""The shape of `mini`'s network, and what its first layer knows before training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from w2v_cli.models.mini.evaluate import BLANK_ID, VOCABULARY
from w2v_cli.models.mini.recordings import SAMPLE_RATE

ENCODER: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "pad_token_id": BLANK_ID,
    "bos_token_id": VOCABULARY.index("<s>"),
    "eos_token_id": VOCABULARY.index("</s>"),
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "conv_dim": [128, 144, 192],
    "conv_kernel": [160, 8, 4],
    "conv_stride": [20, 4, 4],
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 16,
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 640,
    "hidden_dropout": 0.1,
    "activation_dropout": 0.0,
    "attention_dropout": 0.05,
    "feat_proj_dropout": 0.1,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.2,
    "mask_time_length": 6,
    "mask_time_min_masks": 0,
    "mask_feature_prob": 0.05,
    "mask_feature_length": 12,
    "mask_feature_min_masks": 0,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
}
"""Three conv layers instead of the usual seven: what costs time on a CPU is the layer norm over
many short steps, and a first kernel of 10 ms can start as a bank of band-pass filters."""


def start_as_filter_bank(conv: nn.Module) -> None:
    """Give the first conv layer band-pass filters on the mel scale, each in four phases.

    Half-rectified by the GELU, the four phases of a band add up to its envelope: the next layer
    finds a spectrogram from the first step on, which is worth hours of training on so few hours
    of speech. The small biases let a layer norm over channels see how loud a moment is.
    """
    if not isinstance(conv, nn.Conv1d):
        raise TypeError(f"a filter bank needs a one-dimensional convolution, not {conv}")
    channels, _, taps = conv.weight.shape
    bands, phases = channels // 4, 4
    mel = np.linspace(hz_to_mel(70), hz_to_mel(7400), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    times = (np.arange(taps) - (taps - 1) / 2) / SAMPLE_RATE
    filters = []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        width = min(taps / SAMPLE_RATE, 4 / (high - low))
        window = np.where(np.abs(times) < width / 2, np.cos(np.pi * times / width) ** 2, 0)
        for phase in range(phases):
            wave = window * np.cos(2 * np.pi * centre * times + np.pi / 2 * phase)
            filters.append(wave / np.sqrt(np.square(wave).sum()))
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(np.stack(filters)[:, None, :].astype(np.float32)))
        if conv.bias is not None:
            nn.init.normal_(conv.bias, std=0.1)


def hz_to_mel(hertz: float) -> float:
    """Return a frequency on the mel scale (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)
