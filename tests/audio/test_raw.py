"""Raw PCM: every sample once, in pieces of any size, at any rate."""

import io
import os
import threading

import numpy as np
import pytest
import soxr

from w2v_cli.audio.raw import raw_blocks


class Pieces(io.RawIOBase):
    """A stream that gives so many bytes at a time."""

    def __init__(self, content, size):
        self._content, self._size = content, size

    def readable(self):
        return True

    def read(self, size=-1):
        piece, self._content = self._content[: self._size], self._content[self._size :]
        return piece


def samples_of(n_samples):
    return np.random.default_rng(0).integers(-32768, 32767, n_samples).astype("<i2")


@pytest.mark.parametrize("size", [1, 3, 1000, 10**6])
def test_samples(size):
    samples = samples_of(5001)
    got = np.concatenate(list(raw_blocks(Pieces(samples.tobytes(), size), 16000)))
    np.testing.assert_array_equal(got, samples.astype(np.float32) / 32768)
    assert got.dtype == np.float32


def test_half_a_sample_at_the_end_is_dropped():
    got = list(raw_blocks(io.BytesIO(b"\x00\x40\x01"), 16000))
    assert np.concatenate(got).tolist() == [0.5]
    assert list(raw_blocks(io.BytesIO(b""), 16000)) == []


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates(rate):
    samples = samples_of(rate)
    got = np.concatenate(list(raw_blocks(Pieces(samples.tobytes(), 999), rate)))
    expected = soxr.resample(samples.astype(np.float32) / 32768, rate, 16000, quality="HQ")
    assert len(got) == pytest.approx(16000, abs=2)
    np.testing.assert_allclose(got[:15000], expected[:15000], atol=1e-4)


def test_what_is_there_is_not_held_back():
    reader, writer = os.pipe()
    got = []
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as source:
        blocks = raw_blocks(stream, 16000)
        source.write(b"\x00\x40" * 10)
        taker = threading.Thread(target=lambda: got.append(next(blocks)))
        taker.start()
        taker.join(timeout=20)
        assert not taker.is_alive(), "waits for more than there is"
    assert len(got[0]) == 10
