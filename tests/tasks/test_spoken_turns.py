"""Words and turns of one recording, which is read once for each."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import open_waveforms, read_waveforms
from w2v_cli.tasks.diarize import DiarizationJob
from w2v_cli.tasks.spoken_turns import NamedTranscriptJob, TurnsChunk
from w2v_cli.tasks.transcribe import TranscriptionJob

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory):
    """A minute and more of words."""
    names = ("demo", "happy", "stop", "sheila", "three", "seven")
    pieces = [read_waveforms(DATA / f"{name}.opus").channels[0] for name in names] * 6
    path = tmp_path_factory.mktemp("spoken") / "long.wav"
    soundfile.write(path, np.concatenate(pieces), 16_000)
    assert soundfile.info(path).duration > 60
    return path


def words_of(transcript):
    return sorted(
        (word.text, word.start_seconds, word.end_seconds)
        for segment in transcript.segments
        for word in segment.words
    )


def test_words_keep_their_times_while_turns_are_read(long_recording):
    """The network may be slower than the reading: the first words come when turns are begun."""
    text = TranscriptionJob("mini")
    with open_waveforms(long_recording) as stream:
        session = (alone := text.load()).session(stream, None)
        for chunk in session.chunks():
            session.take(chunk, alone.run([chunk])[0])
        expected = words_of(session.finish().result())
    both = NamedTranscriptJob(text, DiarizationJob("mini-turns")).load()
    with open_waveforms(long_recording) as stream:
        session = both.session(stream, None)
        chunks, held = session.chunks(), []
        for chunk in chunks:
            held.append(chunk)
            if isinstance(chunk, TurnsChunk):
                break
        for chunk in held:
            session.take(chunk, both.run([chunk])[0])
        for chunk in chunks:
            session.take(chunk, both.run([chunk])[0])
        found = words_of(session.finish().result())
    assert len(expected) > 50
    assert found == expected
