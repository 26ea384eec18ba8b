"""Which weights of a network become whole numbers, and how: without recordings to learn from.

The widest convolutions after the first and the encoder's linear layers do nearly all the work and
become whole numbers. What is little work would add more to the error than to the speed: the later
convolutions, the feature projection, adapters and heads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import nn

from w2v_cli.inference.form import inference_form, why_not
from w2v_cli.inference.form.mapped import forget
from w2v_cli.inference.int8 import Int8Product, Int8Products, Int8Weights
from w2v_cli.model.base import Wav2Vec2PreTrainedModel

Model = TypeVar("Model", bound=Wav2Vec2PreTrainedModel)

# A convolution that does less of all multiplications is not worth its error.
_LITTLE_WORK = 0.01
# One that does less of the convolutions' own is worth it where bfloat16 is not multiplied.
_MUCH_WORK = 0.4

_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
_SECONDS = 2.0

# The least that an activation function returns. What is not here may return anything.
_LEAST: Mapping[str, float] = MappingProxyType(
    {
        "gelu": -0.17,
        "gelu_python": -0.17,
        "gelu_new": -0.171,
        "gelu_fast": -0.171,
        "relu": 0.0,
        "silu": -0.279,
        "swish": -0.279,
    }
)


def int8_form(model: Model) -> Model:
    """Return a model in its form for inference, with products of whole numbers.

    The model itself is changed, as by `inference_form`. Weights that are whole numbers already,
    as in a folder of `w2v quantize`, are taken as they are.

    Raises:
        ValueError: It has no such form; `why_not` says why.
    """
    reason = why_not(model)
    if reason is not None:
        raise ValueError(f"no form for inference: {reason}")
    if not any(isinstance(module, Int8Weights) for module in model.modules()):
        quantize(model)
    return inference_form(model, Int8Products(_light_convolutions(model.base_model)))


def is_int8_form(model: Wav2Vec2PreTrainedModel) -> bool:
    """Return whether a model is what `int8_form` returned."""
    return any(isinstance(module, Int8Product) for module in model.modules())


@torch.no_grad()
def quantize(model: Wav2Vec2PreTrainedModel) -> None:
    """Put whole numbers in the place of most of a model's weights.

    It can't be run any more as it is: `int8_form` makes of it what can.

    A sound goes through the model, and each layer is changed when it has passed. So of weights that
    are mapped from a file no more than a layer's are in memory at once.
    """
    hooks = []
    for path, least in quantized_layers(model):
        layer: Any = model.get_submodule(path)
        replace = functools.partial(_replace, model, path, least)
        hooks.append(layer.register_forward_hook(replace))
    try:
        model.base_model(_sound())
    finally:
        for hook in hooks:
            hook.remove()


def _replace(
    model: nn.Module,
    path: str,
    least: float | None,
    layer: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    _output: torch.Tensor,
) -> None:
    """Put whole numbers in the place of a layer's weights, given what it hears of `_sound`.

    What inputs of a linear layer are on average hardly depends on what is heard, so a made-up
    sound will do; that of a convolution does, and is left out.
    """
    is_linear = isinstance(layer, nn.Linear)
    mean = inputs[0].flatten(0, -2).mean(0) if is_linear else None
    model.set_submodule(path, Int8Weights.filled(layer, least=least, mean=mean))
    weight: Any = layer.weight
    forget(weight)


def make_room(model: Wav2Vec2PreTrainedModel) -> None:
    """Have a model expect whole numbers where `quantize` puts them."""
    for path, least in quantized_layers(model):
        model.set_submodule(path, Int8Weights(model.get_submodule(path), least=least))


def quantized_layers(model: Wav2Vec2PreTrainedModel) -> list[tuple[str, float | None]]:
    """Return which layers' weights become whole numbers, and the least of each layer's inputs."""
    base: Any = model.base_model
    config = model.config
    prefix = "" if base is model else f"{model.base_model_prefix}."
    features = [
        (
            f"{prefix}feature_extractor.conv_layers.{index}.conv",
            _least(config.feat_extract_activation),
        )
        for index, share in _convolutions(base)
        if share >= _MUCH_WORK
    ]
    encoder: list[tuple[str, float | None]] = []
    for index in range(len(base.encoder.layers)):
        layer = f"{prefix}encoder.layers.{index}"
        encoder += [(f"{layer}.attention.{name}", None) for name in _ATTENTION]
        encoder.append((f"{layer}.feed_forward.intermediate_dense", None))
        encoder.append((f"{layer}.feed_forward.output_dense", _least(config.hidden_act)))
    return [*features, *encoder]


def _convolutions(base: Any) -> Iterator[tuple[int, float]]:
    """Yield the convolutions from the second on that are worth their error.

    Beside each, its share of the multiplications that convolutions do.
    """
    config = base.config
    rates = [math.prod(config.conv_stride[index + 1 :]) for index in range(len(config.conv_dim))]
    work = [  # multiplications for each output frame
        rate * layer.conv.weight.numel()
        for rate, layer in zip(rates, base.feature_extractor.conv_layers, strict=True)
    ]
    layers = base.encoder.layers
    encoder = sum(weight.numel() for weight in (*layers.parameters(), *layers.buffers()))
    for index, one in enumerate(work):
        if index > 0 and one / (sum(work) + encoder) >= _LITTLE_WORK:
            yield index, one / sum(work)


def _light_convolutions(base: Any) -> dict[nn.Module, float | None]:
    """Return those of the convolutions that do little, and the least of their inputs."""
    least = _least(base.config.feat_extract_activation)
    layers = base.feature_extractor.conv_layers
    return {layers[index].conv: least for index, share in _convolutions(base) if share < _MUCH_WORK}


def _least(activation: str | None) -> float | None:
    return None if activation is None else _LEAST.get(activation)


def _sound() -> torch.Tensor:
    """Return a made-up sound, (1, samples), that a feature extractor would not change."""
    n_samples = round(_SECONDS * 16_000)
    generator = torch.Generator().manual_seed(0)
    seconds = torch.arange(n_samples) / 16_000
    loudness = 0.55 - 0.45 * torch.cos(2 * math.pi * 3 * seconds)  # three syllables a second
    noise = torch.randn(n_samples, generator=generator) * loudness
    return ((noise - noise.mean()) / noise.std())[None]
