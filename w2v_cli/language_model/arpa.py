"""Estimates as an ARPA file: log10 probabilities, the words, log10 backoff weights."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from w2v_cli.checkpoint.atomic import replacing
from w2v_cli.language_model.kneser_ney import Estimate, ngram_words

_BATCH = 1 << 17
# Nine digits bring a single-precision number back as it was; KenLM stores no more than that.
_NUMBER = "%.8g"


def write_arpa(
    path: Path,
    estimates: Sequence[Estimate],
    vocabulary: Sequence[str],
    tell: Callable[[int], None] = lambda n_ngrams: None,
) -> None:
    """Write an ARPA file, compressed if its name ends in .gz, whole or not at all.

    Args:
        path: The file.
        estimates: Of each order from 1 up.
        vocabulary: The word of each id.
        tell: Called with the number of n-grams written so far.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as partial, _opened(partial, path) as file:
        file.write("\\data\\\n")
        for k, table in enumerate(estimates, start=1):
            file.write(f"ngram {k}={int(table.kept.sum())}\n")
        n_written = 0
        for k in range(1, len(estimates) + 1):
            file.write(f"\n\\{k}-grams:\n")
            places = np.flatnonzero(estimates[k - 1].kept)
            for first in range(0, len(places), _BATCH):
                _write_ngrams(file, estimates, k, places[first : first + _BATCH], vocabulary)
                n_written += min(_BATCH, len(places) - first)
                tell(n_written)
        file.write("\n\\end\\\n")


def _write_ngrams(
    file: IO[str],
    estimates: Sequence[Estimate],
    k: int,
    places: np.ndarray[tuple[int], np.dtype[np.int64]],
    vocabulary: Sequence[str],
) -> None:
    table = estimates[k - 1]
    rows = ngram_words(estimates, k, places).tolist()
    texts = [" ".join([vocabulary[index] for index in row]) for row in rows]
    probabilities = [_NUMBER % value for value in table.log_prob[places].tolist()]
    if k == len(estimates):
        file.writelines(f"{p}\t{text}\n" for p, text in zip(probabilities, texts, strict=True))
        return
    backoffs = [_NUMBER % value for value in table.log_backoff[places].tolist()]
    file.writelines(
        f"{p}\t{text}\t{b}\n" for p, text, b in zip(probabilities, texts, backoffs, strict=True)
    )


def _opened(partial: Path, path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(partial, "wt", encoding="utf-8", newline="\n", compresslevel=6)
    return partial.open("w", encoding="utf-8", newline="\n")
