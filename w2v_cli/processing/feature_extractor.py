"""Waveforms normalised to zero mean and unit variance, and padded: what the network reads."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v_cli.processing.batch import BatchFeature
from w2v_cli.processing.options import PaddingStrategy, TensorType
from w2v_cli.processing.tensors import Array, is_tensor
from w2v_cli.processing.waveform_padding import MASK, WaveformPadding
from w2v_cli.uploads import NotUploaded

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

# Keeps the division finite where a recording is digital silence.
VARIANCE_FLOOR = 1e-7


class Wav2Vec2FeatureExtractor(WaveformPadding, NotUploaded):
    """The published feature extractor: waveforms in, `input_values` (and a mask) out.

    Checkpoints with `feat_extract_norm="group"` (wav2vec2-base) were trained without a mask and
    pad with zeros; those with `"layer"` (lv60, xls-r, mms) need `return_attention_mask=True`.
    """

    model_input_names = ["input_values", "attention_mask"]  # noqa: RUF012  # published as a list

    def __init__(
        self,
        feature_size: int = 1,
        sampling_rate: int = 16000,
        padding_value: float = 0.0,
        return_attention_mask: bool = False,
        do_normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        """Keep the settings; names that are not listed become attributes.

        Args:
            feature_size: Values for each step; 1 for waveforms.
            sampling_rate: Hz; recordings of another rate are refused.
            padding_value: What short recordings are filled up with.
            return_attention_mask: Whether a mask is returned unless the call says otherwise.
            do_normalize: Whether waveforms are brought to zero mean and unit variance.
            kwargs: ``padding_side`` (``right`` or ``left``), and anything a checkpoint keeps.
        """
        self.feature_size = feature_size
        self.sampling_rate = sampling_rate
        self.padding_value = padding_value
        self.padding_side = kwargs.pop("padding_side", "right")
        kwargs.pop("processor_class", None)  # names the class that saved it, not a setting
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.return_attention_mask = return_attention_mask
        self.do_normalize = do_normalize

    @staticmethod
    def zero_mean_unit_var_norm(
        input_values: Sequence[Array],
        attention_mask: Sequence[Array] | Array | None,
        padding_value: float = 0.0,
    ) -> list[Array]:
        """Return every waveform with zero mean and unit variance, as a list.

        Args:
            input_values: Waveforms, each (samples,).
            attention_mask: For each waveform 1 where it is real and 0 where it is padding at
                the end; mean and variance are those of the real samples. None if all are.
            padding_value: What the padding holds afterwards.
        """
        if attention_mask is None:
            return [_normalised(waveform, len(waveform)) for waveform in input_values]
        normalised = []
        lengths = np.array(attention_mask, np.int32).sum(-1)
        for waveform, length in zip(input_values, lengths, strict=False):
            scaled = _normalised(waveform, int(length))
            scaled[length:] = padding_value
            normalised.append(scaled)
        return normalised

    def __call__(
        self,
        raw_speech: Any,
        padding: bool | str | PaddingStrategy = False,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | TensorType | None = None,
        sampling_rate: int | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Return `input_values`, normalised and padded, and `attention_mask` if wanted.

        Args:
            raw_speech: One recording as (samples,), or several as a list or (batch, samples);
                lists of numbers, numpy arrays or tensors.
            padding: True or ``longest``; ``max_length``; False or ``do_not_pad``.
            max_length: Samples to cut and pad to.
            truncation: Whether to cut what is longer than `max_length`.
            pad_to_multiple_of: Lengths are rounded up to a multiple of this many samples.
            return_attention_mask: Whether to return the mask; None for the own setting.
            return_tensors: ``np`` or ``pt``; None for a list of arrays.
            sampling_rate: Hz of `raw_speech`; pass it, so that a wrong one is noticed.
            kwargs: Accepted for code that calls several extractors alike.

        Raises:
            ValueError: `sampling_rate` is not the extractor's, the recording is not mono, or
                `max_length` is missing where it is needed.
        """
        self._check_sampling_rate(sampling_rate)
        padded = self.pad(
            {"input_values": self._recordings(raw_speech)},
            padding=padding,
            max_length=max_length,
            truncation=truncation,
            pad_to_multiple_of=pad_to_multiple_of,
            return_attention_mask=return_attention_mask,
        )
        padded["input_values"] = _as_float32(padded["input_values"])
        mask = padded.get(MASK)
        if mask is not None:
            padded[MASK] = [np.asarray(row, dtype=np.int32) for row in mask]
        if self.do_normalize:
            strategy = self._get_padding_strategies(padding, max_length)
            padded["input_values"] = self.zero_mean_unit_var_norm(
                padded["input_values"],
                attention_mask=None if strategy is PaddingStrategy.DO_NOT_PAD else mask,
                padding_value=self.padding_value,
            )
        return padded.convert_to_tensors(return_tensors)

    def _check_sampling_rate(self, sampling_rate: int | None) -> None:
        if sampling_rate is None:
            logger.warning(
                "It is strongly recommended to pass sampling_rate to %s(): "
                "a recording of another rate is not noticed otherwise",
                type(self).__name__,
            )
        elif sampling_rate != self.sampling_rate:
            raise ValueError(
                f"the recording has a sampling rate of {sampling_rate} Hz and the model was "
                f"trained on {self.sampling_rate} Hz; resample it first"
            )

    def _recordings(self, raw_speech: Any) -> Any:
        """Return `raw_speech` as a batch, even if it is a single recording."""
        if isinstance(raw_speech, np.ndarray) or is_tensor(raw_speech):
            several = raw_speech.ndim > 1
        else:
            several = isinstance(raw_speech, (list, tuple)) and _has_axis(raw_speech)
        recordings = raw_speech if several else [raw_speech]
        for recording in recordings if self.feature_size == 1 else ():
            if _has_axis(recording):
                raise ValueError(
                    f"only mono recordings are read, and one has the shape "
                    f"{tuple(np.shape(recording))} instead of (samples,); pick or mix its "
                    f"channels first"
                )
        return recordings

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
        """Return the feature extractor of a checkpoint.

        Args:
            pretrained_model_name_or_path: A folder, a model id, an embedded model's name, or a
                preprocessor_config.json itself.
            cache_dir: Where downloads are kept.
            force_download: Whether to download again what the cache has.
            local_files_only: Whether to leave the network alone.
            token: For gated and private models.
            revision: Branch, tag or commit.
            kwargs: Settings that replace the checkpoint's; ``subfolder``; and
                ``return_unused_kwargs=True`` to also get those that are no settings.

        Raises:
            ModelNotFoundError: There is no such checkpoint, or it has no such file.
        """
        settings, kwargs = cls.get_feature_extractor_dict(
            pretrained_model_name_or_path,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            revision=revision,
            **kwargs,
        )
        return cls.from_dict(settings, **kwargs)

    @classmethod
    def get_feature_extractor_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a checkpoint's settings, and of `kwargs` those that do not say where it is."""
        from w2v_cli.checkpoint import processors

        return processors.feature_extractor_settings(pretrained_model_name_or_path, kwargs)

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> list[str]:
        """Return the path of the preprocessor_config.json it wrote into `save_directory`.

        Raises:
            ValueError: `push_to_hub` is asked for; nothing is uploaded from here.
        """
        from w2v_cli.checkpoint import processors

        return processors.save_feature_extractor(self, save_directory, push_to_hub=push_to_hub)

    @classmethod
    def from_dict(cls, feature_extractor_dict: Mapping[str, Any], **kwargs: Any) -> Any:
        """Return a feature extractor with these settings.

        Args:
            feature_extractor_dict: What `to_dict` returned.
            kwargs: Settings that replace those; others are ignored, or returned beside the
                extractor with ``return_unused_kwargs=True``.
        """
        with_unused = kwargs.pop("return_unused_kwargs", False)
        known = {*feature_extractor_dict, *_SETTINGS}
        replaced = {name: value for name, value in kwargs.items() if name in known}
        extractor = cls(**{**feature_extractor_dict, **replaced})
        unused = {name: value for name, value in kwargs.items() if name not in known}
        return (extractor, unused) if with_unused else extractor

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike[str]) -> Self:
        """Return the feature extractor whose settings are in a JSON file."""
        with open(json_file, encoding="utf-8") as file:
            return cls(**json.load(file))

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of every setting, and the name of the class."""
        return {**copy.deepcopy(self.__dict__), "feature_extractor_type": type(self).__name__}

    def to_json_string(self) -> str:
        """Return the settings as JSON, sorted by name and ending with a newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str]) -> None:
        """Write the settings to a JSON file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string())

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _has_axis(values: Any) -> bool:
    """Return whether the first of `values` is itself a list or array, and not a number."""
    first = values[0] if len(values) > 0 else 0.0
    return isinstance(first, (list, tuple)) or np.ndim(first) > 0


_SETTINGS = (
    "feature_size",
    "sampling_rate",
    "padding_value",
    "padding_side",
    "return_attention_mask",
    "do_normalize",
)


def _normalised(waveform: Array, length: int) -> Array:
    """Return `waveform` scaled by the mean and variance of its first `length` samples."""
    real = waveform[:length]
    if real.size == 0:  # no mean to take; a copy, since the caller fills in the padding
        return waveform.astype(np.result_type(waveform, np.float32))
    scaled: Array = (waveform - real.mean()) / np.sqrt(real.var() + VARIANCE_FLOOR)
    return scaled


def _as_float32(input_values: Any) -> Any:
    """Return waveforms as arrays, those of doubles in single precision."""
    if not isinstance(input_values[0], np.ndarray):
        return [np.asarray(waveform, dtype=np.float32) for waveform in input_values]
    if isinstance(input_values, np.ndarray):
        is_double = input_values.dtype == np.float64
        return input_values.astype(np.float32) if is_double else input_values
    if input_values[0].dtype == np.float64:
        return [waveform.astype(np.float32) for waveform in input_values]
    return input_values
