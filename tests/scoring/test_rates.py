"""Counts against jiwer's own rates and a plain Levenshtein distance."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v_cli.scoring import AlignedWords, Counts, Pair, score_pairs

words = st.lists(st.sampled_from(["go", "left", "a", "b", "é"]), max_size=7).map(" ".join)


def scored(*texts, **options):
    return score_pairs([Pair("talk", r, h) for r, h in texts], **options)


def distance(said, heard):
    """Levenshtein's, by its definition."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, start=1):
        before, row = row, [i]
        for j, b in enumerate(heard, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_counts(texts):
    score = scored(*texts)
    assert score.words.errors == sum(distance(r.split(), h.split()) for r, h in texts)
    assert score.characters.errors == sum(distance(r, h) for r, h in texts)
    assert score.words.n_reference == sum(len(r.split()) for r, _ in texts)
    assert score.characters.n_reference == sum(len(r) for r, _ in texts)
    assert sum((pair.words for pair in score.pairs), Counts()) == score.words
    if score.words.n_reference:
        references, hypotheses = map(list, zip(*texts, strict=True))
        assert score.words.rate == pytest.approx(jiwer.wer(references, hypotheses))
        assert score.characters.rate == pytest.approx(jiwer.cer(references, hypotheses))


@given(words, words)
def test_the_alignment_is_made_of_both_texts(reference, hypothesis):
    (pair,) = scored((reference, hypothesis)).pairs
    assert [w for part in pair.alignment for w in part.reference] == reference.split()
    assert [w for part in pair.alignment for w in part.hypothesis] == hypothesis.split()
    for part in pair.alignment:
        assert (part.reference == part.hypothesis) == (part.kind == "equal")


def test_what_was_heard_in_place_of_what():
    (pair,) = scored(("go left now", "go right now please")).pairs
    assert pair.alignment == (
        AlignedWords("equal", ("go",), ("go",)),
        AlignedWords("substitute", ("left",), ("right",)),
        AlignedWords("equal", ("now",), ("now",)),
        AlignedWords("insert", (), ("please",)),
    )
    assert pair.words == Counts(hits=2, substitutions=1, insertions=1)
    assert pair.words.rate == pytest.approx(2 / 3)


def test_empty_texts():
    assert scored(("", "")).words.rate == 0.0
    assert scored(("", "go left")).words == Counts(insertions=2)
    assert scored(("", "go left")).words.rate is None
    assert scored(("go left", " \n")).words.rate == 1.0
    # an empty reference's errors count among all the others'
    assert scored(("", "go"), ("go left", "go left")).words.rate == 0.5
    assert score_pairs([]).words == Counts()


def test_a_rate_may_be_above_one():
    assert scored(("a", "b c d")).words.rate == 3.0


def test_the_normaliser_is_chosen_by_name():
    assert scored(("Go left!", "go  left")).words.errors == 2
    assert scored(("Go left!", "go  left"), normalizer="basic").words.errors == 0
    with pytest.raises(ValueError, match="no normaliser 'loud'; choose one of none, basic, en"):
        scored(("a", "b"), normalizer="loud")
