"""From a recording to the waveforms a model hears: the range, the channels, the rate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from w2v_cli.audio.decoders import FloatArray
from w2v_cli.audio.streams import SAMPLE_RATE, open_waveforms


@dataclass(frozen=True)
class Waveforms:
    """The part of a recording that was asked for, ready for a model.

    Attributes:
        channels: One waveform a channel, each float32 (samples,), all of one length, full
            scale at 1. Empty arrays where the recording has no samples.
        channel_numbers: For each waveform the recording's channel it is, from 1, where all
            were asked for apart; else None, for the one there is.
        sample_rate: Hz.
        start_seconds: Where in the recording the first sample lies.
        duration_seconds: How much of the recording was read.
    """

    channels: tuple[FloatArray, ...]
    channel_numbers: tuple[int | None, ...]
    sample_rate: int
    start_seconds: float
    duration_seconds: float


def read_waveforms(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    channel: int | Literal["mix", "all"] | None = None,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    sample_rate: int = SAMPLE_RATE,
    name: str | None = None,
) -> Waveforms:
    """Return the waveforms of a recording at one sample rate, decoding only what is asked for.

    Everything libsndfile reads (wav, flac, ogg, opus, mp3, aiff, w64 ...), and through the
    extra `containers` what FFmpeg reads (m4a, mp4, webm, mkv, aac ...). What the bytes say
    counts, not the file's suffix.

    Args:
        source: A path; a URL that fsspec knows; "-" for standard input; or a file open for
            reading bytes, which is read from its beginning if it can seek and from where it
            stands if it cannot.
        channel: A channel's number from 1, "mix" for the mean of all channels, "all" for
            each apart. None takes a single channel as it is, mixes two, and refuses more.
        start_seconds: Where to start, from the beginning of the recording.
        end_seconds: Where to stop, not included; None for the recording's end. A value
            past the end is the end.
        sample_rate: Hz of the result; other rates are resampled with soxr's HQ filter.
        name: What errors call the recording; its path if None.

    Returns:
        The waveforms. A recording without a single sample gives empty ones.

    Raises:
        AudioError: The recording cannot be opened or decoded, is cut short, has samples
            that are not numbers, or lacks the range or the channel.
        MissingDependencyError: The format needs the extra `containers`, or the URL `urls`.
        ValueError: `sample_rate` is not positive, or `channel` is another word.
    """
    with open_waveforms(
        source,
        channel=channel,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        sample_rate=sample_rate,
        name=name,
    ) as stream:
        blocks = list(stream.blocks())
    return Waveforms(
        channels=tuple(
            np.concatenate([np.zeros(0, np.float32), *(block[index] for block in blocks)])
            for index in range(stream.n_channels)
        ),
        channel_numbers=stream.channel_numbers,
        sample_rate=sample_rate,
        start_seconds=stream.start_seconds,
        duration_seconds=stream.duration_seconds,
    )


class HeldStream:
    """Waveforms that lie in memory, as a `w2v_cli.audio.streams.WaveformStream`."""

    def __init__(self, waveforms: Waveforms) -> None:
        self._waveforms = waveforms
        self.channel_numbers = waveforms.channel_numbers
        self.sample_rate = waveforms.sample_rate
        self.start_seconds = waveforms.start_seconds
        self.duration_seconds = waveforms.duration_seconds
        self.expected_seconds: float | None = waveforms.duration_seconds

    def blocks(self) -> Iterator[FloatArray]:
        """Yield float32 (channels, samples), a second at a time."""
        longest = max(map(len, self._waveforms.channels), default=0)
        for start in range(0, longest, self.sample_rate):
            end = start + self.sample_rate
            yield np.stack([channel[start:end] for channel in self._waveforms.channels])
