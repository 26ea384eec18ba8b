"""Waveforms to labels: a model that classifies recordings, and its feature extractor."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import torch

from w2v_cli.counts import counted
from w2v_cli.errors import CheckpointError
from w2v_cli.inference.chunk_length import memory_bytes
from w2v_cli.inference.feature_pieces import FeaturesInPieces
from w2v_cli.inference.form import is_inference_form
from w2v_cli.inference.loading import Head, Loading
from w2v_cli.inference.network import FloatArray, Network
from w2v_cli.model.features import receptive_field_samples

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.model.classification import Wav2Vec2ForSequenceClassification
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

LABEL_HEAD = Head(
    architecture="Wav2Vec2ForSequenceClassification",
    job="classify",
    lacks="gives no labels to recordings",
    example="mini-keywords",
    weights=("projector.", "classifier."),
    weights_name="the labels (projector, classifier)",
    cannot="classify",
)

# As `chunk_length` has it, of the whole memory.
_SHARE_OF_MEMORY = 0.125
# Arrays as wide as the hidden size that lie in memory at once while a layer is calculated,
_HIDDEN_COPIES = 10
# and of samples: as they were read, joined, and normalised.
_SAMPLE_COPIES = 3


class Labeller(Network):
    """A model that gives labels to recordings.

    Attributes:
        labels: What it tells apart, in the order of its outputs.
        problem_type: Of its configuration: single_label_classification, None for the same,
            multi_label_classification or regression.
    """

    def __init__(
        self,
        name: str,
        model: Wav2Vec2ForSequenceClassification,
        feature_extractor: Wav2Vec2FeatureExtractor,
    ) -> None:
        super().__init__(name, model, feature_extractor)
        self.labels = labels_of(name, model.config)
        self.problem_type = model.config.problem_type

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        piece_seconds: float | None = None,
    ) -> Labeller:
        """Return the labeller of a folder, an embedded model or a model id.

        Args:
            name: What to load.
            runtime: Device, precision, threads and attention; None for the defaults.
            hub: Where to look for it; None for the defaults.
            piece_seconds: How much the convolutions hear at once; None for what memory has
                room for.

        Raises:
            UsageError: The machine cannot run it as asked.
            ModelError: It is not there, has no labels, or its files do not fit each other.
        """
        from w2v_cli.model.classification import Wav2Vec2ForSequenceClassification

        loading = Loading.prepare(name, runtime, hub)
        loading.check(LABEL_HEAD)
        extractor = loading.feature_extractor()
        model = loading.model(Wav2Vec2ForSequenceClassification, LABEL_HEAD)
        labeller = cls(str(name), model, extractor)
        if not is_inference_form(model):  # which takes the convolutions tile by tile anyway
            labeller.hear_in_pieces(piece_seconds or labeller.longest_chunk_seconds)
        return labeller

    def hear_in_pieces(self, seconds: float) -> None:
        """Have the convolutions hear no more than so much at once; outputs don't change."""
        base = self.model.wav2vec2
        inner = base.feature_extractor
        encoder = inner.encoder if isinstance(inner, FeaturesInPieces) else inner
        base.feature_extractor = FeaturesInPieces(
            encoder,
            self.hop_samples,
            receptive_field_samples(self.model.config),
            math.floor(seconds * self.sample_rate / self.hop_samples),
        )

    @property
    def longest_whole_seconds(self) -> float:
        """How long a recording may be so that memory has room for it whole.

        All its frames attend to each other then, which takes time with the square of its length.
        """
        config: Wav2Vec2Config = self.model.config
        if config._attn_implementation == "eager":  # its weights are frames times frames
            return self.longest_chunk_seconds
        floats = _HIDDEN_COPIES * config.hidden_size + 2 * config.intermediate_size
        floats += _SAMPLE_COPIES * self.hop_samples
        if config.use_weighted_layer_sum:
            floats += 3 * (config.num_hidden_layers + 1) * config.hidden_size
        room = _SHARE_OF_MEMORY * memory_bytes(self.model.device)
        n_frames = room / (floats * int(self.model.dtype.itemsize))
        seconds = n_frames * self.hop_samples / self.sample_rate
        return max(seconds, self.longest_chunk_seconds)

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the frames whose mean is classified, (batch, frames, size)."""
        projected: torch.Tensor = self.model.projected(input_values, attention_mask)
        return projected.to(torch.float32)

    def logits(self, means: FloatArray) -> FloatArray:
        """Return the scores of the labels, (rows, labels), before any function.

        Args:
            means: The mean of the frames that `run` returned, (rows, size).
        """
        model: Any = self.model
        with torch.inference_mode():
            heard = torch.from_numpy(means).to(model.device, model.dtype)
            found: FloatArray = model.classifier(heard).to(torch.float32).cpu().numpy()
        return found


def labels_of(name: str, config: Wav2Vec2Config) -> tuple[str, ...]:
    """Return the labels of a model, in the order of its outputs.

    Raises:
        CheckpointError: An output has none.
    """
    known = {int(index): str(label) for index, label in (config.id2label or {}).items()}
    missing = [index for index in range(config.num_labels) if index not in known]
    if missing:
        raise CheckpointError(
            f"{name}: the model has {counted(config.num_labels, 'label')} and config.json "
            f"(id2label) names none for number {missing[0]}; add it"
        )
    return tuple(known[index] for index in range(config.num_labels))


def load_labels(name: str | os.PathLike[str], hub: HubOptions | None = None) -> tuple[str, ...]:
    """Return the labels of a model without its weights.

    Raises:
        ModelError: It is not there, or has no labels.
    """
    from w2v_cli.checkpoint.resolve import pin
    from w2v_cli.model.config import Wav2Vec2Config

    config = Wav2Vec2Config.from_pretrained(name, **pin(name, hub).arguments())
    LABEL_HEAD.check(str(name), config)
    return labels_of(str(name), config)
