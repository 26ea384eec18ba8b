"""Long recordings in pieces: chunks that share a stride with their neighbours.

A chunk begins at a multiple of the hop, so that its frames are frames of the whole recording.
Of what two neighbours both hear, each keeps its side of a seam, and the seam lies where it is
quietest near the end of the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# As long as the quiet between two words is at least; shorter are the closures of p, t and k.
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class Chunk:
    """A piece of one channel of a recording, or all of it.

    Attributes:
        input_values: What the network hears: float32 (samples,), normalised.
        channel: Which of the chosen channels it belongs to, from 0.
        first_frame: Of the channel's frames, the first that is kept of this chunk.
        keep_start: Of the chunk's own frames, the first that is kept: those before are stride.
        keep_end: Of the chunk's own frames, the first that is kept no more; None for the end.
    """

    input_values: FloatArray
    channel: int = 0
    first_frame: int = 0
    keep_start: int = 0
    keep_end: int | None = None


@dataclass(frozen=True)
class Chunking:
    """How long recordings are cut.

    Attributes:
        chunk_seconds: The longest that the network hears at once; None for what the memory of
            the machine has room for.
        stride_seconds: What it hears before and after the part of a chunk that is kept.
    """

    chunk_seconds: float | None = None
    stride_seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.chunk_seconds is not None and not 0 < self.chunk_seconds < math.inf:
            raise ValueError(f"chunk_seconds is {self.chunk_seconds}; it must be more than 0")
        if not 0 <= self.stride_seconds < math.inf:
            raise ValueError(f"stride_seconds is {self.stride_seconds}; it must be 0 or more")
        if self.chunk_seconds is not None and self.chunk_seconds < 3 * self.stride_seconds:
            raise ValueError(
                f"chunk_seconds is {self.chunk_seconds:g}; it must be 3 times stride_seconds, "
                f"{3 * self.stride_seconds:g}, or more"
            )


class Listener(Protocol):
    """What of a model the chunks depend on.

    Attributes:
        sample_rate: Hz of the waveforms it hears.
        hop_samples: Samples from one frame to the next.
        receptive_field_samples: Samples that one frame sees; shorter waveforms are padded.
    """

    sample_rate: int
    hop_samples: int
    receptive_field_samples: int

    def normalised(self, waveform: FloatArray) -> FloatArray:
        """Return the input values of a whole recording, (samples,)."""
        ...

    def scaled(self, waveform: FloatArray, mean: float, variance: float) -> FloatArray:
        """Return the input values of a part of a recording of this mean and variance."""
        ...


class Chunker:
    """Cuts the channels of one recording into chunks while it is read.

    A channel that is no longer than a chunk is one, normalised as the model's feature extractor
    does it. The chunks of a longer one are normalised by the mean and the variance of all that
    was read up to their end.

    Stretches of digital silence as long as a chunk give none: a network was never trained on
    them and may babble.

    Args:
        listener: The model.
        chunk_seconds: The longest chunk.
        stride_seconds: What is heard before and after the part that is kept.
    """

    def __init__(self, listener: Listener, chunk_seconds: float, stride_seconds: float) -> None:
        self._listener = listener
        hop, rate = listener.hop_samples, listener.sample_rate
        self._stride = math.ceil(stride_seconds * rate / hop) * hop
        shortest = 2 * self._stride + listener.receptive_field_samples + hop
        self._longest = max(math.floor(chunk_seconds * rate / hop) * hop, shortest)
        self._cutters: list[_ChannelCutter] = []

    def chunks(self, blocks: Iterable[FloatArray]) -> Iterator[Chunk]:
        """Yield the chunks of blocks (channels, samples), in the order of time."""
        for block in blocks:
            while len(self._cutters) < len(block):
                cutter = _ChannelCutter(
                    self._listener, len(self._cutters), self._longest, self._stride
                )
                self._cutters.append(cutter)
            for cutter, samples in zip(self._cutters, block, strict=True):
                yield from cutter.push(samples)
        for cutter in self._cutters:
            yield from cutter.finish()

    @property
    def n_samples(self) -> int:
        """How many samples of each channel were read until now."""
        return self._cutters[0].n_samples if self._cutters else 0


class _ChannelCutter:
    """Cuts one channel.

    Samples and frames count from the beginning of the channel.
    """

    def __init__(self, listener: Listener, channel: int, longest: int, stride: int) -> None:
        self._listener = listener
        self._channel = channel
        self._longest, self._stride = longest, stride
        self._blocks: list[FloatArray] = []
        self._begin = 0  # the first sample of the blocks, a multiple of the hop
        self._first_frame = 0  # the first frame that no chunk has kept yet
        self._statistics = _Statistics()
        self.n_samples = 0

    def push(self, samples: FloatArray) -> Iterator[Chunk]:
        """Take in samples and yield the chunks that are complete with them."""
        self._blocks.append(samples)
        self.n_samples += len(samples)
        while self.n_samples - self._begin > self._longest:
            yield from self._cut()

    def finish(self) -> Iterator[Chunk]:
        """Yield the last chunk."""
        buffer = self._buffer()
        self._statistics.add_until(self.n_samples, self._begin, buffer)
        missing = self._listener.receptive_field_samples - len(buffer)
        if not _is_silent(buffer) and (missing <= 0 or self._begin == 0):
            yield self._chunk(buffer, None)

    def _cut(self) -> Iterator[Chunk]:
        """Yield the next chunk and forget what no later one hears."""
        hop = self._listener.hop_samples
        buffer = self._buffer()
        seam = self._seam(buffer)
        overlap = self._listener.receptive_field_samples - hop  # the last frame's samples
        end = seam * hop + self._stride + overlap - self._begin
        heard = buffer[:end]
        self._statistics.add_until(self._begin + len(heard), self._begin, buffer)
        if not _is_silent(heard):
            yield self._chunk(heard, seam - self._begin // hop)
        begin = max(seam * hop - self._stride, 0)
        self._blocks = [buffer[begin - self._begin :].copy()]
        self._begin, self._first_frame = begin, seam

    def _seam(self, buffer: FloatArray) -> int:
        """Return the frame to cut before: the quietest in the last quarter of what may be kept."""
        hop = self._listener.hop_samples
        overlap = max(self._listener.receptive_field_samples - hop, 0)
        last = (self._longest - self._stride - overlap) // hop  # of the buffer's frames
        kept = self._first_frame - self._begin // hop
        first = max(last - max((last - kept) // 4, 1), kept + 1)
        span = buffer[first * hop : (last + 1) * hop]
        powers = np.square(span[: len(span) // hop * hop].reshape(-1, hop)).mean(axis=1)
        width = max(round(_PAUSE_SECONDS * self._listener.sample_rate / hop), 1)
        quiet = np.convolve(powers, np.ones(width), mode="same")
        # Of equally quiet places the last: a longer chunk.
        place = len(quiet) - 1 - int(np.argmin(quiet[::-1]))
        return self._begin // hop + first + place

    def _chunk(self, heard: FloatArray, keep_end: int | None) -> Chunk:
        is_whole = self._begin == 0 and keep_end is None
        values = (
            self._listener.normalised(heard)
            if is_whole
            else self._listener.scaled(heard, *self._statistics.mean_and_variance)
        )
        return Chunk(
            input_values=values,
            channel=self._channel,
            first_frame=self._first_frame,
            keep_start=self._first_frame - self._begin // self._listener.hop_samples,
            keep_end=keep_end,
        )

    def _buffer(self) -> FloatArray:
        return np.concatenate([np.zeros(0, np.float32), *self._blocks])


class _Statistics:
    """The mean and the variance of the samples up to one of them."""

    def __init__(self) -> None:
        self._n_samples = 0
        self._sum = self._sum_of_squares = 0.0

    def add_until(self, end: int, begin: int, buffer: FloatArray) -> None:
        """Add the samples before `end` that are not counted yet, of a buffer from `begin` on."""
        samples = buffer[self._n_samples - begin : end - begin].astype(np.float64)
        self._n_samples = end
        self._sum += float(samples.sum())
        self._sum_of_squares += float(np.dot(samples, samples))

    @property
    def mean_and_variance(self) -> tuple[float, float]:
        mean = self._sum / self._n_samples
        return mean, max(self._sum_of_squares / self._n_samples - mean**2, 0.0)


def _is_silent(samples: FloatArray) -> bool:
    return samples.size == 0 or not np.ptp(samples)
