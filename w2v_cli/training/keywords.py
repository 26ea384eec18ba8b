"""Sequence classification: one label for a whole recording, such as the word that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from w2v_cli.errors import UsageError
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.classification import Wav2Vec2ForSequenceClassification
from w2v_cli.tasks.labels import comma_hint, named_labels
from w2v_cli.training.examples import Batch, Item, make_batch
from w2v_cli.training.figures import Tally
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import FloatArray, Objective, Result
from w2v_cli.training.teacher import Teacher


@dataclass(frozen=True)
class LabelRules:
    """Which label an example has.

    Attributes:
        wanted: The labels to tell apart; empty for all that there are.
        other: What labels that are not wanted count as; None leaves those examples out.
        empty: What an empty label counts as, such as silence; None leaves those examples out.
    """

    wanted: tuple[str, ...] = ()
    other: str | None = None
    empty: str | None = None

    def label(self, example: Example) -> str | None:
        """Return an example's label, its text where it has none; None to leave it out.

        >>> rules = LabelRules(wanted=("yes", "no"), other="_unknown_", empty="_silence_")
        >>> [rules.label(Example("a.wav", label=label)) for label in ("yes", "bird", "")]
        ['yes', '_unknown_', '_silence_']
        """
        label = example.label if example.label is not None else example.text
        if label is None:
            return None
        label = label.strip()
        if not label:
            return self.empty
        known = not self.wanted or label in (*self.wanted, self.other, self.empty)
        return label if known else self.other

    def apply(self, examples: Iterable[Example]) -> list[Example]:
        """Return the examples that have a label, each with it."""
        labelled = ((example, self.label(example)) for example in examples)
        return [replace(example, label=label) for example, label in labelled if label is not None]


def labels_of(examples: Iterable[Example]) -> list[str]:
    """Return the labels of examples, each once, in the order of the alphabet."""
    return sorted({example.label for example in examples if example.label is not None})


def rules_of(
    named: Sequence[str], other: str | None, empty: str | None, examples: Sequence[Example]
) -> LabelRules:
    """Return which label an example has, of labels as they are named on a command line.

    Args:
        named: The labels to tell apart, one or with commas between several each; empty for all.
        other: As `LabelRules` has it, as is the next.
        empty: Likewise.
        examples: Those to learn from.

    Raises:
        UsageError: A name is empty or there twice, or no example has that label.
    """
    there = labels_of(LabelRules(empty=empty).apply(examples))
    known = {*there, *(label for label in (other, empty) if label is not None)}
    wanted = named_labels(named, known)
    twice = [label for label, count in Counter(wanted).items() if count > 1]
    if twice:
        raise UsageError(f"--labels: {twice[0]} is there twice; name each label once")
    rules = LabelRules(wanted, other, empty)
    found = {rules.label(example) for example in examples}
    missing = [label for label in wanted if label not in found]
    if missing:
        raise UsageError(
            f"--labels {missing[0]}: no recording to learn from has it; add some, or leave it out"
            f"{comma_hint(there)}"
        )
    return rules


class KeywordsObjective(Objective):
    """One label for each recording.

    Args:
        feature_extractor: What normalises and pads waveforms.
        labels: The labels, in the order of the network's outputs.
        label_smoothing: The share of the target that is spread over all labels.
        teacher: What the network learns from besides; None for the labels alone.
    """

    name = "keywords"
    metric = "accuracy"
    higher_is_better = True
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForSequenceClassification

    def __init__(
        self,
        feature_extractor: Any,
        labels: Sequence[str],
        *,
        label_smoothing: float = 0.0,
        teacher: Teacher | None = None,
    ) -> None:
        self.feature_extractor = feature_extractor
        self.labels = tuple(labels)
        self.label_smoothing = label_smoothing
        self._teacher = teacher
        self._ids = {label: index for index, label in enumerate(labels)}

    def kind(self, example: Example) -> str:
        """Return the label."""
        return example.label or ""

    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items with the ids of their labels, (batch,)."""
        ids = [self._ids[self.kind(item.examples[0])] for item in items]
        return make_batch(items, self.feature_extractor, torch.tensor(ids), n_samples=n_samples)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the cross-entropy, and how far the shares of labels are from the teacher's."""
        output = model(batch.input_values, attention_mask=batch.attention_mask)
        loss: torch.Tensor = torch.nn.functional.cross_entropy(
            output.logits.float(), batch.labels, label_smoothing=self.label_smoothing
        )
        if self._teacher is None:
            return loss
        weight = self._teacher.weight
        return (1 - weight) * loss + weight * self._teacher.divergence(output.logits, batch)

    def read(self, output: FloatArray) -> str:
        """Return the label with the highest logit."""
        return self.labels[int(output.argmax())]

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return accuracy, and balanced_accuracy: the mean of the labels' own shares."""
        right = np.array([[result.reference == result.hypothesis] for result in results], float)
        right = right.reshape(-1, 1)
        labels = sorted({result.reference for result in results})
        ids = [labels.index(result.reference) for result in results]
        members = np.eye(max(len(labels), 1))[ids]  # (results, labels)
        return {
            "accuracy": (right, np.ones_like(right)),
            "balanced_accuracy": (right * members, members),
        }
