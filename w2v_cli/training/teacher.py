"""Learning from another network what it makes of recordings, beside what they are said to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from w2v_cli.errors import UsageError
from w2v_cli.model.features import edge_samples
from w2v_cli.training.examples import Batch


class Teacher:
    """A trained classifier, whose shares of the labels a network learns (Hinton et al. 2015).

    Which labels it takes for possible, besides the right one, says more than a label does; and it
    hears every recording as it is changed for the network.

    Args:
        model: The classifier, which stays as it is.
        order: Which of its outputs is each of the network's labels.
        weight: How much its shares count; the labels count what is left of 1.
    """

    def __init__(self, model: Any, order: list[int], weight: float) -> None:
        self.weight = weight
        self._model = model.eval().requires_grad_(False)
        self._model.padding_invariant = True
        self._model.edge_samples = edge_samples(model.config)
        self._order = order

    @torch.no_grad()
    def shares(self, batch: Batch) -> torch.Tensor:
        """Return how probable it finds each label, (batch, labels)."""
        self._model.to(batch.input_values.device)
        output = self._model(batch.input_values, attention_mask=batch.attention_mask)
        shares: torch.Tensor = output.logits[:, self._order].float().softmax(-1)
        return shares

    def divergence(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the mean Kullback-Leibler divergence of a network's shares from its own."""
        logs = logits.float().log_softmax(-1)
        return F.kl_div(logs, self.shares(batch), reduction="batchmean")


def check_teacher(
    name: str, theirs: Sequence[str], labels: Sequence[str], own: Any, extractor: Any
) -> None:
    """Refuse a classifier that a network cannot learn from.

    Args:
        name: What it is called.
        theirs: The labels that it tells apart.
        labels: Those of the network.
        own: What its waveforms are prepared with.
        extractor: What the network's are.

    Raises:
        UsageError: It tells other labels apart, or hears otherwise.
    """
    if set(theirs) != set(labels):
        missing = sorted(set(labels) - set(theirs)) or sorted(set(theirs) - set(labels))
        raise UsageError(
            f"--teacher {name}: tells other labels apart ({', '.join(missing[:3])}); it has to "
            f"have learnt those of this run"
        )
    for field in ("do_normalize", "sampling_rate"):
        if getattr(own, field) != getattr(extractor, field):
            raise UsageError(
                f"--teacher {name}: its recordings are prepared otherwise ({field}); take another "
                f"teacher, or begin with another model"
            )
