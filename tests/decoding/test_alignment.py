"""Known texts in emissions that can be read by eye, and greedy's own text found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.alignment import align_words
from w2v_cli.errors import AlignmentError

TOKENS = ("_", "|", "A", "B", "C", "'")
ALPHABET = Alphabet(TOKENS, 0, 1)
WITHOUT_DELIMITER = Alphabet(TOKENS, 0)


def emitting(script, probability=0.75):
    """Return emissions whose best outputs spell a string, one token a frame."""
    ids = [TOKENS.index(token) for token in script]
    emissions = np.full((len(ids), len(TOKENS)), (1 - probability) / (len(TOKENS) - 1), np.float32)
    emissions[np.arange(len(ids)), ids] = probability
    return np.log(emissions)


def spans(script, text, alphabet=ALPHABET):
    """Return each word with its frames, aligned with the emissions of a string."""
    hypothesis = align_words(emitting(script), text.split(), alphabet)
    return [(w.text, w.start_frame, w.end_frame) for w in hypothesis.words]


@pytest.mark.parametrize(
    ("script", "text", "expected"),
    [
        ("_AB_|_C_", "AB C", [("AB", 1, 3), ("C", 6, 7)]),
        ("||AB||C||", "AB C", [("AB", 2, 4), ("C", 6, 7)]),
        ("_AB__C_", "ab, c!", [("ab,", 1, 3), ("c!", 5, 6)]),
        ("AC", "A C", [("A", 0, 1), ("C", 1, 2)]),
        ("A_A", "A A", [("A", 0, 1), ("A", 2, 3)]),
        ("A|A", "A-A", [("A-A", 0, 3)]),
        # a wildcard covers whatever is said, and not the silence around it
        ("_A__|_BC|B___|__C_", "A 12 C", [("A", 1, 2), ("12", 6, 10), ("C", 16, 17)]),
        ("__AB__|_C", "A1 C", [("A1", 2, 4), ("C", 8, 9)]),
        # two in a row part at the longest pause
        ("A|_BC__B___|_CB_|A", "A 1 2 A", [("A", 0, 1), ("1", 3, 8), ("2", 13, 15), ("A", 17, 18)]),
    ],
)
def test_words(script, text, expected):
    assert spans(script, text) == expected


def test_without_a_word_delimiter():
    assert spans("_AB__C_", "AB C", WITHOUT_DELIMITER) == [("AB", 1, 3), ("C", 5, 6)]


def test_the_text_wins_over_what_is_heard():
    (word,) = align_words(emitting("_ACA_"), ["ABA"], ALPHABET).words
    assert [(c.text, c.start_frame, c.end_frame) for c in word.characters] == [
        ("A", 1, 2),
        ("B", 2, 3),
        ("A", 3, 4),
    ]
    assert [c.probability for c in word.characters] == pytest.approx([0.75, 0.05, 0.75])
    assert word.probability == pytest.approx((0.75 * 0.05 * 0.75) ** (1 / 3))


def test_wildcards_do_not_make_a_word_surer():
    words = align_words(emitting("_ABC|_BB_"), ["A12", "34"], ALPHABET).words
    assert [c.text for c in words[0].characters] == ["A", "12"]
    assert [word.probability for word in words] == pytest.approx([0.75, 0.75])
    (word,) = align_words(emitting("_CBC_"), ["A12"], ALPHABET).words
    assert word.probability == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A – C", [("A", 1, 2, False), ("–", 2, 6, True), ("C", 6, 7, False)]),
        ("A – … C", [("A", 1, 2, 0), ("–", 2, 4, 1), ("…", 4, 6, 1), ("C", 6, 7, 0)]),
        ("– A C –", [("–", 1, 1, 1), ("A", 1, 2, 0), ("C", 6, 7, 0), ("–", 7, 7, 1)]),
    ],
)
def test_words_that_are_not_heard_lie_between(text, expected):
    words = align_words(emitting("_A_|__C_"), text.split(), ALPHABET).words
    assert [(w.text, w.start_frame, w.end_frame, w.interpolated) for w in words] == expected


def test_nothing_to_say():
    hypothesis = align_words(emitting("_A_"), [], ALPHABET)
    assert (hypothesis.text, hypothesis.words) == ("", ())


def test_a_text_of_signs_that_are_not_said_says_so():
    with pytest.raises(AlignmentError, match=r"nothing of the text is said aloud .'\.\.\. !!'."):
        align_words(emitting("_A_"), ["...", "!!"], ALPHABET)
    assert spans("_A_", "... A") == [("...", 1, 1), ("A", 1, 2)]


def test_a_text_too_long_says_so():
    with pytest.raises(AlignmentError, match=r"which has 4 frames: its letters need 5"):
        align_words(emitting("A_AB"), ["AA", "BA"], ALPHABET)
    with pytest.raises(AlignmentError, match="has 0 frames"):
        align_words(emitting(""), ["A"], ALPHABET)


def test_a_text_of_other_letters_says_so():
    with pytest.raises(AlignmentError, match=r"no letter of the text .'привет 12'."):
        align_words(emitting("_A_"), ["привет", "12"], ALPHABET)
    with pytest.raises(AlignmentError, match=r"no letter of the text .'\* 12'."):
        align_words(emitting("_A_"), ["*", "12"], ALPHABET)


def test_outputs_beyond_the_alphabet_are_ignored():
    wide = np.column_stack([emitting("_AB_"), np.zeros((4, 2), np.float32)])
    assert align_words(wide, ["AB"], ALPHABET) == align_words(emitting("_AB_"), ["AB"], ALPHABET)
    with pytest.raises(ValueError, match=r"must be \(frames, 6\)"):
        align_words(wide[:, :3], ["AB"], ALPHABET)


any_script = st.text(alphabet=TOKENS, max_size=40)


@given(any_script)
@settings(max_examples=200, deadline=None)
def test_greedy_s_text_is_found_where_greedy_has_it(script):
    greedy = greedy_decode(emitting(script), ALPHABET)
    if not greedy.text:
        return
    aligned = align_words(emitting(script), [w.text for w in greedy.words], ALPHABET)
    assert aligned.logit_score == pytest.approx(greedy.logit_score, abs=1e-3)
    assert aligned.text.split() == greedy.text.split()
    assert [w.characters for w in aligned.words] == [w.characters for w in greedy.words]


@given(st.integers(0, 2**32 - 1), st.text(alphabet="ABC' 1é", min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_words_and_letters_are_in_order_and_inside(seed, text):
    logits = np.random.default_rng(seed).normal(scale=2, size=(40, len(TOKENS)))
    emissions = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    try:
        hypothesis = align_words(emissions, text.split(), ALPHABET)
    except AlignmentError:
        assert not set(text) & set("ABC'")
        return
    assert [word.text for word in hypothesis.words] == text.split()
    frames = [f for w in hypothesis.words for f in (w.start_frame, w.end_frame)]
    letters = [
        f for w in hypothesis.words for c in w.characters for f in (c.start_frame, c.end_frame)
    ]
    assert frames == sorted(frames)
    assert letters == sorted(letters)
    assert set(frames) <= set(range(41))
    assert all(0 < w.probability <= 1 for w in hypothesis.words if not w.interpolated)
