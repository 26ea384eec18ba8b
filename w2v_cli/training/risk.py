"""Minimum word error rate training: readings with fewer wrong words gain on the others.

CTC takes each frame's letter by itself: unsure between two words, it writes letters of both. Here
whole readings are drawn from the network's own output, and the expected share of wrong words among
them is what is lost (Prabhavalkar et al. 2018, 3).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from w2v_cli.training.texts import frames_needed

Reading = tuple[int, ...]
"""The ids of letters, without blanks."""


def expected_error_rates(
    logs: torch.Tensor,
    n_frames: torch.Tensor,
    labels: torch.Tensor,
    *,
    blank_id: int,
    n_samples: int,
    words: Callable[[Sequence[int]], list[str]],
) -> torch.Tensor:
    """Return each recording's expected word error rate, less the mean of its readings', (batch,).

    The readings are those of `draw_readings`, each with its share of their probability. What is
    taken off does not change the gradient.

    Args:
        logs: Natural-log probabilities, (batch, frames, vocab), with a gradient.
        n_frames: How many frames of each recording are real, (batch,).
        labels: What was said, ids padded with -100, (batch, letters).
        blank_id: The letter that writes nothing.
        n_samples: Readings that are drawn of each recording.
        words: Returns the words that letters spell.
    """
    readings = draw_readings(
        logs.detach(), n_frames, labels, blank_id=blank_id, n_samples=n_samples
    )
    scores = reading_scores(logs, n_frames, readings, blank_id=blank_id)
    risks = []
    for row, of_recording, label in zip(scores, readings, labels.tolist(), strict=True):
        said = words([index for index in label if index >= 0])
        wrong = [word_errors(said, words(reading)) for reading in of_recording]
        rates = torch.tensor(wrong, device=row.device) / max(len(said), 1)
        risks.append((row.softmax(0) * (rates - rates.mean())).sum())
    return torch.stack(risks)


def draw_readings(
    logs: torch.Tensor,
    n_frames: torch.Tensor,
    labels: torch.Tensor,
    *,
    blank_id: int,
    n_samples: int,
) -> list[list[Reading]]:
    """Return each recording's different readings: what was said, the greedy one, some drawn.

    What was said is left out where it has more letters than there are frames for it.
    """
    greedy = logs.argmax(-1, keepdim=True)
    # The Gumbel-max trick: (batch, frames, samples).
    noise = torch.empty((*logs.shape[:2], n_samples, logs.shape[2]), device=logs.device)
    drawn = (logs[:, :, None] - noise.exponential_().log()).argmax(-1)
    paths = torch.cat([greedy, drawn], dim=-1).cpu()
    found = []
    for path, length, label in zip(paths, n_frames.tolist(), labels.tolist(), strict=True):
        said = tuple(index for index in label if index >= 0)
        readings = {said: None} if frames_needed(said) <= length else {}
        for letters in path[:length].T.tolist():
            readings[tuple(x for x, _ in itertools.groupby(letters) if x != blank_id)] = None
        found.append(list(readings))
    return found


def reading_scores(
    logs: torch.Tensor,
    n_frames: torch.Tensor,
    readings: Sequence[Sequence[Reading]],
    *,
    blank_id: int,
) -> tuple[torch.Tensor, ...]:
    """Return the log probability of each reading, of all of its paths, for each recording."""
    ids = [reading for of_recording in readings for reading in of_recording]
    most = max(1, *(len(reading) for reading in ids))
    filler = 0 if blank_id else 1
    padded = torch.tensor([[*reading, *[filler] * (most - len(reading))] for reading in ids])
    owner = torch.tensor([row for row, some in enumerate(readings) for _ in some])
    owner = owner.to(logs.device)
    scores = -F.ctc_loss(
        logs[owner].transpose(0, 1),
        padded.to(logs.device),
        n_frames[owner],
        torch.tensor([len(reading) for reading in ids], device=logs.device),
        blank=blank_id,
        reduction="none",
        zero_infinity=True,
    )
    return torch.split(scores, [len(some) for some in readings])


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the fewest words to change, drop or add (Levenshtein 1965).

    >>> word_errors("turn on the light".split(), "turn the lights on".split())
    3
    """
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        previous, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            best = min(row[place] + 1, row[place - 1] + 1, previous + (word != other))
            previous, row[place] = row[place], best
    return row[-1]
