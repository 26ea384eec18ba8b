"""Self-supervised pretraining: a Gumbel quantizer and the contrastive task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.dropout import Dropout
from w2v_cli.model.heads import ModelWithHead
from w2v_cli.model.outputs import Wav2Vec2ForPreTrainingOutput
from w2v_cli.model.wav2vec2 import HiddenStatesChoice

IGNORED_TARGET = -100


class Wav2Vec2GumbelVectorQuantizer(nn.Module):
    """Features to entries of product codebooks (Baevski et al. 2020, 2; Jang et al. 2017).

    Attributes:
        temperature: How sharply entries are chosen in training.
        average: Makes a mean of a sum and a count. Where processes share a batch, another function
            here makes that of all.

    Raises:
        ValueError: codevector_dim is not a multiple of num_codevector_groups.
    """

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.num_groups = config.num_codevector_groups
        self.num_vars = config.num_codevectors_per_group
        if config.codevector_dim % self.num_groups != 0:
            raise ValueError(
                f"`config.codevector_dim {config.codevector_dim} must be divisible by "
                f"`config.num_codevector_groups` {self.num_groups} for concatenation"
            )
        n_codevectors = self.num_groups * self.num_vars
        self.codevectors = nn.Parameter(
            torch.empty(1, n_codevectors, config.codevector_dim // self.num_groups)
        )
        self.weight_proj = nn.Linear(config.conv_dim[-1], n_codevectors)
        self.temperature: float = 2  # lowered in training with set_gumbel_temperature
        self.average: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = torch.div

    def _compute_perplexity(
        self, probs: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the exponential of the mean distribution's entropy, summed over groups.

        Args:
            probs: (batch * frames, groups, entries).
            mask: Frames that count, (batch, frames); all without it.
        """
        if mask is None:
            mean = probs.mean(dim=0)
        else:
            counted = mask.flatten()[:, None, None]
            mean = self.average(torch.where(counted, probs, 0.0).sum(dim=0), mask.sum())
        return torch.exp(-torch.xlogy(mean, mean).sum(dim=-1)).sum()

    def forward(
        self, hidden_states: torch.Tensor, mask_time_indices: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return code vectors (batch, frames, codevector_dim) and the perplexity.

        Args:
            hidden_states: Normalised features, (batch, frames, conv_dim[-1]).
            mask_time_indices: Frames that the perplexity counts, bool (batch, frames).
        """
        batch_size, n_frames, _ = hidden_states.shape
        scores = self.weight_proj(hidden_states)
        scores = scores.view(batch_size * n_frames * self.num_groups, self.num_vars)
        by_group = (batch_size * n_frames, self.num_groups, self.num_vars)
        if self.training:
            chosen = F.gumbel_softmax(scores.float(), tau=self.temperature, hard=True)
            chosen = chosen.type_as(scores)
            soft = scores.view(by_group).float().softmax(dim=-1)
            perplexity = self._compute_perplexity(soft, mask_time_indices)
        else:
            chosen = F.one_hot(scores.argmax(dim=-1), self.num_vars).type_as(scores)
            perplexity = self._compute_perplexity(chosen.view(by_group), mask_time_indices)
        entries = self.codevectors.view(self.num_groups, self.num_vars, -1)
        codevectors = torch.einsum("fgv,gvd->fgd", chosen.view(by_group), entries)
        return codevectors.reshape(batch_size, n_frames, -1), perplexity


class Wav2Vec2ForPreTraining(ModelWithHead):
    """The masked contrastive task and the codebooks' diversity (Baevski et al. 2020, 3.2)."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.dropout_features = Dropout(config.feat_quantizer_dropout)
        self.quantizer = Wav2Vec2GumbelVectorQuantizer(config)
        self.project_hid = nn.Linear(config.hidden_size, config.proj_codevector_dim)
        self.project_q = nn.Linear(config.codevector_dim, config.proj_codevector_dim)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Wav2Vec2GumbelVectorQuantizer):
            nn.init.normal_(module.weight_proj.weight, 0.0, 1.0)
            nn.init.zeros_(module.weight_proj.bias)
            nn.init.uniform_(module.codevectors)
        elif module is self:
            self.project_hid.reset_parameters()
            self.project_q.reset_parameters()

    def set_gumbel_temperature(self, temperature: float) -> None:
        """Set how sharp the training-time choice of codebook entries is."""
        self.quantizer.temperature = temperature

    @staticmethod
    def compute_contrastive_logits(
        target_features: torch.Tensor,
        negative_features: torch.Tensor,
        predicted_features: torch.Tensor,
        temperature: float = 0.1,
    ) -> torch.Tensor:
        """Return cosines over the temperature, (1 + negatives, batch, frames), target first.

        Args:
            target_features: (1, batch, frames, dim).
            negative_features: (negatives, batch, frames, dim).
            predicted_features: (batch, frames, dim).
            temperature: The divisor, kappa in equation 3.
        """
        candidates = torch.cat([target_features, negative_features], dim=0)
        cosines = F.cosine_similarity(predicted_features.float(), candidates.float(), dim=-1)
        return cosines.type_as(candidates) / temperature

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        mask_time_indices: torch.Tensor | None = None,
        sampled_negative_indices: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: HiddenStatesChoice | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Return a Wav2Vec2ForPreTrainingOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real, (batch, samples).
            mask_time_indices: Frames to mask and to predict, (batch, frames).
            sampled_negative_indices: Distractors from `_sample_negative_indices`, (batch, frames,
                negatives); gives the losses.
            output_attentions: As in Wav2Vec2Model.forward, as are the next two.
            output_hidden_states: Whether, or which, hidden states to return.
            return_dict: Whether to return fields or a tuple.

        Raises:
            ValueError: distractors without the mask they were drawn for.
        """
        if mask_time_indices is not None:
            mask_time_indices = mask_time_indices.to(torch.bool)
        outputs = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            mask_time_indices=mask_time_indices,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        context = self.project_hid(outputs.last_hidden_state)
        features = self.dropout_features(outputs.extract_features)
        quantized, perplexity = self.quantizer(features, mask_time_indices)
        quantized = self.project_q(quantized.to(self.project_q.weight.dtype))

        loss = contrastive_loss = diversity_loss = None
        if sampled_negative_indices is not None:
            if mask_time_indices is None:
                raise ValueError(
                    "sampled_negative_indices needs the mask_time_indices it was drawn for"
                )
            contrastive_loss = self._contrastive_loss(
                context, quantized, sampled_negative_indices, mask_time_indices
            )
            n_codevectors = self.quantizer.num_groups * self.quantizer.num_vars
            unused = (n_codevectors - perplexity) / n_codevectors
            diversity_loss = unused * mask_time_indices.sum()
            loss = contrastive_loss + self.config.diversity_loss_weight * diversity_loss
        output = Wav2Vec2ForPreTrainingOutput(
            loss=loss,
            projected_states=context,
            projected_quantized_states=quantized,
            codevector_perplexity=perplexity,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            contrastive_loss=contrastive_loss,
            diversity_loss=diversity_loss,
        )
        return self._published(output, return_dict)

    def _contrastive_loss(
        self,
        context: torch.Tensor,
        quantized: torch.Tensor,
        sampled_negative_indices: torch.Tensor,
        mask_time_indices: torch.Tensor,
    ) -> torch.Tensor:
        """Return equation 3 summed over masked frames; distractors equal to the target left out."""
        batch_size, n_frames, _ = quantized.shape
        distractors = sampled_negative_indices.long()
        places = torch.arange(batch_size * n_frames, device=quantized.device)
        targets = places.view(batch_size, n_frames, 1)
        _, which = torch.unique(
            quantized.detach().flatten(0, 1).float(), dim=0, return_inverse=True
        )
        is_target = which[distractors] == which[targets]  # (batch, frames, negatives)
        candidates, offsets = quantized, targets[:, :1]
        if not ((distractors >= offsets) & (distractors < offsets + n_frames)).all():
            # Some are of other recordings, which the published sampler doesn't draw.
            candidates = quantized.flatten(0, 1).expand(batch_size, -1, -1)
            offsets = torch.zeros_like(offsets)
        chosen = torch.cat([targets, distractors], dim=2) - offsets
        # Each frame with each, and then those that were drawn: far less than a copy of every one
        # that was drawn, of which there are a hundred for a frame.
        cosines = _cosines(context, candidates).gather(2, chosen).type_as(quantized)
        logits = cosines / self.config.contrastive_logits_temperature
        logits = logits.masked_fill(F.pad(is_target, (1, 0)), float("-inf"))
        classes = torch.where(mask_time_indices.flatten(), 0, IGNORED_TARGET)
        return F.cross_entropy(logits.flatten(0, 1).float(), classes, reduction="sum")


def _cosines(features: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return (batch, frames, others) of (batch, frames, dim) and (batch, others, dim)."""
    with torch.autocast(features.device.type, enabled=False):
        one, other = (
            F.normalize(vectors.float(), dim=-1, eps=1e-8) for vectors in (features, others)
        )
        return one @ other.transpose(1, 2)
