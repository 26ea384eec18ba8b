"""`w2v finetune`: networks that learn from recordings with their texts or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v_cli.cli import options
from w2v_cli.cli.finetune_command import with_shared_options
from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.cli.finetune_run import train
from w2v_cli.cli.finetune_speech import frames, pretrain, speakers
from w2v_cli.cli.finetune_texts import adapter, ctc
from w2v_cli.cli.grouped_help import GroupedCommand

if TYPE_CHECKING:
    from w2v_cli.training.run import Data
    from w2v_cli.training.start import Start

LABELS_GROUP = "Labels"

finetune = typer.Typer(
    name="finetune",
    no_args_is_help=True,
    add_completion=False,  # it is completed as a part of w2v
    rich_markup_mode=None,
    help="Train a network on recordings with their texts, labels, turns or speakers, or none.",
)
finetune.command("ctc", cls=GroupedCommand)(ctc)

Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath, text or label, and if known duration, "
        "speaker and split (train, dev).",
    ),
]


@finetune.command("keywords", cls=GroupedCommand)
@with_shared_options
def keywords(
    manifests: Manifests,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            metavar="A,B,...",
            help="The labels to tell apart. May be repeated; a value that as a whole is the label "
            "of a recording is that one, even with commas in it. [default: all there are]",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = None,
    other_label: Annotated[
        str | None,
        typer.Option(
            "--other-label",
            metavar="NAME",
            help="What all other labels count as; without it, such recordings are left out.",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = None,
    empty_label: Annotated[
        str | None,
        typer.Option(
            "--empty-label",
            metavar="NAME",
            help="What an empty label or text counts as, such as _silence_; without it, such "
            "recordings are left out.",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = None,
    label_smoothing: Annotated[
        float,
        typer.Option(
            "--label-smoothing",
            min=0.0,
            max=0.99,
            metavar="SHARE",
            help="The share of the target that is spread over all labels.",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = 0.0,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            metavar="MODEL",
            autocompletion=options.complete_model,
            help="Learn besides how probable this classifier of the same labels, such as a larger "
            "one, finds each of them.",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = None,
    teacher_weight: Annotated[
        float,
        typer.Option(
            "--teacher-weight",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="How much that counts; the recordings' own labels count what is left.",
            rich_help_panel=LABELS_GROUP,
        ),
    ] = 0.7,
    *,
    shared: SharedOptions,
) -> None:
    """Train a network to say which word, or what else, a recording is.

    \b
    Examples:
      w2v finetune keywords commands.jsonl --model facebook/wav2vec2-base -o my-keywords
      w2v finetune keywords commands.jsonl --model mini --labels yes,no,stop,go
        --other-label _unknown_ --empty-label _silence_ --balance 0.4 -o keywords
      w2v finetune keywords commands.jsonl --from-scratch mini-keywords --teacher my-keywords
        -o small
      w2v evaluate my-keywords commands.jsonl

    A recording's label is in the column label; where there is none, its text is taken. The
    rest is as in w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.keywords import labels_of, rules_of
        from w2v_cli.training.run import Findings, drop_unlabelled
        from w2v_cli.training.start import start_keywords

        rules = rules_of(labels or (), other_label, empty_label, data.train.examples)
        train_examples = rules.apply(data.train.examples)
        known = labels_of(train_examples)
        dev_examples = [e for e in rules.apply(data.dev.examples) if e.label in known]
        n_dropped = drop_unlabelled(data, {"train": train_examples, "dev": dev_examples})
        model, objective = start_keywords(
            start,
            known,
            label_smoothing=label_smoothing,
            teacher=teacher,
            teacher_weight=teacher_weight,
        )
        particular = {
            "labels": list(objective.labels),
            "other_label": other_label,
            "empty_label": empty_label,
            "label_smoothing": label_smoothing,
        }
        if teacher is not None:
            particular |= {"teacher": teacher, "teacher_weight": teacher_weight}
        return model, objective, Findings(n_without_target=n_dropped), particular

    train("keywords", shared, manifests, prepare, teacher=teacher)


finetune.command("frames", cls=GroupedCommand)(frames)
finetune.command("speakers", cls=GroupedCommand)(speakers)
finetune.command("adapter", cls=GroupedCommand)(adapter)
finetune.command("pretrain", cls=GroupedCommand)(pretrain)
