"""The recordings `mini` is measured on: decoded once, kept in memory, cut and joined."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.training.augmentation import fade, find_speech

Waveform = npt.NDArray[np.float32]

SHORTEST_WORD = 0.35
"""Seconds. What seems shorter was found wrongly, in a noisy clip, and is widened."""


@dataclass(frozen=True)
class Clip:
    """One recorded word (empty text: no word), with where in the clip the word lies."""

    waveform: Waveform
    text: str
    speaker: str
    corpus: str
    word_start: int
    word_end: int


def load_clips(data: Path, corpus: str, split: str, cache: Path) -> list[Clip]:
    """Return every clip of one corpus and split; Opus is decoded once, into `cache`."""
    with open(data / corpus / "manifest.jsonl", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["split"] == split]
    packed = cache / f"{corpus}-{split}.npz"
    if not packed.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pieces = [decode(data / corpus / row["audio_filepath"]) for row in rows]
        lengths = np.array([len(piece) for piece in pieces])
        np.savez(packed, samples=np.concatenate(pieces), lengths=lengths)
    with np.load(packed) as stored:
        samples, lengths = stored["samples"], stored["lengths"]
    ends = np.cumsum(lengths)
    clips = []
    for row, length, end in zip(rows, lengths, ends, strict=True):
        waveform = samples[end - length : end].astype(np.float32) / 32768
        start, stop = find_word(waveform)
        clips.append(Clip(waveform, row["text"], row["speaker"], corpus, start, stop))
    return clips


def decode(recording: Path) -> npt.NDArray[np.int16]:
    """Return a mono recording at 16 kHz as 16-bit samples, shape (samples,)."""
    samples, sample_rate = soundfile.read(recording)
    if samples.ndim != 1:
        raise ValueError(f"{recording}: expected one channel, found {samples.shape[1]}")
    if sample_rate != SAMPLE_RATE:
        length = round(len(samples) * SAMPLE_RATE / sample_rate)
        scale = length / len(samples)
        samples = np.fft.irfft(np.fft.rfft(samples)[: length // 2 + 1], n=length) * scale
    return np.asarray(np.clip(samples * 32768, -32768, 32767), dtype=np.int16)


def find_word(waveform: Waveform) -> tuple[int, int]:
    """Return the first and last sample of what stands out of the clip's noise floor."""
    found = find_speech(waveform)
    if found is None:
        return 0, len(waveform)
    first, end = found
    missing = max(round(SHORTEST_WORD * SAMPLE_RATE) - (end - first), 0) // 2
    return max(first - missing, 0), min(end + missing, len(waveform))


def cut_word(clip: Clip, before: float, after: float) -> Waveform:
    """Return the clip's word with at most so many seconds of what surrounds it, faded."""
    start = max(clip.word_start - round(before * SAMPLE_RATE), 0)
    end = min(clip.word_end + round(after * SAMPLE_RATE), len(clip.waveform))
    return fade(clip.waveform[start:end])


def join(pieces: Sequence[Waveform], gaps: Sequence[float]) -> Waveform:
    """Return the pieces one after another, with a gap before each and one at the end.

    Args:
        pieces: at least one waveform.
        gaps: one number of seconds more than pieces; after a negative gap a piece overlaps the
            one before it.
    """
    starts, position = [], 0
    for piece, gap in zip(pieces, gaps, strict=False):
        position = max(position + round(gap * SAMPLE_RATE), 0)
        starts.append(position)
        position += len(piece)
    joined = np.zeros(position + max(round(gaps[-1] * SAMPLE_RATE), 0), dtype=np.float32)
    for piece, start in zip(pieces, starts, strict=True):
        joined[start : start + len(piece)] += piece
    return joined


class ClipSampler:
    """Draws clips so that neither a frequent word nor a frequent corpus rules."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        """Group the clips by word and corpus; a group of n is drawn like n ** 0.4."""
        groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
        voices: dict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            if clip.text:
                groups[clip.text, clip.corpus].append(clip)
                voices[clip.speaker].append(clip)
        self.groups = list(groups.values())
        weights = np.array([len(group) for group in self.groups]) ** 0.4
        self.cumulative = np.cumsum(weights / weights.sum())
        self.voices = [group for group in voices.values() if len({c.text for c in group}) > 2]

    def draw(self, rng: np.random.Generator) -> Clip:
        """Return one clip."""
        which = min(int(np.searchsorted(self.cumulative, rng.random())), len(self.groups) - 1)
        group = self.groups[which]
        return group[rng.integers(len(group))]

    def draw_many(self, count: int, rng: np.random.Generator) -> list[Clip]:
        """Return some clips, one time in four all of the same speaker."""
        if count > 1 and rng.random() < 0.25:
            voice = self.voices[rng.integers(len(self.voices))]
            return [voice[rng.integers(len(voice))] for _ in range(count)]
        return [self.draw(rng) for _ in range(count)]
