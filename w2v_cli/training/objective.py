"""What a network is trained for: how targets are made, what is lost, what counts as good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.training.examples import Batch, Composer, Item, Recordings
from w2v_cli.training.figures import Tally, measure
from w2v_cli.training.manifests import Example
from w2v_cli.training.sampler import Sampling, plan_epoch

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Result:
    """What a network makes of one example.

    Attributes:
        example: What it heard.
        reference: What is right: a text or a label.
        hypothesis: What it made of it.
    """

    example: Example
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of many examples.

    Attributes:
        results: Each example's.
        figures: Measures by name, such as wer.
    """

    results: tuple[Result, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """A kind of training.

    Attributes:
        name: What it is called on the command line.
        metric: The figure that says how good a network is.
        higher_is_better: Whether more of it is better.
        model_class: The class of its networks.
    """

    name: str
    metric: str
    higher_is_better: bool
    model_class: type[Wav2Vec2PreTrainedModel]

    def kind(self, example: Example) -> str:
        """Return the text or label that an example is an instance of."""
        ...

    def can_join(self) -> bool:
        """Whether several recordings one after another are a recording as well."""
        ...

    def collate(self, items: Sequence[Item]) -> Batch:
        """Return items as a batch."""
        ...

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch, a number."""
        ...

    def read_logits(self, logits: FloatArray) -> str:
        """Return what a network makes of a recording, from the logits of it alone."""
        ...

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return what is counted in each result, for each measure by name."""
        ...

    def save(self, folder: Path) -> None:
        """Write what belongs to the network besides its weights: the processor."""
        ...


def evaluate(
    objective: Objective,
    model: Any,
    examples: Sequence[Example],
    recordings: Recordings,
    *,
    batch_seconds: float = 60.0,
) -> Evaluation:
    """Return what a network makes of examples, with the measures of all of it.

    Recordings that cannot be decoded are left out, with a warning. A network that was trained
    without attention mask hears each recording alone, since padding would change what it hears.
    """
    was_training = model.training
    model.eval()
    by_length = sorted(range(len(examples)), key=lambda index: examples[index].seconds or 0.0)
    found: dict[int, Result] = {}
    try:
        for numbers, items in _in_batches(by_length, examples, recordings, batch_seconds):
            for number, item in zip(numbers, items, strict=True):
                example = item.examples[0]
                found[number] = Result(example, objective.kind(example), "")
            for number, logits in zip(numbers, _logits(objective, model, items), strict=True):
                heard = objective.read_logits(logits)
                found[number] = Result(found[number].example, found[number].reference, heard)
    finally:
        model.train(was_training)
    results = tuple(found[index] for index in sorted(found))
    return Evaluation(results, measure(objective.tallies(results)))


def _in_batches(
    order: Sequence[int],
    examples: Sequence[Example],
    recordings: Recordings,
    batch_seconds: float,
) -> Iterator[tuple[list[int], list[Item]]]:
    """Yield the numbers and the items of batches of similar length."""
    ordered = [examples[index] for index in order]
    sampling = Sampling(batch_seconds=batch_seconds, shuffle=False)
    seconds = [example.seconds or 0.0 for example in ordered]
    composer = Composer(ordered, recordings)
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
    batch = objective.collate(items).to(model.device)
    if batch.attention_mask is None and len(items) > 1:
        for item in items:
            yield from _logits(objective, model, [item])
        return
    output = model(batch.input_values, attention_mask=batch.attention_mask).logits.float().cpu()
    if output.ndim == 2:  # one row for a recording
        yield from output.numpy()
        return
    lengths = [output.shape[1]] * len(items)
    if batch.attention_mask is not None:
        samples = batch.attention_mask.sum(-1)
        lengths = model._get_feat_extract_output_lengths(samples).tolist()
    for logits, length in zip(output.numpy(), lengths, strict=True):
        yield logits[:length]
