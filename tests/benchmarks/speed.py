"""How fast w2v is beside transformers' pipeline, and how near to what the processor can do.

    python tests/benchmarks/speed.py recordings FOLDER [--files 64] [--network base | large | mini]
    python tests/benchmarks/speed.py long FOLDER [--minutes 30]
    python tests/benchmarks/speed.py short FOLDER [--seconds 10] [--network large]
    python tests/benchmarks/speed.py process FOLDER [--seconds 10]
    python tests/benchmarks/speed.py growth FOLDER [--hours 1 2 4 8] [--network mini] [--ways w2v]
    python tests/benchmarks/speed.py split FOLDER [--files 16]

`recordings` transcribes many recordings of FOLDER, `long` one recording joined of them, in the
same chunks with the same stride, `short` a single one. Each way has a process of its own, loads its
model and hears the first recording before the clock runs (in `long` it does not), and takes its
turn in every round, so that what else the computer does falls on all alike; ratios are medians of
the rounds' ratios. `process` times whole processes from a cold start, `growth` longer and longer
recordings, `split` two processes of one thread beside one process of two.

Networks have weights at random in the published shapes (wav2vec2-base-960h, -large-960h-lv60), the
same for all ways. A busy computer says little by its clock: the processor's own time is printed
too, and with `--threads 1` it is free of threads that wait for each other. The limit is what a
product of large matrices does in the same round; the share of it counts the multiplications of the
published network, also those that we need not do.

Ways: pipeline-N is the pipeline with a batch of N; pipeline-1-malloc the same with glibc's
allocator told to keep large arrays; w2v; w2v-all, in which each frame of a long recording attends
to all of its chunk, as in the pipeline, and not to 2 s; w2v-bfloat16;
w2v-int8; w2v-int8-compiled, the same with --compile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import soundfile
import speed_processes
from long_recordings import joined
from speed_networks import NETWORKS, network_folder, operations

WORKER = Path(__file__).with_name("speed_worker.py")
SUFFIXES = {".wav", ".flac", ".ogg", ".opus"}
KEEPS_ARRAYS = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**26),
}
WAYS = {
    "recordings": ["pipeline-1", "pipeline-8", "w2v", "w2v-bfloat16", "w2v-int8"],
    "long": ["pipeline-1", "w2v", "w2v-all", "w2v-int8"],
    "short": ["pipeline-1", "pipeline-1-malloc", "w2v", "w2v-bfloat16", "w2v-int8"],
}


class Worker:
    """A process that transcribes in one way."""

    def __init__(self, way: str, model: str, files: list[str], chosen: argparse.Namespace) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(chosen.threads)}
        if way.endswith("-malloc"):
            environment |= KEEPS_ARRAYS
        chunked = ["--chunked"] if chosen.what == "long" else []
        options = [*chunked, "--threads", str(chosen.threads)]
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), way, model, *files, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, what: str = "run") -> dict:
        """Return what came of a run."""
        self.start(what)
        return self.answer()

    def start(self, what: str = "run") -> None:
        """Have it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()

    def answer(self) -> dict:
        """Wait for what comes of it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a way failed; what it said is above")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*WAYS, "process", "growth", "split"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", choices=list(NETWORKS), default="base")
    parser.add_argument("--ways", nargs="+", help="instead of those of the row")
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    print(f"{processor()}; {chosen.threads} threads; {versions()}")
    with tempfile.TemporaryDirectory() as folder:
        model = network_folder(chosen.network, Path(folder))
        files = recordings(chosen, Path(folder))
        if chosen.what == "process":
            speed_processes.compare(model, files[0], chosen)
        elif chosen.what == "growth":
            speed_processes.grow(model, files, chosen)
        elif chosen.what == "split":
            split(model, files, chosen)
        else:
            compare(model, files, chosen)


def recordings(chosen: argparse.Namespace, folder: Path) -> list[str]:
    """Return the files of a row; those that have to be made are made."""
    found = sorted(path for path in chosen.folder.rglob("*") if path.suffix in SUFFIXES)
    if not found:
        raise SystemExit(f"{chosen.folder}: no recordings there ({', '.join(SUFFIXES)})")
    if chosen.what in ("recordings", "split"):
        step = max(1, len(found) // chosen.files)
        return [str(path) for path in found[::step][: chosen.files]]
    if chosen.what == "growth":
        return [str(joined(found, folder, 3600 * hours)) for hours in chosen.hours]
    seconds = 60 * chosen.minutes if chosen.what == "long" else chosen.seconds
    return [str(joined(found, folder, seconds))]


def compare(model: str, files: list[str], chosen: argparse.Namespace) -> None:
    """Run all ways in turn and print a table."""
    names = chosen.ways or WAYS[chosen.what]
    workers = {name: Worker(name, model, files, chosen) for name in ["peak", *names]}
    if chosen.what != "long":
        for name in names:
            workers[name].ask("warm")
    answers: dict[str, list[dict]] = {name: [] for name in workers}
    for _ in range(chosen.rounds):
        for name, worker in workers.items():
            answers[name].append(worker.ask())
    for worker in workers.values():
        worker.close()
    texts = {name: answers[name][0]["texts"] for name in names}
    lengths = [soundfile.info(file).duration for file in files]
    limit = max(answer["by_processor"] for answer in answers.pop("peak"))
    print(
        f"{len(files)} recordings, {sum(lengths):.0f} s, {chosen.network}; {chosen.rounds} rounds"
    )
    print(f"matrix products: {limit / 1e9:.0f} GFLOP/s for a second of a core")
    print_table(chosen, texts, answers, sum(lengths), limit)


def split(model: str, files: list[str], chosen: argparse.Namespace) -> None:
    """Print how many times as fast two processes of one thread are as one process of two."""
    one = argparse.Namespace(**{**vars(chosen), "threads": 1})
    two = argparse.Namespace(**{**vars(chosen), "threads": 2})
    print(f"{len(files)} recordings, {chosen.network}; {chosen.rounds} rounds")
    print("| way | s, one process | s, two | two, times as fast | peak MB, one | two, together |")
    print("|---|---|---|---|---|---|")
    for way in chosen.ways or ["w2v", "w2v-int8"]:
        # every second file is the other's, so that both have as much to do
        groups = (
            [Worker(way, model, files, two)],
            [Worker(way, model, files[begin::2], one) for begin in (0, 1)],
        )
        for workers in groups:
            for worker in workers:
                worker.ask("warm")
        seconds: tuple[list[float], list[float]] = [], []
        peaks = [0.0, 0.0]
        for _ in range(chosen.rounds):
            for index, workers in enumerate(groups):
                for worker in workers:
                    worker.start()
                answers = [worker.answer() for worker in workers]
                seconds[index].append(max(answer["wall"] for answer in answers))
                peaks[index] = sum(answer["peak_bytes"] for answer in answers) / 1e6
        for worker in [*groups[0], *groups[1]]:
            worker.close()
        alone, together = (statistics.median(found) for found in seconds)
        ratio = statistics.median(a / b for a, b in zip(*seconds, strict=True))
        print(f"| {way} | {alone:.1f} | {together:.1f} | {ratio:.2f} | {peaks[0]:.0f} | "
              f"{peaks[1]:.0f} |", flush=True)  # fmt: skip


def print_table(chosen: argparse.Namespace, texts, answers, audio: float, limit: float) -> None:
    """Print a row for each way: its medians, and its ratio to each way of the pipeline."""
    reference = [name for name in answers if name.startswith("pipeline")]
    headings = [f"x {name}: clock (processor)" for name in reference]
    print(f"| way | x real time | of a core | share of the limit | peak MB | same words | "
          f"{' | '.join(headings)} |")  # fmt: skip
    print("|---" * (6 + len(headings)) + "|")
    work = operations(chosen.network) * audio
    for name, rounds in answers.items():
        wall, used = (statistics.median(r[key] for r in rounds) for key in ("wall", "used"))
        ratios = [
            f"{median_ratio(answers[other], rounds, 'wall'):.2f} "
            f"({median_ratio(answers[other], rounds, 'used'):.2f})"
            for other in reference
        ]
        first = texts[[*reference, *answers][0]]
        same = sum(a.split() == b.split() for a, b in zip(first, texts[name], strict=True))
        peak = rounds[-1]["peak_bytes"] / 1e6
        print(f"| {name} | {audio / wall:.1f} | {audio / used:.1f} | {work / used / limit:.2f} | "
              f"{peak:.0f} | {same} of {len(texts[name])} | {' | '.join(ratios)} |")  # fmt: skip


def median_ratio(theirs: list[dict], ours: list[dict], key: str) -> float:
    """Return how much longer theirs took in the same round, in the middle."""
    return statistics.median(a[key] / b[key] for a, b in zip(theirs, ours, strict=True))


def processor() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(found)} x {found[0]}" if found else platform.machine()


def versions() -> str:
    """Return what was compared."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))


if __name__ == "__main__":
    main()
