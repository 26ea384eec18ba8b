"""Which engine runs a network of the published size fastest on a processor, and at what error.

    pip install -c constraints.txt . transformers bitsandbytes torchao
    pip install -c constraints.txt onnx onnxscript onnxruntime openvino nncf
    python tests/benchmarks/engines.py FOLDER [--network base | large] [--rounds 5]
    python tests/benchmarks/engines.py FOLDER --engines transformers w2v-int8 openvino-calibrated

The packages are for this comparison alone: w2v needs none of them but bitsandbytes, for
`--load-in-8bit`. Engines that are not installed are left out, and named.

The network has weights at random in the published shape, the same for all engines; recordings are
joined of those in FOLDER. Each engine has a process of its own and takes its turn in every round,
after it has heard the recording once; ratios are medians of the rounds' ratios to transformers'
float32, by the clock and by the processor's own time, which counts threads that wait in a loop.
Then each hears recordings of other lengths, each once: what prepares itself for a length pays
there. Errors are those of the logits of the first recording, without the three tokens that the
network never writes. `convert` is what is done once and kept in a file; `start` goes from the start
of a process to a loaded network; `first` is the first run, where torch.compile compiles. Peaks are
those of the process that runs, so a network that is converted when it is loaded counts what that
takes, and one without PyTorch saves it.

transformers: in float32, as it is; -malloc: with glibc's allocator told to keep large arrays, as
are all engines but the first and w2v, which tells it itself; -compile: by torch.compile, which
compiles anew for a second length and then for any. w2v: the form for inference; -int8: with
`--quantize int8`; -compiled: with `--compile`, too; -bf16: with `--dtype bfloat16`; -8bit:
`--load-in-8bit`, bitsandbytes. torch-int8: torch.ao.quantization's
quantize_dynamic. torchao-int8: Int8DynamicActivationInt8WeightConfig. onnxruntime: the exported
network; -int8: its quantize_dynamic, of products alone. openvino: the exported network; -bf16: in
bfloat16; -weights: nncf.compress_weights, inputs rounded as OpenVINO does by itself;
-calibrated: nncf.quantize, which needs recordings to learn from and gets those of the other
lengths; -linears: the same without convolutions; -linears-bf16: with the rest in bfloat16.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from engines_worker import ENGINES
from long_recordings import joined
from speed import KEEPS_ARRAYS, SUFFIXES, Worker, median_ratio, processor
from speed_networks import network_folder

SCRIPT = Path(__file__).with_name("engines_worker.py")
ORACLE = "transformers"
NEVER_WRITTEN = -500.0  # the logits of three tokens are below
QUIET = {
    "NNCF_CI": "1",  # nothing is sent to anybody
    "PYTHONWARNINGS": "ignore",
}


class EngineWorker(Worker):
    """A process that runs the network by one engine.

    Attributes:
        start_seconds: From the start of the process to a loaded network.
    """

    def __init__(self, name: str, model: str, folder: Path, threads: int) -> None:
        environment = {**os.environ, **QUIET, "OMP_NUM_THREADS": str(threads)}
        # what was compiled before must not shorten what compiling takes
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(folder / f"compiled-{name}")
        if name != ORACLE and not name.startswith("w2v"):
            environment |= KEEPS_ARRAYS
        command = [sys.executable, str(SCRIPT), "run", name, model, str(folder)]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.answer()
        self.start_seconds = time.perf_counter() - began

    def answer(self) -> dict:
        """Wait for what comes of a request.

        Raises:
            ChildProcessError: The process ended.
        """
        try:
            return super().answer()
        except SystemExit as error:
            raise ChildProcessError(str(error)) from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of recordings")
    parser.add_argument("--network", choices=["base", "large"], default="base")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--lengths", type=float, nargs="+", default=[3, 5.2, 8.1, 13.7, 17.9])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    names = installed([ORACLE, *(name for name in chosen.engines if name != ORACLE)])
    print(f"{processor()}; {chosen.threads} threads; {versions(names)}")
    with tempfile.TemporaryDirectory() as place:
        measured = measure(names, Path(place), chosen)
    print(f"{chosen.network}, {chosen.seconds:g} s, {chosen.rounds} rounds; other lengths: "
          f"{', '.join(f'{seconds:g}' for seconds in chosen.lengths)} s")  # fmt: skip
    print_table(measured, chosen.seconds)


@dataclass
class Measured:
    """What came of an engine."""

    convert_seconds: float
    start_seconds: float
    first: dict
    error: float  # of the logits, relative
    same: float  # share of frames with the same best letter
    rounds: list[dict] = field(default_factory=list)
    lengths: list[dict] = field(default_factory=list)


def measure(names: list[str], folder: Path, chosen: argparse.Namespace) -> dict[str, Measured]:
    """Return what came of each engine that runs."""
    model = network_folder(chosen.network, folder)
    found = sorted(path for path in chosen.folder.rglob("*") if path.suffix in SUFFIXES)
    recording = str(joined(found, folder, chosen.seconds))
    others = []
    for seconds in chosen.lengths:
        (folder / f"{seconds}").mkdir()
        others.append(str(joined(found[1:], folder / f"{seconds}", seconds)))
    converted = convert(names, model, folder, others)
    workers: dict[str, EngineWorker] = {}
    measured: dict[str, Measured] = {}
    for name in converted:
        print(f"{name} starts", file=sys.stderr)
        try:
            worker = EngineWorker(name, model, folder, chosen.threads)
            first = worker.ask(recording)
        except ChildProcessError as error:
            print(f"left out: {name}; {error}")
            continue
        workers[name] = worker
        errors = error_of(name, folder)
        measured[name] = Measured(converted[name], worker.start_seconds, first, *errors)
    print("all have started", file=sys.stderr)
    for _ in range(chosen.rounds):
        for name, worker in workers.items():
            measured[name].rounds.append(worker.ask(recording))
    for other in others:
        for name, worker in workers.items():
            measured[name].lengths.append(worker.ask(other))
    for worker in workers.values():
        worker.close()
    return measured


def print_table(measured: dict[str, Measured], seconds: float) -> None:
    """Print a row for each engine."""
    print("| engine | x real time | x transformers: clock (processor) | at new lengths | peak MB | "
          "error | same letter | convert s | start s | first s |")  # fmt: skip
    print("|---" * 10 + "|")
    oracle = measured[ORACLE]
    slow = sum(answer["wall"] for answer in oracle.lengths)
    for name, of in measured.items():
        speed = seconds / statistics.median(answer["wall"] for answer in of.rounds)
        clock, used = (median_ratio(oracle.rounds, of.rounds, key) for key in ("wall", "used"))
        new = slow / sum(answer["wall"] for answer in of.lengths)
        peak = of.lengths[-1]["peak_bytes"] / 1e6
        print(f"| {name} | {speed:.1f} | {clock:.2f} ({used:.2f}) | {new:.2f} | {peak:.0f} | "
              f"{100 * of.error:.2g} % | {100 * of.same:.1f} % | {of.convert_seconds:.0f} | "
              f"{of.start_seconds:.1f} | {of.first['wall']:.1f} |")  # fmt: skip


def installed(names: list[str]) -> list[str]:
    """Return the engines that are installed, and name the others."""
    there = []
    for name in names:
        missing = [package for package in ENGINES[name].packages if not is_there(package)]
        if missing:
            print(f"left out: {name}; pip install {' '.join(missing)}")
        else:
            there.append(name)
    return there


def is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def versions(names: list[str]) -> str:
    """Return what is compared."""
    packages = ["torch", "transformers"]
    packages += [package for name in names for package in ENGINES[name].packages]
    return ", ".join(f"{package} {version(package)}" for package in dict.fromkeys(packages))


def convert(names: list[str], model: str, folder: Path, recordings: list[str]) -> dict[str, float]:
    """Do each step that engines need, once; return the seconds of each engine's steps.

    Those whose steps fail are left out.
    """
    took: dict[str, float] = {}
    for step in dict.fromkeys(step for name in names for step in ENGINES[name].steps):
        print(f"{step} starts", file=sys.stderr)
        command = [sys.executable, str(SCRIPT), "convert", step, model, str(folder), *recordings]
        began = time.perf_counter()
        if subprocess.run(command, env={**os.environ, **QUIET}, check=False).returncode:
            print(f"{step} failed; what it said is above, what needs it is left out")
        else:
            took[step] = time.perf_counter() - began
    there = [name for name in names if all(step in took for step in ENGINES[name].steps)]
    return {name: sum(took[step] for step in ENGINES[name].steps) for name in there}


def error_of(name: str, folder: Path) -> tuple[float, float]:
    """Return the relative error of an engine's last logits, and the share of equal letters."""
    exact, found = np.load(folder / f"{ORACLE}.npy"), np.load(folder / f"{name}.npy")
    written = exact.mean(0) > NEVER_WRITTEN
    exact, found = exact[:, written], found[:, written]
    error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    return error, float((found.argmax(-1) == exact.argmax(-1)).mean())


if __name__ == "__main__":
    main()
