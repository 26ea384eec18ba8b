"""The greedy decoder against a collapse that can be checked by eye, and the published one."""

import json
import math
import time

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from w2v_cli.decoding import Alphabet, greedy_decode

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C", "ch")
BLANK, DELIMITER = 0, 4
ALPHABET = Alphabet(
    ("<pad>", "", "", "", "|", "A", "B", "C", "ch"), BLANK, DELIMITER, frozenset({1, 2, 3})
)

any_ids = st.lists(st.integers(0, len(TOKENS) - 1), max_size=40)


N_TOKENS = len(TOKENS)


def emitting(ids, n_tokens=N_TOKENS, probability=0.75):
    """Return emissions whose best outputs are `ids`, all with one probability."""
    ids = np.asarray(ids, dtype=int)
    emissions = np.full((len(ids), n_tokens), (1 - probability) / (n_tokens - 1), np.float32)
    emissions[np.arange(len(ids)), ids] = probability
    return np.log(emissions)


def decode(script, **changes):
    """Return the hypothesis of a string, one token a frame, "_" the blank, "." ignored."""
    letters = {"_": BLANK, ".": 1, "|": DELIMITER, "A": 5, "B": 6, "C": 7}
    ids = [letters[letter] for letter in script]
    alphabet = Alphabet(**(ALPHABET.__dict__ | changes))
    return greedy_decode(emitting(ids), alphabet)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("", ""),
        ("_", ""),
        ("____", ""),
        ("A", "A"),
        ("AAA", "A"),
        ("A_A", "AA"),
        ("AB", "AB"),
        ("_AA__BB_C_", "ABC"),
        ("A|B", "A B"),
        ("A|||B", "A B"),
        ("A|_|B", "A  B"),
        ("||A||", "A"),
        ("|", ""),
        ("A.A", "A"),
        ("A._A", "AA"),
        (".A.", "A"),
    ],
)
def test_collapse(script, text):
    assert decode(script).text == text


def test_frames_of_words_and_characters():
    hypothesis = decode("__AA_B__|_.C_|")
    first, second = hypothesis.words
    assert (first.text, first.start_frame, first.end_frame) == ("AB", 2, 6)
    assert [(c.text, c.start_frame, c.end_frame) for c in first.characters] == [
        ("A", 2, 4),
        ("B", 5, 6),
    ]
    assert (second.text, second.start_frame, second.end_frame) == ("C", 11, 12)


def test_a_run_goes_on_over_what_is_ignored():
    (word,) = decode("_A.A_").words
    assert (word.text, word.start_frame, word.end_frame) == ("A", 1, 4)


def collapse(ids):
    """Return [(token id, first frame, end frame)]: a frame at a time, nothing clever."""
    runs, previous = [], None
    for frame, index in enumerate(ids):
        if index in ALPHABET.ignored_ids:
            continue
        if index != previous:
            runs.append([index, frame, frame + 1])
        runs[-1][2] = frame + 1
        previous = index
    return [tuple(run) for run in runs if run[0] != BLANK]


@given(any_ids)
def test_equals_a_collapse_frame_by_frame(ids):
    expected = collapse(ids)
    hypothesis = greedy_decode(emitting(ids), ALPHABET)
    text = "".join(" " if index == DELIMITER else TOKENS[index] for index, _, _ in expected)
    assert hypothesis.text == text.strip()
    letters = [(TOKENS[i], start, end) for i, start, end in expected if i != DELIMITER]
    characters = [c for word in hypothesis.words for c in word.characters]
    assert [(c.text, c.start_frame, c.end_frame) for c in characters] == letters
    for word in hypothesis.words:
        assert word.text == "".join(c.text for c in word.characters) != ""
        assert word.start_frame == word.characters[0].start_frame < word.end_frame
        assert word.end_frame == word.characters[-1].end_frame <= len(ids)
    assert [word.text for word in hypothesis.words] == text.split()


@pytest.fixture(
    scope="module",
    params=[{}, {"do_lower_case": True}, {"replace_word_delimiter_char": "*"}],
    ids=str,
)
def published(request, tmp_path_factory):
    """The published tokenizer of TOKENS with some settings, and its alphabet."""
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.json"
    path.write_text(json.dumps({token: index for index, token in enumerate(TOKENS)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(path, **request.param)
    return tokenizer, Alphabet.from_tokenizer(tokenizer)


@given(ids=any_ids)
@settings(max_examples=500)
def test_text_is_the_published_tokenizers(published, ids):
    """With its special tokens left out first: asked to skip them it skips the blanks as well
    and merges double letters."""
    tokenizer, alphabet = published
    spoken = [index for index in ids if index not in alphabet.ignored_ids]
    assert greedy_decode(emitting(ids), alphabet).text == tokenizer.decode(spoken)


@given(ids=any_ids)
@settings(max_examples=500)
def test_frames_are_the_published_tokenizers(published, ids):
    """Where nothing is ignored; else it counts frames as if what it skips had not been there."""
    tokenizer, alphabet = published
    ids = [index for index in ids if index not in alphabet.ignored_ids]
    hypothesis = greedy_decode(emitting(ids), alphabet)
    expected = tokenizer.decode(ids, output_word_offsets=True, output_char_offsets=True)
    separator = alphabet.word_separator
    lower = str.lower if alphabet.lower_case else str
    assert [(w.text, w.start_frame, w.end_frame) for w in hypothesis.words] == [
        (lower(w["word"]), w["start_offset"], w["end_offset"]) for w in expected.word_offsets
    ]
    assert [
        (c.text, c.start_frame, c.end_frame) for w in hypothesis.words for c in w.characters
    ] == [
        (lower(c["char"]), c["start_offset"], c["end_offset"])
        for c in expected.char_offsets
        if c["char"] != separator
    ]


@given(any_ids)
def test_double_letters_survive_what_is_ignored(ids):
    """Taking ignored frames out changes no text."""
    spoken = [index for index in ids if index not in ALPHABET.ignored_ids]
    text = greedy_decode(emitting(ids), ALPHABET).text
    assert greedy_decode(emitting(spoken), ALPHABET).text == text


def test_outputs_beyond_the_alphabet_are_ignored():
    emissions = emitting([5, 9, 5, 0, 6, 10], n_tokens=12)
    assert greedy_decode(emissions, ALPHABET).text == "AB"


def test_words_and_characters_are_in_lower_case_too():
    hypothesis = decode("AB|C", lower_case=True)
    assert hypothesis.text == "ab c"
    assert [word.text for word in hypothesis.words] == ["ab", "c"]
    assert [c.text for word in hypothesis.words for c in word.characters] == ["a", "b", "c"]


def test_sigma_ends_a_word_in_its_own_form():
    alphabet = Alphabet(("_", "|", "Σ", "Α"), 0, 1, lower_case=True)
    assert greedy_decode(emitting([2, 3, 2, 1, 3, 2], 4), alphabet).text == "σας ας"


class TestProbability:
    def test_of_a_character_is_its_best_frames(self):
        emissions = np.log(
            [[0.2, 0.1, 0.7, 0.0001], [0.05, 0.05, 0.9, 0.0001], [0.6, 0.1, 0.1, 0.2]]
        )
        alphabet = Alphabet(("_", "|", "A", "B"), 0, 1)
        (word,) = greedy_decode(emissions, alphabet).words
        assert word.probability == pytest.approx(0.9)

    def test_of_a_word_is_the_geometric_mean(self):
        emissions = np.log(
            [[0.05, 0.05, 0.9, 0.0001], [0.9, 0.05, 0.05, 0.0001], [0.3, 0.05, 0.25, 0.4]]
        )
        alphabet = Alphabet(("_", "|", "A", "B"), 0, 1)
        (word,) = greedy_decode(emissions, alphabet).words
        assert [c.probability for c in word.characters] == pytest.approx([0.9, 0.4])
        assert word.probability == pytest.approx(math.sqrt(0.9 * 0.4))

    @given(st.integers(0, 2**32), st.sampled_from([np.float16, np.float32, np.float64]))
    def test_lies_between_the_chars_and_within_zero_and_one(self, seed, dtype):
        random = np.random.default_rng(seed)
        logits = random.normal(scale=6, size=(30, len(TOKENS)))
        emissions = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        for word in greedy_decode(emissions.astype(dtype), ALPHABET).words:
            probabilities = [c.probability for c in word.characters]
            assert 0 < min(probabilities) <= word.probability * (1 + 1e-9)
            assert word.probability * (1 - 1e-9) <= max(probabilities) <= 1

    def test_logit_score_is_the_paths_log_probability(self):
        hypothesis = greedy_decode(emitting([5, 0, 6, 4], probability=0.5), ALPHABET)
        assert hypothesis.logit_score == pytest.approx(4 * math.log(0.5))
        assert hypothesis.lm_score is None

    def test_logit_score_of_an_hour_keeps_its_digits(self):
        emissions = emitting([0] * 180_000, probability=0.999)
        score = greedy_decode(emissions, ALPHABET).logit_score
        assert score == pytest.approx(180_000 * math.log(np.float32(0.999)), rel=1e-6)


class TestWhatItTakes:
    def test_no_frames(self):
        hypothesis = greedy_decode(np.zeros((0, len(TOKENS)), np.float32), ALPHABET)
        assert (hypothesis.text, hypothesis.words, hypothesis.logit_score) == ("", (), 0.0)

    @pytest.mark.parametrize("shape", [(9,), (1, 4, 9), (4, 0)])
    def test_only_matrices(self, shape):
        with pytest.raises(ValueError, match=r"emissions must be \(frames, vocab\)"):
            greedy_decode(np.zeros(shape, np.float32), ALPHABET)

    def test_no_nan(self):
        emissions = emitting([5, 6])
        emissions[1, 3] = np.nan
        with pytest.raises(ValueError, match="emissions hold NaN"):
            greedy_decode(emissions, ALPHABET)

    def test_impossible_outputs(self):
        with np.errstate(divide="ignore"):
            emissions = np.log(np.eye(len(TOKENS), dtype=np.float32)[[5, 0, 5]])
        (word,) = greedy_decode(emissions, ALPHABET).words
        assert (word.text, word.probability) == ("AA", 1.0)

    def test_it_leaves_the_emissions_alone(self):
        emissions = emitting([5, 6])
        emissions.flags.writeable = False
        assert greedy_decode(emissions, ALPHABET).text == "AB"


def test_an_hour_takes_well_under_a_second():
    random = np.random.default_rng(0)
    spoken = random.random(180_000) < 0.15  # the others are blank
    ids = np.where(spoken, random.integers(4, len(TOKENS), 180_000), BLANK)
    emissions = emitting(ids)
    begin = time.process_time()
    hypothesis = greedy_decode(emissions, ALPHABET)
    seconds = time.process_time() - begin
    assert len(hypothesis.words) > 4000
    assert seconds < 1, seconds
