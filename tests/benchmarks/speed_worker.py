"""One way to transcribe recordings, in a process of its own, for speed.py.

It reads a request a line: `run` transcribes all recordings once, `warm` the first; the way `peak`
multiplies matrices instead. It answers with a line of JSON: seconds of the clock and of the
processor, the most memory that the process has held, and the texts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

LONG_CHUNK_SECONDS = 30.0
LONG_STRIDE_SECONDS = 5.0


def ours(chosen: argparse.Namespace) -> Callable[[list[str]], list[str]]:
    """Return what transcribes with w2v."""
    from w2v_cli.batch.local import LocalEngine
    from w2v_cli.batch.outcome import Item
    from w2v_cli.inference.chunks import Chunking
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.tasks.transcribe import TranscriptionJob

    options: dict[str, Any] = {"quantize": "int8"} if chosen.way.startswith("w2v-int8") else {}
    chunking = Chunking()
    if chosen.chunked:
        context = None if chosen.way == "w2v-all" else 2.0
        chunking = Chunking(LONG_CHUNK_SECONDS, LONG_STRIDE_SECONDS, context_seconds=context)
    if chosen.way == "w2v-bfloat16":
        options["dtype"] = "bfloat16"
    options["compiled"] = chosen.way.endswith("-compiled")
    runtime = Runtime(device="cpu", threads=chosen.threads, **options)
    engine = LocalEngine(TranscriptionJob(chosen.model, runtime=runtime, chunking=chunking))

    def run(recordings: list[str]) -> list[str]:
        items = [Item(name, PurePath(name)) for name in recordings]
        return [outcome.result.text for outcome in engine.run(items)]

    return run


def pipeline(chosen: argparse.Namespace) -> Callable[[list[str]], list[str]]:
    """Return what transcribes with transformers' pipeline, in batches as the way says."""
    import soundfile
    import torch
    import transformers

    torch.set_num_threads(chosen.threads)
    transformers.logging.set_verbosity_error()
    pipe = transformers.pipeline(
        "automatic-speech-recognition",
        model=transformers.Wav2Vec2ForCTC.from_pretrained(chosen.model),
        tokenizer=transformers.Wav2Vec2CTCTokenizer.from_pretrained(chosen.model),
        feature_extractor=transformers.Wav2Vec2FeatureExtractor.from_pretrained(chosen.model),
        device="cpu",
    )
    batch_size = int(chosen.way.split("-")[1])
    chunks = {"chunk_length_s": LONG_CHUNK_SECONDS, "stride_length_s": LONG_STRIDE_SECONDS}

    class Recordings(torch.utils.data.Dataset):
        def __init__(self, names: list[str]) -> None:
            self._names = names

        def __len__(self) -> int:
            return len(self._names)

        def __getitem__(self, index: int) -> dict[str, object]:
            waveform, rate = soundfile.read(self._names[index], dtype="float32")
            return {"raw": waveform, "sampling_rate": rate}

    def run(recordings: list[str]) -> list[str]:
        options = chunks if chosen.chunked else {}
        found = pipe(Recordings(recordings), batch_size=batch_size, **options)
        return [one["text"] for one in found]

    return run


def multiply(threads: int) -> dict[str, float]:
    """Return how many operations a second a product of large matrices does, in float32."""
    import torch

    torch.set_num_threads(threads)
    matrix = torch.randn(1536, 1536)
    operations = 2 * 1536**3
    walls, used = [], []
    for _ in range(6):
        began, began_used = time.perf_counter(), time.process_time()
        packed = torch.ops.mkldnn._linear_pointwise(matrix, matrix, None, "none", [], "none")
        walls.append(time.perf_counter() - began)
        used.append(time.process_time() - began_used)
        del packed
    return {"by_clock": operations / min(walls), "by_processor": operations / min(used)}


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    with contextlib.suppress(OSError):  # Linux counts what the parent held before, in getrusage
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way")
    parser.add_argument("model")
    parser.add_argument("recordings", nargs="*")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--chunked", action="store_true", help="chunks and strides as the pipeline")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        if chosen.way == "peak":
            run = None
        else:
            run = (ours if chosen.way.startswith("w2v") else pipeline)(chosen)
        for request in sys.stdin:
            recordings = chosen.recordings[: 1 if request.strip() == "warm" else None]
            if run is None:
                answer = multiply(chosen.threads)
            else:
                began, began_used = time.perf_counter(), time.process_time()
                texts = run(recordings)
                answer = {
                    "wall": time.perf_counter() - began,
                    "used": time.process_time() - began_used,
                    "peak_bytes": peak_bytes(),
                    "texts": texts,
                }
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
