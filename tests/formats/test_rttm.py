"""RTTM and UEM: written and read again, and what is neither."""

import pytest

from w2v_cli.errors import UsageError
from w2v_cli.formats.rttm import parse_rttm, parse_uem, rttm
from w2v_cli.results import Diarization, Turn


def diarization(*turns, source="calls/my call.wav"):
    speakers = tuple(dict.fromkeys(turn.speaker for turn in turns))
    return Diarization(turns, speakers, 10.0, "mini-turns", source)


def test_a_line_a_turn():
    turns = Turn(0.5, 1.25, "SPEAKER_00"), Turn(1.0, 2.0004, "big ben", 2)
    assert rttm(diarization(*turns)) == (
        "SPEAKER my_call 1 0.500 0.750 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
        "SPEAKER my_call 2 1.000 1.000 <NA> <NA> big_ben <NA> <NA>\n"
    )


def test_nobody_speaks():
    assert rttm(diarization()) == ""
    assert parse_rttm("", "a.rttm") == {}


def test_round_trip():
    turns = tuple(
        Turn(i * 0.37, i * 0.37 + 0.019 * (i + 1), f"SPEAKER_{i % 3:02d}", 1) for i in range(40)
    )
    text = rttm(diarization(*turns))
    (read,) = parse_rttm(text, "a.rttm").values()
    assert len(read) == len(turns)
    for one, other in zip(read, turns, strict=True):
        assert (one.speaker, one.channel) == (other.speaker, other.channel)
        assert one.start_seconds == pytest.approx(other.start_seconds, abs=0.0006)
        assert one.end_seconds == pytest.approx(other.end_seconds, abs=0.0006)
    assert rttm(diarization(*read)) == text


def test_a_turn_of_no_time_is_left_out():
    assert rttm(diarization(Turn(1.0, 1.0003, "a"), Turn(2.0, 3.0, "b"))).count("\n") == 1


def test_other_lines_are_left_out():
    text = (
        "\ufeff;; a comment\nSPKR-INFO talk 1 <NA> <NA> <NA> unknown anna <NA>\n\n"
        "SPEAKER talk <NA> 1 0 <NA> <NA> nobody <NA>\nSPEAKER talk A 1 2 <NA> <NA> anna <NA>\n"
    )
    assert parse_rttm(text, "a.rttm") == {"talk": (Turn(1.0, 3.0, "anna", None),)}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SPEAKER talk 1 0.5 1.0", "5 columns"),
        ("SPEAKER talk 1 half 1.0 <NA> <NA> anna", "no times"),
        ("SPEAKER talk 1 nan 1.0 <NA> <NA> anna", "no times"),
        ("SPEAKER talk 1 -1 1.0 <NA> <NA> anna", "from 0 on"),
        ("SPEAKER talk 1 1 -1.0 <NA> <NA> anna", "below 0"),
        ("hello world", "begins with hello"),
        ("talk 1 0 30.5", "begins with talk"),
    ],
)
def test_what_is_no_rttm(line, reason):
    with pytest.raises(UsageError, match=rf"a\.rttm, line 2.*{reason}"):
        parse_rttm(f";;\n{line}\n", "a.rttm")


def test_regions_are_joined():
    text = "talk NA 5 8\ntalk NA 0 2\ntalk NA 1.5 3\nother 1 0 1\n"
    assert parse_uem(text, "a.uem") == {"talk": ((0.0, 3.0), (5.0, 8.0)), "other": ((0.0, 1.0),)}


@pytest.mark.parametrize("line", ["talk 1 0", "talk 1 2 1", "talk 1 a b", "talk 1 0 inf"])
def test_what_is_no_uem(line):
    with pytest.raises(UsageError, match=r"a\.uem, line 1"):
        parse_uem(line, "a.uem")
