"""The classifier that `mini` learns words from: a residual network over log-mel spectrograms.

With a few hours of speech it tells words apart far better than a network over the waveform does
that has to find out by itself that the bands of a spectrum are alike: its convolutions go over
bands as over time (He et al. 2016; of spoken words Tang and Lin 2018).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.augmentation import change_surroundings
from w2v_cli.models.mini.evaluate import normalise
from w2v_cli.models.mini.examples import (
    NO_WORD,
    WORDS,
    Batch,
    Composer,
    Item,
    collate,
    draw_speed,
)
from w2v_cli.models.mini.recordings import Clip, Waveform

HEARD = 19_200
"""Samples that the network hears: 1.2 seconds, a clip with some nothing around it."""

N_BANDS = 48
N_FFT, WINDOW, HOP = 512, 400, 160
BAND_HZ = (60.0, 7600.0)
WIDTH = 16
BATCH = 64
NO_WORD_SHARE = 1 / 25
MASKS, MASK_BANDS, MASK_FRAMES = 2, 8, 16
"""SpecAugment (Park et al. 2019): so many stretches of bands and of frames, each shorter."""

TEN_KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


@dataclass(frozen=True)
class Heard:
    """What the network makes of waveforms.

    Attributes:
        logits: (batch, words and none).
        middle: What four of its eight blocks make, 50 frames a second, (batch, channels, bands,
            frames).
        last: What all of them make, 12.5 frames a second, of the same shape.
    """

    logits: torch.Tensor
    middle: torch.Tensor
    last: torch.Tensor


class Block(nn.Module):
    """Two convolutions over bands and time beside what goes in."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.dropout = nn.Dropout2d(0.1)
        self.beside: nn.Module = nn.Identity()
        if n_in != n_out or stride != 1:
            self.beside = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, bands, frames)."""
        inner = self.first_norm(self.first(images)).relu()
        inner = self.dropout(self.second_norm(self.second(inner)))
        both: torch.Tensor = inner + self.beside(images)
        return both.relu()


class SpectrogramNetwork(nn.Module):
    """Tells the words apart in waveforms of `HEARD` samples.

    Args:
        width: Channels of the first blocks; the last have eight times as many.
    """

    mel: torch.Tensor
    window: torch.Tensor

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 5, (2, 1), 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.places = nn.Parameter(torch.zeros(1, width, N_BANDS // 2, 1))
        sizes = [
            width,
            width,
            width,
            2 * width,
            2 * width,
            4 * width,
            4 * width,
            8 * width,
            8 * width,
        ]
        self.blocks = nn.ModuleList(
            Block(n_in, n_out, 1 if n_in == n_out else 2)
            for n_in, n_out in itertools.pairwise(sizes)
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(8 * width * N_BANDS // 16, len(WORDS) + 1)
        mel = librosa.filters.mel(
            sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_BANDS, fmin=BAND_HZ[0], fmax=BAND_HZ[1]
        )
        self.register_buffer("mel", torch.from_numpy(mel), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> Heard:
        """Return what it makes of waveforms, (batch, samples), with masks while it learns."""
        spectrogram = self.spectrogram(waveforms)
        if self.training:
            mask(spectrogram)
        images = self.stem(spectrogram[:, None]) + self.places
        seen = []
        for block in self.blocks:
            images = block(images)
            seen.append(images)
        pooled = images.mean(-1).flatten(1) + 0.3 * images.amax(-1).flatten(1)
        return Heard(self.head(self.dropout(pooled)), seen[3], images)

    def spectrogram(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return log-mel power less its mean, (batch, bands, frames)."""
        spectra = torch.stft(waveforms, N_FFT, HOP, WINDOW, self.window, return_complex=True)
        power = spectra.abs().square()
        floor = 1e-6 * power.mean((1, 2), keepdim=True) + 1e-9
        logs: torch.Tensor = (self.mel @ power + floor).log()
        return (logs - logs.mean((1, 2), keepdim=True)) / 3


def mask(spectrograms: torch.Tensor) -> None:
    """Set stretches of bands and of frames to the mean, in place."""
    n_frames = spectrograms.shape[2]
    for image in spectrograms:
        for _ in range(MASKS):
            n = np.random.randint(MASK_BANDS)
            start = np.random.randint(N_BANDS - n)
            image[start : start + n] = 0
            n = np.random.randint(MASK_FRAMES)
            start = np.random.randint(n_frames - n)
            image[:, start : start + n] = 0


def place(waveform: Waveform, rng: np.random.Generator | None = None) -> Waveform:
    """Return `HEARD` samples with the waveform in their middle, or somewhere, or a part of it."""
    left_over = len(waveform) - HEARD
    start = abs(left_over) // 2 if rng is None else int(rng.integers(abs(left_over) + 1))
    if left_over >= 0:
        return waveform[start : start + HEARD]
    return np.pad(waveform, (start, -left_over - start))


def word_to_place(composer: Composer, rng: np.random.Generator) -> Item:
    """Return a word as it was recorded or cut close, somewhere in `HEARD` samples, or no word."""
    if rng.random() < NO_WORD_SHARE:
        return Item(place(composer.no_word(rng, rng.uniform(0.6, 1.2)), rng), (NO_WORD,))
    clip = composer.sampler.draw(rng)
    speed = draw_speed(rng, composer.strength)
    word = composer.spoken_word(clip, rng, speed=speed, whole=True)
    if rng.random() < 0.7:
        word = place(word, rng)
    word = change_surroundings(word, rng, composer.noises, composer.strength)
    return Item(place(normalise(word), rng), (WORDS.index(clip.text),))


def batches_of_places(composer: Composer, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield batches of `BATCH` words, without end."""
    while True:
        yield collate([word_to_place(composer, rng) for _ in range(BATCH)])


def teaching_loss(network: SpectrogramNetwork, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy of the words, a little smoothed."""
    logits = network(batch.input_values).logits.float()
    return nn.functional.cross_entropy(logits, batch.labels[:, 0], label_smoothing=0.05)


def check_teacher(network: SpectrogramNetwork, clips: Sequence[Clip]) -> dict[str, float]:
    """Return the shares of dev clips that the network has right."""
    logits = []
    with torch.inference_mode():
        for start in range(0, len(clips), BATCH):
            some = [place(normalise(clip.waveform)) for clip in clips[start : start + BATCH]]
            logits.append(network(torch.from_numpy(np.stack(some))).logits)
    return word_shares(torch.cat(logits).log_softmax(-1).numpy(), clips)


def word_shares(logs: npt.NDArray[np.float32], clips: Sequence[Clip]) -> dict[str, float]:
    """Return the shares of clips that are right, of the words and of the twelve keyword classes.

    Args:
        logs: Natural-log probabilities of the words and none, (clips, words and none).
        clips: What was heard.
    """
    said = np.array([WORDS.index(clip.text) if clip.text else NO_WORD for clip in clips])
    in_commands = np.array([clip.corpus == "commands" for clip in clips])
    right = logs[:, :NO_WORD].argmax(1) == said
    words = in_commands & (said != NO_WORD)
    unknown = len(TEN_KEYWORDS)
    classes = [TEN_KEYWORDS.index(w) if w in TEN_KEYWORDS else unknown for w in WORDS]
    twelve = np.array([*classes, unknown + 1])
    shares = np.exp(logs - logs.max(1, keepdims=True)) @ np.eye(unknown + 2)[twelve]
    right_class = shares.argmax(1) == twelve[said]
    balanced = [right[words & (said == word)].mean() for word in np.unique(said[words])]
    return {
        "commands": float(right[words].mean()),
        "commands_balanced": float(np.mean(balanced)),
        "digits": float(right[~in_commands].mean()),
        "twelve_classes": float(right_class[in_commands].mean()),
    }
