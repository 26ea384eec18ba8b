"""Self-supervised pretraining: which quantised frame was masked (Baevski et al. 2020)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.masking import _compute_mask_indices, _sample_negative_indices
from w2v_cli.model.pretraining import Wav2Vec2ForPreTraining
from w2v_cli.training.examples import Batch, Composer, Item, Recordings, make_batch
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import Evaluation, FloatArray, Objective, as_when_used

MASK_TIME_PROB = 0.65  # as published (Baevski et al. 2020, 4.2)

_FEWEST_MASKS = 2  # or a frame would have no distractors


@dataclass(frozen=True)
class Temperature:
    """How sharply codebook entries are chosen: falls by a factor at each step."""

    highest: float = 2.0
    lowest: float = 0.5
    decay: float = 0.999995

    def at(self, step: int) -> float:
        """Return the temperature of a step."""
        return max(self.highest * self.decay**step, self.lowest)


class PretrainObjective(Objective):
    """Speech without texts.

    Args:
        feature_extractor: What normalises and pads waveforms.
        temperature: Of the choice of codebook entries.
        mask_time_prob: The share of frames that are masked. The network's own is for later
            trainings, which mask less.
    """

    name = "pretrain"
    metric = "contrastive_loss"
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForPreTraining

    def __init__(
        self,
        feature_extractor: Any,
        temperature: Temperature | None = None,
        *,
        mask_time_prob: float = MASK_TIME_PROB,
    ) -> None:
        self.mask_time_prob = mask_time_prob
        self.feature_extractor = feature_extractor
        self.temperature = temperature or Temperature()

    def kind(self, example: Example) -> str:
        """All speech is alike."""
        return ""

    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items; what is masked is drawn when they are heard."""
        return make_batch(
            items, self.feature_extractor, torch.zeros(len(items)), n_samples=n_samples
        )

    def begin_step(self, model: Any, step: int) -> None:
        """Set the temperature."""
        model.set_gumbel_temperature(self.temperature.at(step))

    def draw(self, model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return which frames are masked, and the distractors of each, as the reference draws them.

        Random numbers come from numpy's global state.
        """
        config = model.config
        n_samples = batch.input_values.shape[1]
        n_frames = int(model._get_feat_extract_output_lengths(n_samples))
        frames = None
        if batch.attention_mask is not None:
            frames = model._get_feature_vector_attention_mask(n_frames, batch.attention_mask)
        shape = (len(batch.input_values), n_frames)
        masked = _compute_mask_indices(
            shape,
            self.mask_time_prob,
            config.mask_time_length,
            attention_mask=frames,
            min_masks=_FEWEST_MASKS,
        )
        negatives = _sample_negative_indices(shape, config.num_negatives, masked)
        device = batch.input_values.device
        return torch.from_numpy(masked).to(device), torch.from_numpy(negatives).to(device)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the contrastive and the diversity loss of a masked frame, the mean of all."""
        return self.weighed_loss(model, batch)[0]

    def weighed_loss(self, model: Any, batch: Batch) -> tuple[torch.Tensor, float]:
        """Return the loss of a batch, and how many frames were masked in it.

        Which entries of the codebooks are in use is a matter of the whole batch.
        """
        quantizer = model.quantizer
        quantizer.average = functools.partial(self.processes.mean, counts=batch.counts)
        try:
            output, n_masked = self._output(model, batch)
        finally:
            quantizer.average = torch.div
        loss: torch.Tensor = output.loss / n_masked
        return loss, float(n_masked)

    def _output(self, model: Any, batch: Batch) -> tuple[Any, torch.Tensor]:
        """Return what a network gives for a batch, and how many frames were masked in it."""
        masked, negatives = self.draw(model, batch)
        output = model(
            batch.input_values,
            attention_mask=batch.attention_mask,
            mask_time_indices=masked,
            sampled_negative_indices=negatives,
        )
        return output, masked.sum()

    def shortest_frames(self, config: Any) -> int:
        """Return how many there are around a mask."""
        return int(config.mask_time_length) + 1

    def read(self, output: FloatArray) -> None:
        """There is nothing to read: see `evaluate`."""

    @torch.no_grad()
    def evaluate(
        self, model: Any, examples: Sequence[Example], recordings: Recordings
    ) -> Evaluation:
        """Return the contrastive loss on examples, with the same masks each time.

        perplexity is how many of the codebooks' entries are in use.
        """
        state = np.random.get_state()
        np.random.seed(0)
        lost, n_masked, perplexity, n_batches = 0.0, 0, 0.0, 0
        shortest_samples = self.shortest_samples(model.config)
        composer = Composer(examples, recordings, shortest_samples=shortest_samples)
        try:
            with as_when_used(model):
                for index in range(len(examples)):
                    items = composer.items([(index,)], epoch=0, number=0)
                    if not items:
                        continue
                    batch = self.inputs(items).to(model.device)
                    output, n_of_batch = self._output(model, batch)
                    lost += float(output.contrastive_loss)
                    n_masked += int(n_of_batch)
                    perplexity += float(output.codevector_perplexity)
                    n_batches += 1
        finally:
            np.random.set_state(state)
        figures = {
            "contrastive_loss": lost / n_masked if n_masked else math.nan,
            "perplexity": perplexity / n_batches if n_batches else math.nan,
        }
        return Evaluation((), figures)
