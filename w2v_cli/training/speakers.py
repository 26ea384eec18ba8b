"""Speaker vectors: a network that gives recordings of one speaker near places (x-vectors)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from w2v_cli.inference.embedder import shortest_vector_frames
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.xvector import MARGIN, Wav2Vec2ForXVector
from w2v_cli.scoring.verification import Pairs, equal_error_rate, pair_up
from w2v_cli.training.examples import Batch, Item, Recordings, make_batch
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import FloatArray, Objective, Result, listen

_CENTRE_RECORDINGS = 500


class SpeakersObjective(Objective):
    """Speakers told apart while training, so that vectors tell others apart (Snyder et al. 2018).

    Args:
        feature_extractor: What normalises and pads waveforms.
        speakers: Those to learn from, in the order of the network's outputs.
        margin_steps: In so many steps the loss's margin grows from 0 to its published value.
    """

    name = "speakers"
    metric = "eer"
    finishes = True
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForXVector

    def __init__(
        self, feature_extractor: Any, speakers: Sequence[str], *, margin_steps: int = 0
    ) -> None:
        self.feature_extractor = feature_extractor
        self.margin_steps = margin_steps
        self.labels = tuple(speakers)
        self._ids = {speaker: index for index, speaker in enumerate(speakers)}

    def kind(self, example: Example) -> str:
        """Return the speaker."""
        return example.speaker or ""

    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items with the ids of their speakers, (batch,)."""
        ids = [self._ids[self.kind(item.examples[0])] for item in items]
        return make_batch(items, self.feature_extractor, torch.tensor(ids), n_samples=n_samples)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the additive-margin softmax loss (Wang et al. 2018), as published."""
        output = model(batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels)
        return cast(torch.Tensor, output.loss)

    def shortest_frames(self, config: Any) -> int:
        """Return how many make a vector."""
        return shortest_vector_frames(config)

    def begin_step(self, model: Any, step: int) -> None:
        """Set the margin: with all of it from the start, little is learnt for long."""
        grown = step / self.margin_steps if self.margin_steps else 1.0
        model.objective.margin = MARGIN * min(1.0, grown)

    def output(self, model_output: Any) -> torch.Tensor:
        """Return the vectors."""
        return cast(torch.Tensor, model_output.embeddings)

    def read(self, output: FloatArray) -> FloatArray:
        """Return the vector with a length of one."""
        return output / max(float(np.linalg.norm(output)), 1e-12)

    def measure(self, results: Sequence[Result]) -> dict[str, float]:
        """Return eer: the equal error rate over all pairs of recordings."""
        pairs = pairs_of(results)
        return {"eer": equal_error_rate(pairs.scores, pairs.is_same)}

    @torch.no_grad()
    def finish(self, model: Any, examples: Sequence[Example], recordings: Recordings) -> None:
        """Take what all vectors have in common out of them, so that cosines are of the rest.

        The mean over seconds goes into the bias of the layer that makes the vectors, and what
        the layer after it adds, into that one's: the speakers learnt from stay where they were.
        """
        own = [example for example in examples if example.speed == 1.0]
        step = max(len(own) // _CENTRE_RECORDINGS, 1)
        results = listen(_Vectors(self.feature_extractor, ()), model, own[::step], recordings)
        if not results.results:
            return
        seconds = [result.example.seconds or 0.0 for result in results.results]
        vectors = np.stack([result.heard for result in results.results])
        mean = torch.from_numpy(np.average(vectors, axis=0, weights=seconds)).to(model.device)
        mean = mean.to(model.feature_extractor.bias.dtype)
        model.classifier.bias += model.classifier.weight @ mean
        model.feature_extractor.bias -= mean


class _Vectors(SpeakersObjective):
    """Vectors with the length that they have."""

    def read(self, output: FloatArray) -> FloatArray:
        return output

    def measure(self, results: Sequence[Result]) -> dict[str, float]:
        return {}


def at_speeds(examples: Sequence[Example], speeds: Sequence[float]) -> list[Example]:
    """Return examples, and each at other speeds as one of another speaker.

    Speed changes a voice's height and its resonances: it is somebody else's (Yamamoto et al.
    2019). With few speakers to learn from that is worth much.

    Args:
        examples: Each with its speaker and its length.
        speeds: 1.1 for 10 % faster.
    """
    changed = [
        replace(
            example,
            speaker=f"{example.speaker} x{speed:g}",
            seconds=(example.seconds or 0.0) / speed,
            speed=speed,
        )
        for speed in speeds
        for example in examples
    ]
    return [*examples, *changed]


def pairs_of(results: Sequence[Result]) -> Pairs:
    """Return every pair of recordings, with the cosine of their vectors."""
    return pair_up([result.heard for result in results], [result.reference for result in results])
