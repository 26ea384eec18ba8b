"""Noises that transcripts are measured in: coloured, tones, hum, and recorded ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.recordings import Clip, Waveform
from w2v_cli.training.augmentation import coloured_noise, fade, unit_power

NOISE_SECONDS = 40


class Noises:
    """A stock of noises of equal power, of which any stretch can be had."""

    def __init__(self, silences: Sequence[Clip], rng: np.random.Generator) -> None:
        """Make coloured noise, tones, hum, and the corpus's own noise."""
        samples = NOISE_SECONDS * SAMPLE_RATE
        self.stock = [coloured_noise(samples, slope, rng) for slope in (0, 0.5, 1, 1.5, 2)]
        self.stock += [tones(samples, rng) for _ in range(3)] + [hum(samples, rng)]
        self.stock = [unit_power(noise) for noise in self.stock]
        self.real = unit_power(
            np.concatenate([fade(unit_power(clip.waveform)) for clip in silences])
        )

    def draw(self, samples: int, rng: np.random.Generator) -> Waveform:
        """Return so many samples of one noise, of unit power; half the time a recorded one."""
        source = self.real if rng.random() < 0.5 else self.stock[rng.integers(len(self.stock))]
        if samples >= len(source):
            source = np.tile(source, samples // len(source) + 2)
        start = rng.integers(len(source) - samples)
        return unit_power(source[start : start + samples])


def tones(samples: int, rng: np.random.Generator) -> Waveform:
    """Return something like music: chords of decaying harmonics, a new one every now and then."""
    music = np.zeros(samples, dtype=np.float32)
    position = 0
    while position < samples:
        length = min(round(rng.uniform(0.1, 1.2) * SAMPLE_RATE), samples - position)
        times = np.arange(length) / SAMPLE_RATE
        note = np.zeros(length)
        for pitch in rng.uniform(80, 1200, rng.integers(1, 4)):
            for harmonic in range(1, rng.integers(2, 9)):
                if pitch * harmonic < SAMPLE_RATE / 2:
                    phase = rng.uniform(0, 2 * np.pi)
                    note += np.sin(2 * np.pi * pitch * harmonic * times + phase) / harmonic
        music[position : position + length] = note * np.exp(-times * rng.uniform(0, 6))
        position += length
    return music


def hum(samples: int, rng: np.random.Generator) -> Waveform:
    """Return mains hum with its harmonics under a little hiss."""
    times = np.arange(samples) / SAMPLE_RATE
    buzz = 0.05 * rng.standard_normal(samples)
    for harmonic in range(1, 12):
        buzz += np.sin(2 * np.pi * 50 * harmonic * times) * rng.uniform(0, 1) / harmonic
    return buzz.astype(np.float32)
