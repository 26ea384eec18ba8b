"""Utterances put together are the whole: the same frames, and the same words."""

import numpy as np
import pytest

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.utterances import UtteranceCutter, UtteranceLimits, blank_emissions

TOKENS = ("_", "|", "A", "B", "?")
ALPHABET = Alphabet(TOKENS, blank_id=0, word_delimiter_id=1, ignored_ids=frozenset({4}))
LIMITS = UtteranceLimits(min_frames=10, pause_frames=4, silence_frames=12, max_frames=40)


def scripted(script):
    probabilities = np.full((len(script), len(TOKENS)), 0.05, np.float32)
    probabilities[np.arange(len(script)), [TOKENS.index(token) for token in script]] = 0.8
    return np.log(probabilities)


def utterances_of(emissions, piece=7, alphabet=ALPHABET, limits=LIMITS):
    cutter = UtteranceCutter(alphabet, limits)
    found = []
    for start in range(0, len(emissions), piece):
        found += cutter.add(emissions[start : start + piece])
    assert cutter.n_frames == len(emissions)
    return [*found, *cutter.finish()]


def lengths(script, **options):
    return [len(u.emissions) for u in utterances_of(scripted(script), **options)]


def test_a_cut_lies_in_a_pause_after_a_word():
    assert lengths("AB" * 5 + "|____" + "AB" * 5) == [14, 11]


def test_a_short_pause_a_pause_inside_a_word_and_a_short_utterance_are_not_cut():
    assert lengths("AB" * 5 + "|__" + "AB" * 5) == [23]
    assert lengths("AB" * 5 + "____" + "AB" * 5) == [24]
    assert lengths("AB|____" + "AB|__") == [12]


def test_a_delimiter_at_the_end_of_a_pause_is_one():
    assert lengths("AB" * 5 + "____|" + "AB" * 5) == [15, 10]


def test_a_silence_needs_no_delimiter():
    assert lengths("AB" * 5 + "_" * 12 + "AB" * 5) == [22, 10]


def test_without_a_pause_the_cut_is_at_the_longest_gap():
    script = "AB" * 6 + "|" + "AB" * 6 + "|__" + "AB" * 6 + "|" + "AB" * 20
    assert lengths(script)[0] == 12 + 1 + 12 + 3


def test_without_a_delimiter_the_cut_is_at_the_longest_pause():
    assert lengths("AB" * 7 + "__" + "AB" * 5 + "_____" + "AB" * 20)[0] == 14 + 2 + 10 + 5


def test_a_silence_of_any_length_is_cut():
    found = utterances_of(scripted("_" * 1000))
    assert sum(len(u.emissions) for u in found) == 1000
    assert max(len(u.emissions) for u in found) <= LIMITS.max_frames


def words(hypothesis, first_frame=0):
    return [
        (word.text, first_frame + word.start_frame, first_frame + word.end_frame)
        for word in hypothesis.words
    ]


@pytest.mark.parametrize("seed", range(20))
def test_any_emissions_give_the_words_of_the_whole(seed):
    """Where no silence is long enough to be cut without a delimiter."""
    rng = np.random.default_rng(seed)
    limits = UtteranceLimits(min_frames=10, pause_frames=3, silence_frames=10**6, max_frames=60)
    script = "".join(
        "".join(rng.choice(list("AB_?"), size=rng.integers(1, 5)))
        + "_" * rng.integers(0, 4)
        + "|"
        + "_" * rng.integers(0, 6)
        for _ in range(60)
    )
    emissions = scripted(script)
    emissions += rng.normal(0, 0.1, emissions.shape).astype(np.float32)
    whole = greedy_decode(emissions, ALPHABET)
    expected = None
    for piece in (1, 7, 50, 10**6):
        found = utterances_of(emissions, piece, limits=limits)
        np.testing.assert_array_equal(np.concatenate([u.emissions for u in found]), emissions)
        firsts = [u.first_frame for u in found]
        assert firsts == list(np.cumsum([0, *(len(u.emissions) for u in found)])[:-1])
        assert len(found) > 5
        assert all(len(u.emissions) <= limits.max_frames for u in found)
        decoded = [
            w for u in found for w in words(greedy_decode(u.emissions, ALPHABET), u.first_frame)
        ]
        assert decoded == words(whole)
        expected = expected or firsts
        assert firsts == expected, "a cut depends on the pieces"


def test_an_alphabet_without_a_delimiter_is_cut_at_pauses():
    alphabet = Alphabet(("_", "A", "B"), blank_id=0)
    emissions = np.log(np.full((24, 3), 0.1, np.float32))
    emissions[:10, 1] = emissions[10:14, 0] = emissions[14:, 2] = -0.1
    assert [len(u.emissions) for u in utterances_of(emissions, alphabet=alphabet)] == [14, 10]


def test_frames_that_nobody_heard_are_blanks():
    cutter = UtteranceCutter(ALPHABET, LIMITS)
    found = [*cutter.add(scripted("AB|")), *cutter.skip(500, len(TOKENS))]
    found += [*cutter.add(scripted("BA")), *cutter.finish()]
    whole = np.concatenate([u.emissions for u in found])
    assert len(whole) == 505
    np.testing.assert_allclose(np.exp(whole).sum(axis=1), 1, atol=1e-6)
    assert greedy_decode(whole, ALPHABET).text == "AB BA"
    assert words(greedy_decode(whole, ALPHABET))[1] == ("BA", 503, 505)


def test_blanks_are_finite():
    assert np.isfinite(blank_emissions(3, 32, 5)).all()
    assert blank_emissions(3, 32, 5).argmax(axis=1).tolist() == [5, 5, 5]
