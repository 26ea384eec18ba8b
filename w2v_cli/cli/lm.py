"""`w2v lm`: language models, made from text, attached to a model, weighed on recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.grouped_help import GroupedCommand
from w2v_cli.cli.lm_options import (
    LM_GROUP,
    Folder,
    Force,
    ModelArgument,
    check_prune,
    parse_fallback,
    parse_numbers,
)
from w2v_cli.cli.lm_tune import tune
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.language_model.build import Built

LOWEST_ORDER, HIGHEST_ORDER = 2, 6  # KenLM's, as it is usually compiled
SHOWN_WORDS = 5  # of those that were left out

EstimatorName = Literal["auto", "lmplz", "own"]
KindName = Literal["trie", "probing"]

lm = typer.Typer(
    name="lm",
    no_args_is_help=True,
    add_completion=False,  # it is completed as a part of w2v
    rich_markup_mode=None,
    help="Language models: build one from text, attach it to a model, tune its weights.",
)


@lm.command("build", cls=GroupedCommand)
def build(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="Text files in UTF-8, a sentence a line, plain or .gz, or - for standard input.",
        ),
    ],
    output: Folder,
    model: options.Model = options.DEFAULT_MODEL,
    lang: options.Language = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    order: Annotated[
        int,
        typer.Option(
            "--order",
            min=LOWEST_ORDER,
            max=HIGHEST_ORDER,
            metavar="N",
            help="Words in the longest n-grams; KenLM reads none of single words.",
            rich_help_panel=LM_GROUP,
        ),
    ] = 3,
    prune: Annotated[
        str,
        typer.Option(
            "--prune",
            metavar="N,N,...",
            help="Leave out n-grams that occur so often or less, for each order from 1 up: "
            "0,0,1 drops trigrams that occur once. The last number holds for higher orders.",
            rich_help_panel=LM_GROUP,
        ),
    ] = "0",
    discount_fallback: Annotated[
        str,
        typer.Option(
            "--discount-fallback",
            metavar="D1,D2,D3|none",
            help="Discounts for a text too small to estimate them from; none refuses it.",
            rich_help_panel=LM_GROUP,
        ),
    ] = "0.5,1,1.5",
    estimator: Annotated[
        EstimatorName,
        typer.Option(
            "--estimator",
            help="KenLM's lmplz, or our own, which gives the same; auto takes lmplz if it is "
            "on the PATH.",
            rich_help_panel=LM_GROUP,
        ),
    ] = "auto",
    binary: Annotated[
        KindName,
        typer.Option(
            "--binary",
            help="KenLM's binary: trie is small, probing is fast.",
            rich_help_panel=LM_GROUP,
        ),
    ] = "trie",
    force: Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a language model from text, in the letters of a model.

    \b
    Examples:
      w2v lm build --model mini sentences.txt -o my-lm
      w2v lm build --order 4 --prune 0,0,1 news.txt.gz books.txt.gz -o news-lm
      zcat *.gz | w2v lm build - -o my-lm
      w2v transcribe --lm my-lm talk.wav

    A line is a sentence. Its words are written as the model writes them: in its case, without
    punctuation; words with digits or signs that it cannot write are left out, so spell out
    numbers beforehand. The folder gets alphabet.json and language_model/ as pyctcdecode and
    transformers read them, and the ARPA file beside them.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such text, 4 no model,
    130 interrupted.
    """
    thresholds = parse_numbers("--prune", prune, int)
    fallback = parse_fallback(discount_fallback)
    check_prune(thresholds, order)
    if texts.count("-") > 1 or "" in texts:
        raise UsageError("an empty name, or - more than once; standard input is read only once")
    console = Console(quiet=quiet, verbose=verbose)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.language_model.build import BuildOptions
    from w2v_cli.language_model.build import build as build_model
    from w2v_cli.language_model.kenlm_tools import LMPLZ, has_program
    from w2v_cli.language_model.layout import check_unused

    check_unused(Path(output), force=force)
    if estimator == "auto":
        estimator = "lmplz" if has_program(LMPLZ) else "own"
    elif estimator == "lmplz" and not has_program(LMPLZ):
        raise UsageError("--estimator lmplz: it is not on the PATH; leave the option out")
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    chosen = BuildOptions(order, thresholds, fallback, estimator, binary)
    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        tokenizer = load_tokenizer(model, hub, lang)
        built = build_model(texts, Path(output), tokenizer, chosen, progress.begin, force=force)
    tell_built(built, console, output, estimator)


def tell_built(built: Built, console: Console, output: str, estimator: str) -> None:
    """Say what was made, and what should be known about it."""
    corpus = built.corpus
    if corpus.n_left_out:
        more = ["..."] if len(corpus.left_out) > SHOWN_WORDS else []
        examples = ", ".join([*corpus.left_out[:SHOWN_WORDS], *more])
        console.warn(
            f"left out: {counted(corpus.n_left_out, 'word')} with something the model cannot write "
            f"({examples}); spell numbers and signs out to keep them"
        )
    if built.fell_back:
        orders = ", ".join(map(str, built.fell_back))
        console.warn(
            f"the text is too small to estimate discounts of order {orders}; took those "
            f"of --discount-fallback"
        )
    if built.model == built.arpa:
        console.warn(
            "no KenLM binary was written, which takes the package kenlm (pip install 'w2v[lm]') or "
            "build_binary on the path; the ARPA file does the same, and loads slower"
        )
    console.tell(
        f"{output}: {counted(corpus.n_sentences, 'sentence')}, {counted(corpus.n_words, 'word')}, "
        f"{len(corpus.vocabulary) - 3:,} different; estimated by {estimator}"
    )


@lm.command("attach", cls=GroupedCommand)
def attach(
    model: ModelArgument,
    language_model: Annotated[
        str,
        typer.Argument(
            metavar="LM",
            help="A folder of w2v lm build, an ARPA file (.gz too), or a KenLM binary.",
        ),
    ],
    output: Folder,
    lang: options.Language = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    force: Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Put a model and a language model into one folder.

    \b
    Examples:
      w2v lm attach mini my-lm -o mini-with-lm
      w2v transcribe --model mini-with-lm talk.wav
      w2v lm attach facebook/wav2vec2-base-960h 4gram.arpa.gz -o base-with-lm

    The folder is a copy of the model with alphabet.json and language_model/ in it, as
    Wav2Vec2ProcessorWithLM saves it, here and in transformers.

    Exit codes: 0 done, 1 failed, 2 wrong command line, 4 a model cannot be loaded or the two
    do not fit each other.
    """
    console = Console(quiet=quiet, verbose=verbose)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.language_model.attach import attach as attach_model
    from w2v_cli.language_model.layout import check_unused

    check_unused(Path(output), force=force)
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        progress.begin(f"copying {model}")
        tokenizer = load_tokenizer(model, hub, lang)
        ngram = attach_model(model, language_model, Path(output), tokenizer, hub, force=force)
    if not ngram.unigrams:
        console.warn(
            f"{language_model}: nothing says which words it knows, so beginnings of words count "
            f"as unknown; put its words into {output}/language_model/unigrams.txt, one a line"
        )
    console.note(f"{output}: {model} with {ngram.path.name}")


def load_tokenizer(model: str, hub: Any, lang: str | None) -> Any:
    """Return a model's tokenizer."""
    from w2v_cli.checkpoint.processors import explaining_processors
    from w2v_cli.checkpoint.resolve import pin
    from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer

    where = pin(model, hub)
    arguments: dict[str, Any] = {} if lang is None else {"target_lang": lang}
    with explaining_processors(model, lang):
        return Wav2Vec2CTCTokenizer.from_pretrained(
            model,
            revision=where.revision,
            cache_dir=where.cache_dir,
            local_files_only=where.local_files_only,
            **arguments,
        )


lm.command("tune", cls=GroupedCommand)(tune)
