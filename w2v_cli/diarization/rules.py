"""How turns are made of frame probabilities: one frozen object with the field's names."""

from __future__ import annotations

import math
from dataclasses import dataclass

_PROBABILITIES = ("onset", "offset")
_SECONDS = (
    "min_duration_on",
    "min_duration_off",
    "pad_onset",
    "pad_offset",
    "median_seconds",
)


@dataclass(frozen=True)
class TurnRules:
    """How probabilities become turns; the first six names are pyannote.audio's (Binarize).

    They are applied in this order: the median, onset and offset, `max_simultaneous`, padding,
    `min_duration_off`, `min_duration_on`. Times are in seconds.

    Attributes:
        onset: A speaker begins to speak in a frame whose probability is above this,
        offset: and ends before one whose probability is below this.
        min_duration_on: Shorter turns are left out.
        min_duration_off: Shorter gaps within a speaker's speech are filled.
        pad_onset: Turns are so much longer before their beginning
        pad_offset: and after their end.
        median_seconds: Each probability becomes the median of those around it, in a window of
            this length; 0 for none.
        max_simultaneous: In a frame the so many most probable speak at most; None for all.

    Raises:
        ValueError: A number is out of range, or the offset is above the onset.
    """

    onset: float = 0.5
    offset: float = 0.5
    min_duration_on: float = 0.1
    min_duration_off: float = 0.3
    pad_onset: float = 0.0
    pad_offset: float = 0.0
    median_seconds: float = 0.0
    max_simultaneous: int | None = None

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it must be from 0 to 1")
        if self.offset > self.onset:
            raise ValueError(f"offset is {self.offset}; it must not be above onset, {self.onset}")
        for name in _SECONDS:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; it must be 0 or more")
        if self.max_simultaneous is not None and self.max_simultaneous < 1:
            raise ValueError(f"max_simultaneous is {self.max_simultaneous}; it must be 1 or more")
