"""Gradient checkpointing: activations recomputed in the backward pass (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


class CheckpointedModule(nn.Module):
    """A layer whose inner activations are dropped and recomputed, where it is told to."""

    gradient_checkpointing = False
    _checkpoint: Callable[..., Any] = staticmethod(checkpoint)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self.gradient_checkpointing and self.training):
            return super().__call__(*args, **kwargs)
        return self._checkpoint(super().__call__, *args, **kwargs)
