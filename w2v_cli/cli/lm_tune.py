"""`w2v lm tune`: the weights of a language model that give the fewest wrong words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.lm_options import LM_GROUP, ModelArgument, parse_numbers
from w2v_cli.counts import counted
from w2v_cli.errors import SOME_INPUTS_FAILED, AudioError, UsageError

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.language_model.tune import Point
    from w2v_cli.training.manifests import Example

GRID_GROUP = "Search"
DEFAULT_ALPHAS = "0,0.25,0.5,0.75,1,1.5"
DEFAULT_BETAS = "-1,0,1,2,3"
MARK = "*"

ReportName = Literal["table", "json"]


def tune(
    model: ModelArgument,
    manifest: Annotated[
        str,
        typer.Argument(
            metavar="MANIFEST",
            help="JSONL, CSV or TSV with audio_filepath, text and perhaps split.",
        ),
    ],
    language_model: Annotated[
        str | None,
        typer.Option(
            "--lm",
            metavar="DIR|FILE",
            help="The language model; without it the one in the model's folder.",
            rich_help_panel=LM_GROUP,
        ),
    ] = None,
    alphas: Annotated[
        str,
        typer.Option(
            "--alpha",
            metavar="A,A,...",
            help="Weights of the language model to try.",
            rich_help_panel=GRID_GROUP,
        ),
    ] = DEFAULT_ALPHAS,
    betas: Annotated[
        str,
        typer.Option(
            "--beta",
            metavar="B,B,...",
            help="Scores for every word to try.",
            rich_help_panel=GRID_GROUP,
        ),
    ] = DEFAULT_BETAS,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="Use the rows of this split. [default: dev where there are such, else all]",
            rich_help_panel=GRID_GROUP,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help="Use N recordings, evenly from the whole manifest.",
            rich_help_panel=GRID_GROUP,
        ),
    ] = None,
    beam_width: Annotated[
        int,
        typer.Option(
            "--beam-width",
            min=1,
            metavar="N",
            help="Readings kept after each frame.",
            rich_help_panel=GRID_GROUP,
        ),
    ] = 100,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            min=0,
            metavar="N",
            help="Processes that search; 0 searches in this one.",
            rich_help_panel=GRID_GROUP,
        ),
    ] = 1,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Save the best weights in the language model's attrs.json.",
            rich_help_panel=options.OUTPUT_GROUP,
        ),
    ] = False,
    report: Annotated[
        ReportName,
        typer.Option(
            "--format",
            "-f",
            help="table: error rates in percent, alpha down and beta across. json: all points.",
            rich_help_panel=options.OUTPUT_GROUP,
        ),
    ] = "table",
    device: options.Device = "auto",
    threads: options.Threads = None,
    offline: options.Offline = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Find the weights of a language model with the fewest errors.

    \b
    Examples:
      w2v lm tune mini-with-lm manifest.jsonl --write
      w2v lm tune mini manifest.jsonl --lm my-lm --alpha 0,0.5,1 --beta 0,1,2
      w2v lm tune mini-with-lm manifest.jsonl --limit 200 --format json

    The network hears each recording once; then every pair of weights is tried. The best pair
    is marked with *. Tune on recordings that are not the ones you will report results on.

    Exit codes: 0 done, 1 failed, 2 wrong command line, 3 some recordings could not be read, 4 no
    model or language model, 5 a package is missing, 130 interrupted.
    """
    grid = (parse_numbers("--alpha", alphas, float), parse_numbers("--beta", betas, float))
    console = Console(quiet=quiet, verbose=verbose)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.language_model.tune import best_point, weights_json

    clips = clips_of(manifest, split, limit, console)
    runtime = Runtime(device=device, threads=threads)
    hub = HubOptions(local_files_only=offline)
    ngram, place = find_language_model(model, language_model, hub)
    if write and place is None:
        raise UsageError("--write needs a folder with attrs.json; give one with --lm DIR")
    with console.warnings_as_lines():
        points, n_left_out = surface(
            model, clips, ngram, grid, beam_width, workers, runtime, hub, console
        )
    best = best_point(points)
    typer.echo(as_json(points, best) if report == "json" else as_table(points, best))
    if write and place is not None:
        from w2v_cli.checkpoint.atomic import write_text

        write_text(place, weights_json(ngram, best))
        console.tell(f"{place}: alpha {best.alpha:g}, beta {best.beta:g}")
    raise typer.Exit(SOME_INPUTS_FAILED if n_left_out else 0)


def clips_of(
    manifest: str, split: str | None, limit: int | None, console: Console
) -> list[Example]:
    """Return the recordings of a manifest that have a text, each once.

    Args:
        manifest: The file.
        split: Take those of this split; None for dev's where there are some, else all.
        limit: Take so many, evenly from all over the manifest; None for all.
        console: Where to say how many have none.

    Raises:
        UsageError: It cannot be read, or has no recordings of that kind.
    """
    from w2v_cli.training.manifests import measured_split, read_examples

    listed = measured_split(read_examples(manifest), split)
    clips = list(dict.fromkeys(example for example in listed if example.text is not None))
    if not clips:
        raise UsageError(f"{manifest}: no recording here has a text; add a column text")
    n_left_out = sum(example.text is None for example in listed)
    if n_left_out:
        console.warn(f"left out, since there is no text: {counted(n_left_out, 'recording')}")
    if limit is not None and limit < len(clips):
        return [clips[index * len(clips) // limit] for index in range(limit)]
    return clips


def find_language_model(model: str, chosen: str | None, hub: Any) -> tuple[NGram, Path | None]:
    """Return the language model that was chosen or is in the model, and where its weights lie."""
    from w2v_cli.checkpoint.language_models import language_model_folder
    from w2v_cli.checkpoint.resolve import locate
    from w2v_cli.decoding.ngram import ATTRS_FILE, NGram

    folder = Path(chosen) if chosen is not None else language_model_folder(model, hub)
    if folder is None:
        raise UsageError(f"{model}: no language model in it; name one with --lm")
    ngram = NGram.load(folder)
    # What lies in the Hub's cache is not ours to change.
    is_ours = folder.is_dir() and (chosen is not None or locate(model) is not None)
    return ngram, ngram.path.parent / ATTRS_FILE if is_ours else None


def surface(
    model: str,
    clips: Sequence[Example],
    ngram: NGram,
    grid: tuple[Sequence[float], Sequence[float]],
    beam_width: int,
    workers: int,
    runtime: Any,
    hub: Any,
    console: Console,
) -> tuple[list[Point], int]:
    """Return what each pair of weights gives on the clips, and how many could not be read.

    Raises:
        AudioError: None of them can be read; where some can, a warning names the others.
    """
    from w2v_cli.audio import SAMPLE_RATE
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.decoding.options import BeamOptions
    from w2v_cli.decoding.pool import DecoderPool
    from w2v_cli.inference.emitter import CTC_HEAD, Emitter
    from w2v_cli.language_model.tune import search
    from w2v_cli.tasks.decoding import spaced_alphabet
    from w2v_cli.training.examples import Recordings

    beam = BeamOptions(**ngram.own_options() | {"beam_width": beam_width})
    alphas, betas = grid
    n_steps = len(clips) + len(alphas) * len(betas)
    with console.progress(n_steps) as progress, show_progress(progress):
        head = replace(CTC_HEAD, job="lm tune")
        emitter = Emitter.load(model, runtime=runtime, hub=hub, head=head)
        console.note(emitter.description)
        alphabet = spaced_alphabet(emitter)
        recordings, emissions, texts = Recordings(), [], []
        for clip in clips:
            progress.begin(Path(clip.audio).name)
            waveform = recordings.read(clip)
            if waveform is not None:
                emissions.append(emitter.emissions(waveform, sample_rate=SAMPLE_RATE))
                texts.append(clip.text or "")
            progress.input_done()
        if not texts:
            raise AudioError("none of the recordings can be read; see the warnings")
        progress.begin("trying weights")
        with DecoderPool(alphabet, ngram, beam, workers=workers) as pool:
            points = search(
                pool,
                emissions,
                texts,
                beam,
                alphas=alphas,
                betas=betas,
                tell=progress.input_done,
            )
    return points, len(clips) - len(texts)


def as_table(points: Sequence[Point], best: Point) -> str:
    """Return the surface of error rates in percent, a line an alpha, a column a beta."""
    betas = list(dict.fromkeys(point.beta for point in points))
    lines = ["alpha\\beta" + "".join(f"{beta:>9g}" for beta in betas)]
    for alpha in dict.fromkeys(point.alpha for point in points):
        row = [point for point in points if point.alpha == alpha]
        cells = (f"{100 * p.wer:8.2f}{MARK if p == best else ' '}" for p in row)
        lines.append(f"{alpha:<10g}" + "".join(cells).rstrip())
    lines.append(
        f"{MARK} alpha {best.alpha:g}, beta {best.beta:g}: WER {100 * best.wer:.2f} % "
        f"({best.errors} of {counted(best.n_words, 'word')})"
    )
    return "\n".join(lines)


def as_json(points: Sequence[Point], best: Point) -> str:
    """Return all points and the best one."""

    def record(point: Point) -> dict[str, float]:
        rate = {"wer": round(point.wer, 6), "errors": point.errors, "n_words": point.n_words}
        return {"alpha": point.alpha, "beta": point.beta, **rate}

    return json.dumps({"best": record(best), "points": [record(p) for p in points]}, indent=2)
