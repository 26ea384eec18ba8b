"""Networks over waveforms that hear spectrograms, and go over bands as over time.

With a few hours of speech a network learns words far sooner if it need not find out what holds for
all bands, nor that loudness is heard in decibels. The published network has room for both. Its
first layer can be band-pass filters in four phases, each at four gains, cut off at six (ReLU6): of
a band that adds up to the logarithm of its loudness, as far as straight lines make one, over some
sixty decibels. The channels of the other convolutions can be images, channels of bands, and weights
that repeat along the bands make convolutions over time go over both. While they are trained the few
weights of which they are made are the parameters, and what they are convolved with are images; what
is saved is a network like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from w2v_cli.training.filter_bank import PHASES, band_pass_filters

GAINS = (1.5, 8.5, 48.0, 270.0)
"""So much is a filter's output, which is 1 in the mean over speech, before it is cut off at 6."""

UNBENT = 30.0
"""The layer norm after the filters divides by this, and by more where something is very loud."""

N_LEVELS = 2
"""Channels besides the filters that are a number whatever is heard: plus and minus the same."""

KERNEL_BANDS, HALVING_KERNEL_BANDS = 3, 5
"""Over so many bands goes a convolution, and one that makes fewer of them."""


@dataclass(frozen=True)
class Image:
    """What the channels of a layer are: channels of bands, the bands of the first one first."""

    channels: int
    bands: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.channels * self.bands


def channels_of_first_layer(n_bands: int) -> int:
    """Return how many channels a first layer needs to hear so many bands.

    >>> channels_of_first_layer(40)
    642
    """
    return PHASES * len(GAINS) * n_bands + N_LEVELS


def images_of(config: Any, bands: Sequence[int]) -> list[Image]:
    """Return what the convolutions of a network make, the first one's levels left out.

    Args:
        config: The network's configuration.
        bands: Of each layer.

    Raises:
        ValueError: It is no network for that.
    """
    sizes = list(config.conv_dim)
    wanted = {"feat_extract_norm": "layer", "feat_extract_activation": "relu6", "conv_bias": True}
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise ValueError(f"bands need {name} {value}, not {getattr(config, name)}")
    if len(bands) != len(sizes):
        raise ValueError(f"{len(bands)} numbers of bands for {len(sizes)} convolutions")
    if sizes[0] != channels_of_first_layer(bands[0]):
        raise ValueError(
            f"a first layer for {bands[0]} bands has {channels_of_first_layer(bands[0])} channels, "
            f"not {sizes[0]}"
        )
    for number, (before, after) in enumerate(itertools.pairwise(bands), start=2):
        if before % after:
            raise ValueError(f"{before} bands before convolution {number} make no {after}")
        if sizes[number - 1] % after:
            raise ValueError(f"{sizes[number - 1]} channels of convolution {number}: {after} bands")
    rest = zip(sizes[1:], bands[1:], strict=True)
    return [Image(PHASES * len(GAINS), bands[0]), *(Image(size // n, n) for size, n in rest)]


def start_with_bands(model: Any, bands: Sequence[int], speech: npt.NDArray[np.float32]) -> None:
    """Let a fresh network hear spectrograms, and tie the weights of its other convolutions.

    Args:
        model: The network.
        bands: Of each of its convolutions.
        speech: Some, (samples,), of mean 0 and variance 1: the filters become as loud as each
            other over it.

    Raises:
        ValueError: It is no network for that.
    """
    images = images_of(model.config, bands)
    layers: Any = model.base_model.feature_extractor.conv_layers
    _start_as_spectrogram(layers[0], images[0].bands, torch.from_numpy(speech))
    pairs = zip(layers[1:], itertools.pairwise(images), strict=True)
    for number, (layer, (before, after)) in enumerate(pairs):
        halves = before.bands != after.bands
        n_bands = HALVING_KERNEL_BANDS if halves else KERNEL_BANDS
        layer.conv = ConvolutionOverBands(
            layer.conv, before, after, n_bands, n_besides=0 if number else N_LEVELS
        )
    with torch.no_grad():
        # Of sixteen channels of cut-off loudness; the bias lets the norm over channels see level.
        layers[1].conv.parametrizations.weight.original *= 0.25
        layers[1].conv.bias.normal_()


def _start_as_spectrogram(layer: Any, n_bands: int, speech: torch.Tensor) -> None:
    """Set a first layer's filters, and a norm that leaves their outputs as they are, at all gains.

    The norm would make quiet moments as loud as loud ones. Two channels of plus and minus the same
    large number outweigh what the filters hear, so that it divides all moments by the same.
    """
    (window,), (hop,) = layer.conv.kernel_size, layer.conv.stride
    filters = band_pass_filters(n_bands, window)  # (bands, phases, taps)
    with torch.no_grad():
        heard = F.conv1d(speech[None, None], filters.reshape(-1, 1, window), stride=hop)
        power = heard[0].square().mean(1).reshape(n_bands, PHASES).mean(1)
        loud = power.sqrt().clamp(min=1e-3)  # where nothing is heard, as over a telephone
        even = (filters / loud[:, None, None]).transpose(0, 1)  # (phases, bands, taps)
        repeated = even.expand(len(GAINS), -1, -1, -1).reshape(-1, 1, window)
        layer.conv.weight.copy_(F.pad(repeated, (0, 0, 0, 0, 0, N_LEVELS)))
        level = UNBENT * math.sqrt(len(repeated) / N_LEVELS)
        layer.conv.bias.zero_()
        layer.conv.bias[-N_LEVELS:] = torch.tensor([level, -level])
        gains = torch.tensor(GAINS).repeat_interleave(PHASES * n_bands) * UNBENT
        layer.layer_norm.weight.copy_(F.pad(gains, (0, N_LEVELS), value=1.0))
        layer.layer_norm.bias.zero_()


class _AlongBands(nn.Module):
    """Makes (out, in, time) of (out channels, in channels, bands, time)."""

    which: torch.Tensor

    def __init__(self, before: Image, after: Image, n_bands: int, n_besides: int) -> None:
        super().__init__()
        self._out, self._in, self._besides = after.size, before.size, n_besides
        stride = before.bands // after.bands
        centres = torch.arange(after.bands) * stride
        heard = centres[:, None] + torch.arange(n_bands) - n_bands // 2  # (bands after, kernel)
        which = heard.T[:, :, None] == torch.arange(before.bands)  # (kernel, after, before)
        self.register_buffer("which", which.float(), persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weights of a convolution over time."""
        repeated = torch.einsum("oikt,kab->oaibt", weight, self.which)
        dense = repeated.reshape(self._out, self._in, weight.shape[3])
        return F.pad(dense, (0, 0, 0, self._besides))


class ConvolutionOverBands(nn.Conv1d):
    """A convolution over time whose weights are the same for all bands, so that it goes over both.

    It is calculated as what it is, over bands and time; `weight` is the same over time alone.

    Args:
        conv: The convolution over time in whose place it is, from the channels of `before` to those
            of `after`.
        before: What it hears; has as many bands as `after`, or a multiple.
        after: What it makes.
        n_bands: Bands that it goes over, an odd number; beyond the first and last are zeros.
        n_besides: Further channels that it hears after the image's; their weights are zeros.
    """

    bias: nn.Parameter

    def __init__(
        self, conv: nn.Conv1d, before: Image, after: Image, n_bands: int, *, n_besides: int = 0
    ) -> None:
        (n_frames,), (hop,) = conv.kernel_size, conv.stride
        super().__init__(conv.in_channels, conv.out_channels, n_frames, hop)
        self._before, self._n_bands = before, n_bands
        self._hops = before.bands // after.bands, hop
        self.weight = nn.Parameter(_fresh_weights(before, after, n_bands, n_frames))
        along = _AlongBands(before, after, n_bands, n_besides)
        parametrize.register_parametrization(self, "weight", along, unsafe=True)
        nn.init.zeros_(self.bias)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return (batch, out_channels, out_frames) from (batch, in_channels, in_frames)."""
        before = self._before
        weights: Any = self.parametrizations
        shape = (len(hidden_states), before.channels, before.bands, hidden_states.shape[2])
        images = hidden_states[:, : before.size].reshape(shape)
        made: torch.Tensor = F.conv2d(
            images.contiguous(memory_format=torch.channels_last),  # 2.5 times as quick on a CPU
            weights.weight.original,
            stride=self._hops,
            padding=(self._n_bands // 2, 0),
        )
        return made.flatten(1, 2) + self.bias[:, None]


def _fresh_weights(before: Image, after: Image, n_bands: int, n_frames: int) -> torch.Tensor:
    """Return (out channels, in channels, bands, time), near the identity where images are alike."""
    weight = torch.randn(after.channels, before.channels, n_bands, n_frames)
    weight *= math.sqrt(2 / weight[0].numel())
    if before == after:
        same = range(after.channels)
        weight *= 0.5
        weight[same, same, n_bands // 2, n_frames // 2] += 1
    return weight


def is_tied(name: str) -> bool:
    """Return whether a parameter is one of which many weights of a convolution are made."""
    return "conv_layers." in name and ".parametrizations." in name


def count_parameters(model: Any) -> int:
    """Return how many weights a network has when none of them are tied."""
    total = 0
    for name, parameter in model.named_parameters():
        if is_tied(name):
            conv = model.get_submodule(name.partition(".parametrizations.")[0])
            total += conv.out_channels * conv.in_channels * conv.kernel_size[0]
        else:
            total += parameter.numel()
    return total


def plain_state(model: Any) -> dict[str, torch.Tensor]:
    """Return a network's weights as the published network has them, none of them tied."""
    state = {}
    for name, tensor in model.state_dict().items():
        if not is_tied(name):
            state[name] = tensor
            continue
        place = name.partition(".parametrizations.")[0]
        state[f"{place}.weight"] = model.get_submodule(place).weight.detach()
    return state
