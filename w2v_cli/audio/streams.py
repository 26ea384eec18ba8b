"""Recordings read block by block, so that long ones never lie in memory whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from w2v_cli.audio.decoders import FloatArray


class WaveformStream(Protocol):
    """The chosen part of a recording at one sample rate, while it is read.

    Attributes:
        channel_numbers: For each channel of the blocks the recording's channel it is, from 1,
            where all were asked for apart; else (None,).
        sample_rate: Hz of the blocks.
        start_seconds: Where in the recording the first sample lies.
        expected_seconds: How long it should be, by its header; None where that says nothing.
    """

    channel_numbers: tuple[int | None, ...]
    sample_rate: int
    start_seconds: float
    expected_seconds: float | None

    def blocks(self) -> Iterator[FloatArray]:
        """Yield float32 (channels, samples), full scale at 1, until the end.

        Raises:
            AudioError: The recording cannot be decoded, is cut short, or has samples that are
                not numbers.
        """
        ...

    @property
    def duration_seconds(self) -> float:
        """How much was read until now."""
        ...
