"""Heads that label a whole recording or every frame of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.heads import ModelWithLayerSum
from w2v_cli.model.outputs import SequenceClassifierOutput, TokenClassifierOutput
from w2v_cli.model.wav2vec2 import HiddenStatesChoice


class Wav2Vec2ForSequenceClassification(ModelWithLayerSum):
    """One set of label scores for a recording: projected frames, their mean, a linear layer.

    Raises:
        ValueError: the configuration asks for a convolutional adapter.
    """

    task = "Sequence classification"

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.projector = nn.Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = nn.Linear(config.classifier_proj_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: HiddenStatesChoice | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Return a SequenceClassifierOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real, (batch, samples).
            labels: Label ids (batch,); with problem_type "regression" or
                "multi_label_classification" numbers (batch, labels).
            output_attentions: As in Wav2Vec2Model.forward, as are the next two.
            output_hidden_states: Whether, or which, hidden states to return.
            return_dict: Whether to return fields or a tuple.
        """
        hidden_states, states, attentions = self._encode(
            input_values, attention_mask, output_attentions, output_hidden_states
        )
        hidden_states = self.projector(hidden_states)
        if attention_mask is None:
            pooled = hidden_states.mean(dim=1)
        else:
            real = self._get_feature_vector_attention_mask(hidden_states.shape[1], attention_mask)
            hidden_states = hidden_states.masked_fill(~real[..., None], 0.0)
            pooled = hidden_states.sum(dim=1) / real.sum(dim=1)[:, None]
        logits = self.classifier(pooled)
        loss = None if labels is None else self._loss(logits, labels.to(logits.device))
        output = SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=states, attentions=attentions
        )
        return self._published(output, return_dict)

    def projected(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the frames whose mean is classified, (batch, frames, classifier_proj_size).

        Args:
            input_values: As for `forward`.
            attention_mask: As for `forward`; frames of padding come back, too.
        """
        hidden_states, _, _ = self._encode(input_values, attention_mask, None, None)
        projected: torch.Tensor = self.projector(hidden_states)
        return projected

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.config.problem_type == "regression":
            return F.mse_loss(logits.flatten(), labels.flatten().to(logits.dtype))
        if self.config.problem_type == "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return F.cross_entropy(logits.view(-1, self.config.num_labels), labels.view(-1))


class Wav2Vec2ForAudioFrameClassification(ModelWithLayerSum):
    """Label scores for every frame, such as who speaks when.

    Raises:
        ValueError: the configuration asks for a convolutional adapter.
    """

    task = "Audio frame classification"

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.num_labels = config.num_labels
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: HiddenStatesChoice | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Return a TokenClassifierOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real, (batch, samples).
            labels: 0 or 1 for every frame and label, (batch, frames, labels). As published,
                each frame counts for its first active label; with
                problem_type="multi_label_classification" all active ones count.
            output_attentions: As in Wav2Vec2Model.forward, as are the next two.
            output_hidden_states: Whether, or which, hidden states to return.
            return_dict: Whether to return fields or a tuple.
        """
        hidden_states, states, attentions = self._encode(
            input_values, attention_mask, output_attentions, output_hidden_states
        )
        logits = self.classifier(hidden_states)
        loss = None
        if labels is not None:
            loss = self._loss(logits, labels.to(logits.device), attention_mask)
        output = TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=states, attentions=attentions
        )
        return self._published(output, return_dict)

    def _loss(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        attention_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        if self.config.problem_type != "multi_label_classification":
            first_active = labels.view(-1, self.num_labels).argmax(dim=1)
            return F.cross_entropy(logits.view(-1, self.num_labels), first_active)
        if attention_mask is not None:  # frames that padding made have no speakers to find
            real = self._get_feature_vector_attention_mask(logits.shape[1], attention_mask)
            logits, labels = logits[real], labels[real]
        return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
