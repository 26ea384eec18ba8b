"""What the benchmarks of decoding decode: emissions of real recordings, and simulated ones."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from w2v_cli.audio import read_waveforms
from w2v_cli.decoding import Alphabet
from w2v_cli.inference.emitter import Emitter


@dataclass(frozen=True)
class Clip:
    """A recording of a manifest, read."""

    waveform: np.ndarray
    sample_rate: int
    text: str

    @property
    def seconds(self) -> float:
        return len(self.waveform) / self.sample_rate


def read_clips(folder: Path, count: int, split: str = "dev") -> list[Clip]:
    """Return so many recordings, evenly spread over the split of a folder's manifest."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["split"] == split]
    clips = []
    for row in rows[:: max(1, len(rows) // count)][:count]:
        heard = read_waveforms(str(folder / row["audio_filepath"]), channel="mix")
        clips.append(Clip(heard.channels[0], heard.sample_rate, row["text"]))
    return clips


def emit(emitter: Emitter, clips: list[Clip]) -> list[np.ndarray]:
    """Return the emissions of each recording."""
    return [emitter.emissions(clip.waveform, sample_rate=clip.sample_rate) for clip in clips]


def simulated(count: int, seed: int) -> tuple[list[np.ndarray], Alphabet]:
    """Return emissions of made-up sentences as the tests simulate them, and their alphabet."""
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("conftest_of_tests", path)
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    rng = np.random.default_rng(seed)
    matrices = []
    for _ in range(count):
        words = tests.spoken_sentence(rng, int(rng.integers(1, 12)))
        logits = tests.simulated_logits(rng, words, noise=float(rng.uniform(0.8, 2.0)))
        matrices.append(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    letters = (token.lower() for token in tests.LM_ALPHABET)
    return matrices, Alphabet(tuple(letters), 0, 4, frozenset({1, 2, 3}))
