"""The engine that is ctc-beam-decoder: pyctcdecode's search in C++, with KenLM inside."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.kenlm_files import refusal
from w2v_cli.decoding.labels import Labels
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.errors import MissingDependencyError
from w2v_cli.stderr import silent_stderr

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram


class NativeEngine:
    """ctc-beam-decoder. All hotwords have one weight here."""

    name = "native"

    def __init__(self, labels: Labels, ngram: NGram | None, options: BeamOptions) -> None:
        """Load the language model.

        Raises:
            MissingDependencyError: ctc-beam-decoder is not installed.
            CheckpointError: KenLM cannot read the file.
        """
        self._labels = labels
        self._ngram = ngram
        self._weights = _weights(options)
        self._decoder = self._load(options)

    def readings(
        self, columns: npt.NDArray[np.float32], options: BeamOptions, word_weights: dict[str, float]
    ) -> list[Reading]:
        """Return what the emissions may say, best first; see `Engine`.

        Raises:
            ValueError: The hotwords have different weights.
        """
        if len(set(word_weights.values())) > 1:
            raise ValueError("ctc-beam-decoder has one weight for all hotwords")
        if self._ngram is not None and _weights(options) != self._weights:
            # They are fixed where the language model is loaded; a binary one is so in no time.
            self._decoder = self._load(options)
            self._weights = _weights(options)
        beams = self._decoder.decode_beams(
            columns,
            beam_width=options.beam_width,
            beam_prune_logp=options.beam_prune_logp,
            token_min_logp=options.token_min_logp,
            prune_history=options.prune_history,
            hotwords=list(word_weights),
            hotword_weight=next(iter(word_weights.values()), options.hotword_weight),
        )
        return [
            Reading(text, tuple(frames for _, frames in words), logit, score)
            for text, _, words, logit, score in beams
        ]

    def _load(self, options: BeamOptions) -> Any:
        package = import_native()
        if self._ngram is None:
            return package.BeamSearchDecoder(list(self._labels.texts))
        path = self._ngram.path
        # None says that words are not known, [] that there are none: then all are unknown.
        words = list(self._ngram.unigrams or ()) or None
        try:
            with silent_stderr(), _model_file(path, with_words=words is not None) as file:
                return package.BeamSearchDecoder(
                    list(self._labels.texts),
                    kenlm_model_path=str(file),
                    unigrams=words,
                    alpha=options.alpha,
                    beta=options.beta,
                    unk_score_offset=options.unk_score_offset,
                    score_boundary=options.lm_score_boundary,
                )
        except (ValueError, OSError) as error:
            raise refusal(path, error) from error


def import_native() -> Any:
    """Return the package ctc_beam_decoder.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import ctc_beam_decoder
    except ImportError as error:
        raise MissingDependencyError(
            "ctc-beam-decoder", extra="lm", purpose="The engine native"
        ) from error
    return ctc_beam_decoder


def _weights(options: BeamOptions) -> tuple[float, float, float, bool]:
    return options.alpha, options.beta, options.unk_score_offset, options.lm_score_boundary


@contextlib.contextmanager
def _model_file(path: Path, *, with_words: bool) -> Iterator[Path]:
    """Give a path to a language model whose words are not read from it unless they are known.

    ctc-beam-decoder reads the words of what is called .arpa, and KenLM goes by what is inside.
    """
    if with_words or path.suffix != ".arpa":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        other_name = Path(folder) / "model.lm"
        try:
            other_name.symlink_to(path.absolute())
        except OSError:  # links are not for everyone on Windows
            shutil.copyfile(path, other_name)
        yield other_name
