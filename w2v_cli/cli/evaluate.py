"""`w2v evaluate`: how good a model is on recordings whose text or label is known."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.output import STDOUT, Results, check_output
from w2v_cli.cli.summary import hours
from w2v_cli.errors import SOME_INPUTS_FAILED, UsageError

if TYPE_CHECKING:
    from w2v_cli.training.evaluation import Measured

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

MEASURE_GROUP = "Measuring"
_DIGITS = 6
_NAME_COLUMNS = 20

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder, a model id of the Hugging Face Hub, or an embedded model: of any kind that "
        "w2v finetune trains, but pretraining.",
        show_default=False,
    ),
]
Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath and text, label or speaker, or an RTTM file; "
        "with the column split, the rows of one split.",
        show_default=False,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Measure on the rows of this split. [default: dev where there are such, else all]",
        show_default=False,
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
        show_default=False,
        rich_help_panel=MEASURE_GROUP,
    ),
]
OtherLabel = Annotated[
    str | None,
    typer.Option(
        "--other-label",
        metavar="NAME",
        help="What labels that the model lacks count as; without it, such recordings are left out.",
        show_default=False,
        rich_help_panel=MEASURE_GROUP,
    ),
]
EmptyLabel = Annotated[
    str | None,
    typer.Option(
        "--empty-label",
        metavar="NAME",
        help="What an empty label or text counts as.",
        show_default=False,
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
Report = Annotated[
    Literal["table", "json"],
    typer.Option(
        "--format",
        "-f",
        help="table: for people. json: with what was made of each recording, too.",
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
    other_label: OtherLabel = None,
    empty_label: EmptyLabel = None,
    bootstrap: Resamples = 1000,
    report: Report = "table",
    output: options.OutputFile = STDOUT,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure a model on recordings whose text or label is known.

    \b
    Examples:
      w2v evaluate mini dev.jsonl
      w2v evaluate my-model test.tsv --split test --normalizer english
      w2v evaluate my-keywords commands.jsonl --other-label _unknown_ --empty-label _silence_
      w2v evaluate my-model list.jsonl --format json -o figures.json

    Of a ctc model, the share of words (wer) and letters (cer) that are wrong and of recordings
    that are all right (exact), decoded greedily; of a classifier, the share of recordings that
    are right (accuracy), the mean of the labels' own shares (balanced_accuracy), and which label
    was taken for which. Of a model of speakers, the equal error rate over all pairs of recordings
    (eer); of one of frames, the time that is given to a wrong speaker, or to none, by the time of
    speech (der), in parts of 30 seconds, made of single speakers where no turns are given.
    Intervals are of the bootstrap, with 95 % confidence; eer has none.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 3 some recordings
    could not be read, 4 no model, 130 interrupted.
    """
    check_output(output, manifests)
    console = Console(quiet=quiet, verbose=verbose)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.inference.runtime import choose_device, set_threads
    from w2v_cli.training.evaluation import Choice, load_measured, measure_model

    set_threads(threads)
    chosen = Choice(split, normalizer, other_label, empty_label, bootstrap)
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        trained = load_measured(model, hub, chosen, choose_device(device))
        progress.begin("opening recordings")
        measured = measure_model(*trained, manifests, chosen, progress.begin)
    for name, reason in measured.unreadable:
        console.error(f"{name}: {reason}")
    if not measured.results:
        raise UsageError(f"{', '.join(manifests)}: no recording here can be measured on")
    with Results(output, None, 1) as results:
        shown = measured_json if report == "json" else measured_table
        results.write(shown(measured), "")
    raise typer.Exit(SOME_INPUTS_FAILED if measured.unreadable else 0)


def measured_table(measured: Measured) -> str:
    """Return the figures for people; of a classifier also which label was taken for which."""
    voices = f", {measured.n_speakers} speakers" if measured.n_speakers else ""
    lines = [f"{len(measured.results)} recordings, {hours(measured.seconds)}{voices}", ""]
    width = max(map(len, measured.figures))
    for name, figure in measured.figures.items():
        line = f"{name:{width}}  {_percent(figure):>9}"
        if name in measured.intervals:
            low, high = measured.intervals[name]
            line += f"  ({_percent(low)} to {_percent(high)})"
        lines.append(line)
    if measured.labels:
        lines += ["", *_confusions(measured)]
    return "\n".join(lines) + "\n"


def _confusions(measured: Measured) -> list[str]:
    """Return the confusion matrix: a row for each label that is right, a column for each heard."""
    counts = Counter((result.reference, result.hypothesis) for result in measured.results)
    cell = max(5, max(len(str(count)) for count in counts.values()) + 1)
    names = [label[:_NAME_COLUMNS] for label in measured.labels]
    width = max(map(len, names))
    columns = "".join(f"{index + 1:>{cell}}" for index in range(len(names)))
    lines = [f"{'is, and heard as':{width + 4}}{columns}"]
    for index, (label, name) in enumerate(zip(measured.labels, names, strict=True)):
        row = (counts[label, heard] for heard in measured.labels)
        cells = "".join(f"{count or '.':>{cell}}" for count in row)
        lines.append(f"{index + 1:>3} {name:{max(width, 12)}}{cells}")
    return lines


def measured_json(measured: Measured) -> str:
    """Return the figures as a JSON object on several lines."""
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "recordings": len(measured.results),
        "seconds": round(measured.seconds, 3),
        "speakers": measured.n_speakers,
        "normalizer": measured.normalizer,
        "labels": list(measured.labels) or None,
        "figures": {
            name: {
                "value": _rounded(figure),
                "interval": [_rounded(bound) for bound in measured.intervals.get(name, ())] or None,
            }
            for name, figure in measured.figures.items()
        },
        "results": [
            {
                "audio_filepath": result.example.audio,
                "reference": result.reference,
                "hypothesis": result.hypothesis if isinstance(result.heard, str) else None,
            }
            for result in measured.results
        ],
        "unreadable": [{"audio_filepath": n, "error": why} for n, why in measured.unreadable],
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if math.isfinite(share) else "-"


def _rounded(share: float) -> float | None:
    return round(share, _DIGITS) if math.isfinite(share) else None
