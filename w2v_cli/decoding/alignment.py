"""Forced alignment: where in the emissions a known text is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from w2v_cli.counts import counted
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.hypothesis import (
    Hypothesis,
    HypothesisCharacter,
    HypothesisWord,
    geometric_mean,
)
from w2v_cli.decoding.spelling import Speller, Spelling
from w2v_cli.decoding.trellis import FloatArray, IntArray, Trellis, best_path, label_spans
from w2v_cli.errors import AlignmentError

# A wildcard takes the best output of every frame, less this. It keeps the wildcard from frames
# that the blank around it says as well, so that it covers the sound and not the silence.
_WILDCARD_COST = 0.1


def align_words(
    emissions: FloatArray,
    words: Sequence[str],
    alphabet: Alphabet,
    *,
    spoken: Sequence[str] | None = None,
) -> Hypothesis:
    """Return the most probable place of known words in the emissions.

    Before, between and after words the emissions may say the word delimiter or the blank, in
    as many frames as they like or in none. What the vocabulary lacks is a wildcard, which any
    output fits (`Speller` says what that is): it covers whatever is said there.

    A character's probability is that of its output in its best frame, as in `greedy_decode`;
    a wildcard's that of the best output that is no blank. A word's is the geometric mean
    over its letters, of its wildcards if it has no others.

    Args:
        emissions: Natural-log probabilities, (frames, vocab).
        words: The words, without spaces, as they are to come back.
        alphabet: What each output writes.
        spoken: What is said in place of each word, as `Speller.unquoted` has it; None for the
            words as they are.

    Returns:
        A hypothesis with exactly these words. Words that are not heard, such as a dash that
        stands alone, lie between their neighbours and are `interpolated`; without neighbours
        to lie between they have no length.

    Raises:
        AlignmentError: The words need more frames than there are, the vocabulary has none of
            their letters, or they are nothing but punctuation.
        ValueError: `emissions` is not a matrix, holds NaN, or has fewer columns than needed.
    """
    speller = Speller(alphabet)
    spellings = [speller.spell(word) for word in (words if spoken is None else spoken)]
    if not words:
        return Hypothesis("", (), 0.0)
    sample = " ".join(words[:5])
    if not any(spelling.pieces for spelling in spellings):
        raise AlignmentError(
            f"nothing of the text is said aloud ({sample!r}); give the words that are said"
        )
    if not any(p.token_id is not None for s in spellings for p in s.pieces):
        raise AlignmentError(
            f"the model's vocabulary has no letter of the text ({sample!r}); use a model of "
            f"this language, or write numbers in words"
        )
    columns = _Columns.of(emissions, alphabet)
    trellis = _trellis(columns, spellings)
    path = _checked_path(trellis)
    spans = zip(trellis.labels.tolist(), label_spans(path), strict=True)
    aligned = [
        _word(word, spelling, [next(spans) for _ in spelling.pieces], columns)
        for word, spelling in zip(words, spellings, strict=True)
    ]
    score = _path_score(trellis, path)
    return Hypothesis(" ".join(words), tuple(_interpolated(aligned)), score)


@dataclass(frozen=True)
class _Columns:
    """Emissions with two columns more.

    Attributes:
        scores: The emissions, then what a gap between words says, then what a wildcard does.
        loudest: The best output of each frame that is no blank, (frames,).
        blank: The blank's column.
        gap: The column of the blank or the word delimiter, whichever is better.
        wildcard: The column of any output.
    """

    scores: FloatArray
    loudest: FloatArray
    blank: int
    gap: int
    wildcard: int

    @classmethod
    def of(cls, emissions: FloatArray, alphabet: Alphabet) -> _Columns:
        n_tokens = len(alphabet.tokens)
        if emissions.ndim != 2 or emissions.shape[1] < n_tokens:
            raise ValueError(f"emissions must be (frames, {n_tokens}), not {emissions.shape}")
        scores = emissions[:, :n_tokens]
        gaps = [alphabet.blank_id]
        if alphabet.word_delimiter_id is not None:
            gaps.append(alphabet.word_delimiter_id)
        sounds = np.delete(np.arange(n_tokens), alphabet.blank_id)
        gap = scores[:, gaps].max(axis=1)
        any_output = scores.max(axis=1) - _WILDCARD_COST
        return cls(
            scores=np.column_stack([scores, gap, any_output]),
            loudest=scores[:, sounds].max(axis=1),
            blank=alphabet.blank_id,
            gap=n_tokens,
            wildcard=n_tokens + 1,
        )


def _trellis(columns: _Columns, spellings: Sequence[Spelling]) -> Trellis:
    labels, blanks = [], []
    for spelling in spellings:
        for place, piece in enumerate(spelling.pieces):
            labels.append(columns.wildcard if piece.token_id is None else piece.token_id)
            is_gap = place == 0 or place in spelling.gaps
            blanks.append(columns.gap if is_gap else columns.blank)
    return Trellis(
        columns.scores,
        np.array(labels, dtype=np.intp),
        np.array([*blanks, columns.gap], dtype=np.intp),
    )


def _checked_path(trellis: Trellis) -> IntArray:
    n_frames = len(trellis.scores)
    if n_frames < trellis.min_frames:
        raise AlignmentError(
            f"the text is too long for the recording, which has {counted(n_frames, 'frame')}: its "
            f"letters need {trellis.min_frames:,}; is it the right text, and the whole recording?"
        )
    return best_path(trellis)


def _path_score(trellis: Trellis, path: IntArray) -> float:
    """Return the natural logarithm of a path's probability."""
    # A blank's place is that of the next label: one more than those begun so far.
    begun = np.maximum.accumulate(path) + 1  # (frames,)
    said = np.append(trellis.labels, 0)[path]
    columns = np.where(path < 0, trellis.blanks[begun], said)
    scores = trellis.scores[np.arange(len(path)), columns]
    return float(scores.sum(dtype=np.float64))


def _word(
    word: str,
    spelling: Spelling,
    spans: Sequence[tuple[int, tuple[int, int]]],
    columns: _Columns,
) -> HypothesisWord:
    """Return a word whose pieces have these columns and frames."""
    if not spans:
        return _unheard(word)
    characters: list[HypothesisCharacter] = []
    known = []
    for piece, (column, (start, end)) in zip(spelling.pieces, spans, strict=True):
        is_wildcard = column == columns.wildcard
        said = columns.loudest if is_wildcard else columns.scores[:, column]
        probability = _best(said[start:end])
        if not is_wildcard:
            known.append(probability)
        if piece.text:
            characters.append(HypothesisCharacter(piece.text, start, end, probability))
        else:  # the second letter of an ß
            characters[-1] = replace(characters[-1], end_frame=end)
    return HypothesisWord(
        text=word,
        start_frame=characters[0].start_frame,
        end_frame=characters[-1].end_frame,
        probability=geometric_mean(known or [c.probability for c in characters]),
        characters=tuple(characters),
    )


def _unheard(word: str) -> HypothesisWord:
    return HypothesisWord(word, 0, 0, 0.0, interpolated=True)


def _interpolated(words: Sequence[HypothesisWord]) -> Iterator[HypothesisWord]:
    """Yield the words, those that are not heard spread between their neighbours."""
    heard = [index for index, word in enumerate(words) if not word.interpolated]
    bounds = zip([None, *heard], [*heard, None], strict=True)
    for before, after in bounds:
        begin = None if before is None else words[before].end_frame
        end = None if after is None else words[after].start_frame
        begin, end = begin if begin is not None else end or 0, end if end is not None else begin
        begin_frame, end_frame = begin or 0, end or 0
        first = 0 if before is None else before + 1
        between = words[first:after]
        for place, word in enumerate(between):
            step = (end_frame - begin_frame) / len(between)
            start, stop = (begin_frame + int(step * (place + k)) for k in (0, 1))
            yield replace(word, start_frame=start, end_frame=stop)
        if after is not None:
            yield words[after]


def _best(scores: FloatArray) -> float:
    """Return the probability of a part of a column in its best frame."""
    # a log-softmax in half precision may round to a little more than 0
    return min(float(np.exp(scores.max())), 1.0)
