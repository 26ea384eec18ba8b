"""DER and JER against a count by hand."""

import sys

import pytest

from w2v_cli.errors import MissingDependencyError, UsageError
from w2v_cli.results import Turn
from w2v_cli.scoring.diarization import NOTHING, ScoringRules, TurnRates, rate_turns, score_turns
from w2v_cli.scoring.turn_files import read_regions, read_turns

SAID = [Turn(0, 2, "anna"), Turn(1.5, 4, "ben")]
HEARD = [Turn(0.5, 2.5, "x"), Turn(2.5, 5, "y"), Turn(6, 7, "z")]
# anna is x and ben is y. 0 to 0.5: anna missed. 1.5 to 2: ben missed. 2 to 2.5: ben taken for
# anna. 4 to 5 and 6 to 7: nobody. anna and x are 2.5 s together, 1 s of them wrong; ben and y
# are 3.5 s, 2 s of them wrong.
BY_HAND = TurnRates(4.5, 1.0, 2.0, 0.5, 2, 1 / 2.5 + 2 / 3.5)


def close(one, other):
    fields = ("spoken_seconds", "missed_seconds", "false_alarm_seconds", "confused_seconds")
    for name in (*fields, "n_speakers", "jaccard_errors"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9), name
    return True


def test_a_count_by_hand():
    rates = rate_turns(SAID, HEARD, ScoringRules())
    assert close(rates, BY_HAND)
    assert rates.der == pytest.approx(3.5 / 4.5)
    assert rates.jer == pytest.approx((1 / 2.5 + 2 / 3.5) / 2)


def test_a_collar_is_before_and_after_each_boundary():
    # Left out: 0 to 0.25, 1.25 to 2.25, and 3.75 to 4.25.
    rates = rate_turns(SAID, HEARD, ScoringRules(collar_seconds=0.25))
    # anna and x are 1.25 s, 0.25 + 0.25 of them wrong; ben and y 2.25 s, 0.25 + 0.75 of them.
    assert close(rates, TurnRates(2.5, 0.25, 1.75, 0.25, 2, 0.5 / 1.25 + 1 / 2.25))


def test_time_of_several_speakers_can_be_left_out():
    rates = rate_turns(SAID, HEARD, ScoringRules(skip_overlap=True))  # without 1.5 to 2
    assert close(rates, TurnRates(3.5, 0.5, 2.0, 0.5, 2, 1 / 2 + 1.5 / 3))


def test_regions():
    rates = rate_turns(SAID, HEARD, ScoringRules(), [(0.0, 1.0), (4.5, 6.5)])
    assert close(rates, TurnRates(1.0, 0.5, 1.0, 0.0, 1, 0.5))


def test_turns_of_one_speaker_that_overlap_count_once():
    twice = [Turn(0, 1.5, "anna"), Turn(1, 2, "anna")]
    assert close(rate_turns(twice, [Turn(0, 2, "x")], ScoringRules()), TurnRates(2, 0, 0, 0, 1, 0))


def test_no_turns():
    assert rate_turns([], [], ScoringRules()) == NOTHING
    assert NOTHING.der is None
    assert NOTHING.jer is None
    assert rate_turns([], [], ScoringRules(), [(0, 5)]) == NOTHING
    assert rate_turns(SAID, [], ScoringRules()) == TurnRates(4.5, 4.5, 0, 0, 2, 2)
    only_false = rate_turns([], HEARD, ScoringRules())
    assert (only_false.false_alarm_seconds, only_false.der) == (5.5, None)


def test_recordings_are_added_up_before_they_are_divided():
    said = {"a": tuple(SAID), "b": (Turn(0, 10, "anna"),)}
    score = score_turns(said, {"a": tuple(HEARD), "c": (Turn(0, 1, "x"),)}, ScoringRules())
    assert close(score.recordings["a"], BY_HAND)
    assert score.recordings["b"].der == 1
    assert score.total.der == pytest.approx((3.5 + 10) / 14.5)
    assert score.total.jer == pytest.approx((1 / 2.5 + 2 / 3.5 + 1) / 3)
    assert (score.not_heard, score.not_counted) == (("b",), ("c",))


def test_regions_say_which_recordings_count():
    said = {"a": tuple(SAID), "b": tuple(SAID)}
    heard = {"a": tuple(HEARD), "quiet": (Turn(0, 1, "x"),)}
    score = score_turns(said, heard, ScoringRules(), {"a": ((0.0, 10.0),), "quiet": ((0.0, 2.0),)})
    assert list(score.recordings) == ["a", "quiet"]
    assert score.recordings["quiet"].false_alarm_seconds == 1
    assert score.not_counted == ("b",)


def test_without_pyannote(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyannote.core", None)
    with pytest.raises(MissingDependencyError, match=r"w2v\[diarization\]"):
        rate_turns(SAID, HEARD, ScoringRules())


def test_files_of_a_folder(tmp_path):
    (tmp_path / "more").mkdir()
    line = "SPEAKER {} 1 {} 1.0 <NA> <NA> {} <NA> <NA>\n"
    (tmp_path / "a.rttm").write_text(line.format("talk", 0, "anna"))
    (tmp_path / "more" / "b.RTTM").write_text(line.format("talk", 2, "ben") + "\n;; end\n")
    (tmp_path / "c.txt").write_text("no turns")
    turns = read_turns(str(tmp_path))
    assert [turn.speaker for turn in turns["talk"]] == ["anna", "ben"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_turns(str(tmp_path / "none.rttm"))
    with pytest.raises(UsageError, match=r"no \.rttm files"):
        read_turns(str(tmp_path))
    (tmp_path / "bytes.rttm").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_turns(str(tmp_path / "bytes.rttm"))
    (tmp_path / "empty.uem").write_text("")
    with pytest.raises(UsageError, match="no regions"):
        read_regions(str(tmp_path / "empty.uem"))
