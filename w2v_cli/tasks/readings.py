"""The best readings of a recording from the best readings of its utterances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from w2v_cli.results import Alternative

if TYPE_CHECKING:
    from w2v_cli.decoding.hypothesis import Hypothesis


class _Joined(NamedTuple):
    """A reading of the utterances up to one of them."""

    logit_score: float
    lm_score: float | None
    text: str
    before: _Joined | None
    words: int  # a hash of all words so far: whatever utterance they are in, they read the same

    @property
    def rank(self) -> float:
        return self.logit_score if self.lm_score is None else self.lm_score


class Readings:
    """The best ways to read the utterances of a channel, one after the other.

    Utterances are independent, so the best N of all are among the best N of each.

    Args:
        channel: The channel's number, where there are several.
    """

    def __init__(self, channel: int | None) -> None:
        self._channel = channel
        self._best: list[_Joined] = []
        self._n_best = 1

    def add(self, hypotheses: Sequence[Hypothesis]) -> None:
        """Take in the readings of the next utterance, best first.

        What greedy decoding returns, a single one without a score of a language model, says
        nothing that the transcript does not.
        """
        if len(hypotheses) == 1 and hypotheses[0].lm_score is None:
            return
        self._n_best = max(self._n_best, len(hypotheses))
        befores: Sequence[_Joined | None] = self._best or [None]
        joined = [
            _Joined(
                hypothesis.logit_score + (before.logit_score if before else 0.0),
                _sum(hypothesis.lm_score, before.lm_score if before else None),
                hypothesis.text,
                before,
                _hash_words(before.words if before else 0, hypothesis.text),
            )
            for before in befores
            for hypothesis in hypotheses
        ]
        joined.sort(key=lambda reading: -reading.rank)  # equal ones keep their order
        best: dict[int, _Joined] = {}
        for reading in joined:
            best.setdefault(reading.words, reading)
        self._best = list(best.values())[: self._n_best]

    def alternatives(self) -> list[Alternative]:
        """Return the best readings of all, best first."""
        return [
            Alternative(_text(joined), joined.logit_score, joined.lm_score, self._channel)
            for joined in self._best
        ]


def _hash_words(before: int, text: str) -> int:
    for word in text.split():
        before = hash((before, word))
    return before


def _sum(score: float | None, before: float | None) -> float | None:
    if score is None or before is None:
        return score if before is None else before
    return score + before


def _text(joined: _Joined | None) -> str:
    texts = []
    while joined is not None:
        texts.append(joined.text)
        joined = joined.before
    return " ".join(text for text in reversed(texts) if text)
