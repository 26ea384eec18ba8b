"""Long recordings in pieces: chunks that share a stride with their neighbours.

A chunk begins at a multiple of the hop, so that its frames are frames of the whole recording.
Of what two neighbours both hear, each keeps its side of a seam, and the seam lies where it is
quietest near the end of the first.

What the network makes of a frame depends on nothing that the pieces could change: all of a
recording is normalised alike, and in each layer a frame attends to what is near alone. So the
text is the same for every length of chunk, and the memory may choose it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

from w2v_cli.inference.moments import Moments, MomentsSurvey

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
        context_seconds: How much before and after itself a frame attends to in each layer;
            None for all of the chunk.
        moments: What a group norm has to know of the whole; None where the chunk is all of it,
            or the model has none.
    """

    input_values: FloatArray
    channel: int = 0
    first_frame: int = 0
    keep_start: int = 0
    keep_end: int | None = None
    context_seconds: float | None = None
    moments: Moments | None = None


@dataclass(frozen=True)
class Chunking:
    """How long recordings are cut.

    Attributes:
        chunk_seconds: The longest that the network hears at once; None for what the memory of
            the machine has room for.
        stride_seconds: What it hears before and after the part of a chunk that is kept; None
            for `DEFAULT_STRIDE_SECONDS`, or a quarter of a chunk that is too short for that.
        whole_seconds: Recordings up to this length are heard whole, as published, if a chunk
            may be so long. Networks were trained on no longer ones.
        context_seconds: In longer ones a frame attends, in each layer, to so much before and
            after itself; None for all of its chunk.
    """

    chunk_seconds: float | None = None
    stride_seconds: float | None = None
    whole_seconds: float = 30.0
    context_seconds: float | None = 2.0

    def __post_init__(self) -> None:
        for name in ("chunk_seconds", "whole_seconds", "context_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be more than 0")
        if self.stride_seconds is None:
            return
        if not 0 <= self.stride_seconds < math.inf:
            raise ValueError(f"stride_seconds is {self.stride_seconds}; it must be 0 or more")
        if self.chunk_seconds is not None and self.chunk_seconds < 3 * self.stride_seconds:
            raise ValueError(
                f"chunk_seconds is {self.chunk_seconds:g}; it must be 3 times stride_seconds, "
                f"{3 * self.stride_seconds:g}, or more"
            )


# Twice the context: what is heard of the rest, layer after layer, changes no letter
# (docs/long-recordings.md).
DEFAULT_STRIDE_SECONDS = 4.0


class Listener(Protocol):
    """What of a model the chunks depend on.

    Attributes:
        sample_rate: Hz of the waveforms it hears.
        hop_samples: Samples from one frame to the next.
        receptive_field_samples: Samples that one frame sees; shorter waveforms are padded.
        group_norm_span: Kernel and stride, in samples, of the convolution that a group norm
            follows; None for a model without one.
        edge_samples: How much silence it puts around whatever it is given.
    """

    sample_rate: int
    hop_samples: int
    receptive_field_samples: int
    edge_samples: int
    group_norm_span: tuple[int, int] | None

    @property
    def longest_chunk_seconds(self) -> float:
        """What the machine's memory has room for at once."""
        ...

    def normalised(self, waveform: FloatArray) -> FloatArray:
        """Return the input values of a whole recording, (samples,)."""
        ...

    def scaled(self, waveform: FloatArray, mean: float, variance: float) -> FloatArray:
        """Return the input values of a part of a recording of this mean and variance."""
        ...


class SpeechFinder(Protocol):
    """Finds where somebody speaks in one channel, while it is read."""

    def hear(self, samples: FloatArray) -> None:
        """Take in the next samples."""
        ...

    def stretches(self) -> list[tuple[int, int]]:
        """Return where somebody speaks: first sample, and the sample after the last."""
        ...


class Chunker:
    """Cuts the channels of one recording into chunks.

    A recording that is short is one chunk a channel, normalised as the model's feature extractor
    does it. A longer one is read twice: for its mean and its variance, and for its chunks.

    Chunks of digital silence are left out: a network was never trained on it and may babble.

    Args:
        listener: The model.
        chunking: How to cut.
        find_speech: Makes what finds speech in a channel; the rest is left out. None leaves
            nothing out.
        longest_whole_seconds: Hear recordings of up to `chunking.whole_seconds` whole if they
            are no longer than this; None if they are no longer than a chunk.
        hears_silence: Leave out no digital silence.
    """

    def __init__(
        self,
        listener: Listener,
        chunking: Chunking,
        find_speech: Callable[[], SpeechFinder] | None = None,
        *,
        longest_whole_seconds: float | None = None,
        hears_silence: bool = False,
    ) -> None:
        self._listener, self._chunking, self._find_speech = listener, chunking, find_speech
        self._hears_silence = hears_silence
        hop, rate = listener.hop_samples, listener.sample_rate
        chunk_seconds = chunking.chunk_seconds or listener.longest_chunk_seconds
        stride_seconds = chunking.stride_seconds
        if stride_seconds is None:
            stride_seconds = min(DEFAULT_STRIDE_SECONDS, chunk_seconds / 4)
        # No frame that is kept may hear the silence that is put around a chunk.
        stride = max(stride_seconds * rate, listener.edge_samples)
        self._stride = math.ceil(stride / hop) * hop
        shortest = 2 * self._stride + listener.receptive_field_samples + hop
        self._longest = max(math.floor(chunk_seconds * rate / hop) * hop, shortest)
        longest_whole = self._longest
        if longest_whole_seconds is not None:
            longest_whole = round(longest_whole_seconds * rate)
        self._whole = min(round(chunking.whole_seconds * rate), longest_whole)

    def chunks(self, read: Callable[[], Iterator[FloatArray]]) -> Iterator[Chunk]:
        """Yield the chunks of a recording, in the order of time.

        Args:
            read: Begins to read the recording, from its beginning: blocks (channels, samples).
        """
        blocks = read()
        held, is_short = self._held(blocks)
        if is_short and self._find_speech is None:
            yield from self._whole_channels(held)
            return
        surveys: list[Survey] = []
        for block in chain(held, blocks):
            while len(surveys) < len(block):
                surveys.append(Survey(self._listener, self._find_speech))
            for survey, samples in zip(surveys, block, strict=True):
                survey.hear(samples)
        held.clear()
        cutters = [
            _ChannelCutter(
                self._listener,
                channel,
                survey,
                self._longest,
                self._stride,
                hears_silence=self._hears_silence,
            )
            for channel, survey in enumerate(surveys)
        ]
        context_seconds = None if is_short else self._chunking.context_seconds
        for block in read():
            for cutter, samples in zip(cutters, block, strict=True):
                yield from cutter.push(samples, context_seconds)
        for cutter in cutters:
            yield from cutter.finish(context_seconds)

    def _held(self, blocks: Iterator[FloatArray]) -> tuple[list[FloatArray], bool]:
        """Return the first blocks, and whether they are all of a short recording."""
        held: list[FloatArray] = []
        n_samples = 0
        for block in blocks:
            held.append(block)
            n_samples += block.shape[1]
            if n_samples > self._whole:
                return held, False
        return held, True

    def _whole_channels(self, blocks: Sequence[FloatArray]) -> Iterator[Chunk]:
        if not blocks:
            return
        for channel, waveform in enumerate(np.concatenate(blocks, axis=1)):
            if waveform.size and (self._hears_silence or not _is_silent(waveform)):
                yield Chunk(self._listener.normalised(waveform), channel)


class Statistics:
    """The mean and the variance of all samples that were added."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._sum = self._sum_of_squares = 0.0

    def add(self, samples: FloatArray) -> None:
        """Add samples."""
        exact = samples.astype(np.float64)
        self.n_samples += len(samples)
        self._sum += float(exact.sum())
        self._sum_of_squares += float(np.dot(exact, exact))

    @property
    def mean_and_variance(self) -> tuple[float, float]:
        """The mean, and the variance around it; zeros where nothing was added."""
        mean = self._sum / max(self.n_samples, 1)
        return mean, max(self._sum_of_squares / max(self.n_samples, 1) - mean**2, 0.0)


class Survey:
    """What has to be known of a channel before it is cut.

    Args:
        listener: The model.
        find_speech: Makes what finds speech; None for a channel that is heard all.
    """

    def __init__(self, listener: Listener, find_speech: Callable[[], SpeechFinder] | None) -> None:
        self._listener = listener
        self._finder = find_speech() if find_speech else None
        self._moments = MomentsSurvey(*span) if (span := listener.group_norm_span) else None
        self.statistics = Statistics()

    def hear(self, samples: FloatArray) -> None:
        """Take in the next samples."""
        self.statistics.add(samples)
        if self._finder is not None:
            self._finder.hear(samples)
        if self._moments is not None:
            self._moments.add(samples)

    @property
    def moments(self) -> Moments | None:
        """What a group norm has to know of the input values."""
        if self._moments is None:
            return None
        probe = np.array([0, 1], np.float32)
        offset, end = self._listener.scaled(probe, *self.statistics.mean_and_variance).tolist()
        return self._moments.moments().of_scaled(end - offset, offset)

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """What is to be heard."""
        return (
            [(0, self.statistics.n_samples)] if self._finder is None else self._finder.stretches()
        )


class _ChannelCutter:
    """Cuts one channel, each of its stretches apart.

    Samples and frames count from the beginning of the channel.
    """

    def __init__(
        self,
        listener: Listener,
        channel: int,
        survey: Survey,
        longest: int,
        stride: int,
        *,
        hears_silence: bool = False,
    ) -> None:
        self._listener, self._channel = listener, channel
        self._hears_silence = hears_silence
        self._longest, self._stride = longest, stride
        self._mean_and_variance = survey.statistics.mean_and_variance
        self._moments = survey.moments
        hop = listener.hop_samples
        self._stretches = deque((begin // hop * hop, end) for begin, end in survey.stretches)
        self._n_read = 0
        self._blocks: list[FloatArray] = []
        self._n_held = 0
        self._begin = 0  # the first sample of the blocks, a multiple of the hop
        self._first_frame = 0  # the first frame that no chunk has kept yet

    def push(self, samples: FloatArray, context_seconds: float | None) -> Iterator[Chunk]:
        """Take in samples and yield the chunks that are complete with them."""
        start = self._n_read
        self._n_read = end = start + len(samples)
        while self._stretches and self._stretches[0][0] < end:
            begin, stop = self._stretches[0]
            if begin >= start:
                self._begin, self._first_frame = begin, begin // self._listener.hop_samples
            piece = samples[max(begin - start, 0) : stop - start]
            self._blocks.append(piece)
            self._n_held += len(piece)
            while self._n_held > self._longest:
                yield from self._cut(context_seconds)
            if stop > end:
                return
            yield from self._end_stretch(context_seconds)

    def finish(self, context_seconds: float | None) -> Iterator[Chunk]:
        """Yield the last chunk."""
        if self._n_held:  # the recording has become shorter since it was first read
            yield from self._end_stretch(context_seconds)

    def _end_stretch(self, context_seconds: float | None) -> Iterator[Chunk]:
        heard = self._buffer()
        missing = self._listener.receptive_field_samples - len(heard)
        is_first = self._first_frame == self._begin // self._listener.hop_samples
        if missing > 0 and is_first:  # nothing of the stretch was heard yet
            heard = np.pad(heard, (0, missing))
        is_heard = self._hears_silence or not _is_silent(heard)
        if is_heard and len(heard) >= self._listener.receptive_field_samples:
            yield self._chunk(heard, None, context_seconds)
        self._stretches.popleft()
        self._blocks, self._n_held = [], 0

    def _cut(self, context_seconds: float | None) -> Iterator[Chunk]:
        """Yield the next chunk and forget what no later one hears."""
        hop = self._listener.hop_samples
        buffer = self._buffer()
        seam = self._seam(buffer)
        overlap = max(self._listener.receptive_field_samples - hop, 0)  # the last frame's samples
        heard = buffer[: seam * hop + self._stride + overlap]
        if self._hears_silence or not _is_silent(heard):
            yield self._chunk(heard, seam, context_seconds)
        begin = seam * hop - self._stride
        self._blocks = [buffer[begin:].copy()]
        self._n_held -= begin
        self._first_frame = self._begin // hop + seam
        self._begin += begin

    def _seam(self, buffer: FloatArray) -> int:
        """Return the buffer's frame to cut before: the quietest in the last quarter there is."""
        hop = self._listener.hop_samples
        overlap = max(self._listener.receptive_field_samples - hop, 0)
        last = (self._longest - self._stride - overlap) // hop
        # No seam before what is kept begins, nor where the next chunk would begin before this.
        earliest = max(self._first_frame - self._begin // hop + 1, self._stride // hop)
        first = max(last - (last - earliest) // 4, earliest)
        span = buffer[first * hop : (last + 1) * hop]
        powers = np.square(span.reshape(-1, hop)).mean(axis=1)
        width = max(round(_PAUSE_SECONDS * self._listener.sample_rate / hop), 1)
        quiet = np.convolve(powers, np.ones(width), mode="same")
        if len(quiet) > 2 * width:  # at the ends a part of the sum is missing
            quiet[: width // 2] = quiet[-(width // 2) :] = np.inf
        # Of equally quiet places the last: a longer chunk.
        return first + len(powers) - 1 - int(np.argmin(quiet[::-1][: len(powers)]))

    def _chunk(
        self, heard: FloatArray, keep_end: int | None, context_seconds: float | None
    ) -> Chunk:
        return Chunk(
            input_values=self._listener.scaled(heard, *self._mean_and_variance),
            channel=self._channel,
            first_frame=self._first_frame,
            keep_start=self._first_frame - self._begin // self._listener.hop_samples,
            keep_end=keep_end,
            context_seconds=context_seconds,
            moments=self._moments,
        )

    def _buffer(self) -> FloatArray:
        return np.concatenate([np.zeros(0, np.float32), *self._blocks])


def _is_silent(samples: FloatArray) -> bool:
    return samples.size == 0 or not np.ptp(samples)
