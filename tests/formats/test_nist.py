"""What sclite reads: fields between spaces, `;;` for comments, sorted by channel and time."""

import math
import unicodedata

import pytest
from hypothesis import given, settings
from transcripts import transcripts

from w2v_cli.formats import format_transcript
from w2v_cli.results import Segment, Transcript, Word


def segment(index, *words, channel=None):
    text = " ".join(word.text for word in words)
    return Segment(index, words[0].start_seconds, words[-1].end_seconds, text, words, channel)


def transcript(*segments, source="calls/my call.wav"):
    return Transcript("", segments, 9.0, "mini", source)


HELLO = segment(0, Word("hello", 1.0, 1.52, 0.98766), Word("there", 1.6, 2.0, 0.5))
TWO = transcript(
    segment(0, Word("hello", 1.0, 1.5, 0.9), channel=2),
    segment(1, Word("yes", 1.2, 1.4, 0.8), channel=1),
    segment(2, Word("no", 2.0, 2.1, 0.7), channel=2),
)


def test_ctm():
    assert format_transcript(transcript(HELLO), "ctm") == (
        "my_call 1 1.000 0.520 hello 0.9877\nmy_call 1 1.600 0.400 there 0.5000\n"
    )


def test_stm():
    written = format_transcript(transcript(HELLO), "stm")
    assert written == "my_call 1 my_call-1 1.000 2.000 hello there\n"


def test_the_order_is_that_of_sort():
    """SCTK: sorted by file, channel and time, as `sort -k1,1 -k2,2 -k3,3n` does it."""
    assert [line.split()[1:3] for line in format_transcript(TWO, "ctm").splitlines()] == [
        ["1", "1.200"],
        ["2", "1.000"],
        ["2", "2.000"],
    ]
    assert [line.split()[1] for line in format_transcript(TWO, "stm").splitlines()] == list("122")


def test_a_text_is_no_label():
    written = format_transcript(transcript(segment(0, Word("<unk>", 0, 1, 1))), "stm")
    assert written == "my_call 1 my_call-1 0.000 1.000 <NA> <unk>\n"


def test_without_a_probability_there_is_no_confidence():
    written = format_transcript(transcript(segment(0, Word("go", 0, 1, math.nan))), "ctm")
    assert written == "my_call 1 0.000 1.000 go\n"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (None, "recording"),
        ("", "recording"),
        ("-", "stdin"),
        ("a.b.wav", "a.b"),
        ("calls/a.b.wav#t=0.2,0.95", "a.b"),
        (";;comment.wav", ";_comment"),
        ("tab\tand\nline.wav", "tab_and_line"),
        (b"caf\xe9.wav".decode("utf-8", "surrogateescape"), "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_names_are_one_word_and_no_comment(source, name):
    assert format_transcript(transcript(HELLO, source=source), "ctm").split()[0] == name


def one_word(text):
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    return "_".join(kept.split())


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_fields_hold_what_was_said(spoken):
    rows = [line.split(" ") for line in format_transcript(spoken, "ctm").split("\n")[:-1]]
    said = sorted(
        (str(s.channel or 1), round(word.start_seconds * 1000), one_word(word.text))
        for s in spoken.segments
        for word in s.words
        if one_word(word.text)
    )
    assert all(len(row) == 6 and row[0] == "a_talk" and float(row[3]) >= 0 for row in rows)
    assert sorted((row[1], round(float(row[2]) * 1000), row[4]) for row in rows) == said
    assert [(r[1], float(r[2])) for r in rows] == sorted((r[1], float(r[2])) for r in rows)
    for line in format_transcript(spoken, "stm").split("\n")[:-1]:
        name, channel, speaker, start, end, *_ = line.split(" ")
        assert (name, speaker) == ("a_talk", f"a_talk-{channel}")
        assert float(start) <= float(end)
