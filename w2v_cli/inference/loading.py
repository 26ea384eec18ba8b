"""From the name of a model to its network, and what a job needs of it: a head."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from w2v_cli.checkpoint.architectures import explaining_networks
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.quantized import has_whole_numbers
from w2v_cli.checkpoint.resolve import pin
from w2v_cli.errors import CheckpointError, ModelError, UsageError
from w2v_cli.inference.form import FloatProducts, has_form, inference_form, why_not
from w2v_cli.inference.quantization import int8_form
from w2v_cli.inference.quantized_folder import load_quantized
from w2v_cli.inference.runtime import (
    Runtime,
    check_attention,
    choose_device,
    choose_dtype,
    keep_large_arrays,
    keep_memory_together,
    return_large_arrays,
    set_threads,
)

if TYPE_CHECKING:
    from w2v_cli.model.base import Wav2Vec2PreTrainedModel
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

AnyModel = TypeVar("AnyModel", bound="Wav2Vec2PreTrainedModel")

# What a model of each published class does, to tell whoever asks it to do something else.
DOES: Mapping[str, str] = MappingProxyType(
    {
        "Wav2Vec2ForCTC": "writes down what is said",
        "Wav2Vec2ForSequenceClassification": "labels whole recordings",
        "Wav2Vec2ForAudioFrameClassification": "tells who speaks when",
        "Wav2Vec2ForXVector": "turns voices into vectors",
        "Wav2Vec2ForPreTraining": "was pretrained and not yet fine-tuned to any task",
        "Wav2Vec2Model": "has no head and is not fine-tuned to any task",
    }
)


@dataclass(frozen=True)
class Head:
    """What a job needs of a checkpoint.

    Attributes:
        architecture: The published class, as configurations name it.
        job: The command that it is for, such as ``transcribe``.
        lacks: What another model does not do, such as ``writes no text``.
        example: A model that has it.
        weights: What the names of the head's weights begin with, each.
        weights_name: What to call these weights.
        cannot: What a model without these weights cannot do.
    """

    architecture: str
    job: str
    lacks: str
    example: str
    weights: tuple[str, ...]
    weights_name: str
    cannot: str

    def check(self, name: str, config: Wav2Vec2Config) -> None:
        """Refuse a model that does something else.

        Raises:
            ModelError: The configuration names another architecture.
        """
        architectures = config.architectures or []
        if not architectures or self.architecture in architectures:
            return
        does = DOES.get(architectures[0], "does something else")
        raise ModelError(
            f"{name}: this model ({architectures[0]}) {does} and {self.lacks}; {self.job} needs a "
            f"{self.architecture} model, for instance --model {self.example}"
        )

    def check_weights(self, name: str, missing_keys: Sequence[str]) -> None:
        """Refuse a checkpoint without the head.

        Raises:
            CheckpointError: It has no weights for it.
        """
        if any(key.startswith(self.weights) for key in missing_keys):
            raise CheckpointError(
                f"{name}: the checkpoint has no weights for {self.weights_name}, so it cannot "
                f"{self.cannot}; fine-tune it first, or use --model {self.example}"
            )


@dataclass(frozen=True)
class Loading:
    """How a checkpoint is loaded: where from, and where to.

    Attributes:
        name: A folder, an embedded model or a model id.
        where: Arguments for `from_pretrained`, so that all its files are of one commit.
        config: Its configuration.
        device: Where the network is to run.
        dtype: In which precision.
        attn: How attention is calculated.
        whole_numbers: Whether to calculate in whole numbers of 8 bits.
        load_in_8bit: Whether to keep linear layers in 8 bits by bitsandbytes.
        compiled: Whether to compile parts of it.
    """

    name: str | os.PathLike[str]
    where: dict[str, Any]
    config: Wav2Vec2Config
    device: torch.device
    dtype: torch.dtype
    attn: str
    whole_numbers: bool = False
    load_in_8bit: bool = False
    compiled: bool = False

    @classmethod
    def prepare(
        cls, name: str | os.PathLike[str], runtime: Runtime | None, hub: HubOptions | None
    ) -> Loading:
        """Return how to load a model, and set this process up to run it.

        Raises:
            UsageError: The machine cannot run it as asked.
            ModelError: It is not there.
        """
        from w2v_cli.model.config import Wav2Vec2Config

        where = pin(name, hub).arguments()
        config: Wav2Vec2Config = Wav2Vec2Config.from_pretrained(name, **where)
        runtime = _as_weights_need(name, runtime or Runtime(), config)
        device = choose_device(runtime.device)
        dtype = choose_dtype(runtime.dtype, device)
        check_attention(runtime.attn, device, dtype)
        whole_numbers = runtime.quantize is not None
        if runtime.compiled:
            from w2v_cli.inference.compiled import check_compilable

            check_compilable(device, dtype, whole_numbers=whole_numbers)
        set_threads(runtime.threads)
        keep_memory_together()
        return cls(
            name,
            where,
            config,
            device,
            dtype,
            runtime.attn,
            whole_numbers=whole_numbers,
            load_in_8bit=runtime.load_in_8bit,
            compiled=runtime.compiled,
        )

    def check(self, head: Head) -> None:
        """Refuse a model that does something else than this head; errors are `Head.check`'s."""
        head.check(str(self.name), self.config)

    def feature_extractor(self) -> Wav2Vec2FeatureExtractor:
        """Return what makes input values of waveforms.

        Raises:
            ModelError: The checkpoint has none.
        """
        from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

        extractor: Wav2Vec2FeatureExtractor = Wav2Vec2FeatureExtractor.from_pretrained(
            self.name, **self.where
        )
        return extractor

    def model(self, model_class: type[AnyModel], head: Head | None, **options: Any) -> AnyModel:
        """Return the network with its weights, in its form for inference where it has one.

        Args:
            model_class: The published class.
            head: What must not be missing; None where the class has no head.
            options: More arguments for its `from_pretrained`.

        Raises:
            ModelError: The files are not there, or do not fit the class.
            UsageError: It can't be run as asked.
        """
        with explaining_networks(self.name, self.config, model_class):
            model = self._loaded(model_class, head, options)
        if self.compiled:
            from w2v_cli.inference.compiled import compile_network

            compile_network(model)
        return model

    def _loaded(
        self, model_class: type[AnyModel], head: Head | None, options: dict[str, Any]
    ) -> AnyModel:
        """Return the network, as `model` does, without having it compiled."""
        return_large_arrays()  # those that loading makes on its way
        if has_whole_numbers(self.name, self.config):
            language = options.get("target_lang")
            loaded = load_quantized(
                model_class,
                self.name,
                self.config,
                self.where,
                attn=self.attn,
                target_lang=language,
            )
            return _formed(loaded, self.dtype, whole_numbers=True)
        model: AnyModel
        is_formed = has_form(self.device, self.dtype) and not self.load_in_8bit
        model, info = model_class.from_pretrained(
            self.name,
            dtype=torch.float32 if is_formed else self.dtype,
            device=self.device,
            attn_implementation=self.attn,
            load_in_8bit=self.load_in_8bit,
            output_loading_info=True,
            **{"strict": True, **options},
            **self.where,
        )
        if head is not None:
            head.check_weights(str(self.name), info["missing_keys"])
        if is_formed:
            return _formed(model, self.dtype, whole_numbers=self.whole_numbers)
        if self.whole_numbers:
            raise UsageError(f"--quantize int8: not here, because {why_not(model)}; leave it out")
        return model


def _formed(model: AnyModel, dtype: torch.dtype, *, whole_numbers: bool) -> AnyModel:
    """Return a loaded model in its form for inference, with products of such numbers."""
    formed = int8_form(model) if whole_numbers else inference_form(model, FloatProducts(dtype))
    keep_large_arrays()
    return formed


def _as_weights_need(
    name: str | os.PathLike[str], runtime: Runtime, config: Wav2Vec2Config
) -> Runtime:
    """Return how to run a model: one of whole numbers runs on the CPU.

    Raises:
        UsageError: It was to run elsewhere, or in another precision.
    """
    if runtime.quantize is None:
        if not has_whole_numbers(name, config):
            return runtime
        runtime.check_whole_numbers(f"{name} is a model by w2v quantize")
    return replace(runtime, quantize="int8", device="cpu")
