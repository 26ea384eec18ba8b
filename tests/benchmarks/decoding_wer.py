"""Word error rates of a model: greedy, with a language model, and with hotwords.

    python tests/benchmarks/decoding_wer.py DATA --lm LM [--model mini] [--clips 300]

DATA has the folders commands, digits and librispeech with a manifest.jsonl each; their `dev`
recordings are heard, evenly spread. The hotwords are what somebody may know beforehand: of
commands and digits all words there are, of librispeech the words of four letters or more that
the language model lacks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jiwer
from decoding_data import emit, read_clips

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.labels import fitting_labels
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions, Hotword
from w2v_cli.decoding.pool import DecoderPool
from w2v_cli.inference.emitter import Emitter


def known_beforehand(folder, clips, ngram, labels, weight):
    """Return the hotwords of a folder's recordings."""
    words = sorted({word for clip in clips for word in clip.text.split()})
    if folder == "librispeech":
        known = {word.lower() for word in ngram.unigrams}
        words = [word for word in words if len(word) > 3 and word.lower() not in known]
    letters = {letter.lower() for letter in labels.letters}
    return tuple(Hotword(word, weight) for word in words if set(word.lower()) <= letters)


def error_rate(clips, texts):
    """Return the word error rate in percent; whatever is heard in silence is inserted."""
    references = [clip.text.lower() for clip in clips]
    hypotheses = [text.lower() for text in texts]
    spoken = [(r, h) for r, h in zip(references, hypotheses, strict=True) if r]
    inserted = sum(len(h.split()) for r, h in zip(references, hypotheses, strict=True) if not r)
    output = jiwer.process_words([r for r, _ in spoken], [h for _, h in spoken])
    errors = output.substitutions + output.deletions + output.insertions + inserted
    n_words = output.hits + output.substitutions + output.deletions
    return 100 * errors / n_words, errors, n_words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--lm", required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--hotword-weight", type=float, default=3.0)
    arguments = parser.parse_args()
    emitter = Emitter.load(arguments.model)
    alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
    ngram = NGram.load(arguments.lm)
    labels = fitting_labels(alphabet, ngram)
    print("| recordings | words | greedy | beam without LM | LM | LM and hotwords |")
    print("|---|---|---|---|---|---|")
    for folder in ("commands", "digits", "librispeech"):
        clips = read_clips(arguments.data / folder, arguments.clips)
        emissions = emit(emitter, clips)
        hotwords = known_beforehand(folder, clips, ngram, labels, arguments.hotword_weight)
        with_lm = BeamOptions(**ngram.own_options())
        rates = [error_rate(clips, [greedy_decode(e, alphabet).text for e in emissions])]
        for lm, options in (
            (None, BeamOptions()),
            (ngram, with_lm),
            (ngram, BeamOptions(**ngram.own_options(), hotwords=hotwords)),
        ):
            with DecoderPool(alphabet, lm, options, workers=2) as pool:
                found = pool.submit(emissions).result()
            rates.append(error_rate(clips, [readings[0].text for readings in found]))
        cells = " | ".join(f"{rate:.1f} %" for rate, _, _ in rates)
        print(f"| {folder} ({len(clips)}) | {rates[0][2]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
