"""A stream while it is read: what a file gives, in time, and the same however it comes in."""

from pathlib import Path

import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.waveforms import Waveforms
from w2v_cli.tasks.live import LiveOptions, LiveTranscript
from w2v_cli.tasks.transcribe import Transcriber

DATA = Path(__file__).parents[1] / "data"
RATE = 16000


@pytest.fixture(scope="module")
def transcriber():
    return Transcriber.load("mini")


@pytest.fixture(scope="module")
def demo():
    return read_waveforms(DATA / "demo.opus").channels[0]


def heard(transcriber, waveform, block_size, options=None):
    """Return the segments, and how much had been heard when each was final."""
    transcript = LiveTranscript(transcriber, options)
    found = []
    for start in range(0, len(waveform), block_size):
        for segment in transcript.hear(waveform[start : start + block_size]):
            found.append((segment, transcript.duration_seconds))
    found += [(segment, transcript.duration_seconds) for segment in transcript.finish()]
    assert transcript.duration_seconds == len(waveform) / RATE
    return found


def in_memory(waveform):
    return Waveforms((waveform,), (None,), RATE, 0.0, len(waveform) / RATE)


def test_a_stream_says_what_the_file_says(transcriber, demo):
    expected = transcriber.transcribe(in_memory(demo))
    found = heard(transcriber, demo, 4000)
    assert [segment.text for segment, _ in found] == [s.text for s in expected.segments]
    assert [segment.id for segment, _ in found] == [0, 1, 2]
    for (segment, _), known in zip(found, expected.segments, strict=True):
        assert segment.start_seconds == pytest.approx(known.start_seconds, abs=0.05)
        assert segment.end_seconds == pytest.approx(known.end_seconds, abs=0.05)


def test_a_segment_comes_soon_after_it_ends(transcriber, demo):
    options = LiveOptions(step_seconds=0.5, ahead_seconds=1.0)
    silence = np.zeros(3 * RATE, np.float32)
    found = heard(transcriber, np.concatenate([demo, silence]), 4000, options)
    for segment, heard_seconds in found:
        assert heard_seconds - segment.end_seconds <= 1.5 + 0.5 + 1.0 + 0.1


@pytest.mark.parametrize("block_size", [160, 5000, 10**6])
def test_what_is_final_does_not_depend_on_the_blocks(transcriber, demo, block_size):
    expected = [segment for segment, _ in heard(transcriber, demo, 16000)]
    assert [segment for segment, _ in heard(transcriber, demo, block_size)] == expected


def test_partial_words_become_final(transcriber, demo):
    transcript = LiveTranscript(transcriber)
    shown, final = [], []
    for start in range(0, len(demo), RATE):
        final += [segment.text for segment in transcript.hear(demo[start : start + RATE])]
        shown.append(transcript.partial())
    final += [segment.text for segment in transcript.finish()]
    assert transcript.partial() == ""
    assert any(text and final[0].startswith(text) for text in shown)
    assert shown[-1].split()[-1] in " ".join(final)


@pytest.mark.parametrize("n_samples", [0, 1, 300, 5 * RATE])
def test_silence_and_next_to_nothing_say_nothing(transcriber, n_samples):
    assert heard(transcriber, np.zeros(n_samples, np.float32), 1000) == []


def test_a_long_silence_is_not_kept(transcriber, demo):
    transcript = LiveTranscript(transcriber)
    for _ in range(60):
        transcript.hear(np.zeros(RATE, np.float32))
    assert len(transcript._held) < 10 * RATE
    assert sum(map(len, transcript._text.undecoded())) < 200
    segments = [*transcript.hear(demo), *transcript.finish()]
    assert segments[0].start_seconds > 60
    assert segments[0].text == "yes no up down"
