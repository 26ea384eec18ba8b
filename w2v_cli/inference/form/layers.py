"""The context network's parts, made of products."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.inference.form.features import activate, is_exact_gelu, normalised
from w2v_cli.inference.form.products import Products
from w2v_cli.model.attention import Wav2Vec2Attention

# Scores of attention that are calculated at a time: so many are in the cache still for the softmax.
_SCORES = 3_000_000


class Rows(nn.Module):
    """A product of (..., in_features) as one of rows: what a linear layer is to a head."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self.in_features: int = trained.in_features
        self.out_features: int = trained.out_features
        self.product = products.linear([trained])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return (..., out_features)."""
        product: torch.Tensor = self.product(values.reshape(-1, self.in_features))
        return product.view(*values.shape[:-1], self.out_features)


class FusedAttention(Wav2Vec2Attention):
    """Self-attention with one product for queries, keys and values."""

    def __init__(self, trained: Wav2Vec2Attention, products: Products) -> None:
        nn.Module.__init__(self)  # without drawing weights
        self.embed_dim, self.num_heads = trained.embed_dim, trained.num_heads
        self.head_dim, self.scaling = trained.head_dim, trained.scaling
        self.dropout, self.config, self.window = trained.dropout, trained.config, trained.window
        self.projection = products.linear([trained.q_proj, trained.k_proj, trained.v_proj])
        self.out_product = products.linear([trained.out_proj])
        self._is_narrow = products.narrow_attention

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and weights (batch, heads, frames, frames) or None.

        Args are those of the trained form.
        """
        batch_size, n_frames, size = hidden_states.shape
        projected = self.projection(hidden_states.reshape(-1, size))
        shape = (batch_size, n_frames, 3, self.num_heads, self.head_dim)
        query, key, value = projected.view(shape).unbind(2)
        weights = None
        if self.implementation(output_attentions) == "eager":
            attended, weights = self._eager(query, key, value, attention_mask)
        else:
            attended = self._sdpa(query, key, value, attention_mask)
        product = self.out_product(attended.reshape(-1, size))
        return product.view(hidden_states.shape), weights if output_attentions else None

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        visible: torch.Tensor | None,
    ) -> torch.Tensor:
        if not self._is_narrow:
            return super()._attend(query, key, value, visible)
        return narrow_attention(query, key, value, visible, self.scaling)


def narrow_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    visible: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """Return scaled dot-product attention, calculated in bfloat16: (batch, heads, queries, size).

    What all keys have in common says nothing to a softmax and would take digits of the scores, so
    it is left out (Zhang et al. 2024, SageAttention, 4.2).

    Args:
        query: (batch, heads, queries, size), float32; key and value likewise.
        key: See query.
        value: See query.
        visible: Which keys a query attends to, bool, as broadcast to (batch, heads, queries,
            keys); None for all.
        scaling: What scores are multiplied by.
    """
    shape = query.shape
    key = key - key.mean(2, keepdim=True)
    query, key, value = (
        x.to(torch.bfloat16).contiguous().flatten(0, 1) for x in (query, key, value)
    )
    attended = torch.empty(query.shape)
    n_rows = max(1, _SCORES // (key.shape[0] * key.shape[1]))
    for begin in range(0, shape[2], n_rows):
        rows = slice(begin, begin + n_rows)
        some = query[:, rows]
        scores = some.new_empty(len(key), some.shape[1], key.shape[1])
        scores.baddbmm_(some, key.transpose(1, 2), beta=0, alpha=scaling)
        if visible is not None:
            seen = visible[:, :, rows]
            by_head = scores.view(shape[0], shape[1], *scores.shape[1:])
            by_head.masked_fill_(~seen, torch.finfo(torch.bfloat16).min)
        attended[:, rows] = torch.bmm(scores.softmax(-1), value)
    return attended.view(shape)


class FeedForward(nn.Module):
    """Two products with an activation between them, of a span of frames at a time."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        gelu = is_exact_gelu(trained.intermediate_act_fn)
        self.first = products.linear([trained.intermediate_dense], gelu=gelu)
        self.second = products.linear([trained.output_dense])
        self.activation = None if gelu else trained.intermediate_act_fn

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return a new tensor (batch, frames, hidden)."""
        widened = self.first(hidden_states.reshape(-1, hidden_states.shape[-1]))
        if self.activation is not None:
            widened = activate(self.activation, widened)
        product: torch.Tensor = self.second(widened)
        return product.view(hidden_states.shape)


class PostNormLayer(nn.Module):
    """A layer of the base models: the norms come after."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self.attention = FusedAttention(trained.attention, products)
        self.layer_norm = trained.layer_norm
        self.feed_forward = FeedForward(trained.feed_forward, products)
        self.final_layer_norm = trained.final_layer_norm

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and the attention weights where asked for."""
        attended, weights = self.attention(hidden_states, attention_mask, output_attentions)
        hidden_states = normalised(self.layer_norm, attended.add_(hidden_states))
        fed = self.feed_forward(hidden_states)
        return normalised(self.final_layer_norm, fed.add_(hidden_states)), weights


class PreNormLayer(nn.Module):
    """A layer of the large models: the norms come before; an adapter where there is one."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self.attention = FusedAttention(trained.attention, products)
        self.layer_norm = trained.layer_norm
        self.feed_forward = FeedForward(trained.feed_forward, products)
        self.final_layer_norm = trained.final_layer_norm
        adapter = trained.adapter_layer
        self.adapter = None if adapter is None else LanguageAdapter(adapter, products)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and the attention weights where asked for."""
        attended, weights = self.attention(
            normalised(self.layer_norm, hidden_states), attention_mask, output_attentions
        )
        hidden_states = attended.add_(hidden_states)
        fed = self.feed_forward(normalised(self.final_layer_norm, hidden_states))
        hidden_states = fed.add_(hidden_states)
        if self.adapter is not None:
            hidden_states = self.adapter(hidden_states).add_(hidden_states)
        return hidden_states, weights


class LanguageAdapter(nn.Module):
    """A language's own bottleneck."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self.norm = trained.norm
        self.first = products.linear([trained.linear_1])
        self.second = products.linear([trained.linear_2])

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return a new tensor (batch, frames, hidden)."""
        rows = normalised(self.norm, hidden_states).view(-1, hidden_states.shape[-1])
        product: torch.Tensor = self.second(self.first(rows).relu_())
        return product.view(hidden_states.shape)


class AdapterConvolution(nn.Module):
    """A layer of the adapter that shortens the encoder's output."""

    def __init__(self, trained: Any, products: Products) -> None:
        super().__init__()
        self._padding = trained.conv.padding[0]
        self.product = products.convolution(trained.conv)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, fewer frames) from (batch, channels, frames)."""
        padding = (0, 0, self._padding, self._padding)
        padded = F.pad(hidden_states.transpose(1, 2), padding)  # (batch, frames, channels)
        rows = torch.stack([self.product(row) for row in padded.contiguous()])
        return F.glu(rows, dim=2).transpose(1, 2)
