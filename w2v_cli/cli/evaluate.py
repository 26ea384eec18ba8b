"""`w2v evaluate`: how good a model is on recordings whose text or label is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from w2v_cli.cli import engine_options, options
from w2v_cli.cli.console import Console
from w2v_cli.cli.evaluate_report import left_out, measured_json, measured_table
from w2v_cli.cli.output import STDOUT, check_file, format_of_name, write_result
from w2v_cli.cli.score_turns import Collar, SkipOverlap, Uem, scoring_rules
from w2v_cli.errors import SOME_INPUTS_FAILED, UsageError
from w2v_cli.plots.paths import check_plot_path

if TYPE_CHECKING:
    from w2v_cli.training.evaluation import Measured

MEASURE_GROUP = "Measuring"

ModelArgument = Annotated[
    str,
    options.model_argument(
        "A folder, a model id of the Hugging Face Hub, or an embedded model: of any kind that "
        "w2v finetune trains, but pretraining."
    ),
]
Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath and text, label or speaker, or an RTTM file; "
        "with the column split, the rows of one split.",
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Measure on the rows of this split. [default: dev where there are such, else all]",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Normalizer = Annotated[
    Literal["none", "basic", "english"] | None,
    typer.Option(
        "--normalizer",
        "-n",
        help="How both texts are written before they are compared, as in w2v score. "
        "[default: as the model was trained, else basic]",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Decoder = Annotated[
    Literal["auto", "greedy"],
    typer.Option(
        "--decoder",
        help="auto reads texts with the lexicon that lies in the model, as w2v transcribe does; "
        "greedy leaves it out. A language model in it is not used.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
OtherLabel = Annotated[
    str | None,
    typer.Option(
        "--other-label",
        metavar="NAME",
        help="What labels that the model lacks count as; without it, such recordings are left out.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
EmptyLabel = Annotated[
    str | None,
    typer.Option(
        "--empty-label",
        metavar="NAME",
        help="What an empty label or text counts as.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Resamples = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        min=0,
        metavar="N",
        help="Resamples for the 95 % intervals, by speakers where all are named; 0 for none.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw it as .png or .svg: word errors by length, a confusion matrix, a DET curve, or "
        "the kinds of errors of who speaks when; needs the extra plots.",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]
Report = Annotated[
    Literal["table", "json"] | None,
    typer.Option(
        "--format",
        "-f",
        help="table: for people. json: with what was made of each recording, too. [default: "
        "table, or json where --output ends with it]",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]


def evaluate(
    model: ModelArgument,
    manifests: Manifests,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    split: Split = None,
    normalizer: Normalizer = None,
    decoder: Decoder = "auto",
    other_label: OtherLabel = None,
    empty_label: EmptyLabel = None,
    uem: Uem = None,
    collar: Collar = None,
    skip_overlap: SkipOverlap = False,
    bootstrap: Resamples = 1000,
    report: Report = None,
    plot: Plot = None,
    output: options.OutputFile = STDOUT,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quantize: engine_options.Quantize = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure a model on recordings whose text or label is known.

    \b
    Examples:
      w2v evaluate mini dev.jsonl
      w2v evaluate my-model test.tsv --split test --normalizer english
      w2v evaluate my-keywords commands.jsonl --other-label _unknown_ --empty-label _silence_
      w2v evaluate my-turns meetings.rttm --uem meetings.uem --collar 0.25
      w2v evaluate my-model dev.jsonl --quantize int8
      w2v evaluate my-model list.jsonl --format json -o figures.json --plot figures.png

    Of a ctc model, the share of words (wer) and letters (cer) that are wrong and of recordings
    that are all right (exact), decoded greedily or with its lexicon; of a classifier, the share of
    recordings that are right (accuracy), the mean of the labels' own shares (balanced_accuracy),
    and which label was taken for which. Of a model of speakers, over all pairs of recordings, the
    equal error rate (eer), the threshold that has it, and the least cost where one pair in twenty
    is of one speaker (min_dcf). Of one of frames, what w2v diarize-frames makes of whole
    conversations: the time that is given to a wrong speaker, or wrongly to any or to none, by the
    time of speech (der), its parts, jer as in w2v score, and the share of time with any mistake
    (frame_error). Where no turns are given, conversations of half a minute are made of single
    speakers.

    Intervals are of the bootstrap, with 95 % confidence: speakers are drawn with replacement
    where all are named, else recordings. For eer, a pair counts as often as both its speakers
    were drawn.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 3 some recordings
    could not be read, 4 no model, 5 a package is missing, 130 interrupted.
    """
    check_file(output, [*manifests, *([] if uem is None else [uem])])
    if plot is not None:
        check_plot_path(plot, output)
    rules = scoring_rules(collar, skip_overlap) if collar is not None or skip_overlap else None
    console = Console(quiet=quiet, verbose=verbose)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.scoring.turn_files import read_regions
    from w2v_cli.training.evaluation import Choice, load_measured, measure_model

    runtime = Runtime(device=device, dtype="float32", threads=threads, quantize=quantize)
    regions = None if uem is None else read_regions(uem)
    chosen = Choice(
        split=split,
        normalizer=normalizer,
        other_label=other_label,
        empty_label=empty_label,
        n_resamples=bootstrap,
        rules=rules,
        regions=regions,
        use_lexicon=decoder == "auto",
    )
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        trained = load_measured(model, hub, chosen, runtime)
        network = getattr(trained[0], "network", None)  # of a diarizer
        where = f"{model} on {trained[0].device}" if network is None else network.description
        console.note(where)
        progress.begin("opening recordings")
        try:
            measured = measure_model(*trained, manifests, chosen, progress.begin)
        except KeyboardInterrupt:
            console.error("interrupted; nothing is written")
            raise
    for name in measured.unused:
        console.warn(
            f"{name}: nothing of it is measured, since other manifests have a split dev, or the "
            f"split that was asked for, and it has not; measure it alone"
        )
    if measured.n_left_out:
        console.warn(left_out(measured))
    for name, reason in measured.unreadable:
        console.error(f"{name}: {reason}")
    if not measured.results:
        raise UsageError(f"{', '.join(manifests)}: no recording here can be measured on")
    if (report or format_of_name(output, ["json"], "table")) == "json":
        shown = measured_json(measured, collar=collar, skip_overlap=skip_overlap)
    else:
        shown = measured_table(measured)
    write_result(output, shown)
    if plot is not None:
        draw(measured, plot, console)
    failed = measured.unreadable or measured.undecodable
    raise typer.Exit(SOME_INPUTS_FAILED if failed else 0)


def draw(measured: Measured, plot: str, console: Console) -> None:
    """Write the picture of what was measured; say so where there is nothing to draw.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    from w2v_cli.plots.canvas import save_figure
    from w2v_cli.training.evaluation_picture import evaluation_figure

    figure = evaluation_figure(measured)
    if figure is None:
        console.warn("--plot: not drawn, since without an eer there is nothing to draw")
        return
    with console.warnings_as_lines():
        save_figure(figure, plot)
