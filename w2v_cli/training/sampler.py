"""Which recordings make up each batch of an epoch: by seconds of audio, grouped by length.

A plan depends on the seed and the epoch alone: a run that goes on after it was killed makes
the same plan again and skips what it has done.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

Group = tuple[int, ...]
"""The examples that are heard one after another as one recording, by their numbers."""

_ITEMS_IN_POOL = 50
"""Batches' worth of recordings that are sorted by length together: little padding, and still
another mixture in each epoch."""

_MOST_JOINED = 8


@dataclass(frozen=True)
class Sampling:
    """How an epoch is made up.

    Attributes:
        batch_seconds: Audio in a batch, padding counted; a longer recording is alone.
        batch_items: Recordings in a batch at most; None for any number.
        join: The share of recordings that are joined to others.
        join_seconds: How long joined recordings become at most.
        balance: 1 takes every example once an epoch. 0 takes every text (or label) as often as
            any other, as often as the mean; between them a text that is there n times is drawn
            as often as n ** balance says.
        balance_speakers: Whose recordings of a text are drawn: 1 takes all as often as each
            other; 0 takes every speaker as often; between them a speaker of n of them is drawn as
            often as n ** balance_speakers says. Of whom nothing is known is a speaker alone.
        shuffle: False keeps the order of the examples.
    """

    batch_seconds: float = 100.0
    batch_items: int | None = None
    join: float = 0.0
    join_seconds: float = 10.0
    balance: float = 1.0
    balance_speakers: float = 1.0
    shuffle: bool = True

    def __post_init__(self) -> None:
        if not self.batch_seconds > 0 or (self.batch_items is not None and self.batch_items < 1):
            raise ValueError("a batch needs more than 0 seconds and at least one recording")
        if not all(0 <= x <= 1 for x in (self.join, self.balance, self.balance_speakers)):
            raise ValueError("join, balance and balance_speakers are shares, from 0 to 1")

    def times(self, n_processes: int) -> Sampling:
        """Return the sampling of batches that so many processes share."""
        if n_processes == 1:
            return self
        items = None if self.batch_items is None else n_processes * self.batch_items
        return replace(self, batch_seconds=n_processes * self.batch_seconds, batch_items=items)


def plan_epoch(
    seconds: Sequence[float],
    kinds: Sequence[Hashable],
    sampling: Sampling,
    *,
    speakers: Sequence[str | None] = (),
    weights: Sequence[float] = (),
    seed: int,
    epoch: int,
) -> list[list[Group]]:
    """Return the batches of an epoch, each a list of groups.

    Args:
        seconds: Each example's length.
        kinds: Each example's text or label, for `Sampling.balance`.
        sampling: How the epoch is made up.
        speakers: Each example's, for `Sampling.balance_speakers`; empty if nobody's is known.
        weights: How often each example is drawn, beside what balance says; empty for 1 each.
        seed: The run's.
        epoch: From 0.
    """
    random = np.random.default_rng((seed, epoch))
    n_examples = len(kinds)
    speakers, weights = speakers or [None] * n_examples, weights or [1.0] * n_examples
    order = _draw(kinds, speakers, weights, sampling, random)
    groups = _join(order, seconds, sampling, random)
    if not sampling.shuffle:
        return _fill(groups, seconds, sampling)
    batches: list[list[Group]] = []
    n_batches = sum(_seconds(g, seconds) for g in groups) / sampling.batch_seconds
    per_pool = max(len(groups), 1)
    if n_batches > _ITEMS_IN_POOL:
        per_pool = max(1, round(len(groups) * _ITEMS_IN_POOL / n_batches))
    for start in range(0, len(groups), per_pool):
        pool = sorted(groups[start : start + per_pool], key=lambda g: _seconds(g, seconds))
        batches += _fill(pool, seconds, sampling)
    return [batches[index] for index in random.permutation(len(batches))]


def _draw(
    kinds: Sequence[Hashable],
    speakers: Sequence[str | None],
    weights: Sequence[float],
    sampling: Sampling,
    random: np.random.Generator,
) -> list[int]:
    """Return the examples of the epoch in a random order."""
    if not sampling.shuffle:
        return list(range(len(kinds)))
    if sampling.balance == sampling.balance_speakers == 1 and len(set(weights)) <= 1:
        return [int(index) for index in random.permutation(len(kinds))]
    voices = [
        (kind, number if speaker is None else speaker)
        for number, (kind, speaker) in enumerate(zip(kinds, speakers, strict=True))
    ]
    counts = Counter(voices)
    of_kinds: Counter[Hashable] = Counter(kinds)
    within = np.array([counts[voice] ** (sampling.balance_speakers - 1.0) for voice in voices])
    totals: dict[Hashable, float] = defaultdict(float)
    for kind, weight in zip(kinds, within, strict=True):
        totals[kind] += weight
    shares = within * [of_kinds[kind] ** sampling.balance / totals[kind] for kind in kinds]
    shares *= weights
    # Each as often as it should be, but for a part of one: an epoch leaves out as few as it can.
    shuffled = random.permutation(len(kinds))
    reached = np.cumsum(shares[shuffled]) / shares.sum()
    marks = (np.arange(len(kinds)) + random.random()) / len(kinds)
    drawn = shuffled[np.minimum(np.searchsorted(reached, marks), len(kinds) - 1)]
    return [int(index) for index in random.permutation(drawn)]


def _join(
    order: Sequence[int],
    seconds: Sequence[float],
    sampling: Sampling,
    random: np.random.Generator,
) -> list[Group]:
    """Return the examples in groups of one or several."""
    groups: list[Group] = []
    position = 0
    while position < len(order):
        wanted = 1
        if sampling.join and random.random() < sampling.join:
            wanted = int(random.integers(2, _MOST_JOINED + 1))
        group = [order[position]]
        position += 1
        while len(group) < wanted and position < len(order):
            longer = _seconds((*group, order[position]), seconds)
            if longer > sampling.join_seconds:
                break
            group.append(order[position])
            position += 1
        groups.append(tuple(group))
    return groups


def _fill(
    groups: Sequence[Group], seconds: Sequence[float], sampling: Sampling
) -> list[list[Group]]:
    """Return the groups, in their order, in batches that are not too large."""
    batches: list[list[Group]] = []
    longest = 0.0
    for group in groups:
        length = _seconds(group, seconds)
        n_items = len(batches[-1]) + 1 if batches else 0
        padded = n_items * max(longest, length)
        is_full = sampling.batch_items is not None and n_items > sampling.batch_items
        if not batches or padded > sampling.batch_seconds or is_full:
            batches.append([])
            longest = 0.0
        batches[-1].append(group)
        longest = max(longest, length)
    return batches


def _seconds(group: Group, seconds: Sequence[float]) -> float:
    return sum(seconds[index] for index in group)
