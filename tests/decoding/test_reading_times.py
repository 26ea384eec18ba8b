"""The times of a reading against forced alignment and against all paths there are."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.alignment import align_words
from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.labels import Labels
from w2v_cli.decoding.reading_times import timed_words

SMALL = Alphabet(("_", "|", "A", "B"), blank_id=0, word_delimiter_id=1)
LABELS = Labels.of(SMALL)


def random_columns(rng, n_frames, n_tokens=4):
    x = rng.normal(0, 2, (n_frames, n_tokens))
    return x - np.logaddexp.reduce(x, axis=1, keepdims=True)


def reading(text, frames=()):
    return Reading(text, tuple(frames), 0.0, 0.0)


def assert_same_times(ours, others):
    def frames(words):
        return [
            (part.text, part.start_frame, part.end_frame)
            for word in words
            for part in (word, *word.characters)
        ]

    assert frames(ours) == frames(others)
    for one, other in zip(ours, others, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


def path_score(columns, words):
    """Return what the frames of some words give: letters where they are, gaps elsewhere."""
    score, last = 0.0, 0
    gap = np.maximum(columns[:, 0], columns[:, 1])
    for word in words:
        for index, character in enumerate(word.characters):
            between = gap if index == 0 else columns[:, 0]
            score += between[last : character.start_frame].sum()
            column = LABELS.texts.index(character.text)
            score += columns[character.start_frame : character.end_frame, column].sum()
            last = character.end_frame
    return score + gap[last:].sum()


@pytest.mark.parametrize("text", ["A", "AB", "A B", "AA", "A A", "BAB A"])
def test_no_path_that_says_the_text_is_better(text):
    rng = np.random.default_rng(len(text))
    for n_frames in (6, 7, 8):
        columns = random_columns(rng, n_frames)
        words = timed_words(columns, reading(text), LABELS)
        assert [word.text for word in words] == text.split()
        best = -np.inf
        for path in itertools.product(range(4), repeat=n_frames) if n_frames == 6 else ():
            collapsed = [index for index, _ in itertools.groupby(path) if index]
            said = "".join(map(SMALL.written, collapsed))
            if " ".join(said.split()) == text:
                best = max(best, sum(columns[f, i] for f, i in enumerate(path)))
        # Words may touch without a space here, so this may be a little better than any path.
        assert path_score(columns, words) >= best - 1e-9
        aligned = align_words(columns, text.split(), SMALL)
        assert path_score(columns, words) == pytest.approx(aligned.logit_score)
        assert_same_times(words, aligned.words)


def test_they_are_greedys_where_the_text_is(heard_sentences, lm_alphabet):
    alphabet = Alphabet(tuple(lm_alphabet), 0, 4)
    labels = Labels.of(alphabet)
    for _, matrix in heard_sentences(10, seed=30):
        columns = matrix - np.logaddexp.reduce(matrix, axis=1, keepdims=True)
        greedy = greedy_decode(columns, alphabet)
        clear = [w for w in greedy.words if set(w.text) <= labels.letters]
        if len(clear) < len(greedy.words):
            continue  # a special token was heard
        ours = timed_words(labels.columns(columns), reading(greedy.text), labels)
        assert_same_times(ours, greedy.words)


def test_times_are_monotonic_and_inside_the_recording(heard_sentences, lm_alphabet):
    from w2v_cli.decoding.beam import make_decoder
    from w2v_cli.decoding.options import BeamOptions

    pytest.importorskip("ctc_beam_decoder")
    alphabet = Alphabet(tuple(lm_alphabet), 0, 4, frozenset({1, 2, 3}))
    decoder = make_decoder(alphabet, None, BeamOptions(n_best=20))
    for _, matrix in heard_sentences(6, seed=31):
        for hypothesis in decoder.decode(matrix):
            last = 0
            assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
            for word in hypothesis.words:
                assert not word.interpolated
                assert "".join(c.text for c in word.characters) == word.text
                assert word.start_frame == word.characters[0].start_frame
                assert word.end_frame == word.characters[-1].end_frame
                for character in word.characters:
                    assert last <= character.start_frame < character.end_frame <= len(matrix)
                    last = character.end_frame
                    assert 0 <= character.probability <= 1
                assert 0 <= word.probability <= 1


def test_a_long_recording_takes_the_way_with_less_memory(monkeypatch):
    columns = random_columns(np.random.default_rng(1), 60)
    quick = timed_words(columns, reading("AB BA ABBA"), LABELS)
    monkeypatch.setattr("w2v_cli.decoding.reading_times._MOST_CELLS", 1)
    assert_same_times(timed_words(columns, reading("AB BA ABBA"), LABELS), quick)


def test_pieces_of_several_letters_are_found():
    alphabet = replace(SMALL, tokens=("_", "|", "TH", "E"))
    labels = Labels.of(alphabet)
    columns = np.full((6, 4), -5.0)
    for frame, column in enumerate([0, 2, 0, 3, 3, 0]):
        columns[frame, column] = -0.01
    [word] = timed_words(columns, reading("THE"), labels)
    assert [(c.text, c.start_frame, c.end_frame) for c in word.characters] == [
        ("TH", 1, 2),
        ("E", 3, 5),
    ]


def test_words_that_no_path_says_are_where_the_engine_met_them_and_marked():
    columns = random_columns(np.random.default_rng(2), 3)
    words = timed_words(columns, reading("AB BA", [(0, 2), (1, 9)]), LABELS)
    assert [(w.text, w.start_frame, w.end_frame, w.interpolated) for w in words] == [
        ("AB", 0, 2, True),
        ("BA", 2, 3, True),
    ]
    unmet = timed_words(columns, reading("AB BA"), LABELS)
    assert [(w.start_frame, w.end_frame) for w in unmet] == [(0, 0), (0, 0)]
    assert timed_words(columns, reading(""), LABELS) == ()
