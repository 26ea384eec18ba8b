"""The CTC head: characters from context vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.dropout import Dropout
from w2v_cli.model.heads import ModelWithHead
from w2v_cli.model.outputs import CausalLMOutput
from w2v_cli.model.wav2vec2 import HiddenStatesChoice

IGNORED_LABEL = -100


def ctc_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    logit_lengths: torch.Tensor,
    *,
    blank_id: int,
    reduction: str,
    zero_infinity: bool,
) -> torch.Tensor:
    """Return the negative log-likelihood of labels (Graves et al. 2006, 4), always in float32.

    Args:
        logits: (batch, frames, vocab).
        labels: (batch, labels), padded with -100 or with the blank.
        logit_lengths: Real frames, (batch,).
        blank_id: The blank's index.
        reduction: "sum", "mean" (over labels, then recordings) or "none".
        zero_infinity: Whether a recording too short for its labels counts as zero.
    """
    labels = labels.to(logits.device)
    is_label = (labels != IGNORED_LABEL) & (labels != blank_id)
    log_probs = F.log_softmax(logits, dim=-1, dtype=torch.float32).transpose(0, 1)
    with torch.backends.cudnn.flags(enabled=False):
        return F.ctc_loss(
            log_probs,  # (frames, batch, vocab)
            labels.masked_select(is_label),
            logit_lengths,
            is_label.sum(-1),
            blank=blank_id,
            reduction=reduction,
            zero_infinity=zero_infinity,
        )


class Wav2Vec2ForCTC(ModelWithHead):
    """Logits over a vocabulary for every frame, with language adapters where configured.

    Args:
        config: The configuration; vocab_size must be set, pad_token_id is the blank.
        target_lang: The language whose adapter `from_pretrained` loads, such as "fra". Only
            for a configuration with adapter_attn_dim.

    Raises:
        ValueError: vocab_size is None, or a language without adapters.
    """

    def __init__(self, config: Wav2Vec2Config, target_lang: str | None = None) -> None:
        super().__init__(config)
        self.dropout = Dropout(config.final_dropout)
        self.target_lang = target_lang
        if config.vocab_size is None:
            raise ValueError(
                f"{type(self).__name__} needs the size of its vocabulary; load it with "
                "from_pretrained(..., vocab_size=N), or set config.vocab_size"
            )
        if target_lang is not None and config.adapter_attn_dim is None:
            raise ValueError(
                f"Cannot pass `target_lang`: {target_lang} if `config.adapter_attn_dim` is not "
                "defined."
            )
        hidden_size = config.output_hidden_size if config.add_adapter else config.hidden_size
        assert hidden_size is not None
        self.lm_head = nn.Linear(hidden_size, config.vocab_size)
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
        """Return a CausalLMOutput, or its tuple where return_dict is false.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which samples are real, (batch, samples).
            labels: Token ids (batch, labels), padded with -100; gives the loss.
            output_attentions: As in Wav2Vec2Model.forward, as are the next two.
            output_hidden_states: Whether, or which, hidden states to return.
            return_dict: Whether to return fields or a tuple.

        Raises:
            ValueError: a label is not in the vocabulary.
        """
        config = self.config
        assert config.vocab_size is not None
        if labels is not None and labels.max() >= config.vocab_size:
            raise ValueError(
                f"Label values must be <= vocab_size: {config.vocab_size}, but {labels.max()} is "
                "among them"
            )
        outputs = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        logits = self.lm_head(self.dropout(outputs.last_hidden_state))
        loss = None
        if labels is not None:
            if attention_mask is None:
                attention_mask = torch.ones_like(input_values, dtype=torch.long)
            loss = ctc_loss(
                logits,
                labels,
                self._get_feat_extract_output_lengths(attention_mask.sum(-1)).to(torch.long),
                blank_id=config.pad_token_id or 0,
                reduction=config.ctc_loss_reduction,
                zero_infinity=config.ctc_zero_infinity,
            )
        output = CausalLMOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._published(output, return_dict)
