"""Batches for a network: recordings read, changed, joined and put together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from w2v_cli.audio import SAMPLE_RATE, read_waveforms
from w2v_cli.errors import AudioError, CheckpointError
from w2v_cli.recording_parts import RecordingPart
from w2v_cli.training.augmentation import (
    Augmenter,
    Random,
    Waveform,
    draw_gap,
    filter_and_resample,
    join,
    speech_spans,
    unit_power,
)
from w2v_cli.training.manifests import Example, reason_of
from w2v_cli.training.sampler import Group
from w2v_cli.training.turns import Activity

logger = logging.getLogger(__name__)

BYTES_PER_MB = 1_000_000
_BATCHES_AHEAD = 4
_EXAMPLES_TO_MEASURE = 200
_SECONDS_TO_MEASURE = 5


@dataclass(frozen=True)
class Item:
    """What a network hears at once.

    Attributes:
        waveform: (samples,).
        examples: The examples that are in it, in their order.
        activity: Who speaks in each block, (speakers, blocks); None where that doesn't matter.
        spans: First sample of each example's speech and the one after the last; empty where that
            doesn't matter.
    """

    waveform: Waveform
    examples: tuple[Example, ...]
    activity: Activity | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Batch:
    """Recordings put together for a network.

    Attributes:
        input_values: Normalised and padded, (batch, samples).
        attention_mask: Which samples are real, (batch, samples); None for a network that was
            trained without.
        labels: What the objective learns from; its shape is the objective's.
        seconds: Audio in the batch, without padding.
        counts: Whether anything is to be learnt from it; a process that has no part in a batch
            calculates something all the same.
        times: When each label is said, in samples, (batch, labels, 2); None where that doesn't
            matter.
    """

    input_values: torch.Tensor
    attention_mask: torch.Tensor | None
    labels: torch.Tensor
    seconds: float
    counts: bool = True
    times: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        mask = self.attention_mask
        return replace(
            self,
            input_values=self.input_values.to(device),
            attention_mask=None if mask is None else mask.to(device),
            labels=self.labels.to(device),
            times=None if self.times is None else self.times.to(device),
        )


@dataclass(frozen=True)
class Part:
    """What one process has of a batch.

    Attributes:
        items: What is heard.
        batch: The items, as long as the longest of them.
    """

    items: Sequence[Item]
    batch: Batch

    @property
    def n_samples(self) -> int:
        """How long the batch is, padding included."""
        return self.batch.input_values.shape[1]


def make_batch(
    items: Sequence[Item],
    feature_extractor: Any,
    labels: torch.Tensor,
    *,
    n_samples: int | None = None,
) -> Batch:
    """Return items as the feature extractor pads them, with their labels.

    Args:
        items: What is heard.
        feature_extractor: What normalises and pads waveforms.
        labels: What is learnt.
        n_samples: How long the batch becomes; None for as long as the longest item.

    Raises:
        CheckpointError: The feature extractor wants another sampling rate.
    """
    if feature_extractor.sampling_rate != SAMPLE_RATE:
        raise CheckpointError(
            f"the model hears {feature_extractor.sampling_rate} Hz, and recordings are read with "
            f"{SAMPLE_RATE} Hz here; begin with a model that hears that"
        )
    inputs = feature_extractor(
        [item.waveform for item in items],
        sampling_rate=SAMPLE_RATE,
        padding="longest" if n_samples is None else "max_length",
        max_length=n_samples,
        return_tensors="pt",
    )
    return Batch(
        input_values=inputs["input_values"],
        attention_mask=inputs.get("attention_mask"),
        labels=labels,
        seconds=sum(len(item.waveform) for item in items) / SAMPLE_RATE,
    )


class Recordings:
    """Reads examples, and keeps what it has read as long as there is room.

    Args:
        cache_mb: How much is kept, in megabytes; a second takes 0.064.

    Attributes:
        broken: What could not be decoded, with the reason.
    """

    def __init__(self, cache_mb: float = 0.0) -> None:
        self._room_bytes = cache_mb * BYTES_PER_MB
        self._kept: dict[RecordingPart, Waveform] = {}
        self.broken: dict[RecordingPart, str] = {}

    def read(self, example: Example) -> Waveform | None:
        """Return an example's waveform; None, with a warning, where it cannot be decoded."""
        part = example.part
        kept = self._kept.get(part)
        if kept is not None or part in self.broken:
            return kept
        try:
            read = read_waveforms(
                example.audio,
                start_seconds=example.start_seconds,
                end_seconds=example.end_seconds,
                channel=example.channel,
            )
        except AudioError as error:
            reason = reason_of(error, example)
            logger.warning("left out, since it cannot be decoded: %s: %s", example.audio, reason)
            self.broken[part] = reason
            return None
        waveform = read.channels[0]
        if len(waveform) == 0:
            logger.warning("left out, since it is empty: %s", example.audio)
            self.broken[part] = "no sound in it"
            return None
        if waveform.nbytes <= self._room_bytes:
            self._room_bytes -= waveform.nbytes
            self._kept[part] = waveform
        return waveform


def some_speech(examples: Sequence[Example], seed: int) -> Waveform:
    """Return the beginnings of examples, each of mean 0 and variance 1, one after another.

    Raises:
        AudioError: None of them can be decoded.
    """
    recordings, found = Recordings(), []
    for index in np.random.default_rng(seed).permutation(len(examples))[:_EXAMPLES_TO_MEASURE]:
        waveform = recordings.read(examples[index])
        if waveform is not None:
            start = waveform[: _SECONDS_TO_MEASURE * SAMPLE_RATE]
            found.append(unit_power(start - start.mean()))
    if not found:
        raise AudioError("none of the recordings can be decoded; see the warnings")
    return np.concatenate(found)


class Composer:
    """Makes what a network hears out of examples.

    Args:
        examples: What groups' numbers stand for.
        recordings: Where they are read.
        augmenter: How they are changed; None leaves them as they are.
        seed: The run's. With the epoch, the batch and the place in it, it decides every change.
        crop_seconds: Of longer examples a stretch of this length is taken; None takes them whole.
        shortest_samples: What has become shorter ends in silence.
        finds_speech: Items have the spans of their examples.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        recordings: Recordings,
        augmenter: Augmenter | None = None,
        *,
        seed: int = 0,
        crop_seconds: float | None = None,
        shortest_samples: int = 0,
        finds_speech: bool = False,
    ) -> None:
        self.finds_speech = finds_speech
        self.crop_seconds = crop_seconds
        self.shortest_samples = shortest_samples
        self.examples = examples
        self.recordings = recordings
        self.augmenter = augmenter
        self.seed = seed

    def items(
        self,
        groups: Sequence[Group],
        *,
        epoch: int,
        number: int,
        places: Iterable[int] | None = None,
    ) -> list[Item]:
        """Return a batch's items, without those that cannot be read.

        Args:
            groups: The batch.
            epoch: From 0.
            number: The batch's.
            places: Which of its groups are wanted; None for all.
        """
        items = []
        for place in range(len(groups)) if places is None else places:
            random = np.random.default_rng((self.seed, epoch, number, place))
            item = self._item(groups[place], random)
            if item is not None:
                items.append(item)
        return items

    def _item(self, group: Group, random: Random) -> Item | None:
        examples, pieces = [], []
        for index in group:
            example = self.examples[index]
            waveform = self.recordings.read(example)
            if waveform is None:
                continue
            if self.crop_seconds is not None:
                waveform = any_stretch(waveform, self.crop_seconds, random)
            if example.speed != 1.0:
                waveform = filter_and_resample(waveform, random, speed=example.speed)
            if self.augmenter is not None:
                waveform = self.augmenter.change_voice(waveform, random)
                if example.is_word:
                    waveform = self.augmenter.cut_word(waveform, random)
            examples.append(example)
            pieces.append(waveform)
        if not pieces:
            return None
        gaps = [draw_gap(random) for _ in pieces[1:]]
        waveform = join(pieces, gaps) if gaps else pieces[0]
        spans = speech_spans(pieces, gaps) if self.finds_speech else ()
        if self.augmenter is not None:
            waveform = self.augmenter.change_surroundings(waveform, random)
        return Item(self.long_enough(waveform), tuple(examples), spans=spans)

    def long_enough(self, waveform: Waveform) -> Waveform:
        """Return a waveform with silence after it where it is too short for the network."""
        missing = self.shortest_samples - len(waveform)
        return np.pad(waveform, (0, missing)) if missing > 0 else waveform

    def draw_waveform(self, random: Random) -> Waveform:
        """Return the waveform of any example, silence where it cannot be read."""
        example = self.examples[random.integers(len(self.examples))]
        waveform = self.recordings.read(example)
        return np.zeros(SAMPLE_RATE, np.float32) if waveform is None else waveform


def any_stretch(waveform: Waveform, seconds: float, random: Random) -> Waveform:
    """Return a stretch of a waveform, from anywhere; all of it where it is no longer."""
    n_samples = round(seconds * SAMPLE_RATE)
    start = int(random.integers(max(len(waveform) - n_samples, 0) + 1))
    return waveform[start : start + n_samples]


def batches_ahead(
    make: Callable[[int], Part | None], numbers: Sequence[int]
) -> Iterator[tuple[int, Part | None]]:
    """Yield each number with the part of a batch that `make` makes of it, ahead in a thread."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        waiting: deque[tuple[int, Future[Part | None]]] = deque()
        try:
            for number in numbers:
                waiting.append((number, pool.submit(make, number)))
                if len(waiting) > _BATCHES_AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
