"""Where the engines of the beam search agree, and how much faster one is.

    python tests/benchmarks/decoding_agreement.py DATA --lm LM [--model mini] [--real 84]

DATA has the folders commands, digits and librispeech with a manifest.jsonl each; `--real` clips
of each are heard by the model, their first six seconds, and as many matrices are simulated as
there are real ones. Both engines decode each matrix with each set of options. A case that differs
is looked at once more with pyctcdecode, its tokens in another order: where pyctcdecode then
differs from itself, there is nothing to agree with.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from decoding_data import emit, read_clips, simulated

from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.labels import fitting_labels
from w2v_cli.decoding.native import NativeEngine
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions, Hotword
from w2v_cli.decoding.pyctc import PyctcdecodeEngine
from w2v_cli.inference.emitter import Emitter

MOST_FRAMES = 300
WORDS = ("seven", "happy", "forward", "people", "water", "know", "captain", "three", "house")
HOTWORDS = tuple(Hotword(word) for word in WORDS)
CASES = (
    ("plain", "none", {}),
    ("hotwords", "none", {"hotwords": HOTWORDS}),
    ("LM, unigrams", "unigrams", {}),
    ("LM, no unigrams", "bare", {}),
    ("LM, hotwords", "unigrams", {"hotwords": HOTWORDS}),
    ("LM, hotwords, no unigrams", "bare", {"hotwords": HOTWORDS, "hotword_weight": 5.0}),
    ("LM, beam 20", "unigrams", {"beam_width": 20}),
    ("LM, history pruned", "unigrams", {"prune_history": True}),
    ("LM, no boundary, alpha 1", "unigrams", {"alpha": 1.0, "lm_score_boundary": False}),
)


def reordered(labels, columns, order):
    """Return labels and columns in another order, the blank first."""
    moved = replace(labels, texts=tuple(labels.texts[index] for index in order))
    return moved, columns[:, order]


def compare(case, lms, sets):
    """Return a row of the table: counts of what is the same, and seconds."""
    name, lm, settings = case
    row = {"case": name, "all": 0, "text": 0, "n_best": 0, "frames": 0, "scores": 0, "order": 0}
    seconds = [0.0, 0.0]
    for alphabet, matrices in sets:
        ngram = lms[lm]
        options = BeamOptions(**settings)
        labels = fitting_labels(alphabet, ngram)
        engines = NativeEngine(labels, ngram, options), PyctcdecodeEngine(labels, ngram)
        order = [0, *reversed(range(1, len(labels.texts)))]
        turned = None
        weights = {labels.spell(word): w for word, w in options.word_weights.items()}
        for matrix in matrices:
            columns = labels.columns(matrix)
            found = []
            for index, engine in enumerate(engines):
                start = time.perf_counter()
                found.append(engine.readings(columns, options, weights))
                seconds[index] += time.perf_counter() - start
            ours, theirs = found
            row["all"] += 1
            same = ours[0].text == theirs[0].text
            row["text"] += same
            texts = [[reading.text for reading in readings[:10]] for readings in found]
            row["n_best"] += texts[0] == texts[1]
            row["frames"] += ours[0].word_frames == theirs[0].word_frames
            row["scores"] += abs(ours[0].lm_score - theirs[0].lm_score) < 1e-4
            if not same or ours[0].word_frames != theirs[0].word_frames:
                if turned is None:
                    turned = PyctcdecodeEngine(reordered(labels, columns, order)[0], ngram)
                again = turned.readings(columns[:, order], options, weights)[0]
                row["order"] += again[:2] != theirs[0][:2]
    row["ratio"] = seconds[1] / seconds[0]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--lm", required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--real", type=int, default=84)
    arguments = parser.parse_args()
    emitter = Emitter.load(arguments.model)
    heard = []
    for folder in ("commands", "digits", "librispeech"):
        clips = read_clips(arguments.data / folder, arguments.real)
        heard += [matrix[:MOST_FRAMES] for matrix in emit(emitter, clips)]
    made, made_alphabet = simulated(len(heard), seed=5)
    sets = [
        (Alphabet.from_tokenizer(emitter.processor.tokenizer), heard),
        (made_alphabet, made),
    ]
    ngram = replace(NGram.load(arguments.lm), labels=None)  # the simulated have some letters more
    lms = {"none": None, "unigrams": ngram, "bare": replace(ngram, unigrams=None)}
    frames = sum(len(matrix) for _, matrices in sets for matrix in matrices)
    print(f"{len(heard)} real and {len(made)} simulated matrices, {frames} frames")
    print("| case | same text | same 10 best | same word frames | scores within 1e-4 | "
          "differing, of these pyctcdecode from itself | times as fast |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        row = compare(case, lms, sets)
        different = row["all"] - min(row["text"], row["frames"])
        print(
            f"| {row['case']} | {row['text']} | {row['n_best']} | {row['frames']} | "
            f"{row['scores']} | {different}, {row['order']} | {row['ratio']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
