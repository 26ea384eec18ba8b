"""The speaker head: x-vectors (Snyder et al. 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.features import conv_output_length
from w2v_cli.model.heads import ModelWithLayerSum
from w2v_cli.model.outputs import XVectorOutput
from w2v_cli.model.wav2vec2 import HiddenStatesChoice

MARGIN = 0.4
"""How much nearer a vector has to be to its speaker's place than to any other, as published."""


class TDNNLayer(nn.Module):
    """A dilated convolution over time, its weights kept as a linear layer's (published keys)."""

    def __init__(self, config: Wav2Vec2Config, layer_id: int = 0) -> None:
        super().__init__()
        self.in_conv_dim = config.tdnn_dim[max(layer_id - 1, 0)]
        self.out_conv_dim = config.tdnn_dim[layer_id]
        self.kernel_size = config.tdnn_kernel[layer_id]
        self.dilation = config.tdnn_dilation[layer_id]
        self.kernel = nn.Linear(self.in_conv_dim * self.kernel_size, self.out_conv_dim)
        self.activation = nn.ReLU()

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return (batch, fewer frames, out_conv_dim) from (batch, frames, in_conv_dim)."""
        weight = self.kernel.weight.view(self.out_conv_dim, self.kernel_size, self.in_conv_dim)
        hidden_states = F.conv1d(
            hidden_states.transpose(1, 2),
            weight.transpose(1, 2),
            self.kernel.bias,
            dilation=self.dilation,
        )
        activated: torch.Tensor = self.activation(hidden_states.transpose(1, 2))
        return activated


class AMSoftmaxLoss(nn.Module):
    """Additive-margin softmax (Wang et al. 2018): cosines, the true one less a margin."""

    def __init__(
        self, input_dim: int, num_labels: int, scale: float = 30.0, margin: float = MARGIN
    ) -> None:
        super().__init__()
        self.scale = scale
        self.margin = margin
        self.num_labels = num_labels
        self.weight = nn.Parameter(torch.randn(input_dim, num_labels))

    def forward(self, hidden_states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of (batch, input_dim) against speaker ids (batch,)."""
        labels = labels.flatten()
        cosines = F.normalize(hidden_states, dim=1) @ F.normalize(self.weight, dim=0)
        is_speaker = F.one_hot(labels, self.num_labels).bool()
        logits = torch.where(is_speaker, cosines - self.margin, cosines)
        return F.cross_entropy(self.scale * logits, labels)


class Wav2Vec2ForXVector(ModelWithLayerSum):
    """A recording's speaker as a vector: TDNN layers, statistics pooling, a linear layer."""

    task = ""  # published without a check against convolutional adapters

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.projector = nn.Linear(config.hidden_size, config.tdnn_dim[0])
        self.tdnn = nn.ModuleList(TDNNLayer(config, i) for i in range(len(config.tdnn_dim)))
        self.feature_extractor = nn.Linear(config.tdnn_dim[-1] * 2, config.xvector_output_dim)
        self.classifier = nn.Linear(config.xvector_output_dim, config.xvector_output_dim)
        self.objective = AMSoftmaxLoss(config.xvector_output_dim, config.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, AMSoftmaxLoss):
            nn.init.normal_(module.weight)

    def _get_tdnn_output_lengths(self, input_lengths: torch.Tensor | int) -> torch.Tensor:
        """Return frames after the TDNN, for frames before it.

        As published, dilation is left out, so that some frames that saw padding are pooled;
        with `padding_invariant` the lengths are exact.
        """
        lengths = torch.as_tensor(input_lengths)
        config = self.config
        spans = [(kernel_size, 1) for kernel_size in config.tdnn_kernel]
        if self.padding_invariant:
            layers = range(len(config.tdnn_dim))
            spans = [(config.tdnn_kernel[i], config.tdnn_dilation[i]) for i in layers]
        for kernel_size, dilation in spans:
            lengths = conv_output_length(lengths, kernel_size, 1, dilation)
        return lengths

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: HiddenStatesChoice | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Return an XVectorOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real, (batch, samples).
            labels: Speaker ids (batch,).
            output_attentions: As in Wav2Vec2Model.forward, as are the next two.
            output_hidden_states: Whether, or which, hidden states to return.
            return_dict: Whether to return fields or a tuple.
        """
        hidden_states, states, attentions = self._encode(
            input_values, attention_mask, output_attentions, output_hidden_states
        )
        hidden_states = self._tdnn_frames(self.projector(hidden_states))
        embeddings = self.feature_extractor(self._statistics(hidden_states, attention_mask))
        logits = self.classifier(embeddings)
        loss = None if labels is None else self.objective(logits, labels.to(logits.device))
        output = XVectorOutput(
            loss=loss,
            logits=logits,
            embeddings=embeddings,
            hidden_states=states,
            attentions=attentions,
        )
        return self._published(output, return_dict)

    def _tdnn_frames(self, projected: torch.Tensor) -> torch.Tensor:
        """Return (batch, fewer frames, channels) from projected hidden states."""
        for layer in self.tdnn:
            projected = layer(projected)
        return projected

    def _statistics(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return every channel's mean and standard deviation over time, (batch, 2 * channels)."""
        if attention_mask is None:
            return torch.cat([hidden_states.mean(dim=1), hidden_states.std(dim=1)], dim=-1)
        n_frames = self._get_feat_extract_output_lengths(attention_mask.sum(dim=1))
        lengths = self._get_tdnn_output_lengths(n_frames).tolist()
        pooled = [
            torch.cat([item[:length].mean(dim=0), item[:length].std(dim=0)])
            for item, length in zip(hidden_states, lengths, strict=True)
        ]
        return torch.stack(pooled)
