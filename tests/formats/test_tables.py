"""Rows that spreadsheets and Audacity read."""

import csv
import io
import math
import unicodedata

from hypothesis import given, settings
from transcripts import transcripts

from w2v_cli.formats import SubtitleOptions, format_transcript
from w2v_cli.formats.tables import CSV_COLUMNS
from w2v_cli.results import Segment, Transcript, Word


def clean(text):
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join(kept.split())


def speech(*words, channel=None, source="way.wav"):
    text = " ".join(word.text for word in words)
    segment = Segment(0, words[0].start_seconds, words[-1].end_seconds, text, words, channel)
    return Transcript(text, (segment,), 3.0, "mini", source)


GO_LEFT = Word("go", 0.42, 0.72, 0.98766), Word("left", 0.9, 1.34, 0.5, interpolated=True)


def test_tsv_is_whispers():
    """whisper.utils.WriteTSV: whole milliseconds, and no tab in the text."""
    assert format_transcript(speech(*GO_LEFT), "tsv") == "start\tend\ttext\n420\t1340\tgo left\n"
    written = format_transcript(speech(Word("a\tb\nc", 0, 1, 1), channel=2), "tsv")
    assert written == "start\tend\ttext\tchannel\n0\t1000\ta b c\t2\n"


def test_csv_is_a_row_a_word():
    assert format_transcript(speech(*GO_LEFT), "csv") == (
        "source,channel,segment,start,end,word,probability,interpolated,speaker\n"
        "way.wav,,0,0.420,0.720,go,0.9877,0,\n"
        "way.wav,,0,0.900,1.340,left,0.5000,1,\n"
    )


def test_csv_quotes():
    spoken = speech(Word('say"so,', 0, 1, math.nan), source="a, b.wav")
    assert format_transcript(spoken, "csv").splitlines()[1] == (
        '"a, b.wav",,0,0.000,1.000,"say""so,",,0,'
    )


def test_audacity_labels():
    words = SubtitleOptions(word_timestamps=True)
    assert format_transcript(speech(*GO_LEFT), "audacity") == "0.420\t1.340\tgo left\n"
    assert format_transcript(speech(*GO_LEFT, channel=1), "audacity", words) == (
        "0.420\t0.720\t[channel 1] go\n0.900\t1.340\t[channel 1] left\n"
    )


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_the_csv_module_reads_what_was_said(spoken):
    rows = list(csv.DictReader(io.StringIO(format_transcript(spoken, "csv"), newline="")))
    said = [
        (str(segment.id), str(segment.channel or ""), word)
        for segment in spoken.segments
        for word in segment.words
        if clean(word.text)
    ]
    assert len(rows) == len(said)
    for row, (segment_id, channel, word) in zip(rows, said, strict=True):
        assert tuple(row) == CSV_COLUMNS
        assert (row["segment"], row["channel"]) == (segment_id, channel)
        assert (row["source"], row["word"]) == ("a talk.wav", clean(word.text))
        assert abs(float(row["start"]) - word.start_seconds) <= 0.00051
        assert float(row["start"]) <= float(row["end"])
        assert abs(float(row["probability"]) - word.probability) <= 0.00005001


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_tables_with_tabs_have_the_same_columns_in_every_row(spoken):
    for name, n_columns in (("tsv", {3, 4}), ("audacity", {3})):
        lines = format_transcript(spoken, name).split("\n")
        assert lines.pop() == ""
        assert len({line.count("\t") for line in lines}) <= 1
        assert {line.count("\t") + 1 for line in lines} <= n_columns
    rows = list(
        csv.reader(
            io.StringIO(format_transcript(spoken, "tsv")), delimiter="\t", quoting=csv.QUOTE_NONE
        )
    )
    assert [row[2] for row in rows[1:]] == [clean(segment.text) for segment in spoken.segments]
