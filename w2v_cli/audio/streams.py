"""Recordings read block by block, so that long ones never lie in memory whole."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

import numpy as np

from w2v_cli.audio.decoders import BrokenRecordingError, Recording, open_recording
from w2v_cli.audio.sources import ByteSource, open_source
from w2v_cli.errors import AudioError, ChannelsError

if TYPE_CHECKING:
    from w2v_cli.audio.decoders import FloatArray

SAMPLE_RATE = 16000
"""Hz; every published wav2vec2 model was trained on this rate."""

# No recording of speech has a lower rate; a header that says so is damaged, and at 1 Hz a
# short file would become hours of nothing.
_LOWEST_RATE = 1000

ChannelChoice = int | Literal["mix", "all"] | None


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

        Called once more it begins at the start again, and what was begun before is over.

        Raises:
            AudioError: The recording cannot be decoded, is cut short, or has samples that are
                not numbers.
        """
        ...

    @property
    def duration_seconds(self) -> float:
        """How much was read until now."""
        ...


@contextlib.contextmanager
def open_waveforms(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    channel: ChannelChoice = None,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    sample_rate: int = SAMPLE_RATE,
    name: str | None = None,
) -> Iterator[RecordingStream]:
    """Yield a recording's waveforms as a stream, of which nothing has been decoded yet.

    Args and errors are those of `w2v_cli.audio.read_waveforms`; what is wrong with the samples
    is raised by the stream's `blocks`.
    """
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive, not {sample_rate}")
    if isinstance(channel, str) and channel not in ("mix", "all"):
        raise ValueError(f"channel must be a number, 'mix', 'all' or None, not {channel!r}")
    with open_source(source, name) as opened:
        _check_range(opened.label, start_seconds, end_seconds)
        with open_recording(opened) as recording:
            _check_rate(opened.label, recording.sample_rate)
            columns = _columns(opened.label, recording.channels, channel)
            stretch = _Stretch(start_seconds, end_seconds, columns, sample_rate)
            yield RecordingStream(opened, recording, stretch, apart=channel == "all")


@dataclass(frozen=True)
class _Stretch:
    """What was asked for of a recording.

    Attributes:
        start_seconds: Where to start.
        end_seconds: Where to stop; None for the end.
        columns: Which channels, from 0; None for the mean of all.
        sample_rate: Hz.
    """

    start_seconds: float
    end_seconds: float | None
    columns: list[int] | None
    sample_rate: int


class RecordingStream:
    """A recording that is open; see `WaveformStream`.

    Attributes:
        n_channels: Of the blocks.
    """

    def __init__(
        self, source: ByteSource, recording: Recording, stretch: _Stretch, *, apart: bool
    ) -> None:
        self._source, self._stretch = source, stretch
        self._opened: Recording | None = recording  # until it is read
        self._span = self._span_of(recording)
        self._furthest_frames = 0  # of earlier readings
        self.n_channels = 1 if stretch.columns is None else len(stretch.columns)
        self.sample_rate = stretch.sample_rate
        self.channel_numbers: tuple[int | None, ...] = (None,)
        if apart:
            self.channel_numbers = tuple(range(1, self.n_channels + 1))
        self.start_seconds = self._span.start_frame / self._span.sample_rate
        self.expected_seconds = self._span.expected_seconds

    @property
    def duration_seconds(self) -> float:
        """How much was read until now, by whichever reading has come furthest."""
        return max(self._furthest_frames, self._span.read_frames) / self._span.sample_rate

    def blocks(self) -> Iterator[FloatArray]:
        """Yield float32 (channels, samples) until the end; once more from the start if asked.

        Raises:
            AudioError: See `WaveformStream.blocks`.
        """
        recording, self._opened = self._opened, None
        if recording is not None:
            yield from self._read(self._span)
            return
        with open_recording(self._source) as reopened:
            self._furthest_frames = max(self._furthest_frames, self._span.read_frames)
            self._span = self._span_of(reopened)
            yield from self._read(self._span)

    def _span_of(self, recording: Recording) -> _Span:
        return _Span(self._source.label, recording, self._stretch)

    def _read(self, span: _Span) -> Iterator[FloatArray]:
        chosen = _choose(span.blocks(), self._stretch.columns)
        for block in _resample(chosen, span.sample_rate, self.sample_rate, self.n_channels):
            yield np.ascontiguousarray(block.T)  # (channels, samples)
        self._source.check()
        span.check_complete()


def _check_range(label: str, start_seconds: float, end_seconds: float | None) -> None:
    """Raise AudioError for a range that no recording has."""
    if not 0 <= start_seconds < math.inf:
        raise AudioError(f"{label}: cannot start at {start_seconds:g} s; --start counts from 0")
    if end_seconds is not None and not end_seconds > start_seconds:
        raise AudioError(
            f"{label}: nothing lies between {start_seconds:g} s and {end_seconds:g} s; "
            "choose an --end after --start"
        )


def _check_rate(label: str, rate: int) -> None:
    """Raise AudioError for a sample rate at which nothing can be understood."""
    if rate < _LOWEST_RATE:
        raise AudioError(
            f"{label}: a sample rate of {rate} Hz is too low for speech; "
            "if its header is damaged, copy or convert it again"
        )


def _columns(label: str, count: int, channel: ChannelChoice) -> list[int] | None:
    """Return which of `count` channels were chosen, from 0; None for the mean of all."""
    if channel == "all":
        return list(range(count))
    if channel is None and count > 2:
        raise ChannelsError(
            f"{label}: {count} channels; pick one with --channel N or mix them with --channel mix"
        )
    if channel is None or channel == "mix":
        return None
    if not 1 <= channel <= count:
        there = "there is only one" if count == 1 else f"choose one from 1 to {count}"
        raise AudioError(f"{label}: no channel {channel}; {there}")
    return [channel - 1]


class _Span:
    """The stretch of a recording that was asked for, and how much of it was there."""

    def __init__(self, label: str, recording: Recording, stretch: _Stretch) -> None:
        rate = recording.sample_rate
        self.sample_rate = rate
        self.start_frame = round(stretch.start_seconds * rate)
        self.read_frames = 0
        self._columns = stretch.columns
        self._end_frame = None
        if stretch.end_seconds is not None and stretch.end_seconds < math.inf:
            self._end_frame = round(stretch.end_seconds * rate)
        self._label = label
        self._recording = recording
        self._broken = recording.breaks_off

    @property
    def expected_seconds(self) -> float | None:
        """How long the stretch should be; None where neither header nor user says so."""
        end_frame = self._recording.frames
        if self._end_frame is not None:
            end_frame = min(self._end_frame, end_frame or self._end_frame)
        return (
            None if end_frame is None else max(end_frame - self.start_frame, 0) / self.sample_rate
        )

    def blocks(self) -> Iterator[FloatArray]:
        """Yield (frames, channels) blocks until the end or a place that cannot be decoded."""
        blocks = self._recording.blocks(self.start_frame, self._end_frame)
        try:
            for block in blocks:
                self._check_finite(block)
                self.read_frames += len(block)
                yield block
        except BrokenRecordingError:
            self._broken = True

    def _check_finite(self, block: FloatArray) -> None:
        chosen = block if self._columns is None else block[:, self._columns]
        finite = np.isfinite(chosen).all(axis=1)
        if not finite.all():
            frame = self.start_frame + self.read_frames + int(np.argmin(finite))
            raise AudioError(
                f"{self._label}: NaN or infinite samples, the first at "
                f"{frame / self.sample_rate:.3f} s; export it again, as 16-bit for instance"
            )

    def check_complete(self) -> None:
        """Raise AudioError if a part of what was asked for should be there and is not."""
        end_frame = self.start_frame + self.read_frames
        if self._end_frame is not None and end_frame >= self._end_frame:
            return
        tolerance = self._recording.tolerance_seconds * self.sample_rate
        promised = self._recording.frames
        if self._broken or (promised is not None and promised - end_frame > tolerance):
            raise AudioError(f"{self._label}: {self._cut_short(end_frame)}")
        if self.read_frames == 0 and self.start_frame > 0:
            start_seconds = self.start_frame / self.sample_rate
            end = "before" if promised is None else f"at {promised / self.sample_rate:.2f} s"
            raise AudioError(
                f"{self._label}: cannot start at {start_seconds:g} s: it ends {end}; "
                "choose a smaller --start"
            )

    def _cut_short(self, end_frame: int) -> str:
        if self.read_frames == 0:
            start = f" from {self.start_frame / self.sample_rate:g} s on" if end_frame else ""
            return f"cut short or damaged: nothing can be read{start}; copy it again"
        hundredths = end_frame * 100 // self.sample_rate
        there = f"{hundredths / 100:.2f}"
        promised, of = self._recording.frames, ""
        if promised is not None and promised > end_frame:
            of = f" of {promised / self.sample_rate:.2f} s"
        return (
            f"cut short or damaged: {there} s{of} can be read; "
            f"copy it again, or read what is there with --end {there}"
        )


def _choose(blocks: Iterable[FloatArray], columns: list[int] | None) -> Iterator[FloatArray]:
    """Yield the chosen channels of each block, (frames, chosen)."""
    for block in blocks:
        yield block.mean(axis=1, keepdims=True) if columns is None else block[:, columns]


def _resample(
    blocks: Iterable[FloatArray], from_rate: int, to_rate: int, channels: int
) -> Iterator[FloatArray]:
    """Yield the blocks at the new rate, (samples, channels)."""
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr  # only here: a 16 kHz recording does without

    stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
