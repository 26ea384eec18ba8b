"""Waveforms to emissions: a CTC model and its processor, loaded and run."""

from __future__ import annotations

import contextlib
import math
import os
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import pin
from w2v_cli.errors import (
    AudioError,
    CheckpointError,
    ModelError,
    OutOfMemoryError,
    UsageError,
)
from w2v_cli.inference.chunk_length import longest_chunk_seconds
from w2v_cli.inference.runtime import (
    Runtime,
    check_attention,
    choose_device,
    choose_dtype,
    return_large_arrays,
    set_threads,
)
from w2v_cli.processing.feature_extractor import VARIANCE_FLOOR

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.moments import Moments
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.model.ctc import Wav2Vec2ForCTC
    from w2v_cli.processing.processor import Wav2Vec2Processor

FloatArray = npt.NDArray[np.float32]

LONGEST_REASON = 200  # characters

CTC_ARCHITECTURE = "Wav2Vec2ForCTC"

# What a model with another head does instead, to tell whoever asks it to transcribe.
OTHER_ARCHITECTURES = {
    "Wav2Vec2ForSequenceClassification": "labels whole recordings",
    "Wav2Vec2ForAudioFrameClassification": "tells who speaks when",
    "Wav2Vec2ForXVector": "turns voices into vectors",
    "Wav2Vec2ForPreTraining": "was pretrained and not yet fine-tuned to any task",
    "Wav2Vec2Model": "has no head and is not fine-tuned to any task",
}


class Emitter:
    """A CTC model that turns waveforms into emissions.

    Recordings run one at a time, without padding, unless `batch_emissions` is called; the
    emissions are the same either way, up to rounding.

    Attributes:
        name: The model that was asked for: a folder, a model id or an embedded name.
        model: The network, in evaluation mode, on its device and in its precision.
        processor: The feature extractor and the tokenizer that belong to it.
        sample_rate: Hz of the waveforms it hears.
        hop_samples: Samples from one frame to the next.
        receptive_field_samples: Samples that one frame sees; shorter waveforms are padded.
        group_norm_span: Kernel and stride of the convolution that a group norm follows; None for
            a model without one.
        vocab_size: Tokens that each frame is spread over.
    """

    def __init__(self, name: str, model: Wav2Vec2ForCTC, processor: Wav2Vec2Processor) -> None:
        """Join a model and its processor.

        Raises:
            CheckpointError: The model writes other tokens than the tokenizer knows.
        """
        self.name = name
        self.model = model.eval()
        # Padding must not be heard: a batch and a single recording give the same text.
        self.model.padding_invariant = True
        self.processor = processor
        self.sample_rate: int = processor.feature_extractor.sampling_rate
        self.hop_samples = _hop_samples(model.config)
        self.receptive_field_samples = _receptive_field_samples(model.config)
        self.group_norm_span: tuple[int, int] | None = None
        if model.config.feat_extract_norm == "group":
            self.group_norm_span = model.config.conv_kernel[0], model.config.conv_stride[0]
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
    ) -> Emitter:
        """Return the emitter of a folder, an embedded model or a model id.

        Args:
            name: What to load.
            runtime: Device, precision, threads and attention; None for the defaults.
            hub: Where to look for it; None for the defaults.
            target_lang: The language whose adapter a multi-lingual model loads.

        Raises:
            UsageError: The machine cannot run it as asked, or it has no such language.
            ModelError: It is not there, is no CTC model, or its files do not fit each other.
        """
        from w2v_cli.model.config import Wav2Vec2Config
        from w2v_cli.model.ctc import Wav2Vec2ForCTC

        runtime = runtime or Runtime()
        device = choose_device(runtime.device)
        dtype = choose_dtype(runtime.dtype, device)
        check_attention(runtime.attn, device, dtype)
        set_threads(runtime.threads)
        return_large_arrays()

        where = pin(name, hub).arguments()  # config, tokenizer and weights of one commit
        config = Wav2Vec2Config.from_pretrained(name, **where)
        check_is_ctc(str(name), config, target_lang)
        processor = load_processor(name, target_lang, where)
        model, info = Wav2Vec2ForCTC.from_pretrained(
            name,
            dtype=dtype,
            device=device,
            attn_implementation=runtime.attn,
            output_loading_info=True,
            strict=True,
            **({} if target_lang is None else {"target_lang": target_lang}),
            **where,
        )
        if any(key.startswith("lm_head.") for key in info["missing_keys"]):
            raise CheckpointError(
                f"{name}: the checkpoint has no weights for the CTC head (lm_head), so it cannot "
                f"transcribe; fine-tune it first, or use --model mini"
            )
        return cls(str(name), model, processor)

    @property
    def longest_chunk_seconds(self) -> float:
        """How much the memory of the device has room for at once."""
        return longest_chunk_seconds(self.model, self.sample_rate)

    @property
    def description(self) -> str:
        """One line about what runs where."""
        dtype = str(self.model.dtype).removeprefix("torch.")
        attn = self.model.config._attn_implementation
        threads = f", {torch.get_num_threads()} threads" if self.model.device.type == "cpu" else ""
        return f"{self.name} on {self.model.device}, {dtype}, {attn}{threads}"

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
            for index, emitted in zip(heard, self._run(rows), strict=True):
                if np.isnan(emitted).any():
                    raise self.not_a_number()
                emissions[index] = emitted
        return emissions

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Return each chunk's emissions, from one pass over all, padded to the longest.

        They are not looked at: one recording that gives what is not a number (`not_a_number`)
        is no reason to lose its neighbours.

        Raises:
            OutOfMemoryError: The memory is too small for so many, or for one so long.
        """
        kinds: dict[tuple[float | None, bool], list[int]] = {}
        for index, chunk in enumerate(chunks):
            kinds.setdefault((chunk.context_seconds, chunk.moments is None), []).append(index)
        outputs: dict[int, FloatArray] = {}
        for (context_seconds, _), alike in kinds.items():
            rows = [chunks[index].input_values for index in alike]
            moments = [chunks[index].moments for index in alike]
            with self._attending(context_seconds), self._knowing(moments):
                emissions = self._run(rows, "choose a smaller --chunk-seconds")
            outputs.update(zip(alike, emissions, strict=True))
        return [outputs[index] for index in range(len(chunks))]

    @contextlib.contextmanager
    def _attending(self, context_seconds: float | None) -> Iterator[None]:
        """Have frames attend to so much before and after themselves inside the `with` block."""
        if context_seconds is None:
            yield
            return
        frames_per_second = self.sample_rate / math.prod(self.model.config.conv_stride)
        self.model.attention_window = max(round(context_seconds * frames_per_second), 1)
        try:
            yield
        finally:
            self.model.attention_window = None

    @contextlib.contextmanager
    def _knowing(self, moments: Sequence[Moments | None]) -> Iterator[None]:
        """Have a group norm take what is known of whole recordings inside the `with` block."""
        layer: Any = self.model.wav2vec2.feature_extractor.conv_layers[0]
        known = [row for row in moments if row is not None]
        if not known:
            yield
            return
        weight = layer.conv.weight.detach().float().cpu().numpy()[:, 0]  # (channels, kernel)
        bias = None if layer.conv.bias is None else layer.conv.bias.detach().float().cpu().numpy()
        statistics = np.array([row.mean_and_variance(weight, bias) for row in known])
        means, variances = torch.from_numpy(statistics).float().to(self.model.device).unbind(1)
        layer.statistics = means, variances
        try:
            yield
        finally:
            layer.statistics = None

    def check_rate(self, sample_rate: int) -> None:
        """Refuse waveforms of another rate than the model hears.

        Raises:
            AudioError: They have one.
        """
        if sample_rate != self.sample_rate:
            raise AudioError(
                f"{self.name} hears {self.sample_rate} Hz and was given {sample_rate} Hz; "
                f"resample the recording to {self.sample_rate} Hz"
            )

    def normalised(self, waveform: FloatArray) -> FloatArray:
        """Return input values (samples,), with zeros up to the receptive field if need be."""
        extracted = self.processor.feature_extractor(waveform, sampling_rate=self.sample_rate)
        values: FloatArray = extracted["input_values"][0]
        missing = self.receptive_field_samples - len(values)
        return np.pad(values, (0, missing)) if missing > 0 else values

    def scaled(self, waveform: FloatArray, mean: float, variance: float) -> FloatArray:
        """Return input values (samples,) of a part of a recording, given the statistics of more.

        They are what the feature extractor makes of the part if mean and variance are its own.
        """
        extractor = self.processor.feature_extractor
        if not extractor.do_normalize:
            return waveform
        return (waveform - np.float32(mean)) / np.float32(math.sqrt(variance + VARIANCE_FLOOR))

    def not_a_number(self) -> AudioError:
        """Return the error to raise for emissions that are not numbers."""
        is_exact = self.model.dtype == torch.float32
        advice = "its weights or the recording are broken" if is_exact else "use --dtype float32"
        return AudioError(f"{self.name} gave what is not a number; {advice}")

    def _run(
        self, rows: Sequence[FloatArray], advice: str = "read it in parts with --start and --end"
    ) -> list[FloatArray]:
        """Return the emissions of input values, each row at its own length."""
        lengths = [len(row) for row in rows]
        longest = max(lengths)
        padded = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
        input_values = torch.from_numpy(padded).to(self.model.device, self.model.dtype)
        mask = None
        if min(lengths) < longest:
            positions = torch.arange(longest)
            mask = (positions < torch.tensor(lengths)[:, None]).to(self.model.device)
        try:
            with torch.inference_mode():
                logits = self.model(input_values, attention_mask=mask, return_dict=True).logits
                # (batch, frames, vocab); half precision is too coarse for small probabilities
                emissions = torch.log_softmax(logits, dim=-1, dtype=torch.float32).cpu().numpy()
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            seconds = longest * len(rows) / self.sample_rate
            raise OutOfMemoryError(
                f"{seconds:.0f} s of audio do not fit into the memory of {self.model.device}; "
                f"{advice}"
            ) from error
        n_frames = self.model._get_feat_extract_output_lengths(torch.tensor(lengths)).tolist()
        return [row[:n] for row, n in zip(emissions, n_frames, strict=True)]


def check_is_ctc(name: str, config: Wav2Vec2Config, target_lang: str | None) -> None:
    """Refuse a model that writes no text, or has no languages to choose from.

    Raises:
        ModelError: The configuration names another architecture, or no vocabulary.
        UsageError: `target_lang` for a model without language adapters.
    """
    architectures = config.architectures or []
    if architectures and CTC_ARCHITECTURE not in architectures:
        other = architectures[0]
        does = OTHER_ARCHITECTURES.get(other, "does something else")
        raise ModelError(
            f"{name}: this model ({other}) {does} and writes no text; transcribe needs a "
            f"{CTC_ARCHITECTURE} model, for instance --model mini"
        )
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
    try:
        processor: Wav2Vec2Processor = Wav2Vec2Processor.from_pretrained(name, **arguments)
    except ValueError as error:
        option = "--lang" if target_lang is None else f"--lang {target_lang}"
        said = textwrap.shorten(str(error), LONGEST_REASON)  # MMS has over 1000 languages to list
        raise UsageError(f"{option}: {name}: {said}") from error
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


def _hop_samples(config: Wav2Vec2Config) -> int:
    hop = math.prod(config.conv_stride)
    if config.add_adapter:
        hop *= config.adapter_stride**config.num_adapter_layers
    return hop


def _receptive_field_samples(config: Wav2Vec2Config) -> int:
    """Return how many samples the convolutions need for one frame."""
    samples = 1
    for kernel, stride in zip(
        reversed(config.conv_kernel), reversed(config.conv_stride), strict=True
    ):
        samples = (samples - 1) * stride + kernel
    return samples


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether a device ran out of memory; the CPU says so only in words."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "allocate memory" in str(error)
