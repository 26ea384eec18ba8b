"""Matrix products with weights that lie as the processor's library, oneDNN, reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from w2v_cli.inference.form.mapped import forget

# The rows that oneDNN lays weights out for. It does not ask for as many later: the layout is the
# same for 50 and for 1500.
_ROWS = 600


class Products(Protocol):
    """Makes the products of a network; each is a module without further state.

    Attributes:
        narrow_attention: Whether attention may be calculated in bfloat16.
    """

    narrow_attention: bool

    def linear(self, linears: Sequence[nn.Module], *, gelu: bool = False) -> nn.Module:
        """Return one product for several linear layers of the same input.

        It takes (rows, in_features), contiguous, and returns a new tensor of their outputs side
        by side, (rows, sum of out_features).

        Args:
            linears: The layers; they are not used again.
            gelu: Whether an exact GELU follows.
        """
        ...

    def convolution(self, conv: nn.Module, *, gelu: bool = False) -> nn.Module:
        """Return the product of a convolution over time, without padding.

        It takes (frames, in_channels), contiguous, and returns a new tensor (fewer frames,
        out_channels).

        Args:
            conv: The layer; it is not used again.
            gelu: Whether an exact GELU follows.
        """
        ...


class Float32Products:
    """Products in float32."""

    narrow_attention = False

    def linear(self, linears: Sequence[nn.Module], *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.linear`."""
        return PackedLinear(
            [_parameter(layer, "weight") for layer in linears],
            [_parameter(layer, "bias") for layer in linears],
            gelu=gelu,
        )

    def convolution(self, conv: nn.Module, *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.convolution`."""
        return PackedConvolution(conv, gelu=gelu)


class PackedLinear(nn.Module):
    """A linear layer, or several side by side: (rows, in_features) to (rows, out_features).

    Args:
        weights: Each (some of out_features, in_features).
        biases: Each (some of out_features,), or None.
        gelu: Whether an exact GELU follows.
    """

    def __init__(
        self,
        weights: Sequence[torch.Tensor | None],
        biases: Sequence[torch.Tensor | None],
        *,
        gelu: bool = False,
    ) -> None:
        super().__init__()
        present = [weight for weight in weights if weight is not None]
        joined = present[0] if len(present) == 1 else torch.cat(present)
        self.out_features, self.in_features = joined.shape
        self._weight = torch.ops.mkldnn._reorder_linear_weight(joined, _ROWS)
        self._bias = _joined_biases(present, biases)
        self._attr = "gelu" if gelu else "none"
        for weight in present:
            forget(weight)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (rows, out_features)."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, self._bias, self._attr, [], "none"
        )
        return product


class PackedConvolution(nn.Module):
    """A convolution as one product of the frames that each of its places sees.

    Args:
        conv: An `nn.Conv1d` without padding, groups or dilation.
        gelu: Whether an exact GELU follows.
    """

    def __init__(self, conv: Any, *, gelu: bool = False) -> None:
        super().__init__()
        weight = _parameter(conv, "weight")
        assert weight is not None
        self.out_channels, self.in_channels, self.kernel = weight.shape
        self.stride = int(conv.stride[0])
        # (out, kernel, in): the order in which the frames of a place lie in memory
        flat = weight.transpose(1, 2).reshape(self.out_channels, -1)
        self._product = PackedLinear([flat], [_parameter(conv, "bias")], gelu=gelu)
        forget(weight)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (fewer frames, out_channels) from (frames, in_channels)."""
        product: torch.Tensor = self._product(places(frames, self.kernel, self.stride))
        return product


def places(frames: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Return what each place of a kernel sees, a view (places, kernel * channels).

    Args:
        frames: (frames, channels), contiguous.
        kernel: How many frames the kernel sees.
        stride: From one place to the next, in frames.
    """
    n_frames, channels = frames.shape
    n_places = (n_frames - kernel) // stride + 1
    return frames.as_strided(
        (n_places, kernel * channels), (stride * channels, 1), frames.storage_offset()
    )


def _parameter(module: nn.Module, name: str) -> torch.Tensor | None:
    value = getattr(module, name)
    return None if value is None else value.detach()


def _joined_biases(
    weights: Sequence[torch.Tensor], biases: Sequence[torch.Tensor | None]
) -> torch.Tensor | None:
    """Return the biases side by side, zeros where one of several is missing."""
    if all(bias is None for bias in biases):
        return None
    return torch.cat(
        [
            weight.new_zeros(len(weight)) if bias is None else bias
            for weight, bias in zip(weights, biases, strict=True)
        ]
    )
