"""Raw PCM from a stream that may still grow: no header, so that whoever reads must know it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from w2v_cli.audio.decoders import FloatArray
from w2v_cli.audio.streams import SAMPLE_RATE

_SAMPLE_BYTES = 2
_FULL_SCALE = np.float32(2**15)
_READ_BYTES = 2**16


def raw_blocks(
    stream: BinaryIO, raw_rate: int, *, sample_rate: int = SAMPLE_RATE
) -> Iterator[FloatArray]:
    """Yield the samples of a stream of signed 16-bit little-endian mono PCM as they arrive.

    Args:
        stream: Where they come from. What is there is taken without waiting for more.
        raw_rate: Hz of the stream.
        sample_rate: Hz of the blocks; other rates are resampled with soxr's HQ filter.

    Yields:
        float32 (samples,), full scale at 1. A last sample of which only a half came is dropped.
    """
    samples = _samples(stream)
    if raw_rate == sample_rate:
        yield from samples
        return
    import soxr

    resampler = soxr.ResampleStream(raw_rate, sample_rate, 1, dtype="float32", quality="HQ")
    for block in samples:
        resampled = resampler.resample_chunk(block)
        if len(resampled):
            yield resampled
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _samples(stream: BinaryIO) -> Iterator[FloatArray]:
    read = getattr(stream, "read1", stream.read)  # read waits until all it wants is there
    odd = b""
    while piece := read(_READ_BYTES):
        data = odd + piece
        whole = len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES
        odd = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], "<i2").astype(np.float32) / _FULL_SCALE
