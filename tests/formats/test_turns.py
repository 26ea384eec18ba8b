"""Who speaks when, in every format, as readers of the format see it."""

import csv
import io
import json

import numpy as np
import pytest

from w2v_cli.formats.rttm import parse_rttm
from w2v_cli.formats.turns import TURN_FORMATS
from w2v_cli.results import Diarization, FrameActivity, Segment, Transcript, Turn, Word

TURNS = (
    Turn(0.5, 2.0, "SPEAKER_00"),
    Turn(1.5, 3.25, "SPEAKER_01"),
    Turn(4.0, 4.5, "SPEAKER_00"),
)
FRAMES = FrameActivity(np.random.default_rng(0).random((250, 3)).astype(np.float32), 0.0125, 0.02)
SPEAKERS = ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
DIARIZATION = Diarization(TURNS, SPEAKERS, 5.0, "mini-turns", "calls/a.wav", frames=FRAMES)
SEGMENTS = (
    Segment(0, 0.6, 1.0, "go left", (Word("go", 0.6, 0.7, 0.9), Word("left", 0.8, 1.0, 0.9))),
    Segment(1, 2.5, 3.0, "why", (Word("why", 2.5, 3.0, 0.5),), None, "SPEAKER_01"),
)
SPOKEN = Transcript("go left why", SEGMENTS, 5.0, "mini", "calls/a.wav")
WITH_WORDS = Diarization(TURNS, SPEAKERS, 5.0, "mini-turns", "calls/a.wav", transcript=SPOKEN)
NOBODY = Diarization((), ("SPEAKER_00",), 5.0, "mini-turns", "calls/a.wav", frames=FRAMES)


def write(diarization, name):
    return TURN_FORMATS[name].write(diarization)


def test_rttm_is_read_again():
    (turns,) = parse_rttm(write(DIARIZATION, "rttm"), "a.rttm").values()
    assert [(t.start_seconds, t.end_seconds, t.speaker) for t in turns] == [
        (t.start_seconds, t.end_seconds, t.speaker) for t in TURNS
    ]


def test_txt_is_a_line_a_turn_or_what_is_said():
    assert write(DIARIZATION, "txt").splitlines()[1] == "00:00:01.500  00:00:03.250  SPEAKER_01"
    assert write(WITH_WORDS, "txt") == "go left\n[SPEAKER_01] why\n"


def test_json_holds_turns_and_the_time_of_speakers():
    fields = json.loads(write(DIARIZATION, "json"))
    assert fields["speakers"] == [
        {"speaker": "SPEAKER_00", "seconds": 2.0},
        {"speaker": "SPEAKER_01", "seconds": 1.75},
    ]
    assert fields["turns"][1] == {"start": 1.5, "end": 3.25, "speaker": "SPEAKER_01"}
    assert (fields["source"], fields["model"], fields["duration"]) == (
        "calls/a.wav",
        "mini-turns",
        5.0,
    )
    assert json.loads(write(DIARIZATION, "jsonl")) == fields
    assert write(DIARIZATION, "jsonl").count("\n") == 1


def test_json_holds_words_where_they_are_known():
    fields = json.loads(write(WITH_WORDS, "json"))
    assert (fields["text"], fields["text_model"]) == ("go left why", "mini")
    assert fields["segments"][1]["speaker"] == "SPEAKER_01"
    assert fields["segments"][0]["words"][0]["word"] == "go"
    assert "segments" not in json.loads(write(DIARIZATION, "json"))


def test_channels_are_named():
    call = Diarization((Turn(0, 1, "CHANNEL_2", 2),), ("CHANNEL_1", "CHANNEL_2"), 2.0, "m", "a.wav")
    assert json.loads(write(call, "json"))["turns"][0]["channel"] == 2
    assert write(call, "rttm").split()[2] == "2"


def test_csv_is_a_row_a_turn():
    rows = list(csv.DictReader(io.StringIO(write(DIARIZATION, "csv"))))
    assert rows[1] == {
        "source": "calls/a.wav",
        "start": "1.500",
        "end": "3.250",
        "speaker": "SPEAKER_01",
        "channel": "",
    }


def test_labels_of_audacity():
    assert write(DIARIZATION, "audacity").splitlines()[0] == "0.500\t2.000\tSPEAKER_00"
    assert write(WITH_WORDS, "audacity").splitlines()[1] == "2.500\t3.000\t[SPEAKER_01] why"


def test_textgrid_has_a_tier_a_speaker(tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    for diarization, tiers in [
        (DIARIZATION, ("SPEAKER_00", "SPEAKER_01")),
        (NOBODY, ("turns",)),
        (
            WITH_WORDS,
            (
                *("SPEAKER_00", "SPEAKER_01", "segments", "words"),
                *("SPEAKER_01 segments", "SPEAKER_01 words"),
            ),
        ),
    ]:
        path = tmp_path / "a.TextGrid"
        path.write_text(write(diarization, "textgrid"), encoding="utf-8")
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        assert grid.tierNames == tiers
        assert grid.maxTimestamp == 5.0
    entries = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert [tuple(e) for e in entries.getTier("SPEAKER_00").entries] == [
        (0.5, 2.0, "SPEAKER_00"),
        (4.0, 4.5, "SPEAKER_00"),
    ]


def test_subtitles_name_speakers():
    assert "[SPEAKER_01] why" in write(WITH_WORDS, "srt")
    assert "<v SPEAKER_01>why</v>" in write(WITH_WORDS, "vtt")
    with pytest.raises(ValueError, match="without words"):
        write(DIARIZATION, "srt")


def test_npz_holds_the_frames():
    arrays = np.load(io.BytesIO(write(DIARIZATION, "npz")))
    np.testing.assert_array_equal(arrays["probabilities"], FRAMES.probabilities)
    assert arrays["speakers"].tolist() == list(SPEAKERS)
    np.testing.assert_allclose(arrays["times"][[0, -1]], [0.0125, 0.0125 + 249 * 0.02])
    with pytest.raises(ValueError, match="without frames"):
        write(WITH_WORDS, "npz")


def test_nobody_speaks():
    for name in ("rttm", "txt", "audacity"):
        assert write(NOBODY, name) == ""
    assert json.loads(write(NOBODY, "json"))["turns"] == []
    assert write(NOBODY, "csv") == "source,start,end,speaker,channel\n"
