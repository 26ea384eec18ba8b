"""The base model: samples to context vectors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.encoder import (
    Encoder,
    Wav2Vec2Adapter,
    Wav2Vec2Encoder,
    Wav2Vec2EncoderStableLayerNorm,
)
from w2v_cli.model.features import Wav2Vec2FeatureEncoder, Wav2Vec2FeatureProjection
from w2v_cli.model.masking import _compute_mask_indices
from w2v_cli.model.outputs import Wav2Vec2BaseModelOutput, as_published

HiddenStatesChoice = bool | int | Collection[int]


class Wav2Vec2Model(Wav2Vec2PreTrainedModel):
    """Samples to context vectors (Baevski et al. 2020, 2), one for every hop of 320 samples."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.feature_extractor = Wav2Vec2FeatureEncoder(config)
        self.feature_projection = Wav2Vec2FeatureProjection(config)
        if config.mask_time_prob > 0.0 or config.mask_feature_prob > 0.0:
            self.masked_spec_embed = nn.Parameter(torch.empty(config.hidden_size).uniform_())
        self.encoder: Encoder
        if config.do_stable_layer_norm:
            self.encoder = Wav2Vec2EncoderStableLayerNorm(config)
        else:
            self.encoder = Wav2Vec2Encoder(config)
        self.adapter = Wav2Vec2Adapter(config) if config.add_adapter else None
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self and hasattr(self, "masked_spec_embed"):
            nn.init.uniform_(self.masked_spec_embed)

    def freeze_feature_encoder(self) -> None:
        """Keep the convolutional feature encoder as it is in training."""
        self.feature_extractor._freeze_parameters()

    def _mask_hidden_states(
        self,
        hidden_states: torch.Tensor,
        mask_time_indices: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Apply SpecAugment (Park et al. 2019): given time masks always, random ones in training.

        Args:
            hidden_states: (batch, frames, hidden).
            mask_time_indices: Frames to replace by the learned mask vector, (batch, frames).
            attention_mask: Real frames (batch, frames), where random spans may begin.
        """
        config = self.config
        if not config.apply_spec_augment:
            return hidden_states
        batch_size, n_frames, hidden_size = hidden_states.shape
        if mask_time_indices is None and config.mask_time_prob > 0 and self.training:
            spans = _compute_mask_indices(
                (batch_size, n_frames),
                mask_prob=config.mask_time_prob,
                mask_length=config.mask_time_length,
                attention_mask=attention_mask,
                min_masks=config.mask_time_min_masks,
            )
            mask_time_indices = torch.from_numpy(spans)
        if mask_time_indices is not None:
            hidden_states = torch.where(
                mask_time_indices.to(hidden_states.device, torch.bool)[..., None],
                self.masked_spec_embed.to(hidden_states.dtype),
                hidden_states,
            )
        if config.mask_feature_prob > 0 and self.training:
            spans = _compute_mask_indices(
                (batch_size, hidden_size),
                mask_prob=config.mask_feature_prob,
                mask_length=config.mask_feature_length,
                min_masks=config.mask_feature_min_masks,
            )
            masked = torch.from_numpy(spans).to(hidden_states.device)
            hidden_states = hidden_states.masked_fill(masked[:, None, :], 0.0)
        return hidden_states

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        mask_time_indices: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: HiddenStatesChoice | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Return a Wav2Vec2BaseModelOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real (right-padded), (batch, samples).
            mask_time_indices: Frames to mask, bool (batch, frames).
            output_attentions: Whether to return attention weights; the configuration's choice
                without it, as for the next two.
            output_hidden_states: Whether to return hidden states, or which (an index or several).
            return_dict: Whether to return fields or a tuple.

        Raises:
            ValueError: attention weights asked of an implementation that has none.
        """
        config = self.config
        input_lengths = None if attention_mask is None else attention_mask.sum(-1)
        if edge := self.edge_samples:
            input_values = nn.functional.pad(input_values, (edge, edge))
            input_lengths = None if input_lengths is None else input_lengths + 2 * edge
        invariant_lengths = input_lengths if self.padding_invariant else None
        features = self.feature_extractor(input_values, invariant_lengths)
        features = features.transpose(1, 2)  # (batch, frames, conv_dim)
        frames_mask = None
        if attention_mask is not None:
            frames_mask = self._get_feature_vector_attention_mask(
                features.shape[1], attention_mask, add_adapter=False
            )
        hidden_states, features = self.feature_projection(features)
        hidden_states = self._mask_hidden_states(hidden_states, mask_time_indices, frames_mask)
        if output_attentions is None:
            output_attentions = config.output_attentions
        if output_hidden_states is None:
            output_hidden_states = bool(config.output_hidden_states)
        encoded = self.encoder(
            hidden_states,
            attention_mask=frames_mask,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        hidden_states = encoded.last_hidden_state
        if self.adapter is not None:
            lengths = None
            if invariant_lengths is not None and frames_mask is not None:
                lengths = frames_mask.sum(-1)
            hidden_states = self.adapter(hidden_states, lengths)
        output = Wav2Vec2BaseModelOutput(
            last_hidden_state=hidden_states,
            extract_features=features,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        if return_dict is None:
            return_dict = bool(config.return_dict)
        return as_published(output, return_dict)
