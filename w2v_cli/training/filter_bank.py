"""A first layer that begins as a bank of band-pass filters instead of noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from w2v_cli.audio import SAMPLE_RATE

_BAND_HZ = (70.0, 7400.0)
PHASES = 4
"""Of each filter, a quarter of a period apart."""


def start_as_filter_bank(model: Any) -> None:
    """Give a network's first convolution band-pass filters on the mel scale, each in four phases.

    Half-rectified by the GELU, the four phases of a band add up to its envelope: the next layer
    finds a spectrogram from the first step on. The small biases let a layer norm over channels
    see how loud a moment is.
    """
    conv = model.base_model.feature_extractor.conv_layers[0].conv
    channels, _, taps = conv.weight.shape
    bank = band_pass_filters(max(channels // PHASES, 1), taps).reshape(-1, 1, taps)[:channels]
    with torch.no_grad():
        conv.weight[: len(bank)] = bank
        if conv.bias is not None:
            nn.init.normal_(conv.bias, std=0.1)


def band_pass_filters(n_bands: int, taps: int) -> torch.Tensor:
    """Return filters of unit power on the mel scale, (bands, phases, taps).

    Each has a raised cosine as its window, as wide as its band is narrow.
    """
    edges = _hertz(np.linspace(_mel(_BAND_HZ[0]), _mel(_BAND_HZ[1]), n_bands + 2))
    seconds = (np.arange(taps) - (taps - 1) / 2) / SAMPLE_RATE
    filters = np.empty((n_bands, PHASES, taps), dtype=np.float32)
    for band, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        width = min(taps / SAMPLE_RATE, 4 / (high - low))
        window = np.where(np.abs(seconds) < width / 2, np.cos(np.pi * seconds / width) ** 2, 0)
        for phase in range(PHASES):
            wave = window * np.cos(2 * np.pi * centre * seconds + np.pi / 2 * phase)
            filters[band, phase] = wave / max(float(np.sqrt(np.square(wave).sum())), 1e-6)
    return torch.from_numpy(filters)


def _mel(hertz: float) -> float:
    """Return a frequency on the mel scale (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)


def _hertz(mel: Any) -> Any:
    return 700 * (10 ** (mel / 2595) - 1)
