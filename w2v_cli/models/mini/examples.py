"""The examples `mini` is trained on: augmented words, alone or joined, and their batches."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.augmentation import Noises, change_surroundings, change_voice
from w2v_cli.models.mini.evaluate import LETTER_IDS, normalise
from w2v_cli.models.mini.recordings import (
    Clip,
    ClipSampler,
    Waveform,
    cut_word,
    join,
    load_clips,
)
from w2v_cli.training.augmentation import fade

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward"),
    *("four", "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on"),
    *("one", "right", "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual"),
    *("wow", "yes", "zero"),
)
NO_WORD = len(WORDS)

WORD_COUNT_CHANCES = (0.05, 0.5, 0.15, 0.11, 0.1, 0.09)
"""How often an item of joined words holds 0, 1, ... 5 of them."""

NOISE_SEED = 20261124
IGNORED_LABEL = -100
PADDING_STEP = 1600
"""Batches come in lengths of tenths of a second, so that memory is used again."""


AnyBatch = TypeVar("AnyBatch")


@dataclass(frozen=True)
class Item:
    """One training example: a waveform and its word's number or its letters' ids."""

    waveform: Waveform
    labels: tuple[int, ...]


class Composer:
    """Makes augmented training items, without end."""

    def __init__(
        self,
        data: Path,
        cache: Path,
        *,
        strength: float = 1.0,
        power: float = 0.4,
        long_pauses: float = 0.0,
    ) -> None:
        """Load the training clips and the noises.

        Args:
            strength: of the augmentation, 1 at most.
            power: see `ClipSampler`.
            long_pauses: share of the pauses that last one to four seconds.
        """
        self.strength = strength
        self.long_pauses = long_pauses
        commands = load_clips(data, "commands", "train", cache)
        digits = load_clips(data, "digits", "train", cache)
        self.speech = load_clips(data, "librispeech", "train", cache)
        self.sampler = ClipSampler(commands + digits, power=power, voice_share=0.5)
        silences = [clip for clip in commands if not clip.text]
        self.noises = Noises(silences, self.speech, np.random.default_rng(NOISE_SEED))

    def words_to_transcribe(self, rng: np.random.Generator) -> Item:
        """Return up to five words in a row with what a microphone hears before and after."""
        count = int(rng.choice(len(WORD_COUNT_CHANCES), p=WORD_COUNT_CHANCES))
        if count == 0:
            return Item(self.no_word(rng, rng.uniform(0.5, 3.0)), ())
        clips = self.sampler.draw_many(count, rng)
        speed = draw_speed(rng, self.strength)
        pieces = []
        for clip in clips:
            own_speed = speed * rng.uniform(0.95, 1.05)
            piece = self.spoken_word(clip, rng, speed=own_speed, whole=count == 1)
            loudness = float(np.sqrt(np.mean(np.square(piece)))) + 1e-5
            pieces.append(piece / loudness * 10 ** (rng.normal(0, 3) / 20))
        gaps = [draw_gap(rng, self.long_pauses) for _ in range(count - 1)]
        edges = [draw_gap(rng, self.long_pauses) for _ in range(2)]
        joined = join(pieces, [edges[0], *gaps, edges[1]])
        joined = change_surroundings(joined, rng, self.noises, self.strength)
        return Item(normalise(joined), spell([clip.text for clip in clips]))

    def spoken_word(
        self, clip: Clip, rng: np.random.Generator, *, speed: float, whole: bool = False
    ) -> Waveform:
        """Return a clip's word in another voice, with some of its surroundings or all of them."""
        if whole and rng.random() < 0.5:
            word = fade(clip.waveform)
        else:
            word = cut_word(clip, rng.uniform(0.02, 0.2), rng.uniform(0.04, 0.2))
        return change_voice(word, rng, speed, self.strength)

    def no_word(self, rng: np.random.Generator, seconds: float) -> Waveform:
        """Return noise, now and then next to nothing: a recorder's last bits, or digital zero."""
        samples = round(seconds * SAMPLE_RATE)
        kind = rng.random()
        if kind < 0.05:
            return np.zeros(samples, dtype=np.float32)
        noise = self.noises.draw(samples, rng)
        if kind < 0.5:
            loudness = rng.uniform(-20, 10, 6).repeat(samples // 6 + 1)[:samples]
            noise = noise * 10 ** (loudness / 20).astype(np.float32)
        return normalise(change_surroundings(noise, rng, self.noises, self.strength))


def draw_speed(rng: np.random.Generator, strength: float) -> float:
    """Return a speed between 0.82 and 1.22 at full strength, evenly on a logarithmic scale."""
    return float(np.exp(strength * rng.uniform(-0.2, 0.2)))


def draw_gap(rng: np.random.Generator, long_share: float = 0.0) -> float:
    """Return the seconds of a pause, mostly short, now and then up to a second.

    One time in four there is none: the words touch, or overlap a little. `long_share` of the
    pauses last one to four seconds: without any, words around a long one are written as one.
    """
    if long_share and rng.random() < long_share:
        return float(rng.uniform(1.0, 4.0))
    if rng.random() < 0.25:
        return float(rng.uniform(-0.04, 0.02))
    return float(min(0.02 + rng.exponential(0.17), 1.0))


def spell(words: list[str]) -> tuple[int, ...]:
    """Return the ids of the words' letters, with a delimiter between words."""
    return tuple(LETTER_IDS[letter] for letter in "|".join(words))


@dataclass(frozen=True)
class Batch:
    """Items padded to the longest: values with zeros, labels with what the losses ignore."""

    input_values: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    @property
    def seconds(self) -> float:
        """How much audio it is, padding and all."""
        return self.input_values.numel() / SAMPLE_RATE


def collate(items: list[Item]) -> Batch:
    """Return the items as tensors."""
    longest = max(len(item.waveform) for item in items)
    longest = max(math.ceil(longest / PADDING_STEP) * PADDING_STEP, 2 * PADDING_STEP)
    values = np.zeros((len(items), longest), dtype=np.float32)
    mask = np.zeros((len(items), longest), dtype=np.int64)
    most = max(1, *(len(item.labels) for item in items))
    labels = np.full((len(items), most), IGNORED_LABEL, dtype=np.int64)
    for row, item in enumerate(items):
        values[row, : len(item.waveform)] = item.waveform
        mask[row, : len(item.waveform)] = 1
        labels[row, : len(item.labels)] = item.labels
    return Batch(torch.from_numpy(values), torch.from_numpy(mask), torch.from_numpy(labels))


def batches(
    compose: Callable[[np.random.Generator], Item],
    rng: np.random.Generator,
    *,
    batch_seconds: float,
    pool_items: int,
) -> Iterator[Batch]:
    """Yield batches of items of similar length, so that little of a batch is padding."""
    while True:
        pool = sorted((compose(rng) for _ in range(pool_items)), key=lambda i: len(i.waveform))
        ready: list[list[Item]] = [[]]
        for item in pool:
            if (len(ready[-1]) + 1) * len(item.waveform) > batch_seconds * SAMPLE_RATE:
                ready.append([])
            ready[-1].append(item)
        if len(ready) > 1 and len(ready[-1]) < len(ready[-2]) // 2:
            ready[-2] += ready.pop()
        for which in rng.permutation(len(ready)):
            yield collate(ready[which])


def in_background(source: Iterator[AnyBatch], ahead: int = 4) -> Iterator[AnyBatch]:
    """Yield what the source yields, made beforehand in a thread: numpy's FFT lets go of the GIL."""
    waiting: queue.Queue[AnyBatch] = queue.Queue(maxsize=ahead)

    def fill() -> None:
        for batch in source:
            waiting.put(batch)

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield waiting.get()
