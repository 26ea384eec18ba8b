"""How a beam search goes about its work, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Hotword:
    """A word, or a phrase whose every word is listened for.

    Attributes:
        text: The word or the phrase.
        weight: What a reading gains by each of its words; None for the options' own weight.
    """

    text: str
    weight: float | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a hotword is empty")
        if self.weight is not None and not math.isfinite(self.weight):
            raise ValueError(f"the weight of {self.text} is {self.weight}; it must be finite")


@dataclass(frozen=True)
class BeamOptions:
    """What a beam search may be told. Names and defaults are pyctcdecode's.

    Scores are natural logarithms; a reading's is what the network gives it, plus `alpha` times
    what the language model gives its words, plus `beta` for each word, plus hotwords.

    Attributes:
        beam_width: Readings kept after each frame. More is slower, and finds what a narrow beam
            has dropped too early.
        beam_prune_logp: Readings this much below the best are dropped. Negative; nearer to 0 is
            faster.
        token_min_logp: Tokens below this log probability are not tried in a frame, unless
            none is better. Negative; nearer to 0 is faster.
        alpha: Weight of the language model. 0 leaves only the penalties for unknown words.
        beta: Score added for each word, against the language model's liking for few words.
        unk_score_offset: Score added for a word that the language model does not know, and
            for the beginning of a word that begins none it knows.
        lm_score_boundary: Whether the language model hears that the text starts and ends.
        hotwords: Words to listen for; the language model need not know them.
        hotword_weight: What a reading gains by each hotword that has no weight of its own.
        n_best: How many readings to return, best first.
        prune_history: Keep only the best of the readings whose last words, as many as the
            language model sees, are the same. Faster; the other readings become fewer.
    """

    beam_width: int = 100
    beam_prune_logp: float = -10.0
    token_min_logp: float = -5.0
    alpha: float = 0.5
    beta: float = 1.5
    unk_score_offset: float = -10.0
    lm_score_boundary: bool = True
    hotwords: tuple[Hotword, ...] = ()
    hotword_weight: float = 10.0
    n_best: int = 1
    prune_history: bool = False

    def __post_init__(self) -> None:
        for name in ("beam_width", "n_best"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("beam_prune_logp", "token_min_logp"):
            if not getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or less")
        for name in ("alpha", "beta", "unk_score_offset", "hotword_weight"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a finite number")

    @property
    def word_weights(self) -> dict[str, float]:
        """The weight of each single word among the hotwords; the last one said counts."""
        return {
            word: self.hotword_weight if hotword.weight is None else hotword.weight
            for hotword in self.hotwords
            for word in hotword.text.split()
        }
