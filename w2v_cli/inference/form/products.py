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


class FloatProducts:
    """Products of floating-point numbers.

    Args:
        dtype: float32, or bfloat16, whose sums are float32 still: inputs and weights are rounded,
            and so is what comes out. Everything between products stays float32.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self.narrow_attention = dtype == torch.bfloat16

    def linear(self, linears: Sequence[nn.Module], *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.linear`."""
        return PackedLinear(
            [_parameter(layer, "weight") for layer in linears],
            [_parameter(layer, "bias") for layer in linears],
            self._dtype,
            gelu=gelu,
        )

    def convolution(self, conv: nn.Module, *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.convolution`."""
        layer: Any = conv
        weight = layer.weight.detach()
        bias, stride = _parameter(conv, "bias"), int(layer.stride[0])
        return PackedConvolution(weight, bias, stride, self._dtype, gelu=gelu)


class PackedLinear(nn.Module):
    """A linear layer, or several side by side: (rows, in_features) to (rows, out_features).

    Args:
        weights: Each (some of out_features, in_features).
        biases: Each (some of out_features,), or None.
        dtype: In which precision it is calculated; inputs and outputs are float32.
        gelu: Whether an exact GELU follows.
    """

    def __init__(
        self,
        weights: Sequence[torch.Tensor | None],
        biases: Sequence[torch.Tensor | None],
        dtype: torch.dtype = torch.float32,
        *,
        gelu: bool = False,
    ) -> None:
        super().__init__()
        present = [weight for weight in weights if weight is not None]
        joined = present[0] if len(present) == 1 else torch.cat(present)
        self.out_features, self.in_features = joined.shape
        self.dtype = dtype
        self._weight = torch.ops.mkldnn._reorder_linear_weight(joined.to(dtype), _ROWS)
        bias = _joined_biases(present, biases)
        self._bias = None if bias is None else bias.to(dtype)
        self._attr = "gelu" if gelu else "none"
        for weight in present:
            forget(weight)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (rows, out_features)."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows.to(self.dtype), self._weight, self._bias, self._attr, [], "none"
        )
        return product.float()


class PackedConvolution(nn.Module):
    """A convolution as one product of the frames that each of its places sees.

    Args:
        weight: (out_channels, in_channels, kernel), of one without padding, groups or dilation.
        bias: (out_channels,), or None.
        stride: From one place to the next, in frames.
        dtype: In which precision it is calculated; inputs and outputs are float32.
        gelu: Whether an exact GELU follows.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: int,
        dtype: torch.dtype = torch.float32,
        *,
        gelu: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels, self.in_channels, self.kernel = weight.shape
        self.stride = stride
        # (out, kernel, in): the order in which the frames of a place lie in memory
        flat = weight.transpose(1, 2).reshape(self.out_channels, -1)
        self._product = PackedLinear([flat], [bias], dtype, gelu=gelu)
        forget(weight)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (fewer frames, out_channels) from (frames, in_channels)."""
        product: torch.Tensor = self._product(places(frames, self.kernel, self.stride))
        return product


def multiplies_bfloat16() -> bool:
    """Return whether this processor multiplies numbers in bfloat16, faster than in float32."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


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
