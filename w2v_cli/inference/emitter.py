"""Waveforms to emissions: a CTC model and its processor, loaded and run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.checkpoint.processors import explaining_processors
from w2v_cli.errors import CheckpointError, UsageError
from w2v_cli.inference.loading import Head, Loading
from w2v_cli.inference.network import FloatArray, Network

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.model.ctc import Wav2Vec2ForCTC
    from w2v_cli.processing.processor import Wav2Vec2Processor


CTC_HEAD = Head(
    architecture="Wav2Vec2ForCTC",
    job="transcribe",
    lacks="writes no text",
    example="mini",
    weights=("lm_head.",),
    weights_name="the CTC head (lm_head)",
    cannot="transcribe",
)


class Emitter(Network):
    """A CTC model that turns waveforms into emissions.

    Recordings run one at a time, without padding, unless `batch_emissions` is called; the
    emissions are the same either way, up to rounding.

    Attributes:
        processor: The feature extractor and the tokenizer that belong to the model.
        vocab_size: Tokens that each frame is spread over.
    """

    def __init__(self, name: str, model: Wav2Vec2ForCTC, processor: Wav2Vec2Processor) -> None:
        """Join a model and its processor.

        Raises:
            CheckpointError: The model writes other tokens than the tokenizer knows.
        """
        super().__init__(name, model, processor.feature_extractor)
        self.processor = processor
        self.vocab_size = model.lm_head.out_features
        _check_vocabulary(name, self.vocab_size, processor.tokenizer)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
        head: Head = CTC_HEAD,
    ) -> Emitter:
        """Return the emitter of a folder, an embedded model or a model id.

        Args:
            name: What to load.
            runtime: Device, precision, threads and attention; None for the defaults.
            hub: Where to look for it; None for the defaults.
            target_lang: The language whose adapter a multi-lingual model loads.
            head: What the model needs, for errors: another job's says which that is.

        Raises:
            UsageError: The machine cannot run it as asked, or it has no such language.
            ModelError: It is not there, is no CTC model, or its files do not fit each other.
        """
        from w2v_cli.model.ctc import Wav2Vec2ForCTC

        loading = Loading.prepare(name, runtime, hub)
        loading.check(head)
        check_languages(str(name), loading.config, target_lang)
        processor = load_processor(name, target_lang, loading.where)
        language = {} if target_lang is None else {"target_lang": target_lang}
        return cls(str(name), loading.model(Wav2Vec2ForCTC, head, **language), processor)

    def emissions(self, waveform: npt.ArrayLike, *, sample_rate: int) -> FloatArray:
        """Return log-probabilities of a waveform's tokens, (frames, vocab).

        Args:
            waveform: Mono samples, (samples,), full scale at 1.
            sample_rate: Its samples a second.

        Returns:
            Natural logarithms that add up to a probability of 1 in every frame. No frames for
            no samples; one frame for less than the receptive field.

        Raises:
            AudioError: The model hears another sample rate, the memory is too small, or the
                precision is.
        """
        return self.batch_emissions([waveform], sample_rate=sample_rate)[0]

    def batch_emissions(
        self, waveforms: Sequence[npt.ArrayLike], *, sample_rate: int
    ) -> list[FloatArray]:
        """Return each waveform's emissions, from one pass over all, padded to the longest.

        Args:
            waveforms: Mono samples, each (samples,), full scale at 1.
            sample_rate: Samples a second of all.

        Raises:
            AudioError: The model hears another sample rate, the memory is too small, or the
                precision is.
        """
        self.check_rate(sample_rate)
        arrays = [np.asarray(waveform, dtype=np.float32) for waveform in waveforms]
        emissions = [np.zeros((0, self.vocab_size), np.float32)] * len(arrays)
        heard = [index for index, array in enumerate(arrays) if array.size > 0]
        if heard:
            rows = [self.normalised(arrays[index]) for index in heard]
            for index, emitted in zip(heard, self.hear(rows), strict=True):
                if np.isnan(emitted).any():
                    raise self.not_a_number()
                emissions[index] = emitted
        return emissions

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return emissions, (batch, frames, vocab); see `Network.outputs`."""
        logits = self.model(input_values, attention_mask=attention_mask, return_dict=True).logits
        # Half precision is too coarse for small probabilities.
        return torch.log_softmax(logits, dim=-1, dtype=torch.float32)


def check_languages(name: str, config: Wav2Vec2Config, target_lang: str | None) -> None:
    """Refuse to choose the language of a model that has no languages to choose from.

    Raises:
        UsageError: `target_lang` for a model without language adapters.
    """
    if target_lang is not None and config.adapter_attn_dim is None:
        raise UsageError(f"--lang {target_lang}: {name} has no language adapters; leave it out")


def load_processor(
    name: str | os.PathLike[str], target_lang: str | None, where: dict[str, Any]
) -> Wav2Vec2Processor:
    """Return a checkpoint's processor, for `target_lang` if it has several languages.

    Raises:
        UsageError: The checkpoint has no such language, or has several and none was chosen.
        ModelError: It has no processor.
    """
    from w2v_cli.processing.processor import Wav2Vec2Processor

    arguments = where if target_lang is None else {**where, "target_lang": target_lang}
    with explaining_processors(name, target_lang):
        processor: Wav2Vec2Processor = Wav2Vec2Processor.from_pretrained(name, **arguments)
    return processor


def _check_vocabulary(name: str, vocab_size: int, tokenizer: Any) -> None:
    """Refuse a tokenizer that cannot name every output, or has more characters than outputs.

    Added tokens beyond the outputs are harmless: older checkpoints have <s> and </s> there.
    """
    tokens = tokenizer.convert_ids_to_tokens(list(range(vocab_size)))
    unnamed = sum(token is None or token == "" for token in tokens) or vocab_size - len(tokenizer)
    if unnamed > 0 or tokenizer.vocab_size > vocab_size:
        raise CheckpointError(
            f"{name}: the model has {vocab_size} outputs and the tokenizer {len(tokenizer)} "
            f"tokens; they do not belong together: use the vocab.json it was trained with"
        )
