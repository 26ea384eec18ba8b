"""Texts in the case that somebody wants, whatever the case that a model writes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from w2v_cli.decoding.greedy import FloatArray
    from w2v_cli.decoding.hypothesis import Hypothesis
    from w2v_cli.tasks.decoding import Decoder, Handle

CaseName = Literal["lower", "upper"]


class CasedDecoder:
    """A decoder whose hypotheses are in another case; a `w2v_cli.tasks.decoding.Decoder`.

    What it decodes with, such as a language model, stays in the case of the model.

    Args:
        decoder: What decodes.
        case: Of what it is to write.
    """

    def __init__(self, decoder: Decoder, case: CaseName) -> None:
        self._decoder = decoder
        self._change: Callable[[str], str] = str.lower if case == "lower" else str.upper

    def submit(self, batch: Sequence[FloatArray]) -> Handle:
        """Begin with a batch of emissions, each (frames, vocab)."""
        return _Cased(self._decoder.submit(batch), self._change)

    def preview(self, emissions: FloatArray) -> str:
        """Return at once what (frames, vocab) may say."""
        return self._change(self._decoder.preview(emissions))

    def close(self) -> None:
        """Let go of what the decoder has."""
        self._decoder.close()


@dataclass(frozen=True)
class _Cased:
    handle: Handle
    change: Callable[[str], str]

    @property
    def ready(self) -> bool:
        return self.handle.ready

    def result(self) -> list[tuple[Hypothesis, ...]]:
        return [
            tuple(hypothesis.cased(self.change) for hypothesis in hypotheses)
            for hypotheses in self.handle.result()
        ]
