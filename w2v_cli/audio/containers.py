"""Recordings that FFmpeg reads through PyAV: m4a, mp4, mov, webm, mkv, aac, wma, amr ..."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.audio.decoders import BrokenRecordingError, FloatArray
from w2v_cli.audio.headers import Extent
from w2v_cli.audio.sources import ByteSource
from w2v_cli.errors import AudioError, MissingDependencyError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

# AAC and Opus decoders need some frames to settle after a jump.
_PREROLL_SECONDS = 0.5

# Timestamps are rounded, to a millisecond in Matroska; a longer gap is a pause in the
# recording (a call that lost packets, a track that starts later than the picture). One too
# long to be true is a jump of the clock.
_JITTER_SECONDS = 0.1
_LONGEST_GAP_SECONDS = 600.0

# The formats whose headers say how long they are and where a time lies. For the others
# (aac, mpegts, amr ...) FFmpeg guesses both from the bit rate; some of them have times in them.
_INDEXED_FORMATS = frozenset({"mov", "matroska", "webm", "caf", "w64", "wav", "asf", "aiff"})
_TIMED_FORMATS = _INDEXED_FORMATS | {"mpegts", "mpeg", "flv"}

_TAG_TIME = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")
_MOST_SKIPPED = 10  # half frames, a fortieth of a second each
_TAGS = (b"ID3", b"TAG", b"APETAGEX")

_MICROSECONDS = 1_000_000  # FFmpeg's unit where a time belongs to no stream

_UNKNOWN_CODING = "its sound is coded in a way that cannot be decoded here; convert it elsewhere"

# What integer samples are divided by to reach full scale at 1; uint8 is centred on 128.
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "uint8": 2.0**7}


class ContainerRecording:
    """The audio track of a container, opened by FFmpeg. See `decoders.Recording`.

    Where there are several tracks, it is the one FFmpeg calls the best.

    Raises:
        AudioError: FFmpeg cannot read the file, or there is no sound in it.
        MissingDependencyError: PyAV is not installed.
    """

    # Headers count the silence that encoders add in front, decoders leave it out.
    tolerance_seconds = 0.5

    def __init__(self, source: ByteSource, extent: Extent) -> None:
        try:
            import av
            from av.audio.stream import AudioStream
        except ImportError as error:
            raise MissingDependencyError(
                "av", extra="containers", purpose=f"{source.label}: reading this format"
            ) from error

        self._label = source.label
        self._errors = av.FFmpegError
        source.seek(0)
        try:
            # a title in an old encoding is no reason not to read what was said
            self._container = av.open(source, mode="r", metadata_errors="replace")
        except av.FFmpegError as error:
            raise AudioError(
                f"{source.label}: damaged or cut short: its header cannot be read; copy it again"
            ) from error
        stream = self._container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            self._container.close()
            raise AudioError(f"{source.label}: has no sound track; name a file that has one")
        if stream.codec_context is None or not stream.codec_context.sample_rate:
            self._container.close()
            raise AudioError(f"{source.label}: {_UNKNOWN_CODING}")
        self._stream = stream
        formats = self._container.format.name.split(",")
        self._indexed = not _INDEXED_FORMATS.isdisjoint(formats)
        self._timed = not _TIMED_FORMATS.isdisjoint(formats)
        self._zero_seconds = (self._container.start_time or 0) / _MICROSECONDS
        self.sample_rate: int = self._stream.rate
        self.channels: int = self._stream.channels
        self._is_joined, self._is_mp3 = extent.is_joined, "mp3" in formats
        self.frames = self._promised_frames()
        self.breaks_off = extent.breaks_off or extent.present < 1

    def __enter__(self) -> ContainerRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _promised_frames(self) -> int | None:
        """Return how many samples the header promises, None where it only guesses."""
        if not self._indexed:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            ticks = (self._stream.start_time or 0) + self._stream.duration
            end_seconds = float(ticks * self._stream.time_base)
            # Of Matroska FFmpeg knows the longest track's length, and this tag a track's own.
            own_seconds = _seconds_of_tag(self._stream.metadata.get("DURATION", ""))
            end_seconds = min(end_seconds, own_seconds or end_seconds)
            return round((end_seconds - self._zero_seconds) * self.sample_rate)
        if self._container.duration is not None and len(self._container.streams) == 1:
            return round(self._container.duration / _MICROSECONDS * self.sample_rate)
        return None  # the longest track's length, and that may be the picture

    def counted_frames(self) -> int:
        """Return how many samples all packets hold, by what they say."""
        if self._stream.time_base is None:
            return 0
        ticks = sum(packet.duration or 0 for packet in self._container.demux(self._stream))
        return round(float(ticks * self._stream.time_base) * self.sample_rate)

    def blocks(self, start_frame: int, end_frame: int | None) -> Iterator[FloatArray]:
        """Yield the samples from `start_frame` to `end_frame` or the end of the track."""
        for position, block in self._placed(start_frame):
            first = max(start_frame - position, 0)
            last = None if end_frame is None else end_frame - position
            if last is not None and last <= 0:
                return
            if first < len(block):
                yield block[first:last]

    def _placed(self, start_frame: int) -> Iterator[tuple[int, FloatArray]]:
        """Yield every block from some way before `start_frame`, and where it lies.

        A gap in the timestamps is filled with silence, so that a word's time is the time at
        which a player shows it.
        """
        jitter = 0.0  # of the first frame, which may follow a seek
        position: int | None = None if self._seek(start_frame) else 0
        for frame in self._decoded():
            stamp = self._stamp(frame)
            if position is None and stamp is None:  # moved, nobody knows where to
                self._container.seek(0)
                yield from self._placed(0)
                return
            if position is None:  # the sound may begin behind what was looked for
                position = min(stamp or 0, start_frame)
            gap = 0 if stamp is None else stamp - position
            if jitter < gap < _LONGEST_GAP_SECONDS * self.sample_rate:
                for start in range(position, position + gap, self.sample_rate):
                    length = min(self.sample_rate, position + gap - start)
                    yield start, np.zeros((length, self.channels), np.float32)
                position += gap
            jitter = _JITTER_SECONDS * self.sample_rate
            block = self._samples(frame)
            if len(block):
                yield position, block
            position += len(block)

    def _seek(self, start_frame: int) -> bool:
        """Move to a place some way before `start_frame`; return whether it moved."""
        seconds = start_frame / self.sample_rate - _PREROLL_SECONDS
        if seconds <= 0 or not self._indexed or self._stream.time_base is None:
            return False
        try:
            ticks = int((seconds + self._zero_seconds) / self._stream.time_base)
            self._container.seek(ticks, stream=self._stream)
        except (self._errors, OverflowError):
            return False
        return True

    def _decoded(self) -> Iterator[AudioFrame]:
        n_skipped, failure = 0, None
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except self._errors as error:
                    # What is behind the last frame of an MP3 file is no loss, and tags are none.
                    if not self._is_mp3:
                        raise
                    if not any(name in bytes(packet) for name in _TAGS):
                        n_skipped, failure = n_skipped + 1, error
                    continue
                if frames and failure is not None:
                    # Of files that were joined, half frames lie between the parts.
                    if not self._is_joined or n_skipped > _MOST_SKIPPED:
                        raise failure
                    n_skipped, failure = 0, None
                yield from frames
        except self._errors as error:
            raise BrokenRecordingError(str(error)) from error

    def _stamp(self, frame: AudioFrame) -> int | None:
        """Return where a frame says it lies, in samples from the start of the recording."""
        if frame.pts is None or frame.time_base is None or not self._timed:
            return None
        seconds = float(frame.pts * frame.time_base) - self._zero_seconds
        return round(seconds * self.sample_rate)

    def _samples(self, frame: AudioFrame) -> FloatArray:
        """Return a frame as float32 (frames, channels), full scale at 1."""
        if frame.sample_rate != self.sample_rate or len(frame.layout.channels) != self.channels:
            raise BrokenRecordingError("its sample rate or channels change in the middle")
        if frame.format.name in ("s64", "s64p"):  # PyAV has no arrays for them
            raise AudioError(f"{self._label}: {_UNKNOWN_CODING}")
        samples = frame.to_ndarray()
        columns = samples.T if frame.format.is_planar else samples.reshape(-1, self.channels)
        floats = columns.astype(np.float32)
        if samples.dtype == np.uint8:
            floats -= 128
        if samples.dtype.name in _FULL_SCALE:
            floats /= np.float32(_FULL_SCALE[samples.dtype.name])
        return floats


def _seconds_of_tag(text: str) -> float | None:
    """Return the seconds of a time such as 00:00:12.250000000, None where it is none.

    >>> _seconds_of_tag("00:01:12.250000000")
    72.25
    """
    match = _TAG_TIME.fullmatch(text)
    return None if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
