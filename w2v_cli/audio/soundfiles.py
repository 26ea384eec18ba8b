"""Recordings that libsndfile reads: wav, flac, ogg, opus, mp3, aiff, w64, caf, au ..."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soundfile

from w2v_cli.audio.decoders import BrokenRecordingError, FloatArray, in_container
from w2v_cli.audio.headers import Extent, goes_on
from w2v_cli.audio.mp3 import mp3_states_length
from w2v_cli.audio.sources import ByteSource
from w2v_cli.errors import AudioError, MissingDependencyError

_BLOCK_FRAMES = 4096  # the largest FLAC block; one that is damaged takes nothing else along

# Lossy decoders need what came before to decode a place exactly: an MP3 frame borrows bits
# from up to half a second earlier, Opus and Vorbis overlap their blocks.
_PREROLL_SECONDS = 0.5

# What libsndfile says of a FLAC stream whose header leaves the length open.
_LENGTH_UNKNOWN = 2**63 - 1


class _OneWaySoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A SoundFile that reads straight ahead.

    After each read soundfile seeks to where it already is. In an MP3 that drops the bits
    the next frame borrows, and the samples after every block are wrong; in a FLAC of
    unknown length it fails. It does neither for a file that says it cannot seek.
    """

    def seekable(self) -> bool:
        return False


class SoundfileRecording:
    """A recording opened by libsndfile. See `decoders.Recording`.

    Raises:
        BrokenRecordingError: libsndfile does not know the format, or the header is damaged.
    """

    # A recorder that is stopped may lose its last block. No letter fits into one output
    # frame of a model, so what is shorter than that is not worth an error.
    tolerance_seconds = 0.02

    def __init__(self, source: ByteSource, extent: Extent) -> None:
        try:
            self._file = _OneWaySoundFile(source)
        except soundfile.LibsndfileError as error:
            raise BrokenRecordingError(error.error_string) from error
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int | None = self._file.frames
        self.breaks_off = extent.breaks_off
        self._source = source
        is_mp3 = self._file.format == "MP3"
        is_mpeg = self._file.subtype.startswith("MPEG_LAYER")  # in a WAV file, too
        self._may_stop_early = is_mpeg or self._file.format == "OGG"
        self._is_guessed = is_mp3 and not mp3_states_length(source)
        estimated = self._is_guessed or (is_mpeg and not is_mp3)
        alac = self._file.subtype.startswith("ALAC")  # its packets have no common size
        if self.frames == _LENGTH_UNKNOWN or estimated or alac:
            self.frames = None
        self._known_end = self.frames
        if extent.present < 1:
            self._expect_more(extent.present)

    def __enter__(self) -> SoundfileRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _expect_more(self, present: float) -> None:
        """Count what should be there; libsndfile counts what is."""
        if self.frames and present > 0:
            self.frames = round(self.frames / present)
        else:
            self.frames = None
            self.breaks_off = True

    def blocks(self, start_frame: int, end_frame: int | None) -> Iterator[FloatArray]:
        """Yield the samples from `start_frame` to `end_frame` or the end of the file."""
        position = self._seek(start_frame)
        # To ask for more than there is makes an error of what lies behind, such as tags.
        ends = [end for end in (end_frame, self._known_end) if end is not None]
        while not ends or position < min(ends):
            block = self._read(min([_BLOCK_FRAMES, *(end - position for end in ends)]))
            if len(block) == 0:
                break
            skipped = max(start_frame - position, 0)
            position += len(block)
            if skipped < len(block):
                yield block[skipped:]
        is_at_end = end_frame is None or position < end_frame
        if is_at_end and self._may_stop_early:
            yield from self._rest(max(start_frame, position), end_frame)

    def _rest(self, start_frame: int, end_frame: int | None) -> Iterator[FloatArray]:
        """Yield what libsndfile leaves out: it guesses an MP3 file's length, often too short."""
        is_much = goes_on(self._source)
        if not is_much and not self._is_guessed:
            return
        try:
            if not is_much and self._counted_frames() <= start_frame:
                return
            whole = in_container(self._source, Extent())
        except (AudioError, MissingDependencyError) as error:
            if not is_much:
                return
            raise BrokenRecordingError("libsndfile has stopped before the file's end") from error
        with whole:
            if (whole.sample_rate, whole.channels) != (self.sample_rate, self.channels):
                raise BrokenRecordingError("FFmpeg reads it otherwise than libsndfile")
            yield from whole.blocks(start_frame, end_frame)

    def _counted_frames(self) -> int:
        """Return how many samples there are by FFmpeg, which decodes none of them for it."""
        with in_container(self._source, Extent()) as whole:
            return whole.counted_frames()

    def _seek(self, start_frame: int) -> int:
        """Move to a place some way before `start_frame` and return it."""
        target = max(start_frame - round(_PREROLL_SECONDS * self.sample_rate), 0)
        if target == 0:
            return 0
        try:
            return int(self._file.seek(target))
        except (soundfile.LibsndfileError, OverflowError):  # past the end, or cut off before it
            return 0

    def _read(self, frames: int) -> FloatArray:
        try:
            block: FloatArray = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise BrokenRecordingError(error.error_string) from error
        return np.asarray(block)
