"""The context network: positions, attention and feed-forward layers, adapters."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import nn

from w2v_cli.model.activations import activation
from w2v_cli.model.attention import Wav2Vec2Attention
from w2v_cli.model.checkpointing import CheckpointedModule
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.dropout import Dropout
from w2v_cli.model.features import (
    Wav2Vec2AdapterLayer,
    Wav2Vec2PositionalConvEmbedding,
    conv_output_length,
)
from w2v_cli.model.masking import frame_mask
from w2v_cli.model.outputs import BaseModelOutput, present


class Wav2Vec2FeedForward(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.intermediate_dropout = Dropout(config.activation_dropout)
        self.intermediate_dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = activation(config.hidden_act)
        self.output_dense = nn.Linear(config.intermediate_size, config.hidden_size)
        self.output_dropout = Dropout(config.hidden_dropout)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden_states = self.intermediate_act_fn(self.intermediate_dense(hidden_states))
        hidden_states = self.output_dense(self.intermediate_dropout(hidden_states))
        dropped: torch.Tensor = self.output_dropout(hidden_states)
        return dropped


class Wav2Vec2AttnAdapterLayer(nn.Module):
    """A language's own bottleneck inside a layer (Pratap et al. 2023, 4.2)."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        assert config.adapter_attn_dim is not None
        self.norm = nn.LayerNorm(config.hidden_size)
        self.linear_1 = nn.Linear(config.hidden_size, config.adapter_attn_dim)
        self.act_fn = nn.ReLU()
        self.linear_2 = nn.Linear(config.adapter_attn_dim, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        adapted: torch.Tensor = self.linear_2(self.act_fn(self.linear_1(self.norm(hidden_states))))
        return adapted


class EncoderLayer(CheckpointedModule):
    """Attention and feed-forward with residuals: the parts; subclasses say where norms go."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.attention = Wav2Vec2Attention(
            embed_dim=config.hidden_size,
            num_heads=config.num_attention_heads,
            dropout=config.attention_dropout,
            config=config,
        )
        self.dropout = Dropout(config.hidden_dropout)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = Wav2Vec2FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class Wav2Vec2EncoderLayer(EncoderLayer):
    """Post-norm, as in the base model."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and the attention weights where asked for."""
        attended, weights = self.attention(hidden_states, attention_mask, output_attentions)
        hidden_states = self.layer_norm(hidden_states + self.dropout(attended))
        hidden_states = hidden_states + self.feed_forward(hidden_states)
        return self.final_layer_norm(hidden_states), weights


class Wav2Vec2EncoderLayerStableLayerNorm(EncoderLayer):
    """Pre-norm, as in the large models, with an attention adapter where configured."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.adapter_layer = (
            None if config.adapter_attn_dim is None else Wav2Vec2AttnAdapterLayer(config)
        )

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and the attention weights where asked for."""
        attended, weights = self.attention(
            self.layer_norm(hidden_states), attention_mask, output_attentions
        )
        hidden_states = hidden_states + self.dropout(attended)
        hidden_states = hidden_states + self.feed_forward(self.final_layer_norm(hidden_states))
        if self.adapter_layer is not None:
            hidden_states = hidden_states + self.adapter_layer(hidden_states)
        return hidden_states, weights


class Encoder(nn.Module):
    """Positions and a stack of layers; subclasses say which, and where the norm goes."""

    layer_class: type[EncoderLayer]

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.pos_conv_embed = Wav2Vec2PositionalConvEmbedding(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout)
        self.layers = nn.ModuleList(
            [self.layer_class(config) for _ in range(config.num_hidden_layers)]
        )
        self.gradient_checkpointing = False

    def before_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError  # abstract

    def after_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError  # abstract

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool | int | Collection[int] = False,
    ) -> BaseModelOutput:
        """Return the encoder's output; frames that padding made have no influence on others.

        Args:
            hidden_states: (batch, frames, hidden).
            attention_mask: Which frames are real, bool (batch, frames).
            output_attentions: Whether to collect attention weights.
            output_hidden_states: Whether to collect hidden states, or which of them: an index
                or several; the places of the others then hold None.
        """
        if attention_mask is not None:
            hidden_states = hidden_states.masked_fill(~attention_mask[..., None], 0.0)
            if not _is_traced() and bool(attention_mask.all()):
                attention_mask = None  # nothing to hide, and faster without
        hidden_states = hidden_states + self.pos_conv_embed(hidden_states)
        hidden_states = self.before_layers(hidden_states)
        states = CollectedStates(output_hidden_states, len(self.layers) + 1)
        attentions: list[torch.Tensor] | None = [] if output_attentions else None
        for layer in self.layers:
            states.add_first(hidden_states)
            if self._drops_layer():
                states.add(hidden_states)  # a sum of all layers' states needs one of each
                continue
            hidden_states, weights = layer(hidden_states, attention_mask, output_attentions)
            states.add(hidden_states)
            if attentions is not None and weights is not None:
                attentions.append(weights)
        return BaseModelOutput(
            last_hidden_state=self.after_layers(hidden_states),
            hidden_states=states.collected(),
            attentions=present(attentions),
        )

    def _drops_layer(self) -> bool:
        """Layer drop (Fan et al. 2019): a draw for every layer, in training alone."""
        if not self.training or self.config.layerdrop <= 0.0:
            return False
        return bool(torch.rand([]) < self.config.layerdrop)


class Wav2Vec2Encoder(Encoder):
    """The post-norm encoder."""

    layer_class = Wav2Vec2EncoderLayer

    def before_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        dropped: torch.Tensor = self.dropout(self.layer_norm(hidden_states))
        return dropped

    def after_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return hidden_states


class Wav2Vec2EncoderStableLayerNorm(Encoder):
    """The pre-norm encoder."""

    layer_class = Wav2Vec2EncoderLayerStableLayerNorm

    def before_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        dropped: torch.Tensor = self.dropout(hidden_states)
        return dropped

    def after_layers(self, hidden_states: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.layer_norm(hidden_states)
        return normalised


def state_indices(wanted: int | Collection[int], n_states: int) -> set[int]:
    """Return which of n_states an index or several name; those out of range name none."""
    chosen = [wanted] if isinstance(wanted, int) else wanted
    return {i % n_states for i in chosen if -n_states <= i < n_states}


class CollectedStates:
    """Hidden states gathered on the way, all of them or those at chosen indices."""

    def __init__(self, wanted: bool | int | Collection[int] | None, n_states: int) -> None:
        self.states: list[torch.Tensor | None] | None = None
        self.indices: set[int] | None = None
        if wanted is None or wanted is False:
            return
        self.states = []
        if wanted is not True:
            self.indices = state_indices(wanted, n_states)

    def add_first(self, hidden_states: torch.Tensor) -> None:
        """Take the first layer's input; later calls do nothing."""
        if self.states is not None and not self.states:
            self.add(hidden_states)

    def add(self, hidden_states: torch.Tensor) -> None:
        if self.states is not None:
            wanted = self.indices is None or len(self.states) in self.indices
            self.states.append(hidden_states if wanted else None)

    def collected(self) -> tuple[torch.Tensor, ...] | None:
        return None if self.states is None else tuple(self.states)  # type: ignore[arg-type]  # as published


class Wav2Vec2Adapter(nn.Module):
    """Strided convolutions after the encoder that shorten its output."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        assert config.output_hidden_size is not None
        self.proj: nn.Linear | None = None
        self.proj_layer_norm: nn.LayerNorm | None = None
        if config.output_hidden_size != config.hidden_size:
            self.proj = nn.Linear(config.hidden_size, config.output_hidden_size)
            self.proj_layer_norm = nn.LayerNorm(config.output_hidden_size)
        self.layers = nn.ModuleList(
            Wav2Vec2AdapterLayer(config) for _ in range(config.num_adapter_layers)
        )
        self.stride = config.adapter_stride
        self.layerdrop = config.layerdrop

    def forward(
        self, hidden_states: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return (batch, shorter frames, output_hidden_size).

        Args:
            hidden_states: (batch, frames, hidden).
            lengths: Real frames (batch,): makes what follows them count as zeros.
        """
        if self.proj is not None and self.proj_layer_norm is not None:
            hidden_states = self.proj_layer_norm(self.proj(hidden_states))
        hidden_states = hidden_states.transpose(1, 2)  # (batch, channels, frames)
        for layer in self.layers:
            draw = np.random.random()
            if self.training and draw <= self.layerdrop:
                continue
            if lengths is not None:
                real = frame_mask(lengths, hidden_states.shape[-1])
                hidden_states = hidden_states.masked_fill(~real[:, None, :], 0.0)
                lengths = conv_output_length(lengths, 1, self.stride)
            hidden_states = layer(hidden_states)
        return hidden_states.transpose(1, 2)


def _is_traced() -> bool:
    """Return whether what is calculated here is written down for other inputs, too."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]  # untyped
    return traced or torch.compiler.is_compiling()
