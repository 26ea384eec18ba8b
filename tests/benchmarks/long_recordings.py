"""Long recordings: is the text the same whatever the chunks, and what memory does it take?

    python tests/benchmarks/long_recordings.py text ../shared/data/longform
    python tests/benchmarks/long_recordings.py text --hours 3 ../shared/data/longform
    python tests/benchmarks/long_recordings.py memory --hours 3 ../shared/data/longform
    python tests/benchmarks/long_recordings.py memory --command classify ../shared/data/longform

`text` transcribes every recording in one chunk and in several and prints how many words differ.
With --hours it joins the recordings, again and again, to so long a one, and compares chunks with
chunks twice as long. `memory` compares the peak of a process that transcribes three minutes with
that of one that transcribes hours; or, with --command, of another command that hears recordings.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np
import soundfile

from w2v_cli.audio import open_waveforms, read_waveforms
from w2v_cli.inference.chunks import Chunking

if TYPE_CHECKING:
    from w2v_cli.tasks.transcribe import Transcriber

SUFFIXES = {".opus", ".flac", ".wav", ".mp3", ".ogg"}
SHORT_SECONDS = 180.0
RATE = 16000
MODELS = {
    "transcribe": "mini",
    "classify": "mini-keywords",
    "diarize-frames": "mini-turns",
    "embed": "mini-speakers",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument("what", choices=["text", "memory"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="instead of the embedded one of the command")
    parser.add_argument("--command", choices=list(MODELS), default="transcribe")
    parser.add_argument("--hours", type=float, help="join the recordings to so much")
    parser.add_argument("--chunk-seconds", type=float, default=60.0)
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[], help="for the command (memory), at last"
    )
    chosen = parser.parse_args()
    chosen.model = chosen.model or MODELS[chosen.command]
    recordings = sorted(p for p in chosen.folder.iterdir() if p.suffix in SUFFIXES)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.what == "memory":
            compare_memory(recordings, Path(folder), chosen)
        elif chosen.hours is None:
            compare_with_whole(recordings, chosen)
        else:
            compare_lengths(recordings, Path(folder), chosen)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Leaves the description's lines as they are."""


def compare_with_whole(recordings: list[Path], chosen: argparse.Namespace) -> None:
    """Print how the words in one chunk differ from those in several."""
    transcriber = load(chosen.model)
    for path in recordings:
        whole = words_of(transcriber, path, Chunking(chunk_seconds=1e5))
        for seconds in (15.0, 30.0, chosen.chunk_seconds):
            print_difference(
                path.name, whole, words_of(transcriber, path, Chunking(seconds)), seconds
            )


def compare_lengths(recordings: list[Path], folder: Path, chosen: argparse.Namespace) -> None:
    """Print how the words in chunks differ from those in chunks twice as long."""
    transcriber = load(chosen.model)
    path = joined(recordings, folder, chosen.hours * 3600)
    double = words_of(transcriber, path, Chunking(2 * chosen.chunk_seconds))
    once = words_of(transcriber, path, Chunking(chosen.chunk_seconds))
    print_difference(f"{chosen.hours:g} h", double, once, chosen.chunk_seconds)


def load(model: str) -> Transcriber:
    """Return a model; what loads it is imported here, for who joins recordings alone."""
    from w2v_cli.tasks.transcribe import Transcriber

    return Transcriber.load(model)


def words_of(transcriber: Transcriber, path: Path, chunking: Chunking) -> str:
    """Return the text of a recording, read as a stream and cut as asked."""
    transcriber.chunking = chunking
    began = time.perf_counter()
    with open_waveforms(path) as stream:
        session = transcriber.session(stream, str(path))
        for chunk in session.chunks():
            session.take(chunk, *transcriber.run([chunk]))
        text = session.finish().result().text
        speed = stream.duration_seconds / (time.perf_counter() - began)
    print(f"  {path.name} in chunks of {chunking.chunk_seconds:g} s: {speed:.0f} x real time")
    return text


def print_difference(name: str, expected: str, got: str, seconds: float) -> None:
    print(
        f"{name}: chunks of {seconds:g} s: {100 * jiwer.wer(expected, got):.2f} % of "
        f"{len(expected.split())} words differ",
        flush=True,
    )


def compare_memory(recordings: list[Path], folder: Path, chosen: argparse.Namespace) -> None:
    """Print the peaks of two processes and their ratio."""
    hours = chosen.hours or 3.0
    peaks = []
    for seconds in (SHORT_SECONDS, hours * 3600):
        path = joined(recordings, folder, seconds)
        peak_bytes, took_seconds = peak_of(
            [
                chosen.command,
                "--model",
                chosen.model,
                "--format",
                "jsonl",
                *chosen.options,
                str(path),
            ]
        )
        peaks.append(peak_bytes)
        print(
            f"{seconds:.0f} s: peak {peak_bytes / 1e6:.0f} MB, {seconds / took_seconds:.0f} x "
            f"real time",
            flush=True,
        )
    print(f"ratio {peaks[1] / peaks[0]:.2f}")


def peak_of(arguments: list[str]) -> tuple[int, float]:
    """Return the most memory that `w2v` with these arguments held, in bytes, and its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "w2v_cli", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("w2v failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit, time.perf_counter() - began


def joined(recordings: list[Path], folder: Path, seconds: float) -> Path:
    """Write the recordings one after the other, again and again, to a file of so many seconds."""
    path = folder / f"{seconds:.0f}.flac"
    missing = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for recording in itertools.cycle(recordings):
            # One at a time: the peak of what is started from here is not below this process's own.
            waveform = read_waveforms(recording).channels[0][:missing]
            file.write(np.clip(waveform, -1, 1))
            missing -= len(waveform)
            if missing <= 0:
                break
    return path


if __name__ == "__main__":
    main()
