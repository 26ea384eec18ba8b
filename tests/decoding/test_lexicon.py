"""The best path through a lexicon, against all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.lexicon import LexiconDecoder
from w2v_cli.errors import UsageError

ALPHABET = Alphabet(("_", "|", "o", "n"), blank_id=0, word_delimiter_id=1)


def random_emissions(rng, n_frames, n_tokens, sharpness=1.0):
    scores = rng.normal(size=(n_frames, n_tokens)) * sharpness
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def text_of(path, alphabet):
    """Return what a path writes: equal neighbours merged, blanks dropped, spaces collapsed."""
    letters = [index for index, _ in itertools.groupby(path) if index != alphabet.blank_id]
    return " ".join("".join(alphabet.written(index) for index in letters).split())


def is_written_in(text, entries):
    """Whether a text is entries, one after another."""
    words = text.split()
    parts = [entry.split() for entry in entries]

    def fits(rest):
        return not rest or any(
            rest[: len(part)] == part and fits(rest[len(part) :]) for part in parts
        )

    return fits(words)


def best_by_force(emissions, alphabet, entries):
    best = -math.inf, ""
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        text = text_of(path, alphabet)
        if is_written_in(text, entries):
            best = max(best, (float(sum(emissions[np.arange(len(path)), path])), text))
    return best


@pytest.mark.parametrize(
    "entries", [["no"], ["on", "no"], ["no", "noon", "o"], ["oo", "n"], ["on no", "o"]]
)
@pytest.mark.parametrize("n_frames", [1, 3, 5, 6])
def test_it_is_the_best_of_all_paths(entries, n_frames):
    rng = np.random.default_rng(n_frames)
    decoder = LexiconDecoder(ALPHABET, entries)
    for sharpness in (0.5, 1.5, 4.0):
        emissions = random_emissions(rng, n_frames, 4, sharpness)
        score, text = best_by_force(emissions, ALPHABET, entries)
        found = decoder.decode(emissions)
        assert (found.text, found.logit_score) == (text, pytest.approx(score, abs=1e-4))


def spoken(text, alphabet, *, blanks=1, probability=0.9):
    """Return emissions that say a text clearly, with blanks around each letter."""
    ids = [alphabet.tokens.index("|" if letter == " " else letter) for letter in text]
    path = [alphabet.blank_id] * blanks
    for index in ids:
        path += [index] + [alphabet.blank_id] * blanks
    emissions = np.full((len(path), len(alphabet.tokens)), (1 - probability) / len(alphabet.tokens))
    emissions[np.arange(len(path)), path] = probability
    return np.log(emissions / emissions.sum(axis=1, keepdims=True))


LETTERS = Alphabet(("_", "|", *"abcdefghijklmnopqrstuvwxyz"), blank_id=0, word_delimiter_id=1)


def test_a_misspelt_word_becomes_the_nearest_of_the_lexicon():
    decoder = LexiconDecoder(LETTERS, ["left", "right", "stop"])
    found = decoder.decode(spoken("rght lefft stop", LETTERS))
    assert found.text == "right left stop"
    assert [word.text for word in found.words] == ["right", "left", "stop"]
    starts = [word.start_frame for word in found.words]
    assert starts == sorted(starts)
    assert found.words[-1].end_frame <= 31


def test_what_is_right_stays_as_it_is_read_greedily():
    emissions = spoken("stop left", LETTERS)
    found = LexiconDecoder(LETTERS, ["left", "stop"]).decode(emissions)
    greedy = greedy_decode(emissions, LETTERS)
    assert found.text == greedy.text == "stop left"
    assert found.logit_score == pytest.approx(greedy.logit_score, abs=1e-4)
    assert [(w.start_frame, w.end_frame) for w in found.words] == [
        (w.start_frame, w.end_frame) for w in greedy.words
    ]


def test_silence_says_nothing():
    decoder = LexiconDecoder(LETTERS, ["left"])
    assert decoder.decode(spoken("", LETTERS, blanks=20)).text == ""
    assert decoder.decode(np.zeros((0, 28))).words == ()


def test_words_may_be_written_in_another_case_and_with_accents():
    upper = Alphabet(("_", "|", "N", "O"), blank_id=0, word_delimiter_id=1)
    assert LexiconDecoder(upper, ["nó"]).decode(spoken("NO", upper)).text == "NO"
    lower = Alphabet(
        ("_", "|", "N", "O"), blank_id=0, word_delimiter_id=1, word_separator=" ", lower_case=True
    )
    found = LexiconDecoder(lower, ["no"]).decode(spoken("NO", lower))
    assert (found.text, found.words[0].text) == ("no", "no")
    assert [c.text for c in found.words[0].characters] == ["n", "o"]


def test_tokens_of_several_letters():
    pieces = Alphabet(("_", "|", "th", "e", "t", "h"), blank_id=0, word_delimiter_id=1)
    emissions = np.log(np.full((3, 6), 0.02))
    emissions[[0, 1, 2], [2, 0, 3]] = math.log(0.9)
    found = LexiconDecoder(pieces, ["the"]).decode(emissions)
    assert found.text == "the"
    assert (found.words[0].start_frame, found.words[0].end_frame) == (0, 3)


@pytest.mark.parametrize("entries", [["ab"], ["ab", "ba"], ["bb", "bab"], ["abab a", "b"]])
def test_tokens_of_several_letters_may_be_said_in_any_way(entries):
    pieces = Alphabet(("_", "|", "a", "b", "ab"), blank_id=0, word_delimiter_id=1)
    decoder = LexiconDecoder(pieces, entries)
    rng = np.random.default_rng(len(entries))
    for n_frames in (2, 4, 5):
        for _ in range(4):
            emissions = random_emissions(rng, n_frames, 5, 2.0)
            score, text = best_by_force(emissions, pieces, entries)
            found = decoder.decode(emissions)
            assert (found.text, found.logit_score) == (text, pytest.approx(score, abs=1e-4))


def test_of_a_word_of_many_spellings_those_of_long_pieces_count():
    pieces = Alphabet(("_", "|", "a", "aa"), blank_id=0, word_delimiter_id=1)
    decoder = LexiconDecoder(pieces, ["a" * 60])
    emissions = np.log(np.full((60, 4), 0.02))
    emissions[::2, 3] = emissions[1::2, 0] = math.log(0.94)
    assert decoder.decode(emissions).text == "a" * 60


def test_a_hyphen_that_the_model_lacks_is_a_space():
    decoder = LexiconDecoder(LETTERS, ["twenty-one", "x"])
    assert decoder.decode(spoken("twenty one", LETTERS)).text == "twenty one"


def test_ignored_outputs_count_as_blanks():
    alphabet = Alphabet(("_", "|", "o", "n", ""), 0, 1, ignored_ids=frozenset({4}))
    emissions = np.log(np.full((3, 5), 0.01))
    emissions[[0, 1, 2], [3, 4, 2]] = math.log(0.96)
    assert LexiconDecoder(alphabet, ["no"]).decode(emissions).text == "no"


def test_ten_thousand_words():
    rng = np.random.default_rng(5)
    words = {"".join(rng.choice(list("abcdefgh"), rng.integers(3, 9))) for _ in range(10_000)}
    decoder = LexiconDecoder(LETTERS, words)
    three = sorted(words)[::4000]
    assert decoder.decode(spoken(" ".join(three), LETTERS)).text == " ".join(three)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "no word in it"),
        (["ono!", "2nd"], "lacks 2 d"),
        (["--"], "lacks all of it"),
    ],
)
def test_what_cannot_be_written_is_refused(entries, message):
    with pytest.raises(UsageError, match=message):
        LexiconDecoder(ALPHABET, entries)


def test_an_alphabet_without_spaces_is_refused():
    with pytest.raises(UsageError, match="writes spaces"):
        LexiconDecoder(Alphabet(("_", "o"), blank_id=0), ["o"])
