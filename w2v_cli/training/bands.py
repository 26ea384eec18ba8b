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
from collections.abc import Iterator, Sequence
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
    for layer, tie in _ties(layers, images):
        (n_frames,) = layer.conv.kernel_size
        layer.conv = ConvolutionOverBands(layer.conv, tie, tie.fresh_weights(n_frames))
        nn.init.zeros_(layer.conv.bias)
    with torch.no_grad():
        # Of sixteen channels of cut-off loudness; the bias lets the norm over channels see level.
        layers[1].conv.parametrizations.weight.original *= 0.25
        layers[1].conv.bias.normal_()


def keep_bands(model: Any, bands: Sequence[int]) -> None:
    """Keep a network's weights the same for all bands, as they were when it was trained so.

    Args:
        model: The network.
        bands: Of each of its convolutions.

    Raises:
        ValueError: It was not trained with such bands.
    """
    images = images_of(model.config, bands)
    layers: Any = model.base_model.feature_extractor.conv_layers
    for number, (layer, tie) in enumerate(_ties(layers, images), start=2):
        plain = layer.conv.weight.detach()
        layer.conv = ConvolutionOverBands(layer.conv, tie, tie.few_weights(plain))
        if not torch.allclose(layer.conv.weight, plain, rtol=1e-3, atol=1e-5):
            raise ValueError(
                f"the weights of convolution {number} are not the same for all bands; these bands "
                f"are for networks that were trained with them"
            )


def _ties(layers: Any, images: Sequence[Image]) -> Iterator[tuple[Any, Tie]]:
    """Yield each layer after the first with what its weights have in common."""
    for number, (before, after) in enumerate(itertools.pairwise(images), start=1):
        n_bands = KERNEL_BANDS if before.bands == after.bands else HALVING_KERNEL_BANDS
        yield layers[number], Tie(before, after, n_bands, N_LEVELS if number == 1 else 0)


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


class Tie(nn.Module):
    """What the weights of a convolution have in common: makes them all of a few.

    Args:
        before: What the convolution hears; has as many bands as `after`, or a multiple.
        after: What it makes.
        n_bands: Bands that it goes over, an odd number; beyond the first and last are zeros.
        n_besides: Further channels that it hears after the image's; their weights are zeros.
    """

    which: torch.Tensor

    def __init__(self, before: Image, after: Image, n_bands: int, n_besides: int = 0) -> None:
        super().__init__()
        self.before, self.after, self.n_bands, self._besides = before, after, n_bands, n_besides
        self.hop = before.bands // after.bands
        centres = torch.arange(after.bands) * self.hop
        heard = centres[:, None] + torch.arange(n_bands) - n_bands // 2  # (bands after, kernel)
        which = heard.T[:, :, None] == torch.arange(before.bands)  # (kernel, after, before)
        self.register_buffer("which", which.float(), persistent=False)

    def forward(self, few: torch.Tensor) -> torch.Tensor:
        """Return (out, in, time) of (out channels, in channels, bands, time)."""
        repeated = torch.einsum("oikt,kab->oaibt", few, self.which)
        dense = repeated.reshape(self.after.size, self.before.size, few.shape[3])
        return F.pad(dense, (0, 0, 0, self._besides))

    def fresh_weights(self, n_frames: int) -> torch.Tensor:
        """Return few weights at random, near the identity where images are alike."""
        before, after = self.before, self.after
        few = torch.randn(after.channels, before.channels, self.n_bands, n_frames)
        few *= math.sqrt(2 / few[0].numel())
        if before == after:
            same = range(after.channels)
            few *= 0.5
            few[same, same, self.n_bands // 2, n_frames // 2] += 1
        return few

    def few_weights(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the few that (out, in, time) are made of, or the nearest: the mean over bands."""
        before, after = self.before, self.after
        shape = (after.channels, after.bands, before.channels, before.bands, -1)
        images = weight[:, : before.size].reshape(shape).double()
        which = self.which.double()
        total = torch.einsum("oaibt,kab->oikt", images, which)
        times = which.sum((1, 2)).clamp(min=1)  # that each of the kernel's bands is heard
        return (total / times[:, None]).float()


class ConvolutionOverBands(nn.Conv1d):
    """A convolution over time whose weights are the same for all bands, so that it goes over both.

    It is calculated as what it is, over bands and time; `weight` is the same over time alone.

    Args:
        conv: The convolution over time in whose place it is, with its biases.
        tie: What its weights have in common.
        few: The weights that they are made of.
    """

    bias: nn.Parameter
    weight: Any

    def __init__(self, conv: nn.Conv1d, tie: Tie, few: torch.Tensor) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0])
        assert conv.bias is not None
        self.bias = nn.Parameter(conv.bias.detach())
        self.weight = nn.Parameter(few)
        parametrize.register_parametrization(self, "weight", tie, unsafe=True)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return (batch, out_channels, out_frames) from (batch, in_channels, in_frames)."""
        parametrized: Any = self.parametrizations
        tie: Tie = parametrized.weight[0]
        before = tie.before
        shape = (len(hidden_states), before.channels, before.bands, hidden_states.shape[2])
        images = hidden_states[:, : before.size].reshape(shape)
        made: torch.Tensor = F.conv2d(
            images.contiguous(memory_format=torch.channels_last),  # quicker so on a CPU
            parametrized.weight.original,
            stride=(tie.hop, self.stride[0]),
            padding=(tie.n_bands // 2, 0),
        )
        return made.flatten(1, 2) + self.bias[:, None]


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
