"""The words and nothing else."""

from w2v_cli.formats import plain_text
from w2v_cli.results import Segment, Transcript


def transcript(*segments):
    return Transcript(" ".join(s.text for s in segments), segments, 9.0, "mini")


def test_a_line_a_segment():
    text = plain_text(transcript(Segment(0, 0, 1, "go left", ()), Segment(1, 2, 3, "stop", ())))
    assert text == "go left\nstop\n"


def test_nothing_for_silence():
    assert plain_text(transcript()) == ""


def test_channels_are_named_where_they_were_kept_apart():
    text = plain_text(
        transcript(Segment(0, 0, 1, "hello", (), 2), Segment(1, 1, 2, "good morning", (), 1))
    )
    assert text == "[channel 2] hello\n[channel 1] good morning\n"


def test_a_line_stays_a_line():
    assert plain_text(transcript(Segment(0, 0, 1, "a\nb\u2028c  d", ()))) == "a b c d\n"


def test_every_script():
    assert plain_text(transcript(Segment(0, 0, 1, "naïve 日本 🎵", ()))) == "naïve 日本 🎵\n"
