"""What a model with any head shares: it hears chunks of recordings.

`Emitter` is the one that transcribes. Whoever adds a head says what is taken from the network
(`Network.outputs`), and what a checkpoint has to have (`w2v_cli.inference.loading.Head`).
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.counts import counted
from w2v_cli.errors import AudioError, OutOfMemoryError
from w2v_cli.inference.chunk_length import longest_chunk_seconds
from w2v_cli.inference.compiled import is_compiled
from w2v_cli.inference.form import is_inference_form, products_dtype, why_not
from w2v_cli.inference.memory import batch_seconds
from w2v_cli.inference.quantization import is_int8_form
from w2v_cli.model.features import edge_samples, shortest_recording_samples
from w2v_cli.processing.feature_extractor import VARIANCE_FLOOR

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.moments import Moments
    from w2v_cli.model.base import Wav2Vec2PreTrainedModel
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

FloatArray = npt.NDArray[np.float32]


class Network(ABC):
    """A model that hears chunks of recordings; a subclass says what comes of them.

    Attributes:
        name: The model that was asked for: a folder, a model id or an embedded name.
        model: The network, in evaluation mode, on its device and in its precision.
        feature_extractor: What makes input values of waveforms.
        sample_rate: Hz of the waveforms it hears.
        hop_samples: Samples from one frame to the next.
        receptive_field_samples: Samples that one frame sees, without the silence that is put
            around a recording for networks that see far; shorter waveforms are padded.
        group_norm_span: Kernel and stride of the convolution that a group norm follows; None for
            a model without one.
        edge_samples: How much silence that is, on each side.
    """

    model: Any

    def __init__(
        self,
        name: str,
        model: Wav2Vec2PreTrainedModel,
        feature_extractor: Wav2Vec2FeatureExtractor,
    ) -> None:
        self.name = name
        self.model = model.eval()
        # Padding must not be heard: a batch and a single recording give the same.
        self.model.padding_invariant = True
        self.feature_extractor = feature_extractor
        self.sample_rate: int = feature_extractor.sampling_rate
        self.hop_samples = _hop_samples(model.config)
        self.model.edge_samples = self.edge_samples = edge_samples(model.config)
        self.receptive_field_samples = shortest_recording_samples(model.config)
        self.group_norm_span: tuple[int, int] | None = None
        if model.config.feat_extract_norm == "group":
            self.group_norm_span = model.config.conv_kernel[0], model.config.conv_stride[0]

    @abstractmethod
    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what is made of every frame, float32 (batch, frames, ...), on any device.

        It runs in inference mode.

        Args:
            input_values: Normalised samples, (batch, samples).
            attention_mask: Which of them are real, (batch, samples); None for all.
        """

    def output_lengths(self, n_samples: Sequence[int]) -> list[int]:
        """Return how many rows `outputs` has for input values of such lengths."""
        lengths: list[int] = self.model._get_feat_extract_output_lengths(
            torch.tensor(n_samples)
        ).tolist()
        return lengths

    @property
    def lead_samples(self) -> int:
        """Where the samples begin that stand for the first frame: half a hop before its middle."""
        return (self.receptive_field_samples - self.hop_samples) // 2

    @property
    def longest_chunk_seconds(self) -> float:
        """How much the memory of the device has room for at once."""
        return longest_chunk_seconds(self.model, self.sample_rate)

    @property
    def batch_seconds(self) -> float:
        """How much audio should be heard at once, padding included."""
        return batch_seconds(self.model, self.sample_rate)

    @property
    def precision(self) -> str:
        """What most of the network multiplies: int8, float32, bfloat16 or float16."""
        if is_int8_form(self.model):
            return "int8"
        return str(products_dtype(self.model)).removeprefix("torch.")

    @property
    def description(self) -> str:
        """One line about what runs where."""
        attn = self.model.config._attn_implementation
        threads = ""
        if self.model.device.type == "cpu":
            threads = f", {counted(torch.get_num_threads(), 'thread')}"
        form = "in the form for inference"
        if not is_inference_form(self.model):
            form = f"as trained: {why_not(self.model) or 'it was handed over so'}"
        elif self.precision == "int8":
            form += ", in whole numbers of 8 bits"
        if is_compiled(self.model):
            form += ", compiled"
        if (report := getattr(self.model, "eight_bit", None)) is not None:
            form += f"; {report}"
        return f"{self.name} on {self.model.device}, {self.precision}, {attn}{threads}; {form}"

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Return each chunk's outputs, from one pass over all, padded to the longest.

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
            for part in self._passes([len(chunks[index].input_values) for index in alike]):
                indices = [alike[place] for place in part]
                rows = [chunks[index].input_values for index in indices]
                moments = [chunks[index].moments for index in indices]
                with self._attending(context_seconds), self._knowing(moments):
                    of_these = self._pass(rows, "choose a smaller --chunk-seconds")
                outputs.update(zip(indices, of_these, strict=True))
        return [outputs[index] for index in range(len(chunks))]

    def hear(
        self, rows: Sequence[FloatArray], advice: str = "read it in parts with --start and --end"
    ) -> list[FloatArray]:
        """Return the outputs of input values, each row at its own length.

        Args:
            rows: Input values (samples,), as `normalised` and `scaled` return them.
            advice: What to do if they are too long for the memory.

        Raises:
            OutOfMemoryError: They are.
        """
        parts = self._passes([len(row) for row in rows])
        return [found for part in parts for found in self._pass([rows[i] for i in part], advice)]

    def _passes(self, lengths: Sequence[int]) -> list[list[int]]:
        """Return which rows go through the network together, by their lengths in samples.

        On a GPU all do. On a processor a long batch is a queue: one row after the other is as
        fast, and nothing is padded.
        """
        together = list(range(len(lengths)))
        if self.model.device.type != "cpu":
            return [together]
        if max(lengths) * len(lengths) <= self.batch_seconds * self.sample_rate:
            return [together]
        return [[index] for index in together]

    def _pass(self, rows: Sequence[FloatArray], advice: str) -> list[FloatArray]:
        """Return the outputs of rows that are padded to the longest of them."""
        lengths = [len(row) for row in rows]
        longest = max(lengths)
        padded = np.zeros((len(rows), longest), np.float32)
        for place, row in zip(padded, rows, strict=True):
            place[: len(row)] = row
        input_values = self._on_device(padded)
        mask = None
        if min(lengths) < longest:
            positions = torch.arange(longest)
            mask = (positions < torch.tensor(lengths)[:, None]).to(self.model.device)
        try:
            with torch.inference_mode():
                outputs = self.outputs(input_values, mask).cpu().numpy()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            seconds = longest * len(rows) / self.sample_rate
            raise OutOfMemoryError(
                f"{seconds:.0f} s of audio do not fit into the memory of {self.model.device}; "
                f"{advice}"
            ) from error
        kept = self.output_lengths(lengths)
        return [row[:n] for row, n in zip(outputs, kept, strict=True)]

    def _on_device(self, padded: FloatArray) -> torch.Tensor:
        """Return input values where the network runs, in its precision."""
        values = torch.from_numpy(padded)
        if self.model.device.type == "cuda":
            # From pinned memory the copy goes on while this thread does what comes next.
            values = values.pin_memory().to(self.model.device, non_blocking=True)
        return values.to(self.model.device, self.model.dtype)

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
        extracted = self.feature_extractor(waveform, sampling_rate=self.sample_rate)
        values: FloatArray = extracted["input_values"][0]
        missing = self.receptive_field_samples - len(values)
        return np.pad(values, (0, missing)) if missing > 0 else values

    def scaled(self, waveform: FloatArray, mean: float, variance: float) -> FloatArray:
        """Return input values (samples,) of a part of a recording, given the statistics of more.

        They are what the feature extractor makes of the part if mean and variance are its own.
        """
        if not self.feature_extractor.do_normalize:
            return waveform
        return (waveform - np.float32(mean)) / np.float32(math.sqrt(variance + VARIANCE_FLOOR))

    def not_a_number(self) -> AudioError:
        """Return the error to raise for outputs that are not numbers."""
        is_exact = self.precision in ("float32", "int8")
        advice = "its weights or the recording are broken" if is_exact else "use --dtype float32"
        return AudioError(f"{self.name} gave what is not a number; {advice}")

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
        layer: Any = self.model.base_model.feature_extractor.conv_layers[0]
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


def _hop_samples(config: Wav2Vec2Config) -> int:
    hop = math.prod(config.conv_stride)
    if config.add_adapter:
        hop *= config.adapter_stride**config.num_adapter_layers
    return hop


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a device ran out of memory; torch says so of the CPU only in words."""
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)
