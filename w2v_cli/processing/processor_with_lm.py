"""Feature extractor, tokenizer and a beam search with a language model as one object."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.options import BeamOptions, Hotword
from w2v_cli.errors import CheckpointError
from w2v_cli.processing.decoder_output import Wav2Vec2DecoderWithLMOutput
from w2v_cli.processing.processor import Wav2Vec2Processor, with_labels

if TYPE_CHECKING:
    from w2v_cli.decoding.pool import WorkerPool
    from w2v_cli.decoding.published import Beam

# What pyctcdecode writes for special tokens, whatever kind of brackets they have.
_BLANK = re.compile(r"^[<\[]pad[>\]]$", flags=re.IGNORECASE)
_UNKNOWN = re.compile(r"^[<\[]unk[>\]]$", flags=re.IGNORECASE)
_WRITTEN_UNKNOWN = "⁇"

# A batch is padded with rows of this, which are no frames.
_PADDING = -100.0

_LM_ATTRIBUTES = ("alpha", "beta", "unk_score_offset", "score_boundary")


class AlphabetMismatchError(CheckpointError, ValueError):
    """A tokenizer writes what its decoder's alphabet does not have."""


class Wav2Vec2ProcessorWithLM(Wav2Vec2Processor):
    """The published processor whose `decode` takes logits and asks a language model.

    Options of one call do not last into the next.
    """

    decoder: Any

    def __init__(self, feature_extractor: Any, tokenizer: Any, decoder: Any) -> None:
        """Join the three.

        Args:
            feature_extractor: A Wav2Vec2FeatureExtractor.
            tokenizer: A Wav2Vec2CTCTokenizer.
            decoder: A `pyctcdecode.BeamSearchDecoderCTC`.

        Raises:
            TypeError: One of them is something else.
            AlphabetMismatchError: The tokenizer has tokens that the decoder lacks.
        """
        super().__init__(feature_extractor, tokenizer)
        if not hasattr(decoder, "_decode_logits"):
            raise TypeError(
                f"`decoder` has to be of type BeamSearchDecoderCTC, but is {type(decoder)}"
            )
        missing = self.get_missing_alphabet_tokens(decoder, tokenizer)
        if missing:
            raise AlphabetMismatchError(
                f"The tokens {missing} are defined in the tokenizer's vocabulary, but not in the "
                f"decoder's alphabet. Make sure to include {missing} in the decoder's alphabet."
            )
        self.decoder = decoder
        self._workers: tuple[int, bytes, WorkerPool] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the network's inputs of waveforms, the ids of text, or inputs with ``labels``.

        Other than in `Wav2Vec2Processor`, arguments are not sorted for the two: all but
        ``sampling_rate``, which is the feature extractor's, go to both.

        Args:
            args: ``audio``, if not given by name, and the feature extractor's own.
            kwargs: ``audio``, ``text``, ``sampling_rate`` and arguments of both.

        Raises:
            ValueError: There is neither audio nor text.
        """
        audio, text = kwargs.pop("audio", None), kwargs.pop("text", None)
        sampling_rate = kwargs.pop("sampling_rate", None)
        if args:
            audio, *args = args  # type: ignore[assignment]  # the rest goes on as a list
        if audio is None and text is None:
            raise ValueError("You need to specify either an `audio` or `text` input to process.")
        inputs = encodings = None
        if audio is not None:
            inputs = self.feature_extractor(audio, *args, sampling_rate=sampling_rate, **kwargs)
        if text is not None:
            encodings = self.tokenizer(text, **kwargs)
        return with_labels(inputs, encodings)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str = "main",
        **kwargs: Any,
    ) -> Any:
        """Return the processor of a checkpoint with alphabet.json and language_model/.

        Args:
            pretrained_model_name_or_path: A folder or a model id.
            cache_dir: Where downloads are kept.
            force_download: Whether to download again what the cache has.
            local_files_only: Whether to leave the network alone.
            token: For gated and private models.
            revision: Branch, tag or commit.
            kwargs: ``alpha``, ``beta``, ``unk_score_offset`` and ``score_boundary`` instead of
                the language model's own; ``decoder`` instead of the checkpoint's;
                ``unigram_encoding``; and those of `Wav2Vec2Processor.from_pretrained`.

        Raises:
            ModelNotFoundError: There is no such checkpoint, or it has no alphabet.json.
            AlphabetMismatchError: The tokenizer has tokens that the decoder lacks.
            MissingDependencyError: pyctcdecode or kenlm is not installed.
        """
        from w2v_cli.checkpoint import decoder_files
        from w2v_cli.checkpoint.options import HubOptions

        name = pretrained_model_name_or_path
        where: dict[str, Any] = {
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
            "token": token,
            "revision": revision,
        }
        encoding = kwargs.pop("unigram_encoding", "utf-8")
        attributes = {key: kwargs.pop(key, None) for key in _LM_ATTRIBUTES}
        with_unused = kwargs.pop("return_unused_kwargs", False)
        decoder = kwargs.pop("decoder", None)
        if decoder is None:
            options = HubOptions.take_from(dict(kwargs, **where))
            decoder = decoder_files.load_decoder(name, options, encoding=encoding)
        for key, value in attributes.items():
            if value is not None and decoder._language_model is not None:
                setattr(decoder._language_model, key, value)
        halves, unused = Wav2Vec2Processor.from_pretrained(
            name, **where, **kwargs, return_unused_kwargs=True
        )
        processor = cls(halves.feature_extractor, halves.tokenizer, decoder)
        return (processor, unused) if with_unused else processor

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> list[str]:
        """Return the paths of processor_config.json and of the decoder's files that it wrote.

        Args:
            save_directory: A folder; it is made if it is missing.
            push_to_hub: The published argument; nothing is uploaded from here.
            kwargs: Accepted for code that saves several classes alike.

        Raises:
            ValueError: `push_to_hub` is True.
        """
        from w2v_cli.checkpoint import decoder_files

        return decoder_files.save_processor_with_lm(self, save_directory, push_to_hub=push_to_hub)

    @property
    def model_input_names(self) -> list[str]:
        """What the feature extractor and the tokenizer return, one after the other."""
        return [*self.feature_extractor.model_input_names, *self.tokenizer.model_input_names]

    @property
    def language_model(self) -> Any:
        """pyctcdecode's language model; None without one."""
        return self.decoder._language_model

    @staticmethod
    def get_missing_alphabet_tokens(decoder: Any, tokenizer: Any) -> set[str]:
        """Return the tokens, as pyctcdecode writes them, that a decoder's alphabet lacks."""
        delimiter = tokenizer.word_delimiter_token

        def written(token: str) -> str:
            if _UNKNOWN.match(token):
                return _WRITTEN_UNKNOWN
            if token == delimiter:
                return " "
            return "" if _BLANK.match(token) else token

        return {written(token) for token in tokenizer.get_vocab()} - set(decoder._alphabet.labels)

    def decode(
        self,
        logits: npt.ArrayLike,
        beam_width: int | None = None,
        beam_prune_logp: float | None = None,
        token_min_logp: float | None = None,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
        output_word_offsets: bool = False,
        n_best: int = 1,
    ) -> Wav2Vec2DecoderWithLMOutput:
        """Return the text of one recording's logits, with its scores.

        Args:
            logits: (frames, vocab), of any scale, or probabilities.
            beam_width: This and the following as in `BeamOptions`; None for its default, and
                for the weights of the language model for its own.
            beam_prune_logp: See above.
            token_min_logp: See above.
            hotwords: Words or phrases to listen for.
            hotword_weight: See above.
            alpha: See above.
            beta: See above.
            unk_score_offset: See above.
            lm_score_boundary: See above.
            output_word_offsets: Whether to tell the frames of words.
            n_best: How many readings; more than 1 makes each field a list.

        Raises:
            ValueError: The logits don't have the decoder's shape, or an option is out of range.
        """
        from w2v_cli.decoding.published import decode_beams

        options = self._options(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            hotwords=hotwords,
            hotword_weight=hotword_weight,
            alpha=alpha,
            beta=beta,
            unk_score_offset=unk_score_offset,
            lm_score_boundary=lm_score_boundary,
        )
        beams = decode_beams(self.decoder, logits, options)
        return _output([beams], n_best, output_word_offsets, is_batch=False)

    def batch_decode(
        self,
        logits: Any,
        pool: Any = None,
        num_processes: int | None = None,
        beam_width: int | None = None,
        beam_prune_logp: float | None = None,
        token_min_logp: float | None = None,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
        output_word_offsets: bool = False,
        n_best: int = 1,
    ) -> Wav2Vec2DecoderWithLMOutput:
        """Return the texts of several recordings' logits, with their scores.

        Args:
            logits: (batch, frames, vocab), frames of -100 being padding, or a list of matrices.
            pool: Decodes there: a multiprocessing pool of any start method, started before or
                after this processor, or whatever else has a `map`.
            num_processes: Without `pool`, decodes in so many processes, which are kept for
                the next call. None and 1 decode here.
            beam_width: This and the others as in `decode`.
            beam_prune_logp: See above.
            token_min_logp: See above.
            hotwords: See above.
            hotword_weight: See above.
            alpha: See above.
            beta: See above.
            unk_score_offset: See above.
            lm_score_boundary: See above.
            output_word_offsets: See above.
            n_best: See above.

        Raises:
            ValueError: The logits don't have the decoder's shape, or an option is out of range.
        """
        options = self._options(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            hotwords=hotwords,
            hotword_weight=hotword_weight,
            alpha=alpha,
            beta=beta,
            unk_score_offset=unk_score_offset,
            lm_score_boundary=lm_score_boundary,
        )
        matrices = [np.asarray(matrix) for matrix in logits]
        batch = [matrix[(matrix != _PADDING).all(axis=-1)] for matrix in matrices]
        beams = self._beams(batch, options, pool, num_processes or 1)
        return _output(beams, n_best, output_word_offsets, is_batch=True)

    def _options(self, hotwords: Iterable[str] | None, **given: Any) -> BeamOptions:
        """Return the options of a call: those given, else the language model's, else defaults."""
        from w2v_cli.decoding.published import own_options

        chosen = {name: value for name, value in given.items() if value is not None}
        words = tuple(Hotword(word) for word in hotwords or () if word.strip())
        return replace(BeamOptions(hotwords=words), **own_options(self.decoder) | chosen)

    def _beams(
        self, batch: list[Any], options: BeamOptions, pool: Any, n_processes: int
    ) -> list[list[Beam]]:
        from w2v_cli.decoding.published import decode_beams, decode_in_pool

        if pool is not None:
            return decode_in_pool(pool, self.decoder, batch, options)
        workers = self._kept_workers(n_processes) if n_processes > 1 else None
        if workers is None:
            return [decode_beams(self.decoder, matrix, options) for matrix in batch]
        return workers.submit(batch, options).result()

    def _kept_workers(self, n_processes: int) -> WorkerPool | None:
        """Return the processes of the last call if they still fit, else new ones."""
        from w2v_cli.decoding.pool import WorkerPool
        from w2v_cli.decoding.published import PublishedRecipe

        key = self.decoder._model_key
        if self._workers is not None and self._workers[:2] == (n_processes, key):
            return self._workers[2]
        self.close()
        recipe = PublishedRecipe.of(self.decoder)
        if recipe is None:
            return None
        pool = WorkerPool(recipe, n_processes)
        weakref.finalize(self, pool.close)
        self._workers = n_processes, key, pool
        return pool

    def close(self) -> None:
        """End the processes that `batch_decode` has kept; they end with the program too."""
        if self._workers is not None:
            self._workers[2].close()
            self._workers = None


def _output(
    batch: list[list[Beam]], n_best: int, with_offsets: bool, *, is_batch: bool
) -> Wav2Vec2DecoderWithLMOutput:
    """Return the readings field by field, as the published classes lay them out."""

    def field(of: Any) -> Any:
        rows = [[of(beam) for beam in beams[:n_best]] for beams in batch]
        values = [row[0] for row in rows] if n_best == 1 else rows
        return values if is_batch else values[0]

    return Wav2Vec2DecoderWithLMOutput(
        text=field(lambda beam: beam.text),
        logit_score=field(lambda beam: beam.logit_score),
        lm_score=field(lambda beam: beam.lm_score),
        word_offsets=field(_offsets) if with_offsets else None,
    )


def _offsets(beam: Beam) -> list[dict[str, Any]]:
    return [
        {"word": word, "start_offset": start, "end_offset": end}
        for word, (start, end) in beam.words
    ]
