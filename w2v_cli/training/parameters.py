"""Which weights are trained, and at which rate; and a running mean of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from w2v_cli.training.options import TrainingOptions

ADAPTER = ".adapter_layer."
"""What names of attention adapters' weights have in them."""


def parameter_groups(model: Any, options: TrainingOptions) -> list[dict[str, Any]]:
    """Return AdamW's groups: the base and the head, each with matrices and vectors apart.

    Vectors (biases, scales of norms, the mask) don't decay. `peak` is a group's highest rate.
    """
    head_rate = options.head_learning_rate
    groups = []
    for in_head in (False, True):
        for decays in (True, False):
            parameters = [
                parameter
                for name, parameter in model.named_parameters()
                if is_head(model, name) == in_head and (parameter.ndim > 1) == decays
            ]
            peak = head_rate if in_head and head_rate is not None else options.learning_rate
            decay = options.weight_decay if decays else 0.0
            if parameters:
                groups.append({"params": parameters, "peak": peak, "weight_decay": decay})
    return groups


def is_head(model: Any, name: str) -> bool:
    """Return whether a weight belongs to what lies above the base model."""
    return not name.startswith(f"{model.base_model_prefix}.")


def is_of_first_layer(name: str) -> bool:
    """Return whether a weight belongs to the first convolution, the one over the waveform."""
    return ".feature_extractor.conv_layers.0." in name


def set_trained(model: Any, options: TrainingOptions, step: int) -> None:
    """Mark which weights are trained in a step."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = is_trained(model, name, options, step)


def drop_untrained(model: Any, options: TrainingOptions, step: int) -> None:
    """Drop the gradients of weights that are not trained in a step.

    It comes to the same as not to calculate them, for a network whose marks have to stay.
    """
    for name, parameter in model.named_parameters():
        if not is_trained(model, name, options, step):
            parameter.grad = None


def is_trained(model: Any, name: str, options: TrainingOptions, step: int) -> bool:
    """Return whether a weight is trained in a step."""
    if is_head(model, name):
        return True
    if options.adapters_alone:
        return ADAPTER in name
    if options.freeze_base or step < options.freeze_base_steps:
        return False
    if options.freeze_first_layer and is_of_first_layer(name):
        return False
    convolutions = f"{model.base_model_prefix}.feature_extractor."
    return not (options.freeze_feature_encoder and name.startswith(convolutions))


class AverageWeights:
    """A running mean of a network's weights (Polyak and Juditsky 1992).

    Args:
        model: The network.
        decay: What is kept of the mean at each step; less in the first steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the network's present weights into the mean."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for name, parameter in self._model.named_parameters():
            self.weights[name].lerp_(parameter, 1 - keep)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network the mean's weights inside the `with` block."""
        own = {name: p.data for name, p in self._model.named_parameters()}
        try:
            for name, parameter in self._model.named_parameters():
                parameter.data = self.weights[name]
            yield
        finally:
            for name, parameter in self._model.named_parameters():
                parameter.data = own[name]
