"""Waveforms to the probability that each speaker speaks: a model with a head for every frame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from w2v_cli.inference.loading import Head, Loading
from w2v_cli.inference.network import Network

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.model.classification import Wav2Vec2ForAudioFrameClassification

FRAMES_HEAD = Head(
    architecture="Wav2Vec2ForAudioFrameClassification",
    job="diarize-frames",
    lacks="does not tell speakers apart",
    example="mini-turns",
    weights=("classifier.",),
    weights_name="the frames' head (classifier)",
    cannot="tell who speaks when",
)


CONVERSATION_FIELD = "conversation_seconds"
"""What the configuration of a model of frames calls the length of what it was trained on."""

_CHUNK_SECONDS = 15.0


class SpeakerActivity(Network):
    """A model that tells who speaks in each frame, of a few speakers in any order.

    Attributes:
        n_speakers: How many it tells apart.
        chunk_seconds: How much it should hear at once: as much as it was trained on, where the
            configuration says that, else 15 s. Of much more it may take one speaker for another.
    """

    model: Wav2Vec2ForAudioFrameClassification

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
    ) -> SpeakerActivity:
        """Return the model in a folder, an embedded model or a model id.

        Args:
            name: What to load.
            runtime: Device, precision, threads and attention; None for the defaults.
            hub: Where to look for it; None for the defaults.

        Raises:
            UsageError: The machine cannot run it as asked.
            ModelError: It is not there, has another head, or its files do not fit each other.
        """
        from w2v_cli.model.classification import Wav2Vec2ForAudioFrameClassification

        loading = Loading.prepare(name, runtime, hub)
        loading.check(FRAMES_HEAD)
        extractor = loading.feature_extractor()
        model = loading.model(Wav2Vec2ForAudioFrameClassification, FRAMES_HEAD)
        return cls(str(name), model, extractor)

    @property
    def n_speakers(self) -> int:
        """How many speakers it tells apart in one chunk."""
        return self.model.num_labels

    @property
    def chunk_seconds(self) -> float:
        """How much it should hear at once."""
        return float(getattr(self.model.config, CONVERSATION_FIELD, None) or _CHUNK_SECONDS)

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the probability of each speaker in each frame, (batch, frames, speakers)."""
        found = self.model(input_values, attention_mask=attention_mask, return_dict=True)
        return torch.sigmoid(found.logits.float())
