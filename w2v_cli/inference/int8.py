"""Matrix products of 8-bit whole numbers on a processor (Jacob et al. 2018, 2).

Weights have a scale for each output, inputs one for each frame, taken from the frame itself, and
after an activation that has hardly anything below 0, steps are counted from the frame's least.
Inputs that stand far above their neighbours would cost these their digits, so they are left out
and added in float32 (Dettmers et al. 2022, 3.2). The product is oneDNN's, which wants inputs
from 0 to 255; which numbers these stand for is `Steps`.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from w2v_cli.inference.form.mapped import forget
from w2v_cli.inference.form.products import FloatProducts, multiplies_bfloat16, places

# A column of inputs is too wide for whole numbers when it reaches so many times as far as a column
# does on average.
_WIDE = 8.0
_LARGEST_WEIGHT = 127
# Inputs that become whole numbers at a time: so many are in the cache still, and there are few
# times at which threads wait for each other (which takes long on a busy computer).
_CACHED = 2**21
# Rows that show whether columns may be too wide.
_FEW_ROWS = 16
# Frames of zeros must not be divided by nothing.
_SMALLEST = 1e-20


class Int8Weights(nn.Module):
    """The weights of a linear layer or a convolution as they are kept: whole numbers and scales.

    Attributes:
        weight: int8, of the layer's shape.
        weight_scale: What 1 stands for, float32 (outputs,).
        bias: float32 (outputs,), or None.
        least: Below what no input falls, for instance after a GELU; None where any may.
    """

    weight: torch.Tensor
    weight_scale: torch.Tensor
    bias: torch.Tensor | None
    kernel_size: tuple[int, ...] | None = None  # of a convolution
    stride: tuple[int, ...] | None = None

    def __init__(self, layer: nn.Module, *, least: float | None = None) -> None:
        """Make room for the weights of `layer`, an `nn.Linear` or an `nn.Conv1d`.

        Nothing is calculated; see `filled`. They lie where the layer's weights do.
        """
        super().__init__()
        weight: Any = layer.weight
        bias: Any = layer.bias
        self.least = least
        if isinstance(layer, nn.Conv1d):
            self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
            self.kernel_size, self.stride = layer.kernel_size, layer.stride
        elif isinstance(layer, nn.Linear):
            self.in_features, self.out_features = layer.in_features, layer.out_features
        # Not empty_like: without storage ("meta") it would have PyTorch import its compiler.
        self.register_buffer("weight", weight.new_empty(weight.shape, dtype=torch.int8))
        self.register_buffer("weight_scale", weight.new_empty(len(weight), dtype=torch.float32))
        self.register_buffer("bias", None if bias is None else bias.detach().float())

    @classmethod
    @torch.no_grad()
    def filled(
        cls, layer: nn.Module, *, least: float | None = None, mean: torch.Tensor | None = None
    ) -> Int8Weights:
        """Return the weights of a layer in whole numbers.

        Args:
            layer: An `nn.Linear` or an `nn.Conv1d`.
            least: Below what no input falls; None where any may.
            mean: What inputs are on average, (in_features,), of a linear layer. The bias then
                makes up for what rounding does to it (Nagel et al. 2019, 4.2).
        """
        weight: Any = layer.weight
        kept = cls(layer, least=least)
        rows = weight.detach().float().flatten(1)
        kept.weight_scale = (rows.abs().amax(1) / _LARGEST_WEIGHT).clamp_min_(_SMALLEST)
        rounded = torch.round(rows / kept.weight_scale[:, None])
        kept.weight = rounded.to(torch.int8).view_as(weight)
        if mean is not None:
            shift = (rows - rounded * kept.weight_scale[:, None]) @ mean
            kept.bias = shift if kept.bias is None else kept.bias + shift
        return kept


class Int8Products:
    """Products of whole numbers where a layer's weights are `Int8Weights`, else of floats.

    Where the processor multiplies bfloat16, whose error is a tenth of whole numbers', floats are
    that.

    Args:
        light: Convolutions that are little work, and the least of their inputs or None: they
            become whole numbers where the processor does not multiply bfloat16.
    """

    def __init__(self, light: Mapping[nn.Module, float | None] = MappingProxyType({})) -> None:
        self.narrow_attention = multiplies_bfloat16()
        self._floats = FloatProducts(torch.bfloat16 if self.narrow_attention else torch.float32)
        self._light = {} if self.narrow_attention else light

    def linear(self, linears: Sequence[nn.Module], *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.linear`."""
        kept = [layer for layer in linears if isinstance(layer, Int8Weights)]
        if len(kept) < len(linears):
            return self._floats.linear(linears, gelu=gelu)
        return Int8Product(kept, gelu=gelu)

    def convolution(self, conv: nn.Module, *, gelu: bool = False) -> nn.Module:
        """Return a product; see `Products.convolution`."""
        if conv in self._light:
            conv = Int8Weights.filled(conv, least=self._light[conv])
        if not isinstance(conv, Int8Weights):
            return self._floats.convolution(conv, gelu=gelu)
        return Int8Product([conv], gelu=gelu)


class Int8Product(nn.Module):
    """A linear layer or a convolution: (rows, inputs) to (rows, outputs), float32 both.

    Args:
        layers: One, or several linear layers of the same input, whose outputs are joined.
        gelu: Whether an exact GELU follows.
    """

    def __init__(self, layers: Sequence[Int8Weights], *, gelu: bool = False) -> None:
        super().__init__()
        first = layers[0]
        # (outputs, kernel, inputs): the order in which the frames of a place lie in memory
        weights = [layer.weight.movedim(1, -1).flatten(1) for layer in layers]
        weight = torch.cat(weights) if len(weights) > 1 else weights[0].contiguous()
        self.span: tuple[int, int] | None = None
        if first.kernel_size is not None and first.stride is not None:
            self.span = first.kernel_size[0], first.stride[0]
        self.least, self.gelu = first.least, gelu
        self.steps = Steps.of_this_processor()
        self._scale = torch.cat([layer.weight_scale for layer in layers])
        zeros = [self._scale.new_zeros(len(layer.weight)) for layer in layers]
        pairs = zip(layers, zeros, strict=True)
        self._bias = torch.cat([zero if kept.bias is None else kept.bias for kept, zero in pairs])
        if self.least is not None:
            # What inputs give that are 1 all.
            self._sums = weight.sum(1, dtype=torch.int32) * self._scale
        self._weight = torch.ops.onednn.qlinear_prepack(weight, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.n_inputs = weight.shape[1]
        for layer in layers:
            forget(layer.weight)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (rows, outputs), or of a convolution (fewer frames, outputs)."""
        low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        if self.span is not None:
            rows = places(rows, *self.span)
            low = places(low, *self.span).amin(1, keepdim=True)
            high = places(high, *self.span).amax(1, keepdim=True)
        wide = None
        if self._may_have_wide_columns(rows, low, high):
            rows, wide = self._without_wide_columns(rows)
            low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        if self.least is None:
            numbers, scale = self.steps.of_any(rows, low, high)
            product = self._product(numbers, self.steps.zero)
        else:
            numbers, scale = self.steps.from_least(rows, low, high)
            product = self._product(numbers, 0)
        torch.addcmul(self._bias, product, scale, out=product)
        if self.least is not None:
            product.addr_(low[:, 0], self._sums)
        if wide is not None:
            product.addmm_(*wide)
        return torch.ops.aten.gelu_(product) if self.gelu else product

    def _product(self, numbers: torch.Tensor, zero: int) -> torch.Tensor:
        """Return the product of whole numbers from 0 to 255 with the weights, float32."""
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers,
            1.0,
            zero,
            self._weight,
            self._scale,
            self._zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "none",
        )
        return product

    def _may_have_wide_columns(
        self, rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> bool:
        """Return False if a few rows show that no column is too wide."""
        few = rows[:: max(1, len(rows) // _FEW_ROWS)]
        if self.least is None:
            return bool(torch.maximum(high, -low).max() > _WIDE * few.abs().amax(0).mean())
        return bool(high.max() - self.least > _WIDE * (few.amax(0).mean() - self.least))

    def _without_wide_columns(
        self, rows: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor] | None]:
        """Return the inputs without columns that are too wide, and these with their weights."""
        reach = rows.amax(0)
        if self.least is None:
            reach = torch.maximum(reach, -rows.amin(0))
        else:
            reach.sub_(self.least)
        limit = _WIDE * reach.mean()
        if reach.max() <= limit:
            return rows, None
        columns = torch.nonzero(reach > limit)[:, 0]
        wide = rows[:, columns]
        narrow = rows.clone()
        narrow[:, columns] = 0.0
        return narrow, (wide, self._weights_of(columns))

    def _weights_of(self, columns: torch.Tensor) -> torch.Tensor:
        """Return the weights of some inputs in float32, (columns, outputs)."""
        ones = torch.zeros(len(columns), self.n_inputs, dtype=torch.uint8)
        ones[torch.arange(len(columns)), columns] = 1
        return self._product(ones, 0)


class Steps:
    """The whole numbers that inputs become.

    Attributes:
        zero: What stands for 0 where inputs may have either sign.
        rounded: What rounds, as the function of this name.
    """

    def __init__(self, bits: int) -> None:
        self.rounded: Callable[..., torch.Tensor] = rounded
        self.zero = 2 ** (bits - 1)
        self._either = self.zero - 1.0
        self._all = 2**bits - 1.1  # rounding of float32 must not lead to one more than all

    @classmethod
    @functools.cache
    def of_this_processor(cls) -> Steps:
        """Return those that no product overflows with.

        An x86 processor without VNNI adds two products in 16 bits.
        """
        return cls(8 if _adds_in_32_bits() else 7)

    def of_any(
        self, rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs as whole numbers, uint8, and what 1 stands for in each row, (rows, 1).

        Args:
            rows: (rows, inputs).
            low: The least of each row, (rows, 1).
            high: The most of each row, (rows, 1).
        """
        scale = torch.maximum(high, -low).clamp_min_(_SMALLEST) / self._either
        return self.rounded(rows, scale.reciprocal(), None, self.zero), scale

    def from_least(
        self, rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the same, counted from the least of each row."""
        scale = (high - low).clamp_min_(_SMALLEST) / self._all
        steps = scale.reciprocal()
        return self.rounded(rows, steps, -low * steps - self.zero, self.zero), scale


def rounded(
    rows: torch.Tensor, steps: torch.Tensor, added: torch.Tensor | None, zero: int
) -> torch.Tensor:
    """Return the whole numbers that rows times steps come nearest to, and `zero` more, uint8.

    Args:
        rows: (rows, columns), float32.
        steps: (rows, 1).
        added: To the products before they are rounded, (rows, 1); None for nothing.
        zero: What is added after it. The sum is from 0 to 255.
    """
    # Only conversions to signed numbers are fast: half of the way is gone after them.
    numbers = torch.empty(rows.shape, dtype=torch.int8)
    n_rows = max(1, _CACHED // rows.shape[1])
    spare = torch.empty(min(n_rows, len(rows)), rows.shape[1])
    for begin in range(0, len(rows), n_rows):
        some = slice(begin, begin + n_rows)
        into = numbers[some]
        exact = torch.mul(rows[some], steps[some], out=spare[: len(into)])
        if added is not None:
            exact.add_(added[some])
        into.copy_(exact.round_())
    return numbers.view(torch.uint8).add_(zero)  # modulo 256


def _adds_in_32_bits() -> bool:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))
