"""Conversations made of readers: do speakers keep their names, and how much time is wrong?

    python tests/benchmarks/conversations.py long ../shared/data/librispeech/manifest.jsonl OUT
    python tests/benchmarks/conversations.py mixtures ../shared/data/librispeech/manifest.jsonl OUT

`long` makes one conversation of ten minutes of two readers of the split dev, with OUT.rttm, and
`mixtures` parts of half a minute, with OUT/mixtures.rttm, which w2v evaluate reads, too. Both run
`w2v diarize-frames` and `w2v score --rttm` on them and print what these print. Of a long one it
is also printed with which names each minute agrees best: the same in all of them, if speakers keep
their names. With --options more is passed on to `w2v diarize-frames`.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from w2v_cli.audio import SAMPLE_RATE, read_waveforms
from w2v_cli.results import Turn
from w2v_cli.scoring.diarization import ScoringRules, rate_turns
from w2v_cli.scoring.turn_files import read_turns
from w2v_cli.training.conversations import ConversationComposer, Mixing
from w2v_cli.training.examples import Recordings
from w2v_cli.training.manifests import Example, read_examples
from w2v_cli.training.turns import BLOCK_SAMPLES, activity_of_speech

GAP_SECONDS = (-0.5, 1.0)  # below 0 somebody begins before the other has ended
PART_SECONDS = 30.0
BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument("what", choices=["long", "mixtures"])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--speakers", nargs="*", default=["118", "1970"])
    parser.add_argument("--model", default="mini-turns")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[])
    chosen = parser.parse_args()
    examples = [e for e in read_examples(chosen.manifest) if e.split == "dev"]
    chosen.output.mkdir(parents=True, exist_ok=True)
    make = make_long if chosen.what == "long" else make_mixtures
    recordings, reference = make(examples, chosen)
    heard = chosen.output / "heard.rttm"
    w2v("diarize-frames", "-m", chosen.model, *recordings, "-o", heard, *chosen.options)
    for options in ([], ["--collar", "0.25"], ["--collar", "0.25", "--skip-overlap"]):
        print(" ".join(["w2v score --rttm", *options]))
        print(w2v("score", "--rttm", reference, heard, *options).splitlines()[-1])
    if chosen.what == "long":
        print_names(reference, heard, chosen.minutes)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Leaves the description's lines as they are."""


def w2v(*arguments: object) -> str:
    command = [sys.executable, "-m", "w2v_cli", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def make_long(examples: list[Example], chosen: argparse.Namespace) -> tuple[list[Path], Path]:
    """Write one conversation, in which readers take turns; return it, and its RTTM."""
    random = np.random.default_rng(7)
    of_speaker = {who: [e for e in examples if e.speaker == who] for who in chosen.speakers}
    mixed = np.zeros(round(chosen.minutes * 60 * SAMPLE_RATE), np.float32)
    activity = np.zeros((len(chosen.speakers), len(mixed) // BLOCK_SAMPLES), bool)
    ends, last = 0, -1
    while ends < len(mixed):
        last = int(random.choice([n for n in range(len(chosen.speakers)) if n != last]))
        spoken_by = of_speaker[chosen.speakers[last]]
        (waveform,) = read_waveforms(spoken_by[random.integers(len(spoken_by))].audio).channels
        waveform = waveform / np.sqrt(np.square(waveform).mean() + 1e-9) * np.float32(0.05)
        start = max(ends + round(random.uniform(*GAP_SECONDS) * SAMPLE_RATE), 0)
        start -= start % BLOCK_SAMPLES
        kept = waveform[: max(len(mixed) - start, 0)]
        mixed[start : start + len(kept)] += kept
        block = start // BLOCK_SAMPLES
        row = activity[last, block : block + len(kept) // BLOCK_SAMPLES]
        row |= activity_of_speech(waveform)[: len(row)] > 0
        ends = start + len(waveform)
    path = chosen.output / "conversation.flac"
    soundfile.write(path, mixed, SAMPLE_RATE)
    reference = chosen.output / "conversation.rttm"
    reference.write_text(rttm_lines(path.stem, activity, chosen.speakers))
    return [path], reference


def make_mixtures(examples: list[Example], chosen: argparse.Namespace) -> tuple[list[Path], Path]:
    """Write the parts that w2v evaluate makes of single speakers; return them, and their RTTM."""
    composer = ConversationComposer(
        examples, Recordings(), seed=20, mixing=Mixing(2, 1.0, PART_SECONDS)
    )
    paths, lines = [], []
    for index in range(len(examples)):
        for item in composer.items([(index,)], epoch=0, number=index):
            path = chosen.output / f"mixture-{index:03d}.flac"
            peak = max(float(np.abs(item.waveform).max()), 1.0)
            soundfile.write(path, item.waveform / peak, SAMPLE_RATE)
            paths.append(path)
            assert item.activity is not None
            lines.append(rttm_lines(path.stem, item.activity > 0, ["A", "B"]))
    reference = chosen.output / "mixtures.rttm"
    reference.write_text("".join(lines))
    return paths, reference


def rttm_lines(name: str, activity: np.ndarray, speakers: list[str]) -> str:
    """Return the turns in an activity by blocks, (speakers, blocks)."""
    lines = []
    for row, speaker in zip(activity, speakers, strict=True):
        changes = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]]).astype(int)))
        for first, last in changes.reshape(-1, 2) * BLOCK_SECONDS:
            times = f"{first:.3f} {last - first:.3f}"
            lines.append(f"SPEAKER {name} 1 {times} <NA> <NA> {speaker} <NA> <NA>\n")
    return "".join(lines)


def print_names(reference: Path, heard: Path, minutes: float) -> None:
    """Print which names fit which readers best, minute by minute."""
    (said,) = read_turns(str(reference)).values()
    (found,) = read_turns(str(heard)).values()
    readers = sorted({turn.speaker for turn in said})
    names = sorted({turn.speaker for turn in found})
    print(f"speakers found: {len(names)}")
    for minute in range(round(minutes)):
        regions = [(60.0 * minute, 60.0 * minute + 60.0)]
        orders = itertools.permutations(names, min(len(readers), len(names)))
        pairings = [dict(zip(readers, order, strict=False)) for order in orders]
        best = max(pairings, key=lambda pairing: agreement(said, found, pairing, regions))
        rates = rate_turns(said, found, ScoringRules(), regions)
        pairs = ", ".join(f"{who} is {name}" for who, name in best.items())
        print(f"minute {minute + 1:2}: {pairs}; DER {100 * (rates.der or 0):5.2f} %")


def agreement(
    said: tuple[Turn, ...],
    found: tuple[Turn, ...],
    name_of: dict[str, str],
    regions: list[tuple[float, float]],
) -> float:
    """Return the seconds in which readers and their names speak together."""
    ((begin, end),) = regions
    total = 0.0
    for one in said:
        for other in found:
            if name_of.get(one.speaker) == other.speaker:
                first = max(one.start_seconds, other.start_seconds, begin)
                total += max(min(one.end_seconds, other.end_seconds, end) - first, 0.0)
    return total


if __name__ == "__main__":
    main()
