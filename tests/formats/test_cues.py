"""Cues hold every word once, whole and in order, and keep off each other in time."""

import itertools
import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import ORDINARY, transcripts

from w2v_cli.formats import SubtitleOptions
from w2v_cli.formats.cues import cues, wrap
from w2v_cli.results import Segment, Transcript, Word

OPTIONS = st.builds(
    SubtitleOptions,
    max_line_width=st.integers(1, 60),
    max_line_count=st.integers(1, 4),
    min_cue_seconds=st.floats(0, 3),
    max_cue_seconds=st.floats(0.05, 20),
    max_cps=st.floats(0.5, 50),
    min_gap_seconds=st.floats(0, 1),
)


def transcript(*words, channel=None):
    text = " ".join(word.text for word in words)
    segment = Segment(0, words[0].start_seconds, words[-1].end_seconds, text, words, channel)
    return Transcript(text, (segment,), 100.0, "mini")


def evenly(text, *, every_seconds=0.5, start_seconds=0.0):
    times = (start_seconds + index * every_seconds for index in itertools.count())
    return [Word(w, t, t + every_seconds / 2, 0.9) for w, t in zip(text.split(), times)]  # noqa: B905


def shown(cue):
    return [line.label + " ".join(word.text for word in line.words) for line in cue.lines]


def width(text):
    return len([c for c in text if unicodedata.combining(c) == 0])


@settings(max_examples=60, deadline=None)
@given(transcripts(), OPTIONS)
def test_no_cue_touches_the_next_or_ends_before_it_starts(spoken, options):
    made = cues(spoken, options)
    gap_ms = round(options.min_gap_seconds * 1000)
    for cue in made:
        assert 0 <= cue.start_ms < cue.end_ms
        assert cue.end_ms - cue.start_ms <= max(1, options.max_cue_seconds * 1000)
    for cue, following in itertools.pairwise(made):
        assert cue.end_ms + gap_ms <= following.start_ms


@settings(max_examples=60, deadline=None)
@given(transcripts(), OPTIONS)
def test_every_word_is_there_once_whole_and_in_order(spoken, options):
    def clean(text):
        kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
        return " ".join(kept.split())

    made = cues(spoken, options)
    for channel in {segment.channel for segment in spoken.segments}:
        said = [w for s in spoken.segments if s.channel == channel for w in s.words]
        expected = [text for word in said if (text := clean(word.text))]
        voice = None if channel is None else f"channel {channel}"
        lines = [line for cue in made for line in cue.lines if line.voice == voice]
        assert [word.text for line in lines for word in line.words] == expected


@settings(max_examples=60, deadline=None)
@given(transcripts(), OPTIONS)
def test_lines_are_as_wide_and_as_many_as_allowed(spoken, options):
    for cue in cues(spoken, options):
        for line, text in zip(cue.lines, shown(cue), strict=True):
            assert width(text) <= options.max_line_width or len(line.words) == 1
        by_channel = [list(g) for _, g in itertools.groupby(cue.lines, lambda line: line.voice)]
        assert all(len(lines) <= options.max_line_count for lines in by_channel)
        assert len(by_channel) == len({line.voice for line in cue.lines})


@settings(max_examples=40, deadline=None)
@given(transcripts(texts=ORDINARY, max_channels=1))
def test_a_cue_starts_with_its_first_word_unless_there_is_a_crowd(spoken):
    made = cues(spoken, SubtitleOptions(min_gap_seconds=0))
    for previous, cue in itertools.pairwise([None, *made]):
        word_ms = cue.words[0].start_ms
        assert cue.start_ms == word_ms or cue.start_ms == previous.start_ms + 1


@given(st.lists(ORDINARY, min_size=1, max_size=9), st.integers(1, 30))
def test_wrapping_is_as_short_and_as_narrow_as_can_be(words, max_width):
    """Against every way to break the words into lines."""

    def lines_of(cuts):
        places = [0, *cuts, len(words)]
        return [" ".join(words[a:b]) for a, b in itertools.pairwise(places)]

    def broken(counts):
        return lines_of(itertools.accumulate(counts[:-1]))

    longest = max(max_width, *map(len, words))
    every_way = [
        lines_of(cuts)
        for n_cuts in range(len(words))
        for cuts in itertools.combinations(range(1, len(words)), n_cuts)
    ]
    ways = [w for w in every_way if all(len(x) <= max_width or " " not in x for x in w)]
    fewest = min(map(len, ways))
    narrowest = min(max(map(len, lines)) for lines in ways if len(lines) == fewest)
    lines = broken(wrap(words, max_width))
    assert len(lines) == fewest
    if longest == max_width:
        assert max(map(len, lines)) == narrowest


def test_a_long_segment_is_cut_at_its_pauses():
    words = [
        *evenly("when the wind comes from the west"),
        *evenly("we take the other way home", start_seconds=4.5),
        *evenly("and nobody minds", start_seconds=8.5),
    ]
    made = cues(transcript(*words), SubtitleOptions())
    assert [shown(cue) for cue in made] == [
        ["when the wind comes from the west"],
        ["we take the other way", "home and nobody minds"],
    ]


def test_two_lines_are_about_equally_long():
    words = evenly("one two three four five six seven eight nine", every_seconds=0.3)
    (cue,) = cues(transcript(*words), SubtitleOptions())
    assert shown(cue) == ["one two three four five", "six seven eight nine"]


def test_what_is_said_fast_stays_until_it_is_read():
    (cue,) = cues(transcript(*evenly("abcd efgh", every_seconds=0.1)), SubtitleOptions(max_cps=3))
    assert (cue.start_ms, cue.end_ms) == (0, 3000)
    (cue,) = cues(
        transcript(*evenly("abcd efgh", every_seconds=0.1)),
        SubtitleOptions(max_cps=3, max_cue_seconds=2),
    )
    assert (cue.start_ms, cue.end_ms) == (0, 2000)


def test_a_voice_s_label_is_read_too():
    words = evenly("abcd efgh", every_seconds=0.1)
    (cue,) = cues(transcript(*words, channel=1), SubtitleOptions(max_cps=10))
    assert shown(cue) == ["[channel 1] abcd efgh"]
    assert (cue.start_ms, cue.end_ms) == (0, 2100)


def test_a_short_word_is_shown_long_enough_and_gives_way():
    words = [Word("go", 1.0, 1.2, 0.9)]
    (cue,) = cues(transcript(*words), SubtitleOptions())
    assert (cue.start_ms, cue.end_ms) == (1000, 1833)
    (cue,) = cues(transcript(*words), SubtitleOptions(min_cue_seconds=0))
    assert (cue.start_ms, cue.end_ms) == (1000, 1200)
    segments = tuple(
        Segment(0, w.start_seconds, w.end_seconds, w.text, (w,))
        for w in (*words, Word("left", 1.5, 1.7, 0.9))
    )
    made = cues(Transcript("go left", segments, 9.0, "mini"), SubtitleOptions())
    assert [(cue.start_ms, cue.end_ms) for cue in made] == [(1000, 1420), (1500, 2333)]


def test_channels_that_speak_at_once_share_a_cue():
    one = Segment(0, 1.0, 3.0, "good morning", (Word("good", 1, 2, 1), Word("morning", 2, 3, 1)), 1)
    two = Segment(1, 1.5, 2.0, "hello", (Word("hello", 1.5, 2, 1),), 2)
    both = Transcript("", (one, two), 5.0, "mini")
    (cue,) = cues(both, SubtitleOptions())
    assert shown(cue) == ["[channel 1] good morning", "[channel 2] hello"]
    assert (cue.start_ms, cue.end_ms) == (1000, 3100)  # the labels are read, too


def test_who_answers_at_once_shares_the_cue_which_would_flash_by():
    one = Segment(0, 0.3, 0.54, "stop", (Word("stop", 0.3, 0.54, 1),), 1)
    two = Segment(1, 0.58, 0.9, "why", (Word("why", 0.58, 0.9, 1),), 2)
    (cue,) = cues(Transcript("", (one, two), 5.0, "mini"), SubtitleOptions())
    assert shown(cue) == ["[channel 1] stop", "[channel 2] why"]
    assert cue.start_ms == 300


def test_who_interrupts_later_has_a_cue_of_their_own():
    one = Segment(0, 1.0, 6.0, "good morning", (Word("good", 1, 2, 1), Word("morning", 2, 6, 1)), 1)
    two = Segment(1, 4.0, 7.0, "hello", (Word("hello", 4, 7, 1),), 2)
    made = cues(Transcript("", (one, two), 9.0, "mini"), SubtitleOptions(min_gap_seconds=0.1))
    assert [(cue.start_ms, cue.end_ms) for cue in made] == [(1000, 3900), (4000, 7000)]


def test_a_segment_without_words_is_spread_evenly():
    segment = Segment(0, 1.0, 3.0, "go left", ())
    (cue,) = cues(Transcript("go left", (segment,), 4.0, "mini"), SubtitleOptions())
    assert [(word.text, word.start_ms) for word in cue.words] == [("go", 1000), ("left", 2000)]


def test_times_that_are_no_numbers():
    word = Word("go", math.nan, math.inf, math.nan)
    (cue,) = cues(transcript(word), SubtitleOptions())
    assert (cue.start_ms, cue.end_ms) == (0, 833)


def test_nothing_said_nothing_shown():
    assert cues(Transcript("", (), 3.0, "mini"), SubtitleOptions()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_line_width": 0},
        {"max_line_count": -1},
        {"max_cue_seconds": 0.0},
        {"min_cue_seconds": math.nan},
        {"max_cps": math.inf},
        {"max_cps": math.nan},
        {"min_gap_seconds": -0.1},
    ],
)
def test_options_that_make_no_sense(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} is "):
        SubtitleOptions(**wrong)
