"""Turns are read from every form, and lie in time where they are said to lie."""

import numpy as np
import pytest

from w2v_cli.errors import UsageError
from w2v_cli.training.manifests import read_examples
from w2v_cli.training.turns import (
    SpokenTurn,
    activity_of_speech,
    activity_of_turns,
    at_frames,
    parse_turns,
)


def test_rttm(tmp_path):
    (tmp_path / "talk.flac").touch()
    (tmp_path / "talk.txt").touch()
    (tmp_path / "list.rttm").write_text(
        "SPEAKER talk 1 0.500 1.250 <NA> <NA> anna <NA> <NA>\n"
        "SPEAKER gone 1 3 1 <NA> <NA> ben <NA> <NA>\n"
        "SPKR-INFO talk 1 <NA> <NA> <NA> unknown anna <NA> <NA>\n"
        "SPEAKER talk 1 1.5 1 <NA> <NA> ben <NA> <NA>\n"
    )
    talk, gone = read_examples(tmp_path / "list.rttm")
    assert talk.audio == str(tmp_path / "talk.flac")
    assert talk.turns == (SpokenTurn(0.5, 1.75, "anna"), SpokenTurn(1.5, 2.5, "ben"))
    assert gone.audio == str(tmp_path / "gone.wav")


def test_recordings_of_an_rttm_file_with_odd_names(tmp_path):
    """Brackets are no pattern, and a folder may be in the name."""
    (tmp_path / "in").mkdir()
    for name in ("talk[1].flac", "in/far.flac", "talk1.flac"):
        (tmp_path / name).touch()
    names = ("talk[1]", "in/far", str(tmp_path / "in" / "far"))
    lines = [f"SPEAKER {name} 1 0.5 1 <NA> <NA> anna <NA> <NA>\n" for name in names]
    for line, found in zip(lines, ("talk[1].flac", "in/far.flac", "in/far.flac"), strict=True):
        (tmp_path / "list.rttm").write_text(line)
        (one,) = read_examples(tmp_path / "list.rttm")
        assert one.audio == str(tmp_path / found)


@pytest.mark.parametrize(
    ("content", "message"),
    [("SPEAKER talk 1 0.5", "has eight at least"), ("SPEAKER t 1 a b <NA> <NA> anna", "no times")],
)
def test_what_is_no_rttm(tmp_path, content, message):
    (tmp_path / "list.rttm").write_text(content)
    with pytest.raises(UsageError, match=message):
        read_examples(tmp_path / "list.rttm")


@pytest.mark.parametrize(
    "value",
    [[[1, 2]], [[2, 1, "anna"]], "anna", [[-1, 1, "anna"]], [[0, float("inf"), "anna"]]],
)
def test_what_are_no_turns(value):
    with pytest.raises(UsageError, match="list, line 3"):
        parse_turns(value, "list, line 3")


def test_activity_of_a_stretch():
    turns = [SpokenTurn(2.0, 3.0, "ben"), SpokenTurn(0.5, 2.5, "anna"), SpokenTurn(9, 10, "eve")]
    activity = activity_of_turns(turns, 1.0, 32000)  # from 1 s to 3 s
    assert list(activity) == ["anna", "ben"]
    assert np.flatnonzero(activity["anna"]).tolist() == list(range(150))
    assert np.flatnonzero(activity["ben"]).tolist() == list(range(100, 200))


def test_speech_is_told_by_loudness(random, babble):
    waveform = 0.0005 * random.normal(size=48000).astype(np.float32)
    waveform[16000:32000] += babble(16000)
    spoken = activity_of_speech(waveform)
    assert spoken.sum() == pytest.approx(100, abs=4)
    assert spoken[102:198].all()
    assert not activity_of_speech(np.zeros(16000, np.float32)).any()


def test_activity_of_frames():
    activity = np.zeros((1, 100), np.float32)
    activity[0, 50:] = 1
    frames = at_frames(activity, 49, hop=320, receptive_field=400)[0]
    # The centre of frame 24 is at 0.4925 s, that of frame 25 at 0.5125 s.
    assert np.flatnonzero(frames)[0] == 25
