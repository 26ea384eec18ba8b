"""Words given to turns, against a count in milliseconds and by hand."""

import numpy as np
import pytest

from w2v_cli.results import Segment, Transcript, Turn, Word
from w2v_cli.tasks.attribution import attribute


def word(text, start, end):
    return Word(text, start, end, 0.9)


def transcript(*groups, channels=None):
    segments = []
    for index, words in enumerate(groups):
        text = " ".join(w.text for w in words)
        channel = channels[index] if channels else None
        segments.append(
            Segment(index, words[0].start_seconds, words[-1].end_seconds, text, words, channel)
        )
    return Transcript(" ".join(s.text for s in segments), tuple(segments), 60.0, "mini", "a.wav")


def said(found):
    return [(segment.speaker, segment.text) for segment in found.segments]


def test_a_segment_is_cut_where_another_speaks():
    words = (
        word("how", 0.1, 0.3),
        word("are", 0.4, 0.5),
        word("fine", 1.2, 1.5),
        word("ok", 2.2, 2.4),
    )
    found = attribute(
        transcript(words), [Turn(0, 1, "anna"), Turn(1, 2, "ben"), Turn(2, 3, "anna")]
    )
    assert said(found) == [("anna", "how are"), ("ben", "fine"), ("anna", "ok")]
    assert [segment.id for segment in found.segments] == [0, 1, 2]
    assert (found.segments[1].start_seconds, found.segments[1].end_seconds) == (1.2, 1.5)
    assert found.text == "how are fine ok"
    assert tuple(w for s in found.segments for w in s.words) == words


def test_the_longer_part_of_a_word_decides():
    turns = [Turn(0, 1.04, "anna"), Turn(1.04, 2, "ben")]
    assert said(attribute(transcript((word("w", 1.0, 1.1),)), turns)) == [("ben", "w")]
    assert said(attribute(transcript((word("w", 0.9, 1.1),)), turns)) == [("anna", "w")]


def test_turns_of_one_speaker_are_added_up():
    turns = [Turn(0, 0.4, "anna"), Turn(0.3, 0.8, "ben"), Turn(0.7, 1.0, "anna")]
    assert said(attribute(transcript((word("w", 0.0, 1.0),)), turns)) == [("anna", "w")]


def test_a_word_in_nobodys_turn_belongs_to_the_nearest():
    turns = [Turn(0, 1, "anna"), Turn(5, 6, "ben")]
    words = word("a", 2.0, 2.2), word("b", 4.0, 4.2), word("c", 9.0, 9.1)
    assert said(attribute(transcript(words), turns)) == [("anna", "a"), ("ben", "b c")]


def test_where_both_speak_the_speaker_of_the_word_before_goes_on():
    turns = [Turn(0, 4, "anna"), Turn(2, 6, "ben")]
    words = word("a", 1, 1.1), word("b", 3, 3.1), word("c", 5, 5.1), word("d", 5.5, 5.6)
    assert said(attribute(transcript(words), turns)) == [("anna", "a b"), ("ben", "c d")]
    both = (word("b", 3, 3.1),)
    assert said(attribute(transcript(both), turns[::-1])) == [("anna", "b")]  # by name


def test_a_word_of_no_length_is_where_it_is():
    turns = [Turn(0, 1, "anna"), Turn(1.5, 3, "ben")]
    assert said(attribute(transcript((word("w", 2, 2),)), turns)) == [("ben", "w")]


def test_nobody_speaks():
    spoken = transcript((word("w", 0, 1),))
    assert attribute(spoken, []) is spoken
    empty = Transcript("", (), 3.0, "mini")
    assert attribute(empty, [Turn(0, 1, "anna")]) == empty


def test_channels_are_speakers():
    groups = (word("yes", 1.0, 1.2),), (word("no", 1.1, 1.3),), (word("what", 8, 9),)
    turns = [Turn(0, 3, "CHANNEL_1", 1), Turn(1, 2, "CHANNEL_2", 2)]
    found = attribute(transcript(*groups, channels=(1, 2, 3)), turns)
    assert said(found) == [("CHANNEL_1", "yes"), ("CHANNEL_2", "no"), ("CHANNEL_3", "what")]
    assert [segment.channel for segment in found.segments] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(10))
def test_most_milliseconds_win(seed):
    random = np.random.default_rng(seed)
    starts = np.sort(random.integers(0, 5000, 12))
    turns = [
        Turn(s / 1000, (s + random.integers(50, 900)) / 1000, f"S{random.integers(3)}")
        for s in starts
    ]
    begins = np.sort(random.choice(5000, 25, replace=False))
    words = [word(f"w{b}", b / 1000, (b + random.integers(1, 300)) / 1000) for b in begins]
    found = attribute(transcript(tuple(words)), turns)
    speakers = [segment.speaker for segment in found.segments for _ in segment.words]
    for speaker, spoken in zip(speakers, words, strict=True):
        counts = dict.fromkeys(("S0", "S1", "S2"), 0)
        for turn in turns:
            first = max(round(turn.start_seconds * 1000), round(spoken.start_seconds * 1000))
            last = min(round(turn.end_seconds * 1000), round(spoken.end_seconds * 1000))
            counts[turn.speaker] += max(last - first, 0)
        if any(counts.values()):
            assert counts[speaker] == max(counts.values())


def test_words_of_a_channel_without_turns_are_its_own():
    heard = transcript((word("a", 0.0, 0.2),), (word("b", 3.0, 3.2),), channels=[1, 2])
    turns = [Turn(0.0, 1.0, "CHANNEL_1", 1)]
    assert said(attribute(heard, turns)) == [("CHANNEL_1", "a"), ("CHANNEL_2", "b")]
    assert said(attribute(heard, [])) == [("CHANNEL_1", "a"), ("CHANNEL_2", "b")]
