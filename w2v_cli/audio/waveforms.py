"""From a recording to the waveforms a model hears: the range, the channels, the rate."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from w2v_cli.audio.decoders import (
    BrokenRecordingError,
    FloatArray,
    Recording,
    open_recording,
)
from w2v_cli.audio.sources import open_source
from w2v_cli.errors import AudioError

SAMPLE_RATE = 16000
"""Hz; every published wav2vec2 model was trained on this rate."""

# No recording of speech has a lower rate; a header that says so is damaged, and at 1 Hz a
# short file would become hours of nothing.
_LOWEST_RATE = 1000


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
        source: A path; "-" for standard input; or a file open for reading bytes, which is
            read from its beginning if it can seek and from where it stands if it cannot.
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
        MissingDependencyError: The format needs the extra `containers`.
        ValueError: `sample_rate` is not positive, or `channel` is another word.
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
            span = _Span(opened.label, recording, start_seconds, end_seconds)
            chosen = _choose(span.blocks(), columns)
            n_chosen = 1 if columns is None else len(columns)
            samples = _resample(chosen, recording.sample_rate, sample_rate, n_chosen)
        opened.check()
        span.check_complete()
    return Waveforms(
        channels=tuple(np.ascontiguousarray(column) for column in samples.T),
        channel_numbers=tuple(range(1, n_chosen + 1)) if channel == "all" else (None,),
        sample_rate=sample_rate,
        start_seconds=span.start_frame / span.sample_rate,
        duration_seconds=span.read_frames / span.sample_rate,
    )


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


def _columns(
    label: str, count: int, channel: int | Literal["mix", "all"] | None
) -> list[int] | None:
    """Return which of `count` channels were chosen, from 0; None for the mean of all."""
    if channel == "all":
        return list(range(count))
    if channel is None and count > 2:
        raise AudioError(
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

    def __init__(
        self, label: str, recording: Recording, start_seconds: float, end_seconds: float | None
    ) -> None:
        rate = recording.sample_rate
        self.sample_rate = rate
        self.start_frame = round(start_seconds * rate)
        self.read_frames = 0
        self._end_frame = None
        if end_seconds is not None and end_seconds < math.inf:
            self._end_frame = round(end_seconds * rate)
        self._label = label
        self._recording = recording
        self._broken = recording.breaks_off

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
        finite = np.isfinite(block).all(axis=1)
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
) -> FloatArray:
    """Return all blocks in one array at the new rate, (samples, channels)."""
    pieces = [np.zeros((0, channels), np.float32)]
    if from_rate == to_rate:
        pieces.extend(blocks)
    else:
        import soxr  # only here: a 16 kHz recording does without

        stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
        for block in blocks:
            pieces.append(stream.resample_chunk(np.ascontiguousarray(block)))
        pieces.append(stream.resample_chunk(pieces[0], last=True))
    return np.concatenate(pieces)
