"""Convolutions whose weights are the same for all bands, in the shape of ones over time alone.

A network over spectrograms that goes over bands as over time needs far fewer recordings than one
that has to find out for each band what holds for all. The published network has convolutions over
time; their channels can be images, channels of bands, and weights that repeat along the bands make
one over both of it. While it is trained the few weights of which they are made are the parameters;
afterwards it is a network as any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC


@dataclass(frozen=True)
class Image:
    """What the channels of a layer are: channels of bands, the bands of the first one first."""

    channels: int
    bands: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.channels * self.bands


class _AlongBands(nn.Module):
    """Makes (out, in, time) of (out channels, in channels, bands, time)."""

    which: torch.Tensor

    def __init__(self, before: Image, after: Image, n_bands: int, n_besides: int) -> None:
        super().__init__()
        self._out, self._in, self._besides = after.size, before.size, n_besides
        stride = before.bands // after.bands
        offsets = torch.arange(n_bands) - n_bands // 2
        centres = torch.arange(after.bands) * stride
        heard = centres[:, None] + offsets  # (bands after, kernel)
        which = heard.T[:, :, None] == torch.arange(before.bands)  # (kernel, after, before)
        self.register_buffer("which", which.float(), persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weights of a convolution over time."""
        repeated = torch.einsum("oikt,kab->oaibt", weight, self.which)
        dense = repeated.reshape(self._out, self._in, weight.shape[3])
        return F.pad(dense, (0, 0, 0, self._besides))


def tie_bands(
    conv: Any, before: Image, after: Image, n_bands: int, *, n_besides: int = 0
) -> None:
    """Give a convolution fresh weights that are the same for all bands, and zeros as its bias.

    Where images before and after are alike it begins near the identity.

    Args:
        conv: Over time, from the channels of `before` to those of `after`.
        before: What it hears; has as many bands as `after`, or a multiple.
        after: What it makes.
        n_bands: Bands that it goes over, an odd number; beyond the first and last are zeros.
        n_besides: Further channels that it hears after the image's; their weights are zeros.
    """
    n_frames = conv.kernel_size[0]
    weight = torch.randn(after.channels, before.channels, n_bands, n_frames)
    weight *= math.sqrt(2 / weight[0].numel())
    if before == after:
        same = range(after.channels)
        weight *= 0.5
        weight[same, same, n_bands // 2, n_frames // 2] += 1
    conv.weight = nn.Parameter(weight)
    along = _AlongBands(before, after, n_bands, n_besides)
    parametrize.register_parametrization(conv, "weight", along, unsafe=True)
    nn.init.zeros_(conv.bias)


def plain_copy(network: Wav2Vec2ForCTC) -> Wav2Vec2ForCTC:
    """Return a network in evaluation mode that hears the same, without tied weights."""
    plain = Wav2Vec2ForCTC(Wav2Vec2Config.from_dict(network.config.to_dict()))
    modules, own = dict(network.named_modules()), network.state_dict()
    state = {}
    for name in plain.state_dict():
        module, _, kind = name.rpartition(".")
        tied = name not in own
        state[name] = getattr(modules[module], kind).detach() if tied else own[name]
    plain.load_state_dict(state)
    return plain.eval()
