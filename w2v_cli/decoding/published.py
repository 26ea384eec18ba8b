"""pyctcdecode's own decoder object, used as the published processor uses it.

`PyctcdecodeEngine` searches in an alphabet of ours. Here the alphabet, the language model and
its weights are those of a `pyctcdecode.BeamSearchDecoderCTC` that a caller has made or a folder
has described, and what comes back is pyctcdecode's, number for number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.pyctc import (
    FloatArray,
    import_pyctcdecode,
    load_language_model,
    search,
)

_MIN_PROBABILITY = 1e-15
_LM_NAMES = {
    "alpha": "alpha",
    "beta": "beta",
    "unk_score_offset": "unk_score_offset",
    "lm_score_boundary": "score_boundary",
}


class Beam(NamedTuple):
    """A reading as pyctcdecode gives it, without the language model's state."""

    text: str
    words: list[tuple[str, tuple[int, int]]]
    logit_score: float
    lm_score: float


def own_options(decoder: Any) -> dict[str, Any]:
    """Return the language model's weights that a decoder has, by their names in `BeamOptions`."""
    lm = decoder._language_model
    return {} if lm is None else {ours: getattr(lm, theirs) for ours, theirs in _LM_NAMES.items()}


def decode_beams(decoder: Any, logits: npt.ArrayLike, options: BeamOptions) -> list[Beam]:
    """Return all readings of a beam, best first. The decoder is left as it was.

    Args:
        decoder: A `pyctcdecode.BeamSearchDecoderCTC`.
        logits: (frames, vocab), of any scale, or probabilities.
        options: How to search; `n_best` is not looked at.

    Raises:
        ValueError: The logits don't have the shape that the decoder's alphabet needs.
    """
    scores = log_probabilities(np.asarray(logits))
    decoder._check_logits_dimension(scores)
    with _weights(decoder, options):
        beams = search(decoder, scores, options, options.word_weights)
    return [Beam(text, words, float(a), float(b)) for text, _, words, a, b in beams]


def log_probabilities(logits: FloatArray) -> FloatArray:
    """Return the log-softmax of logits, in their precision and with pyctcdecode's floor.

    pyctcdecode takes a matrix for probabilities when its rows add up to 1 on average, which
    logits may do by chance. Here each row must, and no number may be outside of 0 to 1.
    """
    if logits.ndim != 2 or logits.size == 0:
        return logits
    sums = logits.sum(axis=1)
    if logits.min() >= 0 and logits.max() <= 1 and np.allclose(sums, 1, atol=1e-3):
        probabilities: FloatArray = np.log(np.clip(logits, _MIN_PROBABILITY, 1))
        return probabilities
    highest = logits.max(axis=1, keepdims=True)
    highest[~np.isfinite(highest)] = 0
    shifted = logits - highest
    with np.errstate(divide="ignore"):
        scale = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    scores: FloatArray = np.clip(shifted - scale, np.log(_MIN_PROBABILITY), 0)
    return scores


@contextlib.contextmanager
def _weights(decoder: Any, options: BeamOptions) -> Iterator[None]:
    """Let the language model weigh as the options say, and as before when that is done."""
    lm = decoder._language_model
    before = own_options(decoder)
    for ours in before:
        setattr(lm, _LM_NAMES[ours], getattr(options, ours))
    try:
        yield
    finally:
        for ours, value in before.items():
            setattr(lm, _LM_NAMES[ours], value)


@dataclass(frozen=True)
class PublishedRecipe:
    """What it takes to make a pyctcdecode decoder again, in any process.

    Attributes:
        key: The name under which pyctcdecode's class keeps the language model.
        labels: What each output writes.
        is_bpe: Whether outputs are pieces that mark where a word starts.
        path: KenLM's file; None without a language model.
        unigrams: The words that the language model knows.
    """

    key: bytes
    labels: tuple[str, ...]
    is_bpe: bool
    path: Path | None
    unigrams: tuple[str, ...]

    @classmethod
    def of(cls, decoder: Any) -> PublishedRecipe | None:
        """Return a decoder's recipe, or None if its language model is of another kind."""
        lm = decoder._language_model
        alphabet = decoder._alphabet
        known = (decoder._model_key, tuple(alphabet.labels), alphabet.is_bpe)
        if lm is None:
            return cls(*known, path=None, unigrams=())
        if type(lm).__name__ != "LanguageModel":
            return None
        path = Path(lm._kenlm_model.path.decode("utf-8")).absolute()
        return cls(*known, path=path, unigrams=tuple(sorted(lm._unigram_set)))

    def make(self) -> PublishedDecoder:
        """Return the decoder, its language model loaded."""
        pyctcdecode = import_pyctcdecode()
        lm = None if self.path is None else load_language_model(NGram(self.path, self.unigrams))
        alphabet = pyctcdecode.Alphabet(list(self.labels), self.is_bpe)
        return PublishedDecoder(pyctcdecode.BeamSearchDecoderCTC(alphabet, lm))


@dataclass(frozen=True)
class PublishedDecoder:
    """A pyctcdecode decoder that a `WorkerPool` can ask."""

    decoder: Any

    def decode(self, logits: FloatArray, options: BeamOptions) -> list[Beam]:
        """Return all readings of a beam, best first."""
        return decode_beams(self.decoder, logits, options)


_made: dict[bytes, PublishedDecoder] = {}


def decode_in_pool(
    pool: Any, decoder: Any, batch: Sequence[FloatArray], options: BeamOptions
) -> list[list[Beam]]:
    """Return the readings of a batch from a pool that the caller keeps.

    It may be older than the decoder and of any start method: a worker that has not inherited
    the decoder makes its own, once.

    Args:
        pool: Whatever has a `map`: a multiprocessing pool or an executor of concurrent.futures.
        decoder: A `pyctcdecode.BeamSearchDecoderCTC`.
        batch: Logits, each (frames, vocab).
        options: How to search.
    """
    recipe = PublishedRecipe.of(decoder)
    if recipe is None:
        return [decode_beams(decoder, logits, options) for logits in batch]
    return list(pool.map(_DecodeOne(recipe, options), batch))


@dataclass(frozen=True)
class _DecodeOne:
    recipe: PublishedRecipe
    options: BeamOptions

    def __call__(self, logits: FloatArray) -> list[Beam]:
        if self.recipe.key not in _made:
            _made[self.recipe.key] = self.recipe.make()
        return _made[self.recipe.key].decode(logits, self.options)
