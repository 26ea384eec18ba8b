"""Raw PCM: every sample once, in pieces of any size, at any rate."""

import io
import struct

import numpy as np
import pytest
import soundfile
import soxr

from w2v_cli.audio.raw import RawDecoder
from w2v_cli.errors import AudioError


def samples_of(n_samples):
    return np.random.default_rng(0).integers(-32768, 32767, n_samples).astype("<i2")


def decoded(content, size, rate=16000):
    decoder = RawDecoder(rate)
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return np.concatenate([*map(decoder.decode, pieces), decoder.finish()])


def wav(samples, rate=16000, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [1, 3, 1000, 10**6])
def test_samples(size):
    samples = samples_of(5001)
    got = decoded(samples.tobytes(), size)
    np.testing.assert_array_equal(got, samples.astype(np.float32) / 32768)
    assert got.dtype == np.float32


def test_half_a_sample_at_the_end_is_dropped():
    assert decoded(b"\x00\x40\x01", 3).tolist() == [0.5]
    assert decoded(b"", 1).tolist() == []


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates(rate):
    samples = samples_of(rate)
    got = decoded(samples.tobytes(), 999, rate)
    expected = soxr.resample(samples.astype(np.float32) / 32768, rate, 16000, quality="HQ")
    assert len(got) == pytest.approx(16000, abs=2)
    np.testing.assert_allclose(got[:15000], expected[:15000], atol=1e-4)


def test_what_is_there_is_not_held_back():
    decoder = RawDecoder(16000)
    assert len(decoder.decode(b"\x00\x40" * 10)) == 10
    assert len(decoder.decode(b"\x00\x40")) == 1


def test_chunks_around_the_sound_are_no_samples():
    samples = samples_of(1001)
    content = wav(samples)
    picture = b"id3 " + struct.pack("<I", 200_001) + bytes(200_002)
    content = content[:36] + picture + content[36:] + picture
    for size in (1000, 10**6):
        np.testing.assert_array_equal(decoded(content, size), samples.astype(np.float32) / 32768)


@pytest.mark.parametrize("size", [1, 44, 45, 10**6])
def test_the_header_of_a_wav_stream_is_passed_over(size):
    samples = samples_of(1001)
    unknown = bytearray(wav(samples))
    unknown[4:8] = unknown[40:44] = b"\xff\xff\xff\xff"  # as of a stream without an end
    got = decoded(bytes(unknown), size)
    np.testing.assert_array_equal(got, samples.astype(np.float32) / 32768)


def test_samples_that_begin_like_a_header_are_samples():
    content = b"RIFF" + bytes(range(100))
    np.testing.assert_array_equal(
        decoded(content, 3), np.frombuffer(content, "<i2").astype(np.float32) / 32768
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(samples_of(100), 44100), "of 1 channel, 16 bits and 44100 Hz, and --raw 16000 reads"),
        (wav(samples_of(100).reshape(-1, 2)), "of 2 channels, 16 bits and 16000 Hz"),
        (wav(samples_of(100), subtype="PCM_24"), "of 1 channel, 24 bits and 16000 Hz"),
        (b"RIFF\xff\xff\xff\xffWAVEdata" + bytes(8), "that does not say of what"),
        (b"fLaC" + bytes(100), "a FLAC file, not raw samples; leave out --raw"),
        (b"OggS" + bytes(100), "an Ogg file, not raw samples; leave out --raw"),
        (bytes(4) + b"ftypM4A " + bytes(100), "an MP4 file"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "a Matroska file"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_other_streams_are_refused(content, message, size):
    with pytest.raises(AudioError, match=message):
        decoded(content, size)
