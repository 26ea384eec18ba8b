"""Learning rates over a run, as a share of the peak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

ScheduleName = Literal["linear", "cosine", "tri_stage", "constant"]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes.

    Attributes:
        name: linear: up during the warm-up, then down to 0. cosine: the same along half a
            cosine. tri_stage: up, hold, then down exponentially to `final_scale` (Baevski et
            al. 2020, 4.3). constant: up, then hold.
        total_steps: Steps of the run.
        warmup_steps: Steps on which the rate rises from 0.
        hold_ratio: The share of all steps at the peak, for tri_stage.
        final_scale: What is left at the end, for tri_stage.
    """

    name: ScheduleName
    total_steps: int
    warmup_steps: int
    hold_ratio: float = 0.4
    final_scale: float = 0.05

    def __post_init__(self) -> None:
        if self.name not in get_args(ScheduleName):
            raise ValueError(f"{self.name!r}: use one of {', '.join(get_args(ScheduleName))}")
        if self.final_scale <= 0 or not 0 <= self.hold_ratio <= 1:
            raise ValueError("final_scale has to be above 0, and hold_ratio from 0 to 1")

    def factor(self, step: int) -> float:
        """Return the share of the peak rate that a step is taken with; steps count from 0.

        The warm-up's first step has a rate of 0, as in transformers.

        >>> [Schedule("linear", 4, 2).factor(step) for step in range(5)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
        """
        if step < self.warmup_steps:
            return step / self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps))
        if self.name == "constant":
            return 1.0
        if self.name == "linear":
            return 1.0 - done
        if self.name == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        held_until = self.warmup_steps + round(self.hold_ratio * self.total_steps)
        if step < held_until:
            return 1.0
        decay = (step - held_until) / max(1, self.total_steps - held_until)
        return math.exp(math.log(self.final_scale) * min(1.0, decay))
