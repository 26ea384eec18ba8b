"""How long decoding with a language model takes, as a share of the network's own time.

    python tests/benchmarks/decoding_speed.py DATA --lm LM [--model mini] [--clips 40]

DATA has the folder librispeech with a manifest.jsonl. Each way of decoding gets the emissions of
the same recordings, in rounds: each round runs every way once, so that what else the computer
does falls on all alike. Medians are printed. Pools are started before the clock is, but for
"new pool a call", which is what transformers does when it is given none: it decodes batches of
eight. "Whole run" is the network and its decoding, in a pool meanwhile or in this process, and what
that adds to the network alone.

`--network base` times a network of the published base size, 95 million weights at random, in the
model's place; what is decoded are the model's emissions all the same.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import statistics
import time
from pathlib import Path

from decoding_data import emit, read_clips

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.beam import make_decoder
from w2v_cli.decoding.labels import fitting_labels
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.pool import DecoderPool
from w2v_cli.decoding.pyctc import load_language_model
from w2v_cli.inference.emitter import Emitter

BATCH = 8


def transformers_decoder(labels, ngram):
    """Return the pyctcdecode object that transformers' processor wraps."""
    import pyctcdecode

    alphabet = pyctcdecode.Alphabet(list(labels.texts), labels.is_bpe)
    return pyctcdecode.BeamSearchDecoderCTC(alphabet, load_language_model(ngram))


def in_new_pools(decoder, columns):
    """Decode as `Wav2Vec2ProcessorWithLM.batch_decode` of transformers does without a pool."""
    for begin in range(0, len(columns), BATCH):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            decoder.decode_beams_batch(pool, columns[begin : begin + BATCH])


def network_of(name, emitter):
    """Return an emitter whose time counts: the model itself, or one of a published size."""
    if name is None:
        return emitter
    from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(vocab_size=emitter.vocab_size)
    return Emitter(f"a random {name} network", Wav2Vec2ForCTC(config), emitter.processor)


def whole_run(network, clips, emissions, pool):
    """Hear every recording, each decoded while the next is heard."""
    handles = []
    for clip, matrix in zip(clips, emissions, strict=True):
        emit(network, [clip])
        handles.append(pool.submit([matrix]))
        if pool.worker_pids == []:
            handles[-1].result()
    for handle in handles:
        handle.result()


def ways(network, clips, emissions, ngram):
    """Return what is timed, by name, and the pools that it uses."""
    alphabet = Alphabet.from_tokenizer(network.processor.tokenizer)
    options = BeamOptions(**ngram.own_options())
    labels = fitting_labels(alphabet, ngram)
    columns = [labels.columns(matrix) for matrix in emissions]
    published = transformers_decoder(labels, ngram)
    found = {
        "network": lambda: emit(network, clips),
        "greedy": lambda: [greedy_decode(matrix, alphabet) for matrix in emissions],
        "transformers, no pool": lambda: [published.decode_beams(c) for c in columns],
        "transformers, new pool a call": lambda: in_new_pools(published, columns),
    }
    pools = []
    for engine in ("pyctcdecode", "native"):
        decoder = make_decoder(alphabet, ngram, options, engine)
        found[f"{engine}, this process"] = lambda d=decoder: [d.decode(m) for m in emissions]
        for workers in (1, 2):
            pool = DecoderPool(alphabet, ngram, options, engine=engine, workers=workers)
            pool.submit(emissions[:4]).result()
            found[f"{engine}, {workers} worker{'s' if workers > 1 else ''}"] = lambda p=pool: (
                p.submit(emissions).result()
            )
            found[f"whole run, {engine}, {workers} worker{'s' if workers > 1 else ''}"] = (
                lambda p=pool: whole_run(network, clips, emissions, p)
            )
            pools.append(pool)
        here = DecoderPool(alphabet, ngram, options, engine=engine, workers=0)
        found[f"whole run, {engine}, this process"] = lambda p=here: whole_run(
            network, clips, emissions, p
        )
    return found, pools


def main() -> None:
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--lm", required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--network", choices=["base"])
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    emitter = Emitter.load(arguments.model)
    clips = read_clips(arguments.data / "librispeech", arguments.clips)
    emissions = emit(emitter, clips)
    audio = sum(clip.seconds for clip in clips)
    network = network_of(arguments.network, emitter)
    print(f"{len(clips)} recordings, {audio:.0f} s; {network.description}")
    found, pools = ways(network, clips, emissions, NGram.load(arguments.lm))
    times = {name: [] for name in found}
    for _ in range(arguments.rounds):
        for name, way in found.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    for pool in pools:
        pool.close()
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    alone, slow = medians["network"], medians["transformers, no pool"]
    print("| way | ms a second of audio | share of the network's time | x transformers, no pool |")
    print("|---|---|---|---|")
    for name, seconds in medians.items():
        if not name.startswith("whole run"):
            print(f"| {name} | {1000 * seconds / audio:.2f} | {100 * seconds / alone:.1f} % | "
                  f"{slow / seconds:.1f} |")  # fmt: skip
    print("\n| whole run | ms a second of audio | added to the network |")
    print("|---|---|---|")
    for name, seconds in medians.items():
        if name.startswith("whole run"):
            # Of each round by itself: what slows a computer down lasts longer than a round.
            pairs = zip(times[name], times["network"], strict=True)
            added = statistics.median(whole / base - 1 for whole, base in pairs)
            print(f"| {name.removeprefix('whole run, ')} | {1000 * seconds / audio:.2f} | "
                  f"{100 * added:+.1f} % |")  # fmt: skip


if __name__ == "__main__":
    main()
