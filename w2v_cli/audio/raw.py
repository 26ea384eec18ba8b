"""Raw PCM from a stream that may still grow: no header, so that whoever reads must know it."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from w2v_cli.audio.decoders import FloatArray
from w2v_cli.audio.riff import is_known
from w2v_cli.audio.sources import STDIN_LABEL
from w2v_cli.audio.streams import SAMPLE_RATE
from w2v_cli.errors import AudioError

_SAMPLE_BYTES = 2
_FULL_SCALE = np.float32(2**15)

# How files begin that are no raw samples, and what they are called.
_FILES = (
    (0, b"fLaC", "a FLAC file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3\x02", "an MP3 file"),
    (0, b"ID3\x03", "an MP3 file"),
    (0, b"ID3\x04", "an MP3 file"),
    (0, b"FORM", "an AIFF file"),
    (0, b"caff", "a CAF file"),
    (0, b".snd", "an AU file"),
    (0, b"RF64", "an RF64 file"),
    (0, b"BW64", "a BW64 file"),
    (0, b"RIFX", "a RIFX file"),
    (0, b"riff\x2e\x91\xcf\x11", "a Wave64 file"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska file"),
    (4, b"ftyp", "an MP4 file"),
)
_LONGEST_START_BYTES = 12
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_PCM_FORMATS = (1, 0xFFFE)


class RawDecoder:
    """Samples of signed 16-bit little-endian mono PCM, which comes in pieces of any size.

    The header of a WAV stream, with which recorders begin unless they are told otherwise, is
    passed over, and what follows its sound left out.

    Args:
        raw_rate: Hz of the stream.
        sample_rate: Hz of the samples; other rates are resampled with soxr's HQ filter.
    """

    def __init__(self, raw_rate: int, *, sample_rate: int = SAMPLE_RATE) -> None:
        self._header = _Header(raw_rate)
        self._rest = b""  # of a sample
        self._resampler: Any = None
        if raw_rate != sample_rate:
            import soxr

            self._resampler = soxr.ResampleStream(
                raw_rate, sample_rate, 1, dtype="float32", quality="HQ"
            )

    def decode(self, piece: bytes) -> FloatArray:
        """Return the samples that are complete with one more piece.

        Returns:
            float32 (samples,), full scale at 1.

        Raises:
            AudioError: The stream is a file of another kind, or has other samples.
        """
        data = self._rest + self._header.passed(piece)
        whole = len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES
        self._rest = data[whole:]
        samples: FloatArray = np.frombuffer(data[:whole], "<i2").astype(np.float32) / _FULL_SCALE
        return samples if self._resampler is None else self._resampler.resample_chunk(samples)

    def finish(self) -> FloatArray:
        """Return the last samples; one of which only a half came is dropped."""
        last = self.decode(self._header.rest())
        if self._resampler is None:
            return last
        nothing = np.zeros(0, np.float32)
        filtered: FloatArray = self._resampler.resample_chunk(nothing, last=True)
        return np.concatenate([last, filtered])


class _Header:
    """Passes over the header of a WAV stream, if there is one.

    Args:
        raw_rate: Hz that it must say.
    """

    def __init__(self, raw_rate: int) -> None:
        self._raw_rate = raw_rate
        self._seen = b""
        self._place = self._begin
        self._n_skipped = 0  # bytes that are still to be passed over
        self._says: tuple[int, ...] | None = None
        self._n_left: int | None = None  # bytes of sound; None where nobody knows

    def passed(self, piece: bytes) -> bytes:
        """Return the bytes of samples that are known with one more piece.

        Raises:
            AudioError: It is a file of another kind, or has other samples.
        """
        self._seen += piece
        return self._place()

    def rest(self) -> bytes:
        """Return what was kept back and is no header, after the last piece."""
        if self._place == self._begin:
            self._place = self._sound
        seen, self._seen = self._seen, b""
        return seen if self._place == self._sound else b""

    def _begin(self) -> bytes:
        if len(self._seen) < _LONGEST_START_BYTES:
            return b""
        for place, start, kind in _FILES:
            if self._seen.startswith(start, place):
                raise AudioError(f"{STDIN_LABEL}: {kind}, not raw samples; leave out --raw")
        is_wav = self._seen.startswith(b"RIFF") and self._seen.startswith(b"WAVE", 8)
        self._n_skipped = 12 if is_wav else 0
        self._place = self._chunks if is_wav else self._sound
        return self._place()

    def _chunks(self) -> bytes:
        while True:
            n_skipped = min(self._n_skipped, len(self._seen))
            self._seen = self._seen[n_skipped:]
            self._n_skipped -= n_skipped
            if self._n_skipped or len(self._seen) < _CHUNK.size:
                return b""
            name, n_bytes = _CHUNK.unpack_from(self._seen)
            if name == b"data":
                _check(self._says, self._raw_rate)
                self._n_left = n_bytes if is_known(n_bytes) else None
                self._seen = self._seen[_CHUNK.size :]
                self._place = self._sound
                return self._sound()
            if name == b"fmt ":
                if len(self._seen) < _CHUNK.size + _FORMAT.size:
                    return b""
                self._says = _FORMAT.unpack_from(self._seen, _CHUNK.size)
            self._n_skipped = _CHUNK.size + n_bytes + n_bytes % 2

    def _sound(self) -> bytes:
        sound, self._seen = self._seen[: self._n_left], b""
        if self._n_left is not None:
            self._n_left -= len(sound)
        return sound


def _check(says: tuple[int, ...] | None, raw_rate: int) -> None:
    """Refuse a WAV stream of other samples than those that are read.

    Args:
        says: Its format, channels, rate in Hz, two more, and bits; None if it does not say.
        raw_rate: What the rate must be.

    Raises:
        AudioError: They are others.
    """
    wanted = f"one channel of 16 bits at {raw_rate} Hz"
    if says is None:
        raise AudioError(f"{STDIN_LABEL}: a WAV stream that does not say of what; send {wanted}")
    code, n_channels, rate, _, _, bits = says
    if code not in _PCM_FORMATS or (n_channels, rate, bits) != (1, raw_rate, 16):
        channels = "1 channel" if n_channels == 1 else f"{n_channels} channels"
        raise AudioError(
            f"{STDIN_LABEL}: a WAV stream of {channels}, {bits} bits and {rate} Hz, and --raw "
            f"{raw_rate} reads {wanted}; record it so, or give its rate to --raw"
        )
