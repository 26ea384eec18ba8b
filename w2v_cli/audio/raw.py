"""Raw PCM from a stream that may still grow: no header, so that whoever reads must know it."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from w2v_cli.audio.decoders import FloatArray
from w2v_cli.audio.streams import SAMPLE_RATE
from w2v_cli.errors import AudioError

_SAMPLE_BYTES = 2
_FULL_SCALE = np.float32(2**15)

# What files begin with that are no raw samples.
_FILES = {
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"ID3\x03": "an MP3 file",
    b"ID3\x04": "an MP3 file",
    b"FORM": "an AIFF file",
    b"caff": "a CAF file",
    b".snd": "an AU file",
}
_LONGEST_HEADER_BYTES = 2**16
_PCM_FORMATS = (1, 0xFFFE)


class RawDecoder:
    """Samples of signed 16-bit little-endian mono PCM, which comes in pieces of any size.

    The header of a WAV stream, with which recorders begin unless they are told otherwise, is
    passed over.

    Args:
        raw_rate: Hz of the stream.
        sample_rate: Hz of the samples; other rates are resampled with soxr's HQ filter.
    """

    def __init__(self, raw_rate: int, *, sample_rate: int = SAMPLE_RATE) -> None:
        self._raw_rate = raw_rate
        self._rest = b""  # of a sample, or of what may be a header
        self._is_past_header = False
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
            AudioError: The stream is a file of another kind, or has another rate.
        """
        data = self._rest + piece
        if not self._is_past_header:
            skipped = _header_bytes(data, self._raw_rate)
            if skipped is None:
                self._rest = data
                return np.zeros(0, np.float32)
            self._is_past_header = True
            data = data[skipped:]
        whole = len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES
        self._rest = data[whole:]
        samples: FloatArray = np.frombuffer(data[:whole], "<i2").astype(np.float32) / _FULL_SCALE
        return samples if self._resampler is None else self._resampler.resample_chunk(samples)

    def finish(self) -> FloatArray:
        """Return the last samples; one of which only a half came is dropped."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        last: FloatArray = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        return last


def _header_bytes(data: bytes, raw_rate: int) -> int | None:
    """Return how long the header is that a stream begins with; None if more must be seen.

    Raises:
        AudioError: It is no header of such samples.
    """
    if kind := _FILES.get(data[:4]):
        raise AudioError(f"standard input: {kind}, not raw samples; leave out --raw")
    if data[:12] != b"RIFF" + data[4:8] + b"WAVE"[: max(len(data) - 8, 0)]:
        return None if b"RIFF".startswith(data) else 0
    position, says = 12, None
    while len(data) >= position + 8:
        name, n_bytes = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"data":
            _check(says, raw_rate)
            return position
        if name == b"fmt " and len(data) >= position + 16:
            says = struct.unpack_from("<HHIIHH", data, position)
        position += n_bytes + n_bytes % 2
    if position > _LONGEST_HEADER_BYTES:
        _check(None, raw_rate)
    return None


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
        raise AudioError(f"standard input: a WAV stream that does not say of what; send {wanted}")
    code, n_channels, rate, _, _, bits = says
    if code not in _PCM_FORMATS or (n_channels, rate, bits) != (1, raw_rate, 16):
        channels = "1 channel" if n_channels == 1 else f"{n_channels} channels"
        raise AudioError(
            f"standard input: a WAV stream of {channels}, {bits} bits and {rate} Hz, and --raw "
            f"{raw_rate} reads {wanted}; record it so, or give its rate to --raw"
        )
