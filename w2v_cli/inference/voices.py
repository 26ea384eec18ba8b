"""Pieces of speech to voices: vectors of unit length from a model of speakers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.errors import ModelError
from w2v_cli.inference.embedder import XVECTOR_HEAD, XVectors, load_embedder
from w2v_cli.inference.pooling import unit_length

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.network import FloatArray, Network
    from w2v_cli.inference.runtime import Runtime

# Less of a voice says too little of it.
_SHORTEST_SECONDS = 0.5


class Voices:
    """A model of speakers that hears what another model's chunks are made of.

    Attributes:
        description: One line about what runs where.

    Args:
        embedder: The model.
    """

    def __init__(self, embedder: XVectors) -> None:
        self._embedder = embedder
        self.description = embedder.description
        self._shortest = max(
            embedder.shortest_samples, round(_SHORTEST_SECONDS * embedder.sample_rate)
        )

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        beside: Network,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
    ) -> Voices:
        """Return the model of speakers in a folder, an embedded model or a model id.

        Args:
            name: What to load.
            beside: The model whose chunks it is to hear.
            runtime: As for the other model, as is the next.
            hub: Where to look for it.

        Raises:
            UsageError: The machine cannot run it as asked.
            ModelError: It is not there, is no model of speakers, or hears otherwise than the
                other model: at another rate, or as loud as it was recorded.
        """
        embedder = load_embedder(name, runtime=runtime, hub=hub)
        if not isinstance(embedder, XVectors):
            raise ModelError(
                f"--speakers-model {name}: this model {XVECTOR_HEAD.lacks}; name a model of "
                f"speakers (Wav2Vec2ForXVector), for instance {XVECTOR_HEAD.example}"
            )
        if embedder.sample_rate != beside.sample_rate:
            raise ModelError(
                f"--speakers-model {name}: it hears {embedder.sample_rate} Hz, and {beside.name} "
                f"{beside.sample_rate} Hz; choose two models of one rate"
            )
        as_recorded = not embedder.feature_extractor.do_normalize
        if as_recorded and beside.feature_extractor.do_normalize:
            raise ModelError(
                f"--speakers-model {name}: it hears recordings as loud as they are, and "
                f"{beside.name} normalised ones; choose a model of speakers that normalises them"
            )
        return cls(embedder)

    def of(self, speech: Sequence[FloatArray]) -> FloatArray:
        """Return the voice in each piece of speech, (pieces, dimensions); zeros if too short.

        Args:
            speech: Samples of one speaker each, (samples,).

        Raises:
            OutOfMemoryError: A piece is too long for the memory.
        """
        embedder = self._embedder
        voices = np.zeros((len(speech), embedder.model.config.xvector_output_dim), np.float32)
        heard = [index for index, piece in enumerate(speech) if len(piece) >= self._shortest]
        if not heard:
            return voices
        rows = embedder.hear(
            [embedder.normalised(speech[index]) for index in heard],
            "choose a smaller --chunk-seconds",
        )
        for index, frames in zip(heard, rows, strict=True):
            pool = embedder.pool()
            pool.add(0, frames)
            found = unit_length(pool.vectors())
            voices[index] = np.nan_to_num(found[0]) if len(found) else 0.0
        return voices
