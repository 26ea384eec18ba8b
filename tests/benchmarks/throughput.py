"""How much audio a core transcribes, and what a million hours of it take.

    python tests/benchmarks/throughput.py RECORDING... [--network mini|base|large|FOLDER]
        [--threads 1] [--seconds 120] [--rounds 3]

A local engine transcribes the recordings, as many as are `--seconds` of audio together, after the
model has been loaded and has heard one of them. What is counted is the processor's time, of all
threads, with reading, resampling and greedy decoding: on a computer that does other things
besides it says more than the clock, which is printed too. The median of the rounds is printed.

base and large are networks of the published sizes with weights at random: 95 and 317 million.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path, PurePath

from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.transcribe import TranscriptionJob

MILLION_HOURS = 1_000_000
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
SIZES = {
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
    },
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", nargs="+", metavar="RECORDING")
    parser.add_argument("--network", default="mini")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.network
        if model in SIZES:
            save_random_model(Path(folder), SIZES[model])
            model = folder
        rounds = measure(model, chosen)
    audio_seconds = rounds[0][0]
    clock = statistics.median(wall for _, wall, _ in rounds)
    used = statistics.median(core for *_, core in rounds)
    print(f"{chosen.network}, {chosen.threads} threads: {audio_seconds:.0f} s of audio")
    print(f"  {audio_seconds / clock:.1f} times real time by the clock")
    print(f"  {audio_seconds / used:.1f} times real time on each core that it used")
    print(f"  a million hours: {MILLION_HOURS * used / audio_seconds:,.0f} core hours")


def measure(model: str, chosen: argparse.Namespace) -> list[tuple[float, float, float]]:
    """Return seconds of audio, of the clock and of the processor, for each round."""
    job = TranscriptionJob(model, runtime=Runtime(device="cpu", threads=chosen.threads))
    rounds = []
    with LocalEngine(job) as engine:
        items = first_recordings(engine, chosen.recordings, chosen.seconds)
        for _ in range(chosen.rounds):
            began, used_before = time.perf_counter(), time.process_time()
            outcomes = list(engine.run(items))
            wall, used = time.perf_counter() - began, time.process_time() - used_before
            rounds.append((sum(o.audio_seconds for o in outcomes), wall, used))
    return rounds


def first_recordings(engine: LocalEngine, names: list[str], seconds: float) -> list[Item]:
    """Return as many recordings as are so long together; the model is loaded on the way."""
    items, total = [], 0.0
    for outcome in engine.run(Item(name, PurePath(name)) for name in names):
        if outcome.error is None:
            items.append(outcome.item)
            total += outcome.audio_seconds
        if total >= seconds:
            break
    return items


def save_random_model(folder: Path, size: dict) -> None:
    """Write a CTC model of a published size, and its processor, into a folder."""
    from w2v_cli import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(LETTERS), **size)).save_pretrained(folder)
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=bool(size))
    Wav2Vec2Processor(extractor, Wav2Vec2CTCTokenizer(vocab)).save_pretrained(folder)


if __name__ == "__main__":
    main()
