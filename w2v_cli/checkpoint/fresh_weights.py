"""The weights of a model that its checkpoint does not have, as the model's class draws them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

from w2v_cli.model.features import Wav2Vec2PositionalConvEmbedding

# Of these `init_weights` draws all there is, and of the published network's own modules; not of
# subclasses and of what has parametrizations, which may hold more.
_DRAWN = (nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.Conv1d)
_OWN = "w2v_cli."


@torch.no_grad()
def draw(
    model: Any,
    fresh: Collection[str],
    make: Callable[[], Any],
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Put in place the weights in `fresh`, and the buffers that no file has.

    A layer is put in place as a whole, because it may draw as a whole; what the checkpoint has
    of it is put over it later. Where it may hold what `init_weights` does not draw, such as a
    caller's own, it is taken from another model, which is made and drawn for real.

    Args:
        model: On the meta device.
        fresh: Keys of its state_dict.
        make: Makes another model like it.
        device: Where they go.
        dtype: What the floating-point ones become.
    """
    saved = model.state_dict()
    unsaved = [name for name, _ in model.named_buffers() if name not in saved]
    layers = {_layer_of(key) for key in fresh}
    keys = [key for key in saved if _layer_of(key) in layers] + unsaved
    if not keys:
        return
    if unsaved or not all(_is_drawn(model, layer) for layer in layers):
        made = make()
        made.init_weights()  # those of a class that does not, too
        drawn = {**dict(made.named_buffers()), **made.state_dict()}
        _put(model, {key: drawn[key] for key in keys}, device=device, dtype=dtype)
        return
    # What is still on the meta device takes no time and no random numbers.
    empty = {key: torch.empty(saved[key].shape, dtype=saved[key].dtype) for key in keys}
    _put(model, empty, device=device, dtype=dtype)
    if model.base_model is not model:
        model.base_model.init_weights()
    model.init_weights()


def _put(
    model: Any, tensors: dict[str, torch.Tensor], *, device: torch.device, dtype: torch.dtype
) -> None:
    """Give modules their parameters and buffers, by key."""
    for key, tensor in tensors.items():
        value = tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        module, _, attribute = key.rpartition(".")
        owner = model.get_submodule(module)
        parameter = owner._parameters.get(attribute)
        if parameter is not None:
            owner._parameters[attribute] = nn.Parameter(value, parameter.requires_grad)
        else:
            owner._buffers[attribute] = value


def _layer_of(key: str) -> str:
    """Return the layer that has a weight, also one that is made of several."""
    whole, parametrized, _ = key.partition(".parametrizations.")
    return whole if parametrized else key.rpartition(".")[0]


def _is_drawn(model: nn.Module, layer: str) -> bool:
    """Whether `init_weights` draws all that a layer holds."""
    module = model.get_submodule(layer)
    if type(module) in _DRAWN or type(module).__module__.startswith(_OWN):
        return True
    whole = model.get_submodule(layer.rpartition(".")[0])
    return isinstance(whole, Wav2Vec2PositionalConvEmbedding)  # whose weights are two
