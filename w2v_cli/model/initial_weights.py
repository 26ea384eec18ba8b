"""The initial weights of torch's own layers, as the published base class draws them."""

from __future__ import annotations

from typing import Any

from torch import nn

_WITH_KERNELS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def draw_layer(module: nn.Module, *, std: float) -> None:
    """Draw what a layer holds, if it is one of torch's that the published classes draw.

    Args:
        module: Its weights change in place; another kind of module stays as it is.
        std: The standard deviation of a linear layer's, a convolution's or an embedding's.
    """
    layer: Any = module  # of any of the kinds below
    if isinstance(module, _WITH_KERNELS):
        nn.init.normal_(layer.weight, 0.0, std)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(module, _NORMS):
        if layer.weight is not None:
            nn.init.ones_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if getattr(layer, "running_mean", None) is not None:
            layer.reset_running_stats()
    elif isinstance(module, nn.LSTM):
        for name, parameter in module.named_parameters():
            if "weight" in name:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, 0.0, std)
        if module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
    elif isinstance(module, nn.MultiheadAttention):
        module._reset_parameters()
