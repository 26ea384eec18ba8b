"""Beam search: the readings that are best when a language model has its say.

A frame at a time, readings that begin alike are kept together with the sum of their paths'
probabilities, and only the best go on (Hannun et al. 2014, "First-pass large vocabulary
continuous speech recognition using bi-directional recurrent DNNs", algorithm 1). Which engine
searches is a matter of speed: see docs/decoding.md.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.engine import Engine, Reading
from w2v_cli.decoding.hypothesis import Hypothesis
from w2v_cli.decoding.labels import Labels, fitting_labels
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.reading_times import timed_hypothesis
from w2v_cli.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram

FloatArray = npt.NDArray[np.floating[Any]]

ENGINES = ("auto", "native", "pyctcdecode")
"""What an engine is chosen by. ``auto`` is the fastest installed that can do what is asked."""

_PACKAGES = {"native": "ctc_beam_decoder", "pyctcdecode": "pyctcdecode"}


class BeamDecoder(Protocol):
    """Emissions to hypotheses by beam search."""

    @property
    def name(self) -> str:
        """The engine that searches."""
        ...

    def decode(
        self, emissions: FloatArray, options: BeamOptions | None = None
    ) -> tuple[Hypothesis, ...]:
        """Return the best readings, best first, at least one and at most `options.n_best`.

        Args:
            emissions: Natural-log probabilities, (frames, vocab); logits are made into such.
            options: Others than the decoder was made with, for this call.

        Raises:
            ValueError: `emissions` is not a matrix, holds NaN, or has too few columns.
        """
        ...


def make_decoder(
    alphabet: Alphabet,
    ngram: NGram | None = None,
    options: BeamOptions | None = None,
    engine: str = "auto",
) -> BeamDecoder:
    """Return a decoder with its language model loaded.

    Args:
        alphabet: What the network's outputs write.
        ngram: The language model; None to search without.
        options: How to search; None for the defaults, with the language model's own weights.
        engine: One of `ENGINES`.

    Raises:
        ValueError: There is no such engine.
        UsageError: A hotword has letters that the alphabet lacks, or the engine cannot do
            what is asked.
        MissingDependencyError: The engine is not installed, or none is.
        CheckpointError: The language model cannot be read, or belongs to another alphabet.
    """
    if options is None:
        options = BeamOptions(**({} if ngram is None else ngram.own_options()))
    labels, name = check_recipe(alphabet, ngram, options, engine)
    return _Search(alphabet, labels, _load(name, labels, ngram, options), options)


def check_recipe(
    alphabet: Alphabet, ngram: NGram | None, options: BeamOptions, engine: str
) -> tuple[Labels, str]:
    """Return the columns and the engine of a decoder that could be made, without making it.

    Raises:
        ValueError, W2VError: As `make_decoder`, but that the language model is not read.
    """
    name = choose_engine(engine, options)
    labels = fitting_labels(alphabet, ngram)
    for hotword in options.word_weights:
        labels.spell(hotword)
    return labels, name


def choose_engine(engine: str, options: BeamOptions) -> str:
    """Return the engine that a choice comes down to: itself, or for auto the fastest that can.

    Raises:
        ValueError: There is no such engine.
        UsageError: It was named and cannot do what is asked.
        MissingDependencyError: It is not installed, or none is.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine {engine!r}; choose one of {', '.join(ENGINES)}")
    one_weight = len(set(options.word_weights.values())) <= 1
    if engine == "native" and not one_weight:
        raise UsageError(
            "the engine native has one weight for all hotwords; give them the same weight, or "
            "choose the engine pyctcdecode"
        )
    able = [engine] if engine != "auto" else list(_PACKAGES) if one_weight else ["pyctcdecode"]
    for name in able:
        if find_spec(_PACKAGES[name]) is not None:
            return name
    missing = _PACKAGES[able[0]].replace("_", "-")
    raise MissingDependencyError(missing, extra="lm", purpose="A beam search")


def _load(name: str, labels: Labels, ngram: NGram | None, options: BeamOptions) -> Engine:
    if name == "native":
        from w2v_cli.decoding.native import NativeEngine

        return NativeEngine(labels, ngram, options)
    from w2v_cli.decoding.pyctc import PyctcdecodeEngine

    return PyctcdecodeEngine(labels, ngram)


class _Search:
    """A beam search: emissions made ready, an engine run, and its readings given their times."""

    def __init__(
        self, alphabet: Alphabet, labels: Labels, engine: Engine, options: BeamOptions
    ) -> None:
        self._alphabet = alphabet
        self._labels = labels
        self._engine = engine
        self._options = options

    @property
    def name(self) -> str:
        """The engine that searches."""
        return self._engine.name

    def decode(
        self, emissions: FloatArray, options: BeamOptions | None = None
    ) -> tuple[Hypothesis, ...]:
        """Return the best readings, best first; see `BeamDecoder`."""
        options = options or self._options
        columns = self._labels.columns(emissions)
        if len(columns) == 0:
            return (Hypothesis("", (), 0.0, 0.0),)
        readings = self._engine.readings(columns, options, self._spelled(options))
        if not readings:
            readings = [Reading("", (), float(columns[:, 0].sum(dtype=np.float64)), 0.0)]
        return tuple(
            timed_hypothesis(columns, reading, self._labels, self._alphabet)
            for reading in readings[: options.n_best]
        )

    def _spelled(self, options: BeamOptions) -> dict[str, float]:
        return {self._labels.spell(w): weight for w, weight in options.word_weights.items()}
