"""The activation functions that a configuration can name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


class QuickGELU(nn.Module):
    """GELU as x * sigmoid(1.702 x) (Hendrycks and Gimpel 2016, 2)."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return hidden_states * torch.sigmoid(1.702 * hidden_states)


class SquaredReLU(nn.Module):
    """The square of ReLU (So et al. 2021, 4)."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return F.relu(hidden_states).square()


class ClippedGELU(nn.Module):
    """GELU clipped to [-10, 10], for networks that are to be quantised."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return F.gelu(hidden_states).clamp(-10.0, 10.0)


def _tanh_gelu() -> nn.Module:
    return nn.GELU(approximate="tanh")


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_10": ClippedGELU,
    "gelu_accurate": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_python": nn.GELU,
    "gelu_python_tanh": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "hardswish": nn.Hardswish,
    "leaky_relu": nn.LeakyReLU,
    "linear": nn.Identity,
    "mish": nn.Mish,
    "prelu": nn.PReLU,
    "quick_gelu": QuickGELU,
    "relu": nn.ReLU,
    "relu2": SquaredReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation(name: str | Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """Return a new activation module for a published name, or wrap a function in one.

    Raises:
        ValueError: the name is unknown.
    """
    if isinstance(name, nn.Module):
        return name
    if not isinstance(name, str) and callable(name):
        return _Wrapped(name)
    if name not in _ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; known are {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()


class _Wrapped(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.function(hidden_states)
