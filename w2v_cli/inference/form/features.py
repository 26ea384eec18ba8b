"""The convolutions over samples, a little of the recording at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.inference.form.products import Products, places
from w2v_cli.inference.moments import MomentsSurvey
from w2v_cli.model.features import (
    ConvLayer,
    GroupNormConvLayer,
    LayerNormConvLayer,
    Wav2Vec2FeatureEncoder,
)

# What the first convolution writes for a tile. Less would stay in a smaller cache, but the last
# convolutions would have too few frames to be fast (docs/performance.md).
_TILE_BYTES = 25 * 2**19
# The survey of a recording's moments takes this many samples at a time.
_SURVEY_SAMPLES = 2**17


def is_exact_gelu(activation: nn.Module) -> bool:
    """Return whether an activation is GELU as a product can do it on its way."""
    return isinstance(activation, nn.GELU) and activation.approximate == "none"


def activate(activation: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Return an activation of values that nobody else needs: they may be written over."""
    activated: torch.Tensor = (
        torch.ops.aten.gelu_(values) if is_exact_gelu(activation) else activation(values)
    )
    return activated


class TiledFeatureEncoder(nn.Module):
    """Samples (batch, samples) to features (batch, conv_dim[-1], frames).

    Each recording goes through all layers tile after tile, channels last, so that no more than
    a tile of the wide early layers is ever in memory. Of padding nothing is calculated.

    Attributes:
        conv_layers: The first is the trained one, whose `statistics` count here, too.
    """

    def __init__(self, trained: Wav2Vec2FeatureEncoder, products: Products) -> None:
        super().__init__()
        self.spans = trained.spans
        first, *others = trained.conv_layers
        assert isinstance(first, ConvLayer)
        self.conv_layers = nn.ModuleList([first, *(_TileLayer(o, products) for o in others)])
        last: Any = trained.conv_layers[-1]
        self.channels: int = last.out_conv_dim
        strides = [stride for _, stride in self.spans]
        early_frames = int(torch.tensor(strides[1:]).prod())  # of the first layer, for one frame
        self.tile_frames = max(1, _TILE_BYTES // (4 * first.out_conv_dim * early_frames))

    def forward(
        self, input_values: torch.Tensor, input_lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return features, (batch, conv_dim[-1], frames); zeros for padding.

        Args:
            input_values: (batch, samples).
            input_lengths: Real samples (batch,), where padding is not to be heard.
        """
        batch_size, n_samples = input_values.shape
        lengths = [n_samples] * batch_size
        if input_lengths is not None:
            lengths = input_lengths.tolist()
        features = torch.zeros(batch_size, self._n_frames(n_samples), self.channels)
        for index, length in enumerate(lengths):
            row = input_values[index, :length].contiguous()
            self._fill(features[index, : self._n_frames(length)], row, index)
        return features.transpose(1, 2)

    def _n_frames(self, n_samples: int) -> int:
        for kernel, stride in self.spans:
            n_samples = max((n_samples - kernel) // stride + 1, 0)
        return n_samples

    def _fill(self, features: torch.Tensor, samples: torch.Tensor, index: int) -> None:
        """Write the features (frames, channels) of one recording's samples."""
        if not len(features):
            return
        layer: Any = self.conv_layers[0]
        weight, bias = folded(layer, samples, index)
        kernel, stride = self.spans[0]
        seen = places(samples[:, None], kernel, stride)  # (frames, kernel)
        most = self._needed(0, min(self.tile_frames, len(features)))[1]
        buffer = torch.empty(most, layer.out_conv_dim)  # for every tile again
        for begin in range(0, len(features), self.tile_frames):
            end = min(begin + self.tile_frames, len(features))
            first, last = self._needed(begin, end)
            hidden = torch.addmm(bias, seen[first:last], weight, out=buffer[: last - first])
            if isinstance(layer, LayerNormConvLayer):
                hidden = normalised(layer.layer_norm, hidden)
            hidden = activate(layer.activation, hidden)
            for following in list(self.conv_layers)[1:]:
                hidden = following(hidden)
            features[begin:end] = hidden

    def _needed(self, begin: int, end: int) -> tuple[int, int]:
        """Return which of the first layer's frames those from begin to end depend on."""
        for kernel, stride in reversed(self.spans[1:]):
            begin, end = begin * stride, (end - 1) * stride + kernel
        return begin, end


class _TileLayer(nn.Module):
    """A convolution after the first: (frames, channels) to (fewer frames, channels)."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self.layer_norm = None
        if isinstance(trained, LayerNormConvLayer):
            self.layer_norm = trained.layer_norm
        gelu = self.layer_norm is None and is_exact_gelu(trained.activation)
        self.product = products.convolution(trained.conv, gelu=gelu)
        self.activation = None if gelu else trained.activation

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        hidden = self.product(frames)
        if self.layer_norm is not None:
            hidden = normalised(self.layer_norm, hidden)
        return hidden if self.activation is None else activate(self.activation, hidden)


def normalised(layer_norm: nn.LayerNorm, hidden: torch.Tensor) -> torch.Tensor:
    """Return a layer norm of (..., channels)."""
    return F.layer_norm(
        hidden, layer_norm.normalized_shape, layer_norm.weight, layer_norm.bias, layer_norm.eps
    )


def folded(layer: Any, samples: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight (kernel, channels) and bias (channels,) of the first convolution.

    A group norm that follows it is in them: it is linear, once mean and variance are known, and
    these follow from the moments of the samples (see `w2v_cli.inference.moments`).

    Args:
        layer: The trained layer.
        samples: The recording, or the part of it whose statistics are those of `layer`.
        index: Its row of `layer.statistics`, if there are any.
    """
    weight = layer.conv.weight.detach()[:, 0]  # (channels, kernel)
    bias = layer.conv.bias
    bias = weight.new_zeros(len(weight)) if bias is None else bias.detach()
    if not isinstance(layer, GroupNormConvLayer):
        return weight.t(), bias
    if layer.statistics is not None:
        mean, variance = (number[index].double() for number in layer.statistics)
    else:
        survey = MomentsSurvey(layer.conv.kernel_size[0], layer.conv.stride[0])
        for begin in range(0, len(samples), _SURVEY_SAMPLES):
            survey.add(samples[begin : begin + _SURVEY_SAMPLES].numpy())
        moments = survey.moments().mean_and_variance(weight.numpy(), bias.numpy())
        mean, variance = (torch.from_numpy(number) for number in moments)
    norm: Any = layer.layer_norm
    scale = norm.weight.detach().double() * torch.rsqrt(variance + norm.eps)
    shifted = norm.bias.detach() + (bias - mean) * scale
    return (weight.double() * scale[:, None]).float().t(), shifted.float()
