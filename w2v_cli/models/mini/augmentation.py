"""What strangers' rooms, microphones and voices do to a recording, imitated cheaply in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.recordings import Clip, Waveform
from w2v_cli.training.augmentation import (
    NARROW_BAND_HZ,
    coloured_noise,
    fade,
    filter_and_resample,
    made_room,
    reverberate,
    unit_power,
)

NOISE_SECONDS = 40
MU = 255.0
"""mu-law companding (ITU-T G.711), the cheapest lossy coder there is."""


def squeeze(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """Return the waveform after a bad line: clipped at the peaks, or coded in few bits."""
    peak = max(float(np.abs(waveform).max()), 1e-6)
    if rng.random() < 0.5:
        limit = peak * rng.uniform(0.2, 0.7)
        return np.clip(waveform, -limit, limit).astype(np.float32)
    steps = 2 ** rng.integers(4, 8)
    unit = waveform / peak
    coded = np.sign(unit) * np.log1p(MU * np.abs(unit)) / np.log1p(MU)
    coded = np.round(coded * steps) / steps
    decoded: Waveform = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU * peak
    return decoded.astype(np.float32)


class Noises:
    """A stock of noises of equal power, of which any stretch can be had."""

    def __init__(
        self, silences: Sequence[Clip], speech: Sequence[Clip], rng: np.random.Generator
    ) -> None:
        """Make coloured noise, babble of many voices, tones, hum, and the corpus's own noise."""
        samples = NOISE_SECONDS * SAMPLE_RATE
        self.stock = [coloured_noise(samples, slope, rng) for slope in (0, 0.5, 1, 1.5, 2)]
        self.stock += [tones(samples, rng) for _ in range(3)] + [hum(samples, rng)]
        for voices in (4, 8, 16) if speech else ():
            babble = np.zeros(samples, dtype=np.float32)
            for _ in range(voices):
                babble += unit_power(stretch([c.waveform for c in speech], samples, rng))
            self.stock.append(babble)
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


def stretch(pieces: Sequence[Waveform], samples: int, rng: np.random.Generator) -> Waveform:
    """Return so many samples of randomly chosen pieces, end to end."""
    chosen: list[Waveform] = []
    while sum(map(len, chosen)) < samples:
        chosen.append(unit_power(pieces[rng.integers(len(pieces))]))
    return np.concatenate(chosen)[:samples]


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


def change_voice(
    waveform: Waveform, rng: np.random.Generator, speed: float, strength: float = 1.0
) -> Waveform:
    """Return one word as another speaker might say it, through another microphone."""
    return filter_and_resample(waveform, rng, speed=speed, equaliser_decibels=3.5 * strength)


def change_surroundings(
    waveform: Waveform, rng: np.random.Generator, noises: Noises, strength: float = 1.0
) -> Waveform:
    """Return a whole recording in another room, with noise, over another line.

    Args:
        strength: scales how often each of these happens.
    """
    chance = rng.random(4) / strength
    if chance[0] < 0.3:
        waveform = reverberate(waveform, made_room(rng))
    if chance[1] < 0.7:
        decibels = rng.uniform(2, 38)
        power = float(np.sqrt(np.mean(np.square(waveform)))) * 10 ** (-decibels / 20)
        waveform = waveform + noises.draw(len(waveform), rng) * power
    if chance[2] < 0.35:
        high_pass = rng.uniform(60, 320) if rng.random() < 0.5 else None
        low_pass = rng.uniform(*NARROW_BAND_HZ)
        waveform = filter_and_resample(waveform, rng, low_pass=low_pass, high_pass=high_pass)
    elif chance[2] < 0.45:
        waveform = filter_and_resample(waveform, rng, low_pass=rng.uniform(4500, 7500))
    if chance[3] < 0.06:
        waveform = squeeze(waveform, rng)
    return waveform
