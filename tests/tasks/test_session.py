"""Long recordings: the text, the times and the readings are those of the whole."""

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.waveforms import HeldStream, Waveforms
from w2v_cli.decoding.options import Hotword
from w2v_cli.errors import AudioError
from w2v_cli.inference.chunks import Chunk, Chunking
from w2v_cli.inference.emitter import Emitter
from w2v_cli.tasks.align import Aligner
from w2v_cli.tasks.decoding import DecodingChoice
from w2v_cli.tasks.session import Clock
from w2v_cli.tasks.transcribe import Transcriber, TranscriptionJob

DATA = Path(__file__).parents[1] / "data"
RATE = 16000
DEMO_TEXT = "yes no up down on off stop go one two three"
WHOLE = Chunking(chunk_seconds=10_000)


def test_frames_stand_for_the_middle_of_what_they_see():
    """In whole frames: those of the published shapes, which see 25 ms, stay where they are."""
    begins = []
    for field in (320, 400, 540, 2000):
        emitter = Emitter.load("mini")
        emitter.receptive_field_samples = field
        clock = Clock.of(emitter, 10.0, 10.5)
        begins.append(round(clock.seconds(0), 6))
        assert clock.seconds(3) == pytest.approx(begins[-1] + 0.06)
        assert clock.seconds(1_000) == 10.5
    assert begins == [10.0, 10.0, 10.0, 10.06]


def joined(*pauses_seconds):
    """Return the demo and the clips of single words, again and again, with pauses between."""
    names = ("demo", "happy", "stop", "sheila", "three", "seven")
    clips = itertools.cycle(read_waveforms(DATA / f"{name}.opus").channels[0] for name in names)
    rng = np.random.default_rng(0)
    parts = []
    for pause_seconds in pauses_seconds:
        pause = rng.normal(0, 1e-3, round(pause_seconds * RATE)).astype(np.float32)
        parts += [next(clips), pause]
    return np.concatenate(parts)


def in_memory(*channels):
    numbers = tuple(range(1, len(channels) + 1)) if len(channels) > 1 else (None,)
    return Waveforms(channels, numbers, RATE, 0.0, len(channels[0]) / RATE)


@pytest.fixture(scope="module")
def emitter():
    return Emitter.load("mini")


@pytest.fixture(scope="module")
def waveform():
    return joined(
        0.3, 0.1, 1.4, 0.2, 0.5, 0.1, 0.3, 0.2, 3.5, 0.4, 0.2, 0.1, 0.2, 0.3, 0.2, 0.5, 1.2
    )


@pytest.mark.parametrize("chunk_seconds", [12.5, 20.0, 30.0])
def test_the_text_does_not_depend_on_the_chunks(emitter, waveform, chunk_seconds):
    assert len(waveform) > 35 * RATE
    whole = Transcriber(emitter, chunking=WHOLE).transcribe(in_memory(waveform))
    transcriber = Transcriber(emitter, chunking=Chunking(chunk_seconds=chunk_seconds))
    cut = transcriber.transcribe(in_memory(waveform))
    assert len(whole.text.split()) > 35
    assert cut.text == whole.text
    for segment, expected in zip(cut.segments, whole.segments, strict=True):
        for word, known in zip(segment.words, expected.words, strict=True):
            assert (word.text, word.start_seconds, word.end_seconds) == (
                known.text,
                known.start_seconds,
                known.end_seconds,
            )
            assert word.probability == pytest.approx(known.probability, abs=0.01)


def test_with_all_of_a_chunk_in_sight_it_depends_on_them(emitter, waveform):
    """What the window is for: attention to everything makes pieces differ from the whole."""
    everything = [
        Transcriber(emitter, chunking=Chunking(seconds, context_seconds=None))
        for seconds in (12.5, 10_000.0)
    ]
    cut, whole = (transcriber.transcribe(in_memory(waveform)) for transcriber in everything)
    if cut.text == whole.text:  # then they are less sure of it, or more
        words = [[w for segment in t.segments for w in segment.words] for t in (cut, whole)]
        apart = [abs(a.probability - b.probability) for a, b in zip(*words, strict=True)]
        assert max(apart) > 0.02  # of what is heard with a window 0.01 at most, as above


def test_up_to_half_a_minute_is_heard_as_published(emitter, waveform):
    short = waveform[: 30 * RATE]
    (emissions,) = emitter.run([Chunk(emitter.normalised(short))])
    np.testing.assert_array_equal(emissions, emitter.emissions(short, sample_rate=RATE))
    session = Transcriber(emitter).session(HeldStream(in_memory(short)), None)
    (chunk,) = session.chunks()
    np.testing.assert_array_equal(*emitter.run([chunk]), emissions)


def test_pieces_and_whole_recordings_share_a_batch(emitter, waveform):
    whole = Chunk(emitter.normalised(waveform[: 5 * RATE]))
    part = Chunk(emitter.normalised(waveform[: 9 * RATE]), context_seconds=0.5)
    alone = [*emitter.run([whole]), *emitter.run([part])]
    together = emitter.run([whole, part, whole])
    for got, expected in zip(together, [*alone, alone[0]], strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-3)
    assert emitter.model.attention_window is None


def test_channels_of_a_long_recording_keep_apart(emitter, waveform):
    other = np.roll(waveform, 5 * RATE)
    transcriber = Transcriber(emitter, chunking=Chunking(chunk_seconds=15))
    both = transcriber.transcribe(in_memory(waveform, other))
    for number, channel in ((1, waveform), (2, other)):
        alone = transcriber.transcribe(in_memory(channel))
        words = [s.text for s in both.segments if s.channel == number]
        assert words == [segment.text for segment in alone.segments]


def test_a_beam_search_gives_readings_of_all(waveform):
    pytest.importorskip("pyctcdecode")
    choice = DecodingChoice(search=True, n_best=3, hotwords=(Hotword("sheila"),))
    transcriber = Transcriber.load("mini", decoding=choice, chunking=Chunking(chunk_seconds=15))
    long = np.tile(waveform, 2)
    transcript = transcriber.transcribe(in_memory(long))
    assert len(transcript.alternatives) == 3
    assert transcript.alternatives[0].text == transcript.text
    scores = [reading.lm_score for reading in transcript.alternatives]
    assert scores == sorted(scores, reverse=True)
    transcriber.close()


def test_what_is_not_a_number_concerns_its_own_recording(emitter, waveform):
    session = Transcriber(emitter).session(HeldStream(in_memory(waveform)), "talk.wav")
    first, *_ = session.chunks()
    (output,) = emitter.run([first])
    output[3, 3] = np.nan
    with pytest.raises(AudioError, match=r"^talk\.wav: mini gave what is not a number; "):
        session.take(first, output)


@pytest.mark.parametrize("seconds", [16.0, 30.0])
def test_a_text_is_aligned_through_chunks(emitter, waveform, seconds):
    text = Transcriber(emitter, chunking=WHOLE).transcribe(in_memory(waveform)).text
    whole = Aligner(emitter, WHOLE).align(in_memory(waveform), text)
    cut = Aligner(emitter, Chunking(seconds)).align(in_memory(waveform), text)
    assert cut.text == whole.text
    for word, known in zip(cut.segments[0].words, whole.segments[0].words, strict=True):
        assert word.start_seconds == pytest.approx(known.start_seconds, abs=0.021)
        assert word.end_seconds == pytest.approx(known.end_seconds, abs=0.021)


def test_the_detector_leaves_out_silence_and_keeps_words_and_times(waveform):
    pytest.importorskip("silero_vad")
    silence = np.random.default_rng(0).normal(0, 1e-4, 20 * RATE).astype(np.float32)
    demo = read_waveforms(DATA / "demo.opus").channels[0]
    long = np.concatenate([silence, demo, silence, demo])
    transcriber = Transcriber.load("mini", vad=True)
    session = transcriber.session(HeldStream(in_memory(long)), None)
    chunks = list(session.chunks())
    heard_seconds = sum(len(chunk.input_values) for chunk in chunks) / RATE
    assert heard_seconds < 2 * len(demo) / RATE + 2.5
    for chunk in chunks:
        session.take(chunk, *transcriber.run([chunk]))
    transcript = session.finish().result()
    # A word may be heard otherwise where what lies around it is left out.
    pairs = list(zip(transcript.text.split(), 2 * DEMO_TEXT.split(), strict=True))
    assert sum(heard == said for heard, said in pairs) >= len(pairs) - 2
    assert transcript.segments[0].start_seconds == pytest.approx(20.5, abs=0.1)
    assert transcript.segments[-1].end_seconds == pytest.approx(47.25 + 6.7, abs=0.1)


def test_a_job_travels_and_tells_what_counts():
    job = TranscriptionJob("mini", chunking=Chunking(20.0), vad=True)
    assert pickle.loads(pickle.dumps(job)) == job
    settings = json.loads(json.dumps(job.settings()))
    assert settings["chunking"]["chunk_seconds"] == 20.0
    assert settings["vad"] is True
    assert "workers" not in settings["decoding"]
    for other in (
        TranscriptionJob("mini", chunking=Chunking(20.0)),
        TranscriptionJob("mini", vad=True),
        TranscriptionJob("mini", chunking=Chunking(20.0), vad=True, channel=1),
    ):
        assert other.settings() != job.settings()
