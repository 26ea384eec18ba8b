"""Speaker vectors: a network that gives recordings of one speaker near places (x-vectors)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.xvector import Wav2Vec2ForXVector
from w2v_cli.training.examples import Batch, Item, make_batch
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import FloatArray, Objective, Result


class SpeakersObjective(Objective):
    """Speakers told apart while training, so that vectors tell others apart (Snyder et al. 2018).

    Args:
        feature_extractor: What normalises and pads waveforms.
        speakers: Those to learn from, in the order of the network's outputs.
    """

    name = "speakers"
    metric = "eer"
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForXVector

    def __init__(self, feature_extractor: Any, speakers: Sequence[str]) -> None:
        self.feature_extractor = feature_extractor
        self.labels = tuple(speakers)
        self._ids = {speaker: index for index, speaker in enumerate(speakers)}

    def kind(self, example: Example) -> str:
        """Return the speaker."""
        return example.speaker or ""

    def collate(self, items: Sequence[Item]) -> Batch:
        """Return items with the ids of their speakers, (batch,)."""
        ids = [self._ids[self.kind(item.examples[0])] for item in items]
        return make_batch(items, self.feature_extractor, torch.tensor(ids))

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the additive-margin softmax loss (Wang et al. 2018), as published."""
        output = model(batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels)
        return cast(torch.Tensor, output.loss)

    def output(self, model_output: Any) -> torch.Tensor:
        """Return the vectors."""
        return cast(torch.Tensor, model_output.embeddings)

    def read(self, output: FloatArray) -> FloatArray:
        """Return the vector with a length of one."""
        return output / max(float(np.linalg.norm(output)), 1e-12)

    def measure(self, results: Sequence[Result]) -> dict[str, float]:
        """Return eer: the equal error rate over all pairs of recordings."""
        vectors = [result.heard for result in results]
        return {"eer": equal_error_rate(*pair_scores(vectors, [r.reference for r in results]))}


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


def pair_scores(
    vectors: Sequence[FloatArray], speakers: Sequence[str]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the cosine of every pair of vectors, and whether it is of one speaker.

    Args:
        vectors: Each of length one, (dim,).
        speakers: Whose they are.
    """
    if len(vectors) < 2:
        return np.zeros(0), np.zeros(0, bool)
    stacked = np.stack(vectors)
    names = np.unique(np.asarray(speakers), return_inverse=True)[1]
    one, other = np.triu_indices(len(stacked), k=1)
    scores: FloatArray = (stacked @ stacked.T)[one, other]
    return scores, names[one] == names[other]


def equal_error_rate(scores: FloatArray, is_same: npt.NDArray[np.bool_]) -> float:
    """Return where as many pairs of one speaker are refused as pairs of two are accepted.

    Args:
        scores: How alike the two of each pair are, (pairs,).
        is_same: Whether they are of one speaker, (pairs,).

    Returns:
        The rate, 0 to 1; nan where there are pairs of one kind only.

    >>> equal_error_rate(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
    0.5
    """
    n_same, n_different = int(is_same.sum()), int((~is_same).sum())
    if not n_same or not n_different:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered, same = scores[order], is_same[order]
    # A threshold lies between two scores that differ: what is above it is accepted.
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    refused = 1 - np.concatenate([[0.0], np.cumsum(same)[ends] / n_same])
    accepted = np.concatenate([[0.0], np.cumsum(~same)[ends] / n_different])
    crossing = int(np.argmax(accepted >= refused))
    if crossing == 0:
        return float(refused[0])
    # Both are straight lines between two thresholds.
    before = refused[crossing - 1] - accepted[crossing - 1]
    after = accepted[crossing] - refused[crossing]
    share = before / (before + after)
    return float(refused[crossing - 1] + share * (refused[crossing] - refused[crossing - 1]))
