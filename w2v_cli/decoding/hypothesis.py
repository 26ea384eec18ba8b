"""What a decoder returns: a text, and where in the emissions its parts are.

Frames count from 0; an end is the frame after the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


def geometric_mean(probabilities: Sequence[float]) -> float:
    """Return what a word's probability is, of those of its characters; there has to be one.

    >>> round(geometric_mean([0.9, 0.4]), 6)
    0.6
    """
    logarithms = [math.log(max(probability, 1e-300)) for probability in probabilities]
    return math.exp(sum(logarithms) / len(logarithms))


@dataclass(frozen=True)
class HypothesisCharacter:
    """One token of a word: a letter, or what else the vocabulary has as one piece."""

    text: str
    start_frame: int
    end_frame: int
    probability: float


@dataclass(frozen=True)
class HypothesisWord:
    """One word, from the first frame of its first character to the last of its last.

    Attributes:
        text: The word.
        start_frame: Where it starts.
        end_frame: Where it ends, not included.
        probability: The geometric mean of its characters' probabilities, 0 to 1.
        characters: Its characters with their frames.
        interpolated: The frames are a guess between the neighbours'; the decoder gave none.
    """

    text: str
    start_frame: int
    end_frame: int
    probability: float
    characters: tuple[HypothesisCharacter, ...] = ()
    interpolated: bool = False


@dataclass(frozen=True)
class Hypothesis:
    """One reading of the emissions.

    Attributes:
        text: The whole text.
        words: Its words; none where nothing is said.
        logit_score: The natural logarithm of the probability the network gives the path.
        lm_score: logit_score with the shares of language model and hotwords, if there are any,
            as pyctcdecode calls it; None without a beam search.
    """

    text: str
    words: tuple[HypothesisWord, ...]
    logit_score: float
    lm_score: float | None = None

    def cased(self, change: Callable[[str], str]) -> Hypothesis:
        """Return the same in another case: text, words and characters.

        >>> go = Hypothesis("GO", (HypothesisWord("GO", 3, 9, 0.5),), -1.0)
        >>> go.cased(str.lower).words[0].text
        'go'
        """
        words = tuple(
            replace(
                word,
                text=change(word.text),
                characters=tuple(replace(c, text=change(c.text)) for c in word.characters),
            )
            for word in self.words
        )
        return replace(self, text=change(self.text), words=words)
