"""How near are the scores of a long recording that is heard in chunks to those of the whole?

    python tests/benchmarks/label_chunks.py --minutes 12 ../shared/data/longform/*.opus

Joins recordings to so long a one, labels it whole, as with `w2v classify --whole-seconds`, and in
chunks, and prints the largest difference between scores and how long each took.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from w2v_cli.audio import Waveforms, read_waveforms
from w2v_cli.tasks.classify import Classifier, label_chunking

RATE = 16000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="mini-keywords")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--chunk-seconds", type=float, nargs="+", default=[30.0, 120.0])
    chosen = parser.parse_args()
    recording = joined(chosen.recordings, round(chosen.minutes * 60 * RATE))
    whole, seconds = scores(chosen.model, recording, None, recording.duration_seconds)
    print(f"whole: {seconds:.0f} s", flush=True)
    for chunk_seconds in chosen.chunk_seconds:
        found, seconds = scores(chosen.model, recording, chunk_seconds, 1.0)
        print(
            f"chunks of {chunk_seconds:g} s: {seconds:.0f} s, at most "
            f"{np.abs(found - whole).max():.1e} from the whole's scores",
            flush=True,
        )


def joined(recordings: list[str], n_samples: int) -> Waveforms:
    """Return the recordings one after the other, again and again, of so many samples."""
    pieces: list[np.ndarray] = []
    for recording in itertools.cycle(recordings):
        pieces.append(read_waveforms(recording).channels[0])
        if sum(map(len, pieces)) >= n_samples:
            break
    waveform = np.concatenate(pieces)[:n_samples]
    return Waveforms(
        channels=(waveform,),
        channel_numbers=(None,),
        sample_rate=RATE,
        start_seconds=0.0,
        duration_seconds=n_samples / RATE,
    )


def scores(
    model: str, recording: Waveforms, chunk_seconds: float | None, whole_seconds: float
) -> tuple[np.ndarray, float]:
    """Return the scores of a recording, and how long they took."""
    classifier = Classifier.load(model, chunking=label_chunking(chunk_seconds, whole_seconds))
    began = time.perf_counter()
    found = classifier.classify(recording).scores
    return found, time.perf_counter() - began


if __name__ == "__main__":
    main()
