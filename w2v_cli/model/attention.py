"""Multi-head self-attention, computed in the way that the configuration names."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config

ATTN_IMPLEMENTATIONS = ("eager", "sdpa", "flash_attention_2")
DEFAULT_ATTN_IMPLEMENTATION = "sdpa"


def check_attn_implementation(name: str) -> None:
    """Refuse an implementation that this machine can't run, naming one that it can.

    Raises:
        ValueError: the name is unknown.
        ImportError: flash_attention_2 without its package or without a CUDA device.
    """
    if name not in ATTN_IMPLEMENTATIONS:
        raise ValueError(
            f'Specified `attn_implementation="{name}"` is not supported; use one of '
            f"{', '.join(ATTN_IMPLEMENTATIONS)}"
        )
    if name != "flash_attention_2":
        return
    if importlib.util.find_spec("flash_attn") is None:
        raise ImportError(
            "attn_implementation='flash_attention_2' needs the package flash_attn, which is not "
            "installed; use attn_implementation='sdpa' here, or: pip install flash-attn"
        )
    if not torch.cuda.is_available():
        raise ImportError(
            "attn_implementation='flash_attention_2' needs a CUDA device and there is none; use "
            "attn_implementation='sdpa' here"
        )


def check_returns_attentions(name: str) -> None:
    """Refuse to return attention weights from an implementation that never has them.

    Raises:
        ValueError: the implementation is not eager.
    """
    if name != "eager":
        raise ValueError(
            f"attn_implementation={name!r} does not return attention weights; "
            "output_attentions=True needs attn_implementation='eager' "
            "(model.set_attn_implementation('eager'))"
        )


class Wav2Vec2Attention(nn.Module):
    """Self-attention over frames (Vaswani et al. 2017, 3.2)."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        config: Wav2Vec2Config | None = None,
    ) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.head_dim = embed_dim // num_heads
        self.scaling = self.head_dim**-0.5
        self.config = config
        if self.head_dim * num_heads != embed_dim:
            raise ValueError(
                f"embed_dim must be divisible by num_heads (got `embed_dim`: {embed_dim} and "
                f"`num_heads`: {num_heads})."
            )
        self.k_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.v_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.q_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias)

    def implementation(self, output_attentions: bool) -> str:
        """Return what computes: the chosen one; by default sdpa, or eager where it must be.

        Raises:
            ValueError: weights asked of a chosen implementation that has none.
        """
        config = self.config
        chosen = None if config is None else config._attn_implementation
        if output_attentions:
            if chosen is None or (config is not None and config._attn_is_default):
                return "eager"
            check_returns_attentions(chosen)
        return chosen or DEFAULT_ATTN_IMPLEMENTATION

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (batch, frames, hidden), and weights (batch, heads, frames, frames) or None.

        Args:
            hidden_states: (batch, frames, hidden).
            attention_mask: Which frames may be attended to, bool (batch, frames).
            output_attentions: Whether to return the weights; eager attention only.
        """
        batch_size, n_frames, _ = hidden_states.shape
        shape = (batch_size, n_frames, self.num_heads, self.head_dim)
        query = self.q_proj(hidden_states).view(shape)
        key = self.k_proj(hidden_states).view(shape)
        value = self.v_proj(hidden_states).view(shape)
        weights = None
        implementation = self.implementation(output_attentions)
        if implementation == "eager":
            attended, weights = self._eager(query, key, value, attention_mask)
        elif implementation == "flash_attention_2":
            attended = self._flash(query, key, value, attention_mask)
        else:
            attended = self._sdpa(query, key, value, attention_mask)
        attended = attended.reshape(batch_size, n_frames, self.embed_dim)
        return self.out_proj(attended), weights if output_attentions else None

    def _eager(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        scores = query @ key.transpose(2, 3) * self.scaling  # (batch, heads, frames, frames)
        if attention_mask is not None:
            lowest = torch.finfo(scores.dtype).min
            scores = scores.masked_fill(~attention_mask[:, None, None, :], lowest)
        weights = F.dropout(scores.softmax(dim=-1), p=self.dropout, training=self.training)
        return (weights @ value).transpose(1, 2), weights

    def _sdpa(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        attended = F.scaled_dot_product_attention(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=None if attention_mask is None else attention_mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scaling,
        )
        return attended.transpose(1, 2)

    def _flash(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        import flash_attn

        options: dict[str, Any] = {
            "dropout_p": self.dropout if self.training else 0.0,
            "softmax_scale": self.scaling,
        }
        if query.dtype not in (torch.float16, torch.bfloat16):
            raise ValueError(
                f"attn_implementation='flash_attention_2' computes in float16 or bfloat16, not in "
                f"{str(query.dtype).removeprefix('torch.')}; load the model with dtype=float16, or "
                "use attn_implementation='sdpa'"
            )
        if attention_mask is None:
            attended: torch.Tensor = flash_attn.flash_attn_func(query, key, value, **options)
            return attended
        # Padding is left out: recordings lie end to end, (real frames, heads, head_dim).
        lengths = attention_mask.sum(-1, dtype=torch.int32)
        ends = F.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
        longest = int(lengths.max())
        packed = flash_attn.flash_attn_varlen_func(
            query[attention_mask],
            key[attention_mask],
            value[attention_mask],
            cu_seqlens_q=ends,
            cu_seqlens_k=ends,
            max_seqlen_q=longest,
            max_seqlen_k=longest,
            **options,
        )
        attended = torch.zeros_like(query)
        attended[attention_mask] = packed
        return attended
