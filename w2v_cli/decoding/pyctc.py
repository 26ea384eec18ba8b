"""The engine that is pyctcdecode: pure Python, and what others are measured by."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.kenlm_files import open_kenlm
from w2v_cli.decoding.labels import Labels
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.errors import MissingDependencyError

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram

FloatArray = npt.NDArray[np.floating[Any]]

# pyctcdecode's floor: a probability of 1e-15.
_MIN_LOGP = float(np.log(1e-15))


class HotwordScorer:
    """pyctcdecode's scorer of hotwords, with a weight for each, and quick for many.

    With one weight it gives what `pyctcdecode.language_model.HotwordScorer` gives: a weight for
    each whole word, and of a beginning the share that it is of the shortest word it begins.
    """

    def __init__(self, word_weights: Mapping[str, float]) -> None:
        self._weights = dict(word_weights)
        weights = set(self._weights.values())
        self._only_weight = weights.pop() if len(weights) == 1 else None
        self._partial: dict[str, float] = {}
        # Long words first and light ones first: the shortest and heaviest has the last word.
        for word in sorted(self._weights, key=lambda w: (-len(w), self._weights[w])):
            for length in range(1, len(word) + 1):
                self._partial[word[:length]] = self._weights[word] * length / len(word)

    def __contains__(self, token: str) -> bool:
        return token in self._partial

    def score(self, text: str) -> float:
        """Return what the whole words of a text gain."""
        if not self._weights:
            return 0.0
        if self._only_weight is not None:  # to the last digit as pyctcdecode has it
            return self._only_weight * sum(word in self._weights for word in text.split())
        return sum(self._weights.get(word, 0.0) for word in text.split())

    def score_partial_token(self, token: str) -> float:
        """Return what the beginning of a word gains."""
        return self._partial.get(token, 0.0)


class PyctcdecodeEngine:
    """pyctcdecode, with KenLM's Python package where there is a language model."""

    name = "pyctcdecode"

    def __init__(self, labels: Labels, ngram: NGram | None) -> None:
        """Load the language model.

        Raises:
            MissingDependencyError: pyctcdecode or kenlm is not installed.
            CheckpointError: KenLM cannot read the file.
        """
        pyctcdecode = import_pyctcdecode()
        self._lm = None if ngram is None else load_language_model(ngram)
        alphabet = pyctcdecode.Alphabet(list(labels.texts), labels.is_bpe)
        self._decoder = pyctcdecode.BeamSearchDecoderCTC(alphabet, self._lm)
        # The class keeps every language model that it ever saw.
        models = pyctcdecode.BeamSearchDecoderCTC.model_container
        weakref.finalize(self, models.pop, self._decoder._model_key, None)

    def readings(
        self, columns: npt.NDArray[np.float32], options: BeamOptions, word_weights: dict[str, float]
    ) -> list[Reading]:
        """Return what the emissions may say, best first; see `Engine`."""
        if self._lm is not None:
            self._lm.alpha = float(options.alpha)
            self._lm.beta = float(options.beta)
            self._lm.unk_score_offset = float(options.unk_score_offset)
            self._lm.score_boundary = options.lm_score_boundary
        beams = search(self._decoder, np.clip(columns, _MIN_LOGP, 0), options, word_weights)
        return [
            Reading(text, tuple(frames for _, frames in words), float(logit), float(score))
            for text, _, words, logit, score in beams
        ]


def search(
    decoder: Any, scores: FloatArray, options: BeamOptions, word_weights: Mapping[str, float]
) -> Any:
    """Return pyctcdecode's beams of log-probabilities (frames, labels), best first.

    The language model weighs as it stands in the decoder, whatever the options say.
    """
    return decoder._decode_logits(
        scores,
        beam_width=options.beam_width,
        beam_prune_logp=options.beam_prune_logp,
        token_min_logp=options.token_min_logp,
        prune_history=options.prune_history,
        hotword_scorer=HotwordScorer(word_weights),
    )


def import_pyctcdecode() -> Any:
    """Return the package, its alphabet and classes as attributes.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        with _quiet():
            import pyctcdecode.alphabet
    except ImportError as error:
        raise MissingDependencyError(
            "pyctcdecode", extra="lm", purpose="The engine pyctcdecode"
        ) from error
    return pyctcdecode


def load_language_model(ngram: NGram) -> Any:
    """Return pyctcdecode's language model of a file, with the weights found beside it.

    Raises:
        MissingDependencyError: pyctcdecode or kenlm is not installed.
        CheckpointError: KenLM cannot read the file.
    """
    import_pyctcdecode()
    try:
        model = open_kenlm(ngram.path)
    except ImportError as error:
        raise MissingDependencyError(
            "kenlm", extra="lm", purpose="A language model in pyctcdecode"
        ) from error
    from pyctcdecode.language_model import LanguageModel

    defaults = BeamOptions(**ngram.own_options())
    with _quiet():
        return LanguageModel(
            model,
            ngram.unigrams or (),
            alpha=float(defaults.alpha),
            beta=float(defaults.beta),
            unk_score_offset=float(defaults.unk_score_offset),
            score_boundary=defaults.lm_score_boundary,
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pyctcdecode from remarking on small vocabularies; real trouble raises."""
    logger = logging.getLogger("pyctcdecode")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
