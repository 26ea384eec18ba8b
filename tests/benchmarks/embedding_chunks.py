"""Does the vector of a long recording depend on where it was cut?

    python tests/benchmarks/embedding_chunks.py ../shared/data/longform/1737-146161.opus

Prints, for x-vectors and for each pool of the last layer, how far the vector from chunks is from
that of the whole recording in one chunk: the largest difference, by the largest number, and the
cosine.
"""

from __future__ import annotations

import argparse

import numpy as np

from w2v_cli.audio import read_waveforms
from w2v_cli.inference.chunks import Chunking
from w2v_cli.inference.embedder import load_embedder
from w2v_cli.tasks.embed import Vectorizer
from w2v_cli.tasks.embed_search import cosines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording")
    parser.add_argument("--model", default="mini-speakers")
    parser.add_argument("--chunk-seconds", type=float, nargs="+", default=[30.0, 15.0])
    chosen = parser.parse_args()
    waveforms = read_waveforms(chosen.recording)
    print(f"{waveforms.duration_seconds:.0f} s")
    for pool in (None, "mean", "max", "mean+std"):
        embedder = load_embedder(chosen.model, pool_name=pool)

        def vector(chunk_seconds, embedder=embedder):
            chunking = Chunking(chunk_seconds=chunk_seconds)
            return Vectorizer(embedder, chunking=chunking).embed(waveforms).vectors

        whole = vector(waveforms.duration_seconds + 1)
        for chunk_seconds in chosen.chunk_seconds:
            found = vector(chunk_seconds)
            apart = np.abs(found - whole).max() / np.abs(whole).max()
            name = pool or "x-vector"
            print(
                f"{name:8}  {chunk_seconds:2g} s  {apart:.1e}  {cosines(found, whole)[0, 0]:.6f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
