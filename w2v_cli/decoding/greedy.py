"""Greedy CTC decoding: the best output of every frame, collapsed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.hypothesis import (
    Hypothesis,
    HypothesisCharacter,
    HypothesisWord,
    geometric_mean,
)

FloatArray = npt.NDArray[np.floating[Any]]


def greedy_decode(emissions: FloatArray, alphabet: Alphabet) -> Hypothesis:
    """Return the text of the most probable path through the emissions.

    The best path of Graves et al. 2006, section 3.2: take the best output of every frame,
    drop what the alphabet ignores, merge equal neighbours, drop blanks.

    A character's probability is the one its output has in its best frame. CTC networks
    spike: they are sure of a letter in one or two frames and of the blank between them, so
    a mean over all frames of a word would mostly say how sure the blanks are. A word's is
    the geometric mean over its characters, so that long words do not look doubtful for
    being long.

    Args:
        emissions: Natural-log probabilities, (frames, vocab). A vocab larger than the
            alphabet is allowed; what lies beyond is ignored.
        alphabet: What each output writes.

    Returns:
        The hypothesis, its text stripped of spaces at both ends; an empty one where all
        frames are blank, or there is none.

    Raises:
        ValueError: `emissions` is not a matrix, holds NaN, or lacks the blank.
    """
    if emissions.ndim != 2 or emissions.shape[1] <= alphabet.blank_id:
        raise ValueError(
            f"emissions must be (frames, vocab) with a blank at {alphabet.blank_id}, "
            f"not {emissions.shape}"
        )
    if emissions.shape[0] == 0:
        return Hypothesis(text="", words=(), logit_score=0.0)
    ids = emissions.argmax(axis=1)
    scores = emissions.max(axis=1)
    if np.isnan(scores).any():
        raise ValueError("emissions hold NaN")
    characters = list(_characters(ids, scores, alphabet))
    hypothesis = Hypothesis(
        text="".join(character.text for character in characters).strip(),
        words=tuple(_words(characters, alphabet)),
        logit_score=float(scores.sum(dtype=np.float64)),
    )
    return hypothesis.cased(str.lower) if alphabet.lower_case else hypothesis


def _characters(
    ids: npt.NDArray[np.intp], scores: FloatArray, alphabet: Alphabet
) -> Iterator[HypothesisCharacter]:
    """Yield the characters that are left when equal neighbours are merged and blanks dropped.

    Args:
        ids: The best output of each frame, (frames,).
        scores: Their log probabilities, (frames,).
        alphabet: What each output writes.
    """
    ignored = np.fromiter(alphabet.ignored_ids, dtype=ids.dtype)
    frames = np.flatnonzero(~np.isin(ids, ignored) & (ids < len(alphabet.tokens)))
    if len(frames) == 0:
        return
    ids, scores = ids[frames], scores[frames]  # (kept frames,)
    starts = np.flatnonzero(np.diff(ids, prepend=-1))  # (runs,)
    ends = np.append(starts[1:], len(ids))
    best = np.exp(np.maximum.reduceat(scores, starts))  # (runs,)
    written = ids[starts] != alphabet.blank_id
    for index, start, end, probability in zip(
        ids[starts][written].tolist(),
        frames[starts][written].tolist(),
        (frames[ends - 1] + 1)[written].tolist(),
        # a log-softmax in half precision may round to a little more than 0
        np.minimum(best[written].astype(np.float64), 1.0).tolist(),
        strict=True,
    ):
        yield HypothesisCharacter(alphabet.written(index), start, end, probability)


def _words(characters: list[HypothesisCharacter], alphabet: Alphabet) -> Iterator[HypothesisWord]:
    """Yield the words between separators; several separators in a row are one."""
    for is_separator, run in groupby(characters, lambda c: c.text == alphabet.word_separator):
        if is_separator:
            continue
        letters = tuple(run)
        yield HypothesisWord(
            text="".join(letter.text for letter in letters),
            start_frame=letters[0].start_frame,
            end_frame=letters[-1].end_frame,
            probability=geometric_mean([letter.probability for letter in letters]),
            characters=letters,
        )
