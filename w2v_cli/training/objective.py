"""What a network is trained for: how targets are made, what is lost, what counts as good."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.features import edge_samples, samples_of_frames
from w2v_cli.training.bands import plain_state
from w2v_cli.training.examples import Batch, Composer, Item, Recordings, make_batch
from w2v_cli.training.figures import Tally, ratios
from w2v_cli.training.manifests import Example
from w2v_cli.training.processes import OneProcess
from w2v_cli.training.sampler import Sampling, plan_epoch

FloatArray = npt.NDArray[np.floating[Any]]

_BATCH_SECONDS = 60.0  # of audio that is measured at once


@dataclass(frozen=True)
class Result:
    """What a network makes of one example.

    Attributes:
        example: What it heard.
        reference: What is right: a text, a label, a speaker.
        heard: What it made of it: a text or a label, or for speakers a vector.
    """

    example: Example
    reference: str
    heard: Any

    @property
    def hypothesis(self) -> str:
        """The text or the label; empty where there is another kind of answer."""
        return self.heard if isinstance(self.heard, str) else ""


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of many examples.

    Attributes:
        results: Each example's.
        figures: Measures by name, such as wer.
    """

    results: tuple[Result, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


class Objective(ABC):
    """A kind of training.

    Attributes:
        name: What it is called on the command line.
        metric: The figure that says how good a network is.
        higher_is_better: Whether more of it is better.
        finishes: Whether `finish` changes the network.
        adapters_alone: Whether only attention adapters and the head are trained.
        is_sum: Whether the loss of a batch is a sum of its recordings, not a mean.
        model_class: The class of its networks.
        feature_extractor: What normalises and pads waveforms.
        processes: Those that share each batch.
    """

    name: str
    metric: str
    higher_is_better = False
    finishes = False
    adapters_alone = False
    is_sum = False
    model_class: type[Wav2Vec2PreTrainedModel]
    feature_extractor: Any
    processes = OneProcess(torch.device("cpu"))

    @abstractmethod
    def kind(self, example: Example) -> str:
        """Return the text or label that an example is an instance of."""

    @abstractmethod
    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items as a batch.

        Args:
            items: What is heard.
            n_samples: How long the batch becomes; None for as long as the longest item.
        """

    @abstractmethod
    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch, a number."""

    def weighed_loss(self, model: Any, batch: Batch) -> tuple[torch.Tensor, float]:
        """Return the loss of a batch, and how much it counts in the mean of several batches."""
        return self.loss(model, batch), len(batch.input_values)

    @abstractmethod
    def read(self, output: FloatArray) -> Any:
        """Return what a network makes of a recording, from its output for it alone."""

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return what is counted in each result, for measures that are ratios of sums."""
        return {}

    def measure(self, results: Sequence[Result]) -> dict[str, float]:
        """Return the measures of results, by name."""
        return ratios(self.tallies(results))

    def output(self, model_output: Any) -> torch.Tensor:
        """Return the part of a network's output that `read` reads, (batch, ...)."""
        logits: torch.Tensor = model_output.logits
        return logits

    def inputs(self, items: Sequence[Item]) -> Batch:
        """Return items as a batch that nothing is to be learnt from."""
        return make_batch(items, self.feature_extractor, torch.zeros(len(items)))

    def seconds(self, example: Example) -> float:
        """Return how long what is made of an example is."""
        return example.seconds or 0.0

    def composer(
        self, examples: Sequence[Example], recordings: Recordings, *, seed: int
    ) -> Composer:
        """Return what makes items of examples."""
        return Composer(examples, recordings, seed=seed)

    def shortest_frames(self, config: Any) -> int:
        """Return how many frames a network needs to make anything of them."""
        return 1

    def shortest_samples(self, config: Any, *, masks: bool = False) -> int:
        """Return how many samples a network needs.

        Args:
            config: The network's configuration.
            masks: Whether it hears masks, where it has any.
        """
        n_frames = self.shortest_frames(config)
        if masks and config.apply_spec_augment and config.mask_time_prob > 0:
            n_frames = max(n_frames, config.mask_time_length + 1)
        return samples_of_frames(config, n_frames)

    def begin_step(self, model: Any, step: int) -> None:  # noqa: B027  # most have nothing to do
        """Set what changes in a network from step to step."""

    def evaluate(
        self, model: Any, examples: Sequence[Example], recordings: Recordings
    ) -> Evaluation:
        """Return what a network makes of examples, with the measures of all of it."""
        return listen(self, model, examples, recordings)

    def save_network(self, model: Any, folder: Path) -> None:
        """Write the network's configuration and weights."""
        model.save_pretrained(folder, state_dict=plain_state(model))

    def finish(  # noqa: B027  # most have nothing to do
        self, model: Any, examples: Sequence[Example], recordings: Recordings
    ) -> None:
        """Change the trained network once more, by the examples that it has learnt from."""

    def save(self, folder: Path) -> None:
        """Write what belongs to the network besides its weights."""
        self.feature_extractor.save_pretrained(folder)


def listen(
    objective: Objective,
    model: Any,
    examples: Sequence[Example],
    recordings: Recordings,
) -> Evaluation:
    """Return what a network makes of examples, with the measures of all of it.

    Recordings that cannot be decoded are left out, with a warning; those that are too short for the
    network end in silence. A network that was trained without attention mask hears each recording
    alone, since padding would change what it hears.
    """
    by_length = sorted(range(len(examples)), key=lambda index: examples[index].seconds or 0.0)
    found: dict[int, Result] = {}
    shortest = objective.shortest_samples(model.config)
    with as_when_used(model):
        for numbers, items in _in_batches(by_length, examples, recordings, shortest):
            for number, item in zip(numbers, items, strict=True):
                example = item.examples[0]
                found[number] = Result(example, objective.kind(example), "")
            for number, logits in zip(numbers, _logits(objective, model, items), strict=True):
                heard = objective.read(logits)
                found[number] = Result(found[number].example, found[number].reference, heard)
    results = tuple(found[index] for index in sorted(found))
    return Evaluation(results, objective.measure(results))


@contextmanager
def as_when_used(model: Any) -> Iterator[None]:
    """Let a network hear each recording whole and alone, as it will once training is over."""
    was_training, was_invariant = model.training, model.padding_invariant
    had_edges = model.edge_samples
    model.eval()
    model.padding_invariant = True
    model.edge_samples = edge_samples(model.config)
    try:
        yield
    finally:
        model.train(was_training)
        model.padding_invariant = was_invariant
        model.edge_samples = had_edges


def _in_batches(
    order: Sequence[int],
    examples: Sequence[Example],
    recordings: Recordings,
    shortest_samples: int,
) -> Iterator[tuple[list[int], list[Item]]]:
    """Yield the numbers and the items of batches of similar length."""
    ordered = [examples[index] for index in order]
    sampling = Sampling(batch_seconds=_BATCH_SECONDS, shuffle=False)
    seconds = [example.seconds or 0.0 for example in ordered]
    composer = Composer(ordered, recordings, shortest_samples=shortest_samples)
    for groups in plan_epoch(seconds, [""] * len(ordered), sampling, seed=0, epoch=0):
        numbers, items = [], []
        for group in groups:
            for item in composer.items([group], epoch=0, number=0):
                numbers.append(order[group[0]])
                items.append(item)
        if items:
            yield numbers, items


@torch.no_grad()
def _logits(objective: Objective, model: Any, items: Sequence[Item]) -> Iterator[FloatArray]:
    """Yield the logits of each item, without those of padding."""
    batch = objective.inputs(items).to(model.device)
    if batch.attention_mask is None and len(items) > 1:
        for item in items:
            yield from _logits(objective, model, [item])
        return
    whole = model(batch.input_values, attention_mask=batch.attention_mask)
    output = objective.output(whole).float().cpu()
    if output.ndim == 2:  # one row for a recording
        yield from output.numpy()
        return
    lengths = [output.shape[1]] * len(items)
    if batch.attention_mask is not None:
        samples = batch.attention_mask.sum(-1)
        lengths = model._get_feat_extract_output_lengths(samples).tolist()
    for logits, length in zip(output.numpy(), lengths, strict=True):
        yield logits[:length]
