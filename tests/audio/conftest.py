"""Sounds to write and read back, in memory and in files."""

import io

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def sound():
    """Three seconds of noise under a slow beat, float32, (frames,) or (frames, channels)."""

    def make(sample_rate=16000, channels=1, seconds=3.0, seed=0):
        random = np.random.default_rng(seed)
        n_frames = round(seconds * sample_rate)
        beat = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(n_frames) / sample_rate)
        noise = random.uniform(-0.5, 0.5, (n_frames, channels))
        samples = (beat[:, None] * noise).astype(np.float32)
        return samples[:, 0] if channels == 1 else samples

    return make


@pytest.fixture(scope="session")
def encoded():
    """The bytes of a file that libsndfile writes."""

    def encode(samples, sample_rate=16000, kind="WAV", subtype=None):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, sample_rate, format=kind, subtype=subtype)
        return buffer.getvalue()

    return encode


class OneWayStream(io.RawIOBase):
    """A pipe: bytes come once, in order, and there is no way back."""

    def __init__(self, content):
        self._rest = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._rest.readinto(buffer)


@pytest.fixture(scope="session")
def pipe():
    return OneWayStream
