"""What every engine of a beam search does, whatever it is written in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.options import BeamOptions


class Reading(NamedTuple):
    """One way to read the emissions.

    Attributes:
        text: Its words, with one space between them.
        word_frames: Where the engine met each word: first frame, and the frame after the last.
        logit_score: Natural logarithm of the probability of all paths that were kept for it.
        lm_score: The same with the shares of language model and hotwords, which ranks the readings
            of a search; None without a search.
    """

    text: str
    word_frames: tuple[tuple[int, int], ...]
    logit_score: float
    lm_score: float | None


class Engine(Protocol):
    """A beam search over one alphabet and one language model, loaded."""

    @property
    def name(self) -> str:
        """What it is chosen by."""
        ...

    def readings(
        self, columns: npt.NDArray[np.float32], options: BeamOptions, word_weights: dict[str, float]
    ) -> list[Reading]:
        """Return what the emissions may say, best first, at most a beam's width of it.

        Args:
            columns: Natural-log probabilities of `Labels`, (frames, columns), one frame or more.
            options: How to search. The hotwords in it are not looked at.
            word_weights: Each hotword, spelled in the labels' letters, and its weight.
        """
        ...
