"""A published reader of Praat's TextGrids reads what we write."""

import itertools
import unicodedata

from hypothesis import HealthCheck, given, settings
from praatio import textgrid
from transcripts import transcripts

from w2v_cli.formats import format_transcript
from w2v_cli.results import Character, Segment, Transcript, Word

GO = Word("go", 0.42, 0.72, 1, (Character("g", 0.42, 0.5, 1), Character("o", 0.6, 0.72, 1)))
SPEECH = Transcript("go", (Segment(0, 0.42, 0.72, "go", (GO,)),), 1.0, "mini")


def read(spoken, folder):
    path = folder / "talk.TextGrid"
    path.write_text(format_transcript(spoken, "textgrid"), encoding="utf-8")
    return textgrid.openTextgrid(str(path), includeEmptyIntervals=True)


def test_the_whole_file():
    silence = Transcript("", (), 1.5, "mini")
    assert format_transcript(silence, "textgrid").startswith(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1.500\n'
        "tiers? <exists>\nsize = 2\nitem []:\n    item [1]:\n"
        '        class = "IntervalTier"\n        name = "segments"\n'
        "        xmin = 0\n        xmax = 1.500\n        intervals: size = 1\n"
        "        intervals [1]:\n            xmin = 0.000\n            xmax = 1.500\n"
        '            text = ""\n    item [2]:\n'
    )


def test_tiers(tmp_path):
    grid = read(SPEECH, tmp_path)
    assert grid.tierNames == ("segments", "words", "characters")
    entries = grid.getTier("characters").entries
    assert [tuple(entry) for entry in entries] == [
        (0, 0.42, ""),
        (0.42, 0.5, "g"),
        (0.5, 0.6, ""),
        (0.6, 0.72, "o"),
        (0.72, 1.0, ""),
    ]


def test_quotes(tmp_path):
    word = Word('say "so"', 0, 1, 1)
    spoken = Transcript("", (Segment(0, 0, 1, 'say "so"', (word,)),), 1.0, "mini")
    assert 'text = "say ""so"""' in format_transcript(spoken, "textgrid")
    assert read(spoken, tmp_path).getTier("words").entries[0].label == 'say "so"'


def test_quotes_in_a_speakers_name(tmp_path):
    word = Word("so", 0, 1, 1)
    spoken = Transcript("so", (Segment(0, 0, 1, "so", (word,), speaker='An"na'),), 1.0, "mini")
    assert any('An"na' in name for name in read(spoken, tmp_path).tierNames)


def test_words_without_length_keep_their_order(tmp_path):
    words = tuple(Word(text, 0.5, 0.5, 1) for text in "abc")
    spoken = Transcript("", (Segment(0, 0.5, 0.5, "a b c", words),), 0.5, "mini")
    entries = [tuple(entry) for entry in read(spoken, tmp_path).getTier("words").entries]
    assert entries == [
        (0, 0.5, ""),
        (0.5, 0.501, "a"),
        (0.501, 0.502, "b"),
        (0.502, 0.503, "c"),
    ]


def clean(text):
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join(kept.split())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spoken=transcripts())
def test_praatio_reads_what_was_said(tmp_path, spoken):
    grid = read(spoken, tmp_path)
    for channel in {segment.channel for segment in spoken.segments}:
        prefix = f"channel {channel} " if channel else ""
        tier = grid.getTier(prefix + "words")
        said = [w for s in spoken.segments if s.channel == channel for w in s.words]
        labels = [entry.label for entry in tier.entries if entry.label]
        assert labels == [text for word in said if (text := clean(word.text))]
        assert tier.entries[0].start == 0
        assert tier.entries[-1].end == grid.maxTimestamp
        for entry, following in itertools.pairwise(tier.entries):
            assert entry.start < entry.end == following.start
