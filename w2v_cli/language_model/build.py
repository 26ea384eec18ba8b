"""A KenLM language model from text files, in the letters of a model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import make_folder, replacing
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.ngram import arpa_words
from w2v_cli.errors import CheckpointError
from w2v_cli.language_model import kenlm_tools
from w2v_cli.language_model.arpa import write_arpa
from w2v_cli.language_model.kneser_ney import FALLBACK_DISCOUNTS, Discounts, estimate
from w2v_cli.language_model.layout import alphabet_json, attrs_json, check_unused, write_layout
from w2v_cli.language_model.ngram_counts import count_ngrams
from w2v_cli.language_model.text import Corpus, read_corpus

ARPA_FILE = "lm.arpa"
COMPRESSED_FILE = "lm.arpa.gz"
BINARY_FILE = "lm.bin"

LMPLZ, OWN = "lmplz", "own"


@dataclass(frozen=True)
class BuildOptions:
    """How a language model is made.

    Attributes:
        order: Words in the longest n-grams.
        prune: For each order from 1 up, the count up to which n-grams are left out.
        fallback: Discounts where the text is too small to estimate them; None to refuse.
        estimator: lmplz or own.
        kind: The layout of KenLM's binary: trie or probing.
    """

    order: int = 3
    prune: tuple[int, ...] = ()
    fallback: Discounts | None = FALLBACK_DISCOUNTS
    estimator: str = OWN
    kind: str = "trie"


@dataclass(frozen=True)
class Built:
    """What was made.

    Attributes:
        corpus: The text it was made from.
        model: The file that a decoder loads.
        arpa: The ARPA file: `model` itself where no binary could be written.
        fell_back: The orders whose discounts are the fallback.
    """

    corpus: Corpus
    model: Path
    arpa: Path
    fell_back: tuple[int, ...]


def build(
    sources: Sequence[str | os.PathLike[str]],
    folder: Path,
    tokenizer: Any,
    options: BuildOptions,
    tell: Callable[[str], None],
    *,
    force: bool = False,
) -> Built:
    """Return what was made of text files, in a folder of the published layout.

    Args:
        sources: UTF-8 files, plain or compressed with gzip; "-" is standard input.
        folder: Where to write.
        tokenizer: The model's, for its letters.
        options: How to make it.
        tell: Is told what is done now.
        force: Whether the folder may have something in it.

    Raises:
        UsageError: The folder is in use, or a text cannot be read, or has no words.
        W2VError: The folder cannot be written, or the text is too small, also for what is
            pruned.
    """
    check_unused(folder, force=force)
    tell("reading")
    corpus = read_corpus(
        sources,
        Alphabet.from_tokenizer(tokenizer),
        lambda n_bytes: tell(f"reading, {n_bytes / 1e6:.0f} MB"),
    )
    make_folder(folder)
    arpa = folder / ARPA_FILE
    try:
        fell_back = _estimate(corpus, arpa, options, tell)
        unigrams = _unigrams(arpa, options)
        inside = write_layout(
            folder,
            alphabet=alphabet_json(tokenizer),
            attrs=attrs_json(),
            unigrams=unigrams,
        )
        tell("writing the binary")
        binary = inside / BINARY_FILE
        if not kenlm_tools.write_binary(arpa, binary, kind=options.kind):
            model = arpa.replace(inside / ARPA_FILE)
            return Built(corpus, model, model, fell_back)
        tell("compressing the ARPA file")
        compressed = folder / COMPRESSED_FILE
        _compress(arpa, compressed)
        return Built(corpus, binary, compressed, fell_back)
    finally:
        arpa.unlink(missing_ok=True)


def _estimate(
    corpus: Corpus, arpa: Path, options: BuildOptions, tell: Callable[[str], None]
) -> tuple[int, ...]:
    """Write the ARPA file and return the orders whose discounts are the fallback."""
    if options.estimator == LMPLZ:
        tell("lmplz")
        said = kenlm_tools.run_lmplz(
            corpus.lines(),
            arpa,
            order=options.order,
            prune=options.prune,
            fallback=options.fallback,
        )
        mark = "fallback discounts for order "
        # It counts orders from 0 there.
        return tuple(int(part.split(":")[0]) + 1 for part in said.split(mark)[1:])
    n_words = len(corpus.vocabulary)
    counts = count_ngrams(
        corpus.padded(options.order),
        order=options.order,
        n_words=n_words,
        tell=lambda n_ids: tell(f"counting, {n_ids / 1e6:.1f} M words"),
    )
    corpus.sentences.clear()
    tell(f"estimating {len(counts.counts) / 1e6:.1f} M n-grams")
    estimates = estimate(counts, n_words=n_words, prune=options.prune, fallback=options.fallback)
    del counts
    write_arpa(
        arpa,
        estimates,
        corpus.vocabulary,
        lambda n_ngrams: tell(f"writing, {n_ngrams / 1e6:.1f} M n-grams"),
    )
    return tuple(k for k, table in enumerate(estimates, start=1) if table.fell_back)


def _unigrams(arpa: Path, options: BuildOptions) -> list[str]:
    try:
        return sorted(arpa_words(arpa))
    except CheckpointError as error:
        pruned = ",".join(map(str, options.prune))
        raise kenlm_tools.BuildError(
            f"--prune {pruned} leaves no word of the text; take smaller numbers, or more text"
        ) from error


def _compress(source: Path, target: Path) -> None:
    import gzip

    with (
        replacing(target) as partial,
        source.open("rb") as plain,
        gzip.open(partial, "wb", compresslevel=6) as packed,
    ):
        shutil.copyfileobj(plain, packed, 1 << 20)
