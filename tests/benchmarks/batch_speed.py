"""How fast many recordings are transcribed, beside transformers' pipeline on the same weights.

    python tests/benchmarks/batch_speed.py FOLDER [--model mini | --network base] [--files 64]
        [--batch-seconds 0 4 16 64] [--batch-sizes 1 2 4 8 16] [--rounds 3]

FOLDER is searched for recordings, of which as many as asked for are taken, evenly spread over
their names. Both read files with soundfile, and both decode greedily, with times of words on our
side alone. The pipeline gets a data set that reads a file when it is asked for it, as its
documentation advises; it needs no ffmpeg that way, whose process for each file would slow it down.

Models are loaded before the clock runs. In each round every way and size has its turn, so that
what else the computer does falls on all alike. Each way's best size is the one of the smallest
median of seconds; the ratio is the median of the rounds' ratios at the best sizes. On a computer
that is busy otherwise the processor's own time, of all threads, says more than a clock; both are
printed. Texts are compared too, word by word: the pipeline also writes words of no letters, as
two spaces.

`--network base` takes weights at random in the published base size, with group norm.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import soundfile
import torch
import transformers

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Processor
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.checkpoint.resolve import embedded_folder
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.transcribe import TranscriptionJob

SUFFIXES = {".wav", ".flac", ".ogg", ".opus"}


def find_files(folder: Path, count: int) -> list[Path]:
    """Return `count` recordings at 16 kHz, evenly spread over all that are in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return files[:: max(1, len(files) // count)][:count]


def random_base(folder: Path) -> str:
    """Write a network of the published base size with weights at random, and return its folder."""
    processor = Wav2Vec2Processor.from_pretrained("mini")
    processor.feature_extractor.return_attention_mask = False
    processor.save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(vocab_size=len(processor.tokenizer), pad_token_id=0)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return str(folder)


class Recordings(torch.utils.data.Dataset):
    """Waveforms, read when they are asked for."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, object]:
        waveform, rate = soundfile.read(self.files[index], dtype="float32")
        return {"raw": waveform, "sampling_rate": rate}


def reference(folder: str, device: str, files: list[Path]):
    """Return a function that gives the pipeline's texts for a batch size."""
    pipe = transformers.pipeline(
        "automatic-speech-recognition",
        model=transformers.Wav2Vec2ForCTC.from_pretrained(folder),
        tokenizer=transformers.Wav2Vec2CTCTokenizer.from_pretrained(folder),
        feature_extractor=transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder),
        device=device,
    )

    def run(batch_size: int) -> list[str]:
        return [found["text"] for found in pipe(Recordings(files), batch_size=batch_size)]

    return run


def ours(model: str, device: str, files: list[Path]):
    """Return a function that gives our texts for a size of batches in seconds."""
    job = TranscriptionJob(model, runtime=Runtime(device=device))
    engines: dict[float, LocalEngine] = {}

    def run(batch_seconds: float) -> list[str]:
        engine = engines.setdefault(batch_seconds, LocalEngine(job, batch_seconds=batch_seconds))
        outcomes = list(engine.run([Item(str(path), Path(path.name)) for path in files]))
        return [outcome.result.text for outcome in outcomes]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--network", choices=["base"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--batch-seconds", type=float, nargs="+", default=[0, 4, 16, 64])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    files = find_files(arguments.folder, arguments.files)
    audio = sum(soundfile.info(path).duration for path in files)
    with tempfile.TemporaryDirectory() as folder:
        model = random_base(Path(folder)) if arguments.network else arguments.model
        where = str(embedded_folder(model) or model)
        ways = {"transformers": (reference(where, arguments.device, files), arguments.batch_sizes)}
        ways["w2v"] = (ours(model, arguments.device, files), arguments.batch_seconds)
        measure(ways, audio, len(files), arguments.rounds)


class Times:
    """How long runs took, by a clock and by the processor's own time."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def add(self, run, size) -> None:
        """Time a run."""
        began, began_processor = time.perf_counter(), time.process_time()
        run(size)
        self.wall.append(time.perf_counter() - began)
        self.processor.append(time.process_time() - began_processor)


def measure(ways, audio: float, n_files: int, rounds: int) -> None:
    """Time all ways and sizes in turn, and print what came of it."""
    keys = [(name, size) for name, (_, sizes) in ways.items() for size in sizes]
    # The first time loads what is loaded when first used.
    texts = {(name, size): ways[name][0](size) for name, size in keys}
    times = {key: Times() for key in keys}
    for _ in range(rounds):
        for name, size in keys:
            times[name, size].add(ways[name][0], size)
    print(f"{n_files} recordings, {audio:.0f} s; {torch.get_num_threads()} threads")
    print("| way | batch | x real time | x real time, processor | same words as the pipeline |")
    print("|---|---|---|---|---|")
    alone = texts[keys[0]]
    for name, size in keys:
        same = sum(a.split() == b.split() for a, b in zip(alone, texts[name, size], strict=True))
        unit = "recordings" if name == "transformers" else "s"
        found = times[name, size]
        wall, processor = statistics.median(found.wall), statistics.median(found.processor)
        print(f"| {name} | {size:g} {unit} | {audio / wall:.1f} | {audio / processor:.1f} | "
              f"{same} of {n_files} |")  # fmt: skip
    for clock in ("wall", "processor"):
        print_ratio(keys, {key: getattr(found, clock) for key, found in times.items()}, clock)


def print_ratio(keys, times: dict[tuple[str, float], list[float]], clock: str) -> None:
    """Print how much faster we are, both with the size that is best by one clock."""
    theirs, our = (
        min((k for k in keys if k[0] == name), key=lambda k: statistics.median(times[k]))
        for name in ("transformers", "w2v")
    )
    ratios = [a / b for a, b in zip(times[theirs], times[our], strict=True)]
    print(f"{clock}: best sizes transformers {theirs[1]:g}, w2v {our[1]:g} s; w2v is "
          f"{statistics.median(ratios):.2f} times as fast "
          f"({', '.join(f'{ratio:.2f}' for ratio in ratios)})")  # fmt: skip


if __name__ == "__main__":
    main()
