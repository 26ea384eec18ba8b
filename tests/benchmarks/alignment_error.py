"""How far aligned segment boundaries are from the true ones, and what an hour's trellis takes.

    python tests/benchmarks/alignment_error.py DATA/longform [--model MODEL]
    python tests/benchmarks/alignment_error.py --manifest DATA/librispeech/manifest.jsonl
    python tests/benchmarks/alignment_error.py --hour

The folder has recordings, and segments.tsv with the columns path, start, end, transcript. The
text of all of a recording's segments is aligned with the whole recording at once. A boundary is
found in the middle of the pause between the last letter of a segment and the first of the next.
Beside it stands what one gets without listening: the boundary's share of all letters, times the
duration. Of a manifest the sentences of split dev are put in a row, those of each folder in their
order, so that chapters are heard again, by readers whom `mini` has not learnt from. `--hour` looks
for a text of 54,000 random letters in 180,000 random frames.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from w2v_cli.decoding.trellis import Trellis, best_path

HOUR_FRAMES, HOUR_LETTERS, VOCAB = 180_000, 54_000, 32  # 50 frames and 15 letters a second
MEGABYTE = 1_000_000


def chapters(folder: Path) -> Iterator[tuple[str, list[float], list[str]]]:
    """Yield each recording's name, its inner boundaries in seconds, and its segments' texts."""
    with (folder / "segments.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for name in dict.fromkeys(row["path"] for row in rows):
        own = [row for row in rows if row["path"] == name]
        yield name, [float(row["end"]) for row in own[:-1]], [row["transcript"] for row in own]


def join_sentences(manifest: Path, folder: Path) -> None:
    """Write the dev sentences of each folder as one recording, and segments.tsv."""
    rows = [
        row for row in map(json.loads, manifest.open(encoding="utf-8")) if row["split"] == "dev"
    ]
    of_chapter: dict[str, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["audio_filepath"]):
        of_chapter[str(Path(row["audio_filepath"]).parent)].append(row)
    with (folder / "segments.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["path", "start", "end", "transcript"])
        for chapter, sentences in of_chapter.items():
            name = f"{Path(chapter).name}.wav"
            heard = [soundfile.read(manifest.parent / row["audio_filepath"]) for row in sentences]
            (sample_rate,) = {rate for _, rate in heard}
            soundfile.write(folder / name, np.concatenate([part for part, _ in heard]), sample_rate)
            ends = np.cumsum([len(part) for part, _ in heard]) / sample_rate
            for row, start, end in zip(sentences, [0.0, *ends], ends, strict=False):
                table.writerow([name, start, end, row["text"]])


def measure_chapters(folder: Path, model: str) -> None:
    """Print a row of errors for each recording, and one for all."""
    from w2v_cli.audio import read_waveforms
    from w2v_cli.tasks.align import Aligner

    aligner = Aligner.load(model)
    print(f"{aligner.emitter.description}\n")
    print(
        f"{'recording':24}{'found':>6}{'median':>9}{'95 %':>9}{'worst':>9}{'in pause':>10}", end=""
    )
    print(f"{'unheard':>11}{'took':>8}{'peak':>9}")
    everything: list[tuple[float, bool, float]] = []
    for name, boundaries, texts in chapters(folder):
        waveforms = read_waveforms(str(folder / name))
        began = time.perf_counter()
        transcript = aligner.align(waveforms, "\n".join(texts))
        took = time.perf_counter() - began
        shares = np.cumsum([len(text) for text in texts]) / sum(map(len, texts))
        rows = [
            (
                (before.end_seconds + after.start_seconds) / 2 - boundary,
                before.end_seconds <= boundary <= after.start_seconds,
                share * waveforms.duration_seconds - boundary,
            )
            for (before, after), boundary, share in zip(
                pairwise(transcript.segments), boundaries, shares[:-1], strict=True
            )
        ]
        everything += rows
        print_row(name, rows, f"{took:7.1f}s{peak_megabytes():6.0f} MB")
    print_row("all", everything, "")


def print_row(name: str, rows: list[tuple[float, bool, float]], rest: str) -> None:
    """Print the errors of some boundaries: found, whether in the pause, and without listening."""
    errors = np.abs([row[0] for row in rows])
    unheard = np.median(np.abs([row[2] for row in rows]))
    inside = sum(row[1] for row in rows)
    print(
        f"{name:24}{len(rows):6}{np.median(errors):8.3f}s{np.percentile(errors, 95):8.3f}s"
        f"{errors.max():8.3f}s{inside:5} of {len(rows):2}{unheard:10.2f}s{rest}"
    )


def measure_hour() -> None:
    """Print how long an hour's trellis takes, and how much memory beside its emissions."""
    random = np.random.default_rng(0)
    # Not quite probabilities, but made without a second copy that would count as memory.
    emissions = random.standard_normal((HOUR_FRAMES, VOCAB), dtype=np.float32)
    emissions -= np.float32(np.log(VOCAB) + 0.5)
    letters = random.integers(1, VOCAB, HOUR_LETTERS)
    trellis = Trellis(emissions, letters, np.zeros(HOUR_LETTERS + 1, dtype=np.intp))
    before = peak_megabytes()
    began = time.perf_counter()
    best_path(trellis)
    took = time.perf_counter() - began
    print(
        f"{HOUR_FRAMES} frames, {HOUR_LETTERS} letters: {took:.1f} s; peak of the process "
        f"{peak_megabytes():.0f} MB, {peak_megabytes() - before:.0f} MB more than before; "
        f"the emissions are {emissions.nbytes / MEGABYTE:.0f} MB"
    )


def peak_megabytes() -> float:
    """Return the most memory that this process has had so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--hour", action="store_true")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        measure_chapters(arguments.folder, arguments.model)
    if arguments.manifest is not None:
        with tempfile.TemporaryDirectory() as folder:
            join_sentences(arguments.manifest, Path(folder))
            measure_chapters(Path(folder), arguments.model)
    if arguments.hour:
        measure_hour()


if __name__ == "__main__":
    main()
