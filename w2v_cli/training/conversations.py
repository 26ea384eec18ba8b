"""Conversations: parts of annotated ones, and made ones, mixed from single speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.training.augmentation import Augmenter, Random, Waveform, unit_power
from w2v_cli.training.examples import Composer, Item, Recordings, any_stretch
from w2v_cli.training.manifests import Example
from w2v_cli.training.sampler import Group
from w2v_cli.training.turns import (
    BLOCK_SAMPLES,
    Activity,
    activity_of_speech,
    activity_of_turns,
    count_blocks,
)

_TURN_SECONDS = (0.6, 6.0)
_GAP_SECONDS = (-1.5, 1.0)
"""Below 0 somebody begins before the other has ended."""

_PAUSE_SECONDS = (1.0, 4.0)
_PAUSE_SHARE = 0.1  # of gaps; without any, silence would be heard between words only

_LOUDNESS_DECIBELS = 3.0  # how much speakers differ


@dataclass(frozen=True)
class Mixing:
    """How conversations are made.

    Attributes:
        n_speakers: Speakers in a conversation at most, and the network's outputs.
        mix: The share of recordings of one speaker that are mixed with another's.
        seconds: How long a conversation is at most.
    """

    n_speakers: int = 2
    mix: float = 0.8
    seconds: float = 10.0


class ConversationComposer(Composer):
    """Makes items that know who speaks when.

    Args and behaviour are those of `Composer`; an item's activity has `n_speakers` rows, in the
    order in which they first speak. Of those who speak in an annotated stretch the most talkative
    are kept; `keeps_all_speakers` keeps the others, too, a row each, to be measured against.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        recordings: Recordings,
        augmenter: Augmenter | None = None,
        *,
        seed: int = 0,
        mixing: Mixing | None = None,
    ) -> None:
        super().__init__(examples, recordings, augmenter, seed=seed)
        self.mixing = mixing or Mixing()
        self.keeps_all_speakers = False
        self._by_speaker: dict[str, list[Example]] = {}
        for example in examples:
            if not example.turns and example.speaker is not None:
                self._by_speaker.setdefault(example.speaker, []).append(example)
        self._speakers = sorted(self._by_speaker)
        # With more recordings more often, but not as much more: voices matter, too.
        spoken = [sum(e.seconds or 0.0 for e in self._by_speaker[who]) for who in self._speakers]
        self._weights = np.sqrt(np.maximum(spoken, 1e-3))

    def _item(self, group: Group, random: Random) -> Item | None:
        example = self.examples[group[0]]
        waveform = self.recordings.read(example)
        if waveform is None:
            return None
        if example.turns:
            waveform, activity = self._part(example, waveform, random)
        elif len(self._speakers) > 1 and random.random() < self.mixing.mix:
            waveform, activity = self._mixed(example, random)
        else:
            stretch = any_stretch(waveform, self.mixing.seconds, random)
            waveform, spoken = self._voice(stretch, random)
            activity = spoken[None]
        if self.augmenter is not None:
            waveform = self.augmenter.change_surroundings(waveform, random)
        waveform = self.long_enough(waveform)
        silent = max(count_blocks(len(waveform)) - activity.shape[1], 0)
        activity = np.pad(activity, ((0, 0), (0, silent)))
        n_speakers = self.mixing.n_speakers
        if self.keeps_all_speakers:
            n_speakers = max(n_speakers, len(activity))
        return Item(waveform, (example,), _rows(activity, n_speakers))

    def _part(
        self, example: Example, waveform: Waveform, random: Random
    ) -> tuple[Waveform, Activity]:
        """Return a stretch of an annotated conversation, not longer than asked for."""
        n_samples = round(self.mixing.seconds * SAMPLE_RATE)
        start = int(random.integers(max(len(waveform) - n_samples, 0) + 1))
        start -= start % BLOCK_SAMPLES
        part = waveform[start : start + n_samples]
        begins = example.start_seconds + start / SAMPLE_RATE
        found = activity_of_turns(example.turns, begins, len(part))
        most = sorted(found, key=lambda who: -found[who].sum())
        if not self.keeps_all_speakers:
            most = most[: self.mixing.n_speakers]
        rows = [found[who] for who in found if who in most]
        return part, np.stack(rows) if rows else np.zeros((0, count_blocks(len(part))), np.float32)

    def _mixed(self, example: Example, random: Random) -> tuple[Waveform, Activity]:
        """Return turns of an example's speaker and of others, one after and over the other."""
        weights = np.where(np.array(self._speakers) == example.speaker, 0.0, self._weights)
        n_others = min(self.mixing.n_speakers - 1, len(weights) - 1)
        drawn_others = random.choice(
            self._speakers, n_others, replace=False, p=weights / weights.sum()
        )
        who = [str(example.speaker), *map(str, drawn_others)]
        voices = random.integers(2**32, size=len(who))
        loudness = 10 ** (random.normal(0, _LOUDNESS_DECIBELS, len(who)) / 20)
        n_samples = round(self.mixing.seconds * SAMPLE_RATE)
        mixed = np.zeros(n_samples, dtype=np.float32)
        activity = np.zeros((len(who), count_blocks(n_samples)), dtype=np.float32)
        ends, last = 0, -1
        while ends < n_samples:
            choices = [index for index in range(len(who)) if index != last or random.random() < 0.3]
            last = int(random.choice(choices or [last]))
            spoken_by = self._by_speaker[who[last]]
            drawn = self.recordings.read(spoken_by[random.integers(len(spoken_by))])
            if drawn is None:
                return mixed, activity
            seconds = float(np.exp(random.uniform(*np.log(_TURN_SECONDS))))
            # The same draws for each of a speaker's turns: it stays the same voice.
            piece, spoken = self._voice(
                any_stretch(drawn, seconds, random), np.random.default_rng(voices[last])
            )
            is_pause = random.random() < _PAUSE_SHARE
            gap_seconds = random.uniform(*(_PAUSE_SECONDS if is_pause else _GAP_SECONDS))
            start = max(ends + round(gap_seconds * SAMPLE_RATE), 0)
            start -= start % BLOCK_SAMPLES
            ends = max(ends, start + len(piece), start + SAMPLE_RATE // 2)
            piece = unit_power(piece) * np.float32(0.1 * loudness[last])
            kept = piece[: max(n_samples - start, 0)]
            mixed[start : start + len(kept)] += kept
            block = start // BLOCK_SAMPLES
            row = activity[last, block : block + len(spoken)]
            np.maximum(row, spoken[: len(row)], out=row)
        return mixed, activity

    def _voice(self, waveform: Waveform, random: Random) -> tuple[Waveform, Activity]:
        """Return a recording of one speaker, changed, and where it has speech."""
        if self.augmenter is not None:
            waveform = self.augmenter.change_voice(waveform, random)
        return waveform, activity_of_speech(waveform)


def _rows(activity: Activity, n_speakers: int) -> Activity:
    """Return so many rows, in the order in which they begin; silent ones last."""
    begins = [int(row.argmax()) if row.any() else activity.shape[1] for row in activity]
    order = sorted(range(len(activity)), key=lambda index: begins[index])[:n_speakers]
    rows = np.zeros((n_speakers, activity.shape[1]), dtype=np.float32)
    rows[: len(order)] = activity[order]
    return rows
