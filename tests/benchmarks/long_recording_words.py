"""How many words of a long recording are wrong, by what a frame attends to, and in a stream.

    python tests/benchmarks/long_recording_words.py ../shared/data

Single words of the dev clips of commands and digits, of which the embedded model knows all, follow
one another for five minutes. The texts are also compared with that of the default, and that of the
stream, which comes in at once, with the file's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import jiwer
import numpy as np

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.waveforms import Waveforms
from w2v_cli.inference.chunks import Chunking
from w2v_cli.tasks.live import LiveTranscript
from w2v_cli.tasks.transcribe import Transcriber

RATE = 16000
SECONDS = 300
SEED = 7
WAYS = [(context, chunk) for context in (1.0, 2.0, 4.0, 8.0, None) for chunk in (30.0, 60.0)]
WHOLE = (None, 1e5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with commands/ and digits/")
    parser.add_argument("--model", default="mini")
    chosen = parser.parse_args()
    waveform, said = words_in_a_row(chosen.data)
    transcriber = Transcriber.load(chosen.model)
    default = text_of(transcriber, waveform, Chunking(30.0))
    print(f"{len(waveform) / RATE:.0f} s, {len(said.split())} words")
    print("| context | chunks | word error rate | words that differ from the default |")
    print("|---|---|---|---|")
    for context, seconds in (*WAYS, WHOLE):
        chunking = Chunking(seconds, context_seconds=context)
        text = text_of(transcriber, waveform, chunking)
        context_name = "all of the chunk" if context is None else f"{context:g} s"
        chunk_name = "one" if seconds > SECONDS else f"{seconds:g} s"
        print(row(context_name, chunk_name, said, default, text), flush=True)
    transcriber.chunking = Chunking()
    live = LiveTranscript(transcriber)
    segments = [*live.hear(waveform), *live.finish()]
    heard = " ".join(segment.text for segment in segments)
    print(row("a stream", "", said, default, heard))


def words_in_a_row(data: Path) -> tuple[np.ndarray, str]:
    """Return dev words one after the other, (samples,), and what is said."""
    rows = []
    for corpus in ("commands", "digits"):
        lines = (data / corpus / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
        listed = [json.loads(line) for line in lines]
        rows += [
            (data / corpus / row["audio_filepath"], row["text"])
            for row in listed
            if row["split"] == "dev" and row["text"]
        ]
    rng = np.random.default_rng(SEED)
    pieces, words, n_samples = [], [], 0
    for index in rng.permutation(len(rows)):
        path, text = rows[index]
        pieces.append(read_waveforms(path).channels[0])
        words.append(text)
        n_samples += len(pieces[-1])
        if n_samples >= SECONDS * RATE:
            break
    return np.concatenate(pieces), " ".join(words)


def text_of(transcriber: Transcriber, waveform: np.ndarray, chunking: Chunking) -> str:
    transcriber.chunking = chunking
    held = Waveforms((waveform,), (None,), RATE, 0.0, len(waveform) / RATE)
    return transcriber.transcribe(held).text


def row(context: str, chunk: str, said: str, default: str, text: str) -> str:
    wrong, differs = 100 * jiwer.wer(said, text), 100 * jiwer.wer(default, text)
    return f"| {context} | {chunk} | {wrong:.1f} % | {differs:.1f} % |"


if __name__ == "__main__":
    main()
