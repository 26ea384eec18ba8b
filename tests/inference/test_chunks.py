"""Chunks against the whole: every frame once, the same samples, the same statistics."""

import numpy as np
import pytest

from w2v_cli.inference.chunks import Chunk, Chunker, Chunking

RATE = 16000
FIELD = 400
HOP = 320


class Ears:
    """A network whose frames see exactly their samples: it gives a frame's mean and maximum."""

    sample_rate = RATE
    hop_samples = HOP
    receptive_field_samples = FIELD
    longest_chunk_seconds = 4.0
    group_norm_span = None
    edge_samples = 0

    def normalised(self, waveform):
        padded = np.pad(waveform, (0, max(FIELD - len(waveform), 0)))
        return self.scaled(padded, float(waveform.mean()), float(waveform.var()))

    def scaled(self, waveform, mean, variance):
        return ((waveform - mean) / np.sqrt(variance + 1e-7)).astype(np.float32)


def emitted(input_values):
    n_frames = (len(input_values) - FIELD) // HOP + 1
    frames = [input_values[i * HOP : i * HOP + FIELD] for i in range(n_frames)]
    return np.array([(frame.mean(), frame.max(), frame[0], frame[-1]) for frame in frames])


def blocks_of(channels, size):
    def read():
        for start in range(0, channels.shape[1], size):
            yield channels[:, start : start + size]

    return read


def chunks_of(channels, chunking, block_size=1000, find_speech=None):
    chunker = Chunker(Ears(), chunking, find_speech)
    return list(chunker.chunks(blocks_of(np.atleast_2d(channels), block_size)))


def stitched(chunks, channel=0):
    """Return what is kept of a channel's chunks, by its frame."""
    frames = {}
    for chunk in chunks:
        if chunk.channel == channel:
            kept = emitted(chunk.input_values)[chunk.keep_start : chunk.keep_end]
            for place, frame in enumerate(kept, chunk.first_frame):
                assert place not in frames, "a frame is kept twice"
                frames[place] = frame
    return frames


def noise(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.01, 1, n_samples // 4000 + 1), 4000)[:n_samples]
    return (rng.standard_normal(n_samples) * loudness + 0.1).astype(np.float32)


@pytest.mark.parametrize("n_samples", [64_001, 64_319, 100_000, 159_999, 160_400, 333_333])
@pytest.mark.parametrize(
    "chunking",
    [
        Chunking(whole_seconds=2),
        Chunking(chunk_seconds=3, stride_seconds=1, whole_seconds=2),
        Chunking(chunk_seconds=1, stride_seconds=0, whole_seconds=1),
        Chunking(chunk_seconds=2, stride_seconds=0.333, whole_seconds=1),
    ],
)
def test_chunks_have_the_frames_of_the_whole(n_samples, chunking):
    waveform = noise(n_samples)
    whole = emitted(Ears().normalised(waveform))
    chunks = chunks_of(waveform, chunking)
    assert len(chunks) > 1
    frames = stitched(chunks)
    assert sorted(frames) == list(range(len(whole)))
    np.testing.assert_allclose([frames[i] for i in range(len(whole))], whole, atol=1e-4)


def test_no_chunk_is_longer_than_it_may_be_and_each_hears_its_stride():
    chunks = chunks_of(noise(400_000), Chunking(chunk_seconds=3, stride_seconds=1))
    assert max(len(chunk.input_values) for chunk in chunks) <= 3 * RATE
    for chunk in chunks[1:]:
        assert chunk.keep_start == RATE // HOP
    for chunk in chunks[:-1]:
        after = len(emitted(chunk.input_values)) - chunk.keep_end
        assert after == RATE // HOP


def test_the_same_chunks_whatever_blocks_they_are_read_in():
    waveform = noise(200_000)
    expected = chunks_of(waveform, Chunking(chunk_seconds=3))
    for size in (1, 999, 65_536, 200_000)[1:]:
        for chunk, same in zip(
            chunks_of(waveform, Chunking(chunk_seconds=3), size), expected, strict=True
        ):
            np.testing.assert_array_equal(chunk.input_values, same.input_values)
            assert (chunk.first_frame, chunk.keep_start, chunk.keep_end) == (
                same.first_frame,
                same.keep_start,
                same.keep_end,
            )


@pytest.mark.parametrize("pause_seconds", [2.5, 2.6, 2.72])
def test_seams_lie_in_pauses(pause_seconds):
    waveform = noise(10 * RATE)
    begin = round(pause_seconds * RATE)
    waveform[begin : begin + RATE // 4] *= 1e-3
    first, *_ = chunks_of(waveform, Chunking(chunk_seconds=4, stride_seconds=1))
    assert begin <= first.keep_end * HOP <= begin + RATE // 4


def test_what_is_short_is_whole_and_attends_to_all():
    waveform = noise(30 * RATE)
    (chunk,) = chunks_of(waveform, Chunking(chunk_seconds=60))
    np.testing.assert_array_equal(chunk.input_values, Ears().normalised(waveform))
    assert (chunk.first_frame, chunk.keep_start, chunk.keep_end) == (0, 0, None)
    assert chunk.context_seconds is None


def test_what_is_long_attends_to_what_is_near_in_one_chunk_or_several():
    waveform = noise(30 * RATE + 1)
    (chunk,) = chunks_of(waveform, Chunking(chunk_seconds=60))
    assert chunk.context_seconds == 2.0
    assert {c.context_seconds for c in chunks_of(waveform, Chunking(chunk_seconds=20))} == {2.0}
    assert {c.context_seconds for c in chunks_of(waveform, Chunking(20, context_seconds=None))} == {
        None
    }


def test_channels_come_in_the_order_of_time():
    channels = np.stack([noise(10 * RATE), noise(10 * RATE, seed=1)])
    chunks = chunks_of(channels, Chunking(chunk_seconds=3))
    for channel in (0, 1):
        frames = stitched(chunks, channel)
        whole = emitted(Ears().normalised(channels[channel]))
        np.testing.assert_allclose([frames[i] for i in range(len(whole))], whole, atol=1e-4)
    kept = [chunk.first_frame for chunk in chunks]
    assert max(np.array(kept) - np.maximum.accumulate(kept)) <= 0
    assert np.all(np.diff(np.maximum.accumulate(kept)) >= 0)


@pytest.mark.parametrize("n_samples", [0, RATE, 10 * RATE])
def test_silence_is_not_heard(n_samples):
    assert chunks_of(np.full(n_samples, 0.25, np.float32), Chunking(chunk_seconds=3)) == []


def test_a_silent_stretch_in_the_middle_is_not_heard():
    waveform = noise(20 * RATE)
    waveform[4 * RATE : 14 * RATE] = 0
    chunks = chunks_of(waveform, Chunking(chunk_seconds=2, stride_seconds=0.2))
    heard = sum(len(chunk.input_values) for chunk in chunks)
    assert heard < 15 * RATE
    whole = emitted(Ears().normalised(waveform))
    for place, frame in stitched(chunks).items():
        np.testing.assert_allclose(frame, whole[place], atol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 399])
def test_less_than_a_frame_is_padded(n_samples):
    (chunk,) = chunks_of(noise(n_samples) + 0.1 * (np.arange(n_samples) == 0), Chunking())[:1] or [
        Chunk(np.zeros(FIELD, np.float32))
    ]
    assert len(chunk.input_values) == FIELD


class Stretches:
    """Speech where a test says so."""

    def __init__(self, stretches):
        self._stretches = stretches
        self.n_heard = 0

    def hear(self, samples):
        self.n_heard += len(samples)

    def stretches(self):
        return self._stretches


def test_only_speech_is_heard_at_its_own_frames():
    waveform = noise(40 * RATE)
    speech = [(1000, 30_000), (100_001, 400_000), (639_000, 640_000)]
    finder = Stretches(speech)
    chunking = Chunking(chunk_seconds=4, stride_seconds=1)
    chunks = chunks_of(waveform, chunking, find_speech=lambda: finder)
    assert finder.n_heard == len(waveform)
    whole = emitted(Ears().normalised(waveform))
    frames = stitched(chunks)
    for place, frame in frames.items():
        np.testing.assert_allclose(frame, whole[place], atol=1e-4)
    expected = set()
    for begin, end in speech:
        first = begin // HOP
        expected |= set(range(first, first + (end - first * HOP - FIELD) // HOP + 1))
    assert set(frames) == expected


def test_a_recording_without_speech_has_no_chunks():
    assert chunks_of(noise(RATE), Chunking(), find_speech=lambda: Stretches([])) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_seconds": 0}, "chunk_seconds is 0; it must be more than 0"),
        ({"stride_seconds": -1}, "stride_seconds is -1; it must be 0 or more"),
        ({"chunk_seconds": 5, "stride_seconds": 2}, "3 times stride_seconds, 6, or more"),
        ({"context_seconds": float("nan")}, "context_seconds is nan"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Chunking(**options)


class FarEars(Ears):
    """A network whose frames see 700 samples to both sides, silence around what they are given."""

    edge_samples = 700


@pytest.mark.parametrize("stride_seconds", [0.0, 0.2])
def test_a_frame_that_is_kept_hears_no_silence_of_its_own_network(stride_seconds):
    samples = np.random.default_rng(0).standard_normal((1, 5 * RATE)).astype(np.float32)
    chunker = Chunker(FarEars(), Chunking(chunk_seconds=1.0, stride_seconds=stride_seconds))
    chunks = list(chunker.chunks(blocks_of(samples, 1000)))
    assert len(chunks) > 4
    for chunk in chunks[1:]:
        assert chunk.keep_start * HOP >= 700
    for chunk in chunks[:-1]:
        assert chunk.keep_end * HOP + 700 <= len(chunk.input_values)
