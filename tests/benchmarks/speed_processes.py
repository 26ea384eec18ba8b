"""Whole processes, timed from their start to their end, for speed.py."""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
import sys
import soundfile
import transformers
pipe = transformers.pipeline("automatic-speech-recognition", model=sys.argv[1], device="cpu")
waveform, rate = soundfile.read(sys.argv[2], dtype="float32")
print(pipe({"raw": waveform, "sampling_rate": rate})["text"])
"""

# Its network is another one, so only what is done before can be compared.
FASTER_WHISPER = """
import sys
from faster_whisper.audio import decode_audio
from faster_whisper.feature_extractor import FeatureExtractor
FeatureExtractor()(decode_audio(sys.argv[1]))
"""
OURS = """
import sys
from w2v_cli import Wav2Vec2FeatureExtractor
from w2v_cli.audio import read_waveforms
waveform = read_waveforms(sys.argv[1]).channels[0]
Wav2Vec2FeatureExtractor()(waveform, sampling_rate=16_000)
"""


@dataclass(frozen=True)
class Run:
    """What a process took."""

    wall: float
    used: float
    peak_bytes: int


def measured(command: list[str], threads: int) -> Run:
    """Run a process and return what it took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}")
    unit = 1 if sys.platform == "darwin" else 1024
    wall = time.perf_counter() - began
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def transcribing(model: str, file: str, options: list[str]) -> list[str]:
    """Return the command that transcribes with w2v."""
    return [sys.executable, "-m", "w2v_cli", "transcribe", "-m", model, "-q", *options, file]


def compare(model: str, file: str, chosen: argparse.Namespace) -> None:
    """Print how long w2v and a script with the pipeline take from start to end."""
    whole = str(Path(file).with_name("int8"))  # which is in a folder of its own
    quantize = [sys.executable, "-m", "w2v_cli", "quantize", model, "-o", whole]
    subprocess.run(quantize, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    commands = {
        "import transformers, pipeline": [sys.executable, "-c", SCRIPT, model, file],
        "w2v transcribe": transcribing(model, file, ["--device", "cpu"]),
        "w2v transcribe, a folder by w2v quantize": transcribing(whole, file, []),
        "import torch": [sys.executable, "-c", "import torch"],
    }
    if importlib.util.find_spec("faster_whisper") is None:
        print("faster-whisper's overhead is left out: pip install faster-whisper")
    else:
        for name, script in (("faster-whisper", FASTER_WHISPER), ("w2v", OURS)):
            commands[f"{name}, without a network"] = [sys.executable, "-c", script, file]
    for command in commands.values():  # what is read from the disk is in memory from here on
        measured(command, chosen.threads)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(chosen.rounds):
        for name, command in commands.items():
            runs[name].append(measured(command, chosen.threads))
    theirs = runs["import transformers, pipeline"]
    print(f"one recording of {chosen.seconds:g} s, {chosen.network}; {chosen.rounds} rounds")
    print("| process | s | s of the processor | peak MB | times as fast: clock (processor) |")
    print("|---|---|---|---|---|")
    for name, found in runs.items():
        wall, used = (
            statistics.median(
                getattr(a, key) / getattr(b, key) for a, b in zip(theirs, found, strict=True)
            )
            for key in ("wall", "used")
        )
        seconds = [statistics.median(getattr(r, key) for r in found) for key in ("wall", "used")]
        peak = max(r.peak_bytes for r in found) / 1e6
        print(f"| {name} | {seconds[0]:.2f} | {seconds[1]:.2f} | {peak:.0f} | "
              f"{wall:.2f} ({used:.2f}) |")  # fmt: skip


def grow(model: str, files: list[str], chosen: argparse.Namespace) -> None:
    """Print what longer and longer recordings take."""
    print(f"| {chosen.network} | hours | s of the processor an hour | s an hour | peak MB |")
    print("|---|---|---|---|---|")
    for way in chosen.ways or ["w2v", "w2v-int8"]:
        options = ["--device", "cpu", *(["--quantize", "int8"] if way == "w2v-int8" else [])]
        for hours, file in zip(chosen.hours, files, strict=True):
            run = measured(transcribing(model, file, options), chosen.threads)
            print(f"| {way} | {hours:g} | {run.used / hours:.0f} | {run.wall / hours:.0f} | "
                  f"{run.peak_bytes / 1e6:.0f} |", flush=True)  # fmt: skip
