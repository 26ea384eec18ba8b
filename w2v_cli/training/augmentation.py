"""What other voices, rooms, microphones and lines do to a recording, imitated in numpy.

Every change draws from the generator it is given and from nothing else, so that the same
generator makes the same recording, on any run.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from w2v_cli.audio import SAMPLE_RATE, read_waveforms
from w2v_cli.training.tempo import change_tempo

Waveform = npt.NDArray[np.float32]
Random = np.random.Generator

SPEED_RANGE = (0.85, 1.15)
"""Of speed, unless another is wanted, and of tempo."""

CUT_SHARES = (0.05, 0.5)
"""Of a word, that is missing."""

LONGEST_WORD = 1.5
"""Seconds. What is longer is no single word, whatever its text looks like: many scripts have no
spaces between words."""

GAIN_DECIBELS = (-20.0, 6.0)
NOISE_DECIBELS = (2.0, 38.0)
"""Speech above noise. Below 2 dB words of one second are hard for people, too."""

NARROW_BAND_HZ = (3300.0, 4000.0)
"""Telephone band, and what a recording at 8 kHz has."""

EQUALISER_HZ = (50.0, 200.0, 500.0, 1200.0, 2500.0, 4500.0, 8000.0)
EQUALISER_DECIBELS = 3.5

_TRIM_FRAME = 160  # 10 ms
_TRIM_SHARES = (0.02, 0.98)  # of the loudness above the noise floor
_FADE_SAMPLES = 80  # 5 ms, so that a cut adds no click


@dataclass(frozen=True)
class Augmentation:
    """How often each change is made, from 0 (never) to 1 (always).

    Attributes:
        speed: Played slower or faster, voice and all.
        tempo: Said slower or faster by the same voice; of those that speed leaves alone.
        gain: Louder or softer.
        equalise: Through another microphone: a smooth random response.
        reverberate: In a room.
        noise: With noise.
        trim: Without most of the silence at both ends.
        cut_off: Without the beginning or the end of its word, if it is of one, as where somebody
            spoke too early or a recording stopped too soon.
        band_limit: Over a telephone, or a little wider line.
        noise_files: Recordings of noise; without any it is made: coloured noise, or the voices
            of other recordings.
        room_files: Recordings of rooms' impulse responses; without any they are made.
        speed_range: How slow and how fast at most; as likely slower as faster, in octaves.
    """

    speed: float = 0.0
    gain: float = 0.0
    equalise: float = 0.0
    reverberate: float = 0.0
    noise: float = 0.0
    band_limit: float = 0.0
    trim: float = 0.0
    tempo: float = 0.0
    cut_off: float = 0.0
    noise_files: tuple[str, ...] = ()
    room_files: tuple[str, ...] = ()
    speed_range: tuple[float, float] = SPEED_RANGE

    def __post_init__(self) -> None:
        for item in fields(self):
            chance = getattr(self, item.name)
            if isinstance(chance, float | int) and not 0 <= chance <= 1:
                raise ValueError(f"{item.name}={chance}: a share of recordings is from 0 to 1")

    @property
    def does_nothing(self) -> bool:
        """Whether recordings stay as they are."""
        changes = (self.speed, self.gain, self.equalise, self.reverberate, self.noise)
        return not any((*changes, self.band_limit, self.trim, self.tempo, self.cut_off))


class Augmenter:
    """Changes recordings as an `Augmentation` says.

    Args:
        augmentation: What is done, and how often.
        voices: Draws the waveform of some other recording, for noise of many voices; None for
            none.
        read: Returns a recording of noise or of a room; None where it cannot be decoded, in whose
            place noise, or a room, is made. Without it nothing is kept in memory.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        voices: Callable[[Random], Waveform] | None = None,
        read: Callable[[str], Waveform | None] | None = None,
    ) -> None:
        self.augmentation = augmentation
        self._voices = voices
        self._read = read or _first_channel

    def change_voice(self, waveform: Waveform, random: Random) -> Waveform:
        """Return one speaker's recording at another speed, through another microphone."""
        wanted = self.augmentation
        chance = random.random(3)
        speed = 1.0
        if chance[2] < wanted.trim:
            waveform = trim(waveform, random.uniform(0.02, 0.2), random.uniform(0.04, 0.2))
        if chance[0] < wanted.speed:
            speed = draw_speed(random, wanted.speed_range)
        elif wanted.tempo and random.random() < wanted.tempo:
            waveform = change_tempo(waveform, draw_speed(random))
        decibels = EQUALISER_DECIBELS if chance[1] < wanted.equalise else 0.0
        if speed == 1.0 and not decibels:
            return waveform
        return filter_and_resample(waveform, random, speed=speed, equaliser_decibels=decibels)

    def cut_word(self, waveform: Waveform, random: Random) -> Waveform:
        """Return one word's recording, maybe without a part of the word."""
        if not self.augmentation.cut_off or random.random() >= self.augmentation.cut_off:
            return waveform
        return cut_off(waveform, random)

    def change_surroundings(self, waveform: Waveform, random: Random) -> Waveform:
        """Return a whole recording in another room, with noise, over another line."""
        wanted = self.augmentation
        chance = random.random(4)
        if chance[0] < wanted.reverberate:
            waveform = reverberate(waveform, self._room(random))
        if chance[1] < wanted.noise:
            decibels = random.uniform(*NOISE_DECIBELS)
            power = float(np.sqrt(np.mean(np.square(waveform)))) * 10 ** (-decibels / 20)
            waveform = waveform + np.float32(power) * self._noise(len(waveform), random)
        if chance[2] < wanted.band_limit:
            high_pass = random.uniform(60, 320) if random.random() < 0.5 else None
            narrow = random.random() < 0.75
            low_pass = random.uniform(*(NARROW_BAND_HZ if narrow else (4500.0, 7500.0)))
            waveform = filter_and_resample(waveform, random, low_pass=low_pass, high_pass=high_pass)
        if chance[3] < wanted.gain:
            waveform = waveform * np.float32(10 ** (random.uniform(*GAIN_DECIBELS) / 20))
        return waveform

    def _noise(self, n_samples: int, random: Random) -> Waveform:
        """Return noise of unit power."""
        files = self.augmentation.noise_files
        noise = self._read(files[random.integers(len(files))]) if files else None
        if noise is not None:
            if len(noise) <= n_samples:
                noise = np.tile(noise, n_samples // len(noise) + 2)
            start = random.integers(len(noise) - n_samples)
            return unit_power(noise[start : start + n_samples])
        if self._voices is not None and random.random() < 0.3:
            babble = np.zeros(n_samples, dtype=np.float32)
            for _ in range(random.integers(3, 9)):
                babble += np.resize(unit_power(self._voices(random)), n_samples)
            return unit_power(babble)
        return unit_power(coloured_noise(n_samples, random.uniform(0, 2), random))

    def _room(self, random: Random) -> Waveform:
        files = self.augmentation.room_files
        response = self._read(files[random.integers(len(files))]) if files else None
        if response is not None:
            peak = int(np.abs(response).argmax())
            response = response[peak:]  # or all that is said would come later
            response = response / max(float(np.abs(response).max()), 1e-6)
            return response.astype(np.float32)
        return made_room(random)


def _first_channel(path: str) -> Waveform | None:
    waveform = read_waveforms(path, channel=1).channels[0]
    return waveform if len(waveform) else None


def draw_speed(random: Random, speed_range: tuple[float, float] = SPEED_RANGE) -> float:
    """Return a speed, every octave as likely."""
    low, high = np.log(speed_range)
    return float(np.exp(random.uniform(low, high)))


def filter_and_resample(
    waveform: Waveform,
    random: Random,
    *,
    speed: float = 1.0,
    low_pass: float | None = None,
    high_pass: float | None = None,
    equaliser_decibels: float = 0.0,
) -> Waveform:
    """Return the waveform played at another speed through another microphone.

    All of it is linear, so one trip to the frequency domain and back does it.

    Args:
        waveform: (samples,).
        random: What is drawn from.
        speed: 1.1 plays it 10 % faster, with voice and formants 10 % higher.
        low_pass: Hz above which it is cut.
        high_pass: Hz below which it is cut.
        equaliser_decibels: Standard deviation of a smooth random response.
    """
    padded_length, changed_length = quick_lengths(len(waveform), speed)
    spectrum = np.fft.rfft(waveform, padded_length)
    frequencies = np.linspace(1, SAMPLE_RATE / 2, len(spectrum))
    response = np.ones(len(spectrum))
    if equaliser_decibels:
        decibels = random.normal(0, equaliser_decibels, len(EQUALISER_HZ))
        response *= 10 ** (np.interp(np.log(frequencies), np.log(EQUALISER_HZ), decibels) / 20)
    if low_pass:
        response /= np.sqrt(1 + (frequencies / low_pass) ** 40)
    if high_pass:
        response /= np.sqrt(1 + (high_pass / frequencies) ** 6)
    ratio = changed_length / padded_length
    changed = np.fft.irfft(spectrum * response, n=changed_length) * ratio
    return changed[: max(round(len(waveform) * ratio), 2)].astype(np.float32)


def made_room(random: Random) -> Waveform:
    """Return an impulse response: the direct sound and an exponentially dying noise tail."""
    decay_seconds = random.uniform(0.08, 0.5)
    times = np.arange(round(decay_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(len(times)) * np.exp(-6.9 * times / decay_seconds)
    tail[: round(random.uniform(0.001, 0.02) * SAMPLE_RATE)] = 0
    tail *= random.uniform(0.1, 0.8) / max(float(np.sqrt(np.square(tail).sum())), 1e-6)
    tail[0] = 1
    response: Waveform = tail.astype(np.float32)
    return response


def reverberate(waveform: Waveform, response: Waveform) -> Waveform:
    """Return the waveform in the room of an impulse response, and no longer than it was."""
    size = quick_length(len(waveform) + len(response))
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(response, size), size)
    return wet[: len(waveform)].astype(np.float32)


def coloured_noise(n_samples: int, slope: float, random: Random) -> Waveform:
    """Return noise whose power falls like frequency ** -slope: white 0, pink 1, brown 2."""
    length = quick_length(n_samples)
    spectrum = np.fft.rfft(random.standard_normal(n_samples), length)
    frequencies = np.linspace(20, SAMPLE_RATE / 2, len(spectrum))
    noise = np.fft.irfft(spectrum * frequencies ** (-slope / 2), length)
    return noise[:n_samples].astype(np.float32)


def quick_length(length: float) -> int:
    """Return the shortest length from this one on whose Fourier transform is quick.

    A length with large prime factors takes ten times as long as one of 2, 3, 5, 7 and 11 alone; of
    these there is one within 1 %.

    >>> quick_length(16001)
    16038
    """
    lengths = _quick_lengths()
    wanted = max(math.ceil(length), 2)
    if wanted > lengths[-1]:
        return wanted
    return lengths[bisect.bisect_left(lengths, wanted)]


def quick_lengths(length: float, speed: float) -> tuple[int, int]:
    """Return two lengths whose Fourier transforms are quick, the first `speed` times the second.

    The first is `length` or somewhat more, and the speed right to 0.3 %.
    """
    before = quick_length(length)
    after = quick_length(before / speed)
    while before < 2 * length and after * speed > 1.003 * before:
        before = quick_length(before + 1)
        after = quick_length(before / speed)
    return before, after


@functools.cache
def _quick_lengths() -> tuple[int, ...]:
    """Return the products of 2, 3, 5, 7 and 11, up to some minutes of samples."""
    most = 2**24
    products = [1]
    for factor in (2, 3, 5, 7, 11):
        for product in products:  # which grows meanwhile
            if product * factor <= most:
                products.append(product * factor)
    return tuple(sorted(products))


def unit_power(waveform: Waveform) -> Waveform:
    """Return the waveform scaled to a mean square of one; silence stays silence."""
    power = float(np.sqrt(np.mean(np.square(waveform)) + 1e-10))
    return (waveform / np.float32(power)).astype(np.float32)


def trim(waveform: Waveform, before_seconds: float, after_seconds: float) -> Waveform:
    """Return what stands out of a recording's noise floor, faded in and out.

    Words recorded one by one have a second of their own; joined like that they would come
    slower than anybody speaks.

    Args:
        waveform: (samples,).
        before_seconds: Silence that is left before it, at most.
        after_seconds: Silence that is left after it, at most.
    """
    found = find_speech(waveform)
    if found is None:
        return waveform
    start = max(found[0] - round(before_seconds * SAMPLE_RATE), 0)
    end = min(found[1] + round(after_seconds * SAMPLE_RATE), len(waveform))
    return fade(waveform[start:end])


def cut_off(waveform: Waveform, random: Random) -> Waveform:
    """Return a word's recording that begins in the word, or, two times in three, ends in it.

    It comes back whole where nothing stands out of the noise floor, or too much for a word.
    """
    found = find_speech(waveform)
    if found is None or found[1] - found[0] > LONGEST_WORD * SAMPLE_RATE:
        return waveform
    start, end = found[0], min(found[1], len(waveform))
    missing = round(random.uniform(*CUT_SHARES) * (end - start))
    return waveform[start + missing :] if random.random() < 1 / 3 else waveform[: end - missing]


def find_speech(waveform: Waveform) -> tuple[int, int] | None:
    """Return the first sample of what stands out of the noise floor, and the one after the last.

    None where nothing does, or there is too little to tell.
    """
    n_frames = len(waveform) // _TRIM_FRAME
    if n_frames < 3:
        return None
    blocks = waveform[: n_frames * _TRIM_FRAME].reshape(n_frames, _TRIM_FRAME)
    energy = np.square(blocks.astype(np.float64)).sum(axis=1)
    smooth = np.convolve(np.pad(energy, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    # The fourth root: with energy itself a vowel outweighs every consonant.
    floor = (4 * np.quantile(smooth, 0.1)) ** 0.25
    loudness = np.maximum(smooth**0.25 - floor, 0)
    if loudness.sum() <= 0:
        return None
    share = np.cumsum(loudness) / loudness.sum()
    first, last = np.searchsorted(share, _TRIM_SHARES) * _TRIM_FRAME
    return int(first), int(last) + _TRIM_FRAME


def fade(waveform: Waveform) -> Waveform:
    """Return a copy that starts and ends at zero."""
    faded = waveform.copy()
    ramp = np.linspace(0, 1, min(_FADE_SAMPLES, len(faded)), dtype=np.float32)
    faded[: len(ramp)] *= ramp
    faded[len(faded) - len(ramp) :] *= ramp[::-1]
    return faded


def join(pieces: Sequence[Waveform], gaps_seconds: Sequence[float]) -> Waveform:
    """Return the pieces one after another, with a gap between each and the next.

    Args:
        pieces: At least one waveform.
        gaps_seconds: One less than pieces.
    """
    parts = [pieces[0]]
    for piece, gap in zip(pieces[1:], gaps_seconds, strict=True):
        parts += [np.zeros(round(gap * SAMPLE_RATE), dtype=np.float32), piece]
    return np.concatenate(parts)


def speech_spans(
    pieces: Sequence[Waveform], gaps_seconds: Sequence[float]
) -> tuple[tuple[int, int], ...]:
    """Return where the speech of each piece is in what `join` makes of them, in samples."""
    spans, position = [], 0
    for piece, gap in zip(pieces, [*gaps_seconds, 0.0], strict=True):
        start, end = find_speech(piece) or (0, len(piece))
        spans.append((position + start, position + min(end, len(piece))))
        position += len(piece) + round(gap * SAMPLE_RATE)
    return tuple(spans)


def draw_gap(random: Random) -> float:
    """Return the seconds of a pause: mostly short, one time in ten one to four seconds.

    Without long ones, words around a long pause are written as one.
    """
    if random.random() < 0.1:
        return float(random.uniform(1.0, 4.0))
    return float(min(random.exponential(0.17), 1.0))
