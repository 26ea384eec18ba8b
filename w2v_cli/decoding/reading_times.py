"""When the words and characters of a reading are said."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alignment import align_words
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.hypothesis import HypothesisWord
from w2v_cli.errors import AlignmentError


def timed_words(
    emissions: npt.NDArray[np.floating[Any]], reading: Reading, alphabet: Alphabet
) -> tuple[HypothesisWord, ...]:
    """Return the words of a reading on the best of the paths that say it.

    A search adds up all paths to a text and remembers the frames of one of them, not always
    the best. So the text is aligned anew, and each character has its frames.

    Args:
        emissions: Natural-log probabilities, (frames, vocab).
        reading: What an engine read in them.
        alphabet: What the columns of the emissions write.

    Returns:
        The words in their order, monotonic and inside the emissions. Where no path through the
        emissions says the text, as the engine met them, and marked as interpolated.
    """
    words = reading.text.split()
    if not words:
        return ()
    try:
        return align_words(emissions, words, alphabet).words
    except AlignmentError:
        return _as_met(words, reading.word_frames, len(emissions))


def _as_met(
    words: list[str], frames: tuple[tuple[int, int], ...], n_frames: int
) -> tuple[HypothesisWord, ...]:
    """Return words without characters; those without frames have no length."""
    met = []
    last = 0
    for index, word in enumerate(words):
        start, end = frames[index] if index < len(frames) else (last, last)
        start = min(max(start, last), n_frames)
        last = min(max(end, start), n_frames)
        met.append(HypothesisWord(word, start, last, 0.0, interpolated=True))
    return tuple(met)
