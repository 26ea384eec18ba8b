"""Multi-head self-attention, computed in the way that the configuration names."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.dropout import dropout

ATTN_IMPLEMENTATIONS = ("eager", "sdpa", "flash_attention_2")
DEFAULT_ATTN_IMPLEMENTATION = "sdpa"

# Of frames that attend to few others together: smaller blocks cost more to start than to do.
_SHORTEST_BLOCK = 64

# In bfloat16 on a CPU torch's own attention learns from so few frames more slowly than two products
# of matrices do; from a thousand it is quicker (tests/benchmarks/training_steps.py).
_MOST_FRAMES_AS_PRODUCTS = 500


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
    """Self-attention over frames (Vaswani et al. 2017, 3.2).

    Attributes:
        window: None: as published, every frame attends to every other. Else how many frames
            before and after itself it attends to (Beltagy et al. 2020, 3.1).
    """

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
        self.window: int | None = None
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
        visible = _shown(attention_mask)
        if self.window is not None:
            frames = range(key.shape[2])
            visible = self._visible(attention_mask, frames, frames, self.window, key.device)
        weights = self._weights(query, key, visible)
        return (weights @ value).transpose(1, 2), weights

    def _weights(
        self, query: torch.Tensor, key: torch.Tensor, visible: torch.Tensor | None
    ) -> torch.Tensor:
        """Return how much queries attend to keys, (batch, heads, queries, keys)."""
        scores = (query * self.scaling) @ key.transpose(2, 3)
        if visible is not None:
            scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
        return dropout(scores.softmax(dim=-1), self.dropout, training=self.training)

    def _visible(
        self,
        attention_mask: torch.Tensor | None,
        queries: range,
        keys: range,
        window: int,
        device: torch.device,
    ) -> torch.Tensor | None:
        """Return which of some frames attend to which, bool (batch or 1, 1, queries, keys).

        None where all attend to all.
        """
        visible = None if attention_mask is None else attention_mask[:, keys.start : keys.stop]
        visible = _shown(visible)
        farthest = max(queries.stop - 1 - keys.start, keys.stop - 1 - queries.start)
        if window < farthest:
            places = torch.arange(keys.start, keys.stop, device=device)
            distances = places - torch.arange(queries.start, queries.stop, device=device)[:, None]
            near = (distances.abs() <= window)[None, None]
            # Padding far from all that is real attends to itself: nothing at all would be NaN.
            visible = near if visible is None else (visible & near) | (distances == 0)
        return visible

    def _sdpa(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        if self.window is None:  # no count of frames is looked at: traced, it takes any length
            return self._attend(query, key, value, _shown(attention_mask)).transpose(1, 2)
        n_frames = key.shape[2]
        attended = []
        # Blocks as long as the window: no frame looks at more than its neighbours' blocks.
        for start in range(0, n_frames, max(self.window, _SHORTEST_BLOCK)):
            queries = range(start, min(start + max(self.window, _SHORTEST_BLOCK), n_frames))
            keys = range(max(start - self.window, 0), min(queries.stop + self.window, n_frames))
            block = self._attend(
                query[:, :, queries.start : queries.stop],
                key[:, :, keys.start : keys.stop],
                value[:, :, keys.start : keys.stop],
                self._visible(attention_mask, queries, keys, self.window, key.device),
            )
            attended.append(block)
        joined = attended[0] if len(attended) == 1 else torch.cat(attended, dim=2)
        return joined.transpose(1, 2)

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        visible: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return what queries (batch, heads, queries, head_dim) gather of the values of keys."""
        dropout_p = self.dropout if self.training else 0.0
        is_short = query.dtype == torch.bfloat16 and key.shape[2] <= _MOST_FRAMES_AS_PRODUCTS
        learns_on_cpu = query.requires_grad and query.device.type == "cpu"
        if learns_on_cpu and (is_short or dropout_p):  # torch's own makes products for dropout, too
            return self._weights(query, key, visible) @ value
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, dropout_p=dropout_p, scale=self.scaling
        )

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
        if self.window is not None:
            options["window_size"] = (self.window, self.window)
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


def _shown(attention_mask: torch.Tensor | None) -> torch.Tensor | None:
    """Return which frames (batch, frames) all others attend to, (batch, 1, 1, frames)."""
    return None if attention_mask is None else attention_mask[:, None, None]
