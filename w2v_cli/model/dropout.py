"""Dropout (Srivastava et al. 2014), quick on a CPU, too."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

_LEVELS = 2**16
_PER_DRAW = 4  # numbers of 16 bits in one of 64


class Dropout(nn.Dropout):
    """torch's dropout, whose numbers are drawn four at a time on a CPU.

    Torch draws them one after another there, which takes three times as long
    (tests/benchmarks/training_steps.py). The seed of those that are drawn here comes from torch's
    generator: they repeat when it does.
    """

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what is left, of the same shape, in training; else what is given."""
        return dropout(hidden_states, self.p, training=self.training)


def dropout(hidden_states: torch.Tensor, p: float, *, training: bool) -> torch.Tensor:
    """Return a tensor of which a share is set to zero, and the rest scaled to the same mean.

    Args:
        hidden_states: Any shape.
        p: The share; on a CPU it is right to 1/65536.
        training: False returns the tensor as it is.
    """
    n_dropped = round(p * _LEVELS)
    if not training or n_dropped in (0, _LEVELS) or hidden_states.device.type != "cpu":
        return F.dropout(hidden_states, p, training=training)
    seed = int(torch.randint(2**62, ()))
    n_draws = -(-hidden_states.numel() // _PER_DRAW)
    drawn = np.random.SFC64(seed).random_raw(n_draws).view(np.int16)
    numbers = torch.from_numpy(drawn)[: hidden_states.numel()].view(hidden_states.shape)
    kept = (numbers >= n_dropped - _LEVELS // 2).to(hidden_states.dtype)
    return hidden_states * kept.mul_(_LEVELS / (_LEVELS - n_dropped))
