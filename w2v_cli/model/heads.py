"""What the models with a head share: the base model, freezing, and its hidden states."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.encoder import state_indices
from w2v_cli.model.outputs import (
    ModelOutput,
    Tensors,
    Wav2Vec2BaseModelOutput,
    as_published,
)
from w2v_cli.model.wav2vec2 import HiddenStatesChoice, Wav2Vec2Model


class ModelWithHead(Wav2Vec2PreTrainedModel):
    """A base model under `wav2vec2`, and a head that the subclass adds."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)

    def freeze_feature_encoder(self) -> None:
        """Keep the convolutional feature encoder as it is in training."""
        self.wav2vec2.freeze_feature_encoder()

    def freeze_base_model(self) -> None:
        """Keep everything but the head as it is in training."""
        for parameter in self.wav2vec2.parameters():
            parameter.requires_grad = False

    def _published(self, output: ModelOutput, return_dict: bool | None) -> Any:
        chosen = self.config.return_dict if return_dict is None else return_dict
        return as_published(output, bool(chosen))


class ModelWithLayerSum(ModelWithHead):
    """A head on the last hidden state, or on a learned mean of all (Yang et al. 2021, 3.2)."""

    task: str

    def __init__(self, config: Wav2Vec2Config) -> None:
        if config.add_adapter and self.task:
            raise ValueError(
                f"{self.task} does not support the use of Wav2Vec2 adapters "
                "(config.add_adapter=True)"
            )
        super().__init__(config)
        if config.use_weighted_layer_sum:
            n_states = config.num_hidden_layers + 1  # the encoder's input, and every layer
            self.layer_weights = nn.Parameter(torch.ones(n_states) / n_states)

    def _encode(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None,
        output_attentions: bool | None,
        output_hidden_states: HiddenStatesChoice | None,
    ) -> tuple[torch.Tensor, Tensors | None, Tensors | None]:
        """Return the head's input (batch, frames, hidden), and the states and weights asked for."""
        asked = output_hidden_states
        if asked is None:
            asked = bool(self.config.output_hidden_states)
        outputs: Wav2Vec2BaseModelOutput = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            output_attentions=output_attentions,
            output_hidden_states=True if self.config.use_weighted_layer_sum else asked,
            return_dict=True,
        )
        states = outputs.hidden_states
        if not self.config.use_weighted_layer_sum:
            assert outputs.last_hidden_state is not None
            return outputs.last_hidden_state, states, outputs.attentions
        assert states is not None
        weights = self.layer_weights.softmax(dim=-1)
        summed = (torch.stack(states, dim=1) * weights[:, None, None]).sum(dim=1)
        return summed, _selected(states, asked), outputs.attentions


def _selected(states: Tensors, asked: HiddenStatesChoice) -> Tensors | None:
    if isinstance(asked, bool):
        return states if asked else None
    indices = state_indices(asked, len(states))
    kept = [state if i in indices else None for i, state in enumerate(states)]
    return tuple(kept)  # type: ignore[arg-type]  # None where it was not asked for, as published
