"""`w2v finetune`: networks that learn from recordings with their texts or labels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from w2v_cli.cli.finetune_options import SharedOptions, with_shared_options
from w2v_cli.cli.finetune_run import Kind, train
from w2v_cli.cli.finetune_speech import frames, pretrain, speakers
from w2v_cli.cli.grouped_help import GroupedCommand
from w2v_cli.errors import UsageError

TEXTS_GROUP = "Texts"
LABELS_GROUP = "Labels"

NormalizerName = Literal["none", "basic", "english"]
CaseName = Literal["keep", "lower", "upper"]
OutsideName = Literal["unk", "skip", "refuse"]

finetune = typer.Typer(
    name="finetune",
    no_args_is_help=True,
    add_completion=False,  # it is completed as a part of w2v
    rich_markup_mode=None,
    help="Train a network on recordings with their texts, labels, turns or speakers, or none.",
)

Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath, text or label, and if known duration, "
        "speaker and split (train, dev).",
        show_default=False,
    ),
]


@finetune.command("ctc", cls=GroupedCommand)
@with_shared_options
def ctc(
    manifests: Manifests,
    vocab: Annotated[
        str | None,
        typer.Option(
            "--vocab",
            metavar="keep|build|FILE",
            help="The model's vocabulary, one of all characters in the texts, or a vocab.json. "
            "[default: the model's, if it has one]",
            show_default=False,
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = None,
    text_normalization: Annotated[
        NormalizerName,
        typer.Option(
            "--text-normalization",
            help="How texts are written before they are learnt: as in w2v score.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "basic",
    case: Annotated[
        CaseName | None,
        typer.Option(
            "--case",
            help="The case of texts. [default: that of the model's vocabulary]",
            show_default=False,
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = None,
    chars_to_ignore: Annotated[
        str,
        typer.Option(
            "--chars-to-ignore",
            metavar="CHARACTERS",
            help="Characters that are left out of texts.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "",
    outside_vocabulary: Annotated[
        OutsideName,
        typer.Option(
            "--outside-vocabulary",
            help="What characters that the vocabulary lacks come to: learn them as unknown, leave "
            "out their recordings, or refuse to begin.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "unk",
    join: Annotated[
        float,
        typer.Option(
            "--join",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="The share of recordings that are joined to longer ones, with pauses.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 0.0,
    join_seconds: Annotated[
        float,
        typer.Option(
            "--join-seconds",
            min=0.1,
            metavar="SECONDS",
            help="How long joined recordings are at most, without pauses.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 10.0,
    ctc_loss_reduction: Annotated[
        Literal["mean", "sum"],
        typer.Option(
            "--ctc-loss-reduction",
            help="mean: of letters, then of recordings. sum: of all.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "mean",
    ctc_zero_infinity: Annotated[
        bool,
        typer.Option(
            "--ctc-zero-infinity/--no-ctc-zero-infinity",
            help="A recording too short for its text counts as nothing, instead of spoiling its "
            "batch, which is then left out.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = True,
    consistency: Annotated[
        float,
        typer.Option(
            "--consistency",
            min=0.0,
            metavar="WEIGHT",
            help="Hear each batch twice, with other dropout and masks, and draw the two readings "
            "to each other: twice the time, fewer errors. 0.2 is usual.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 0.0,
    mwer_weight: Annotated[
        float,
        typer.Option(
            "--mwer-weight",
            min=0.0,
            metavar="WEIGHT",
            help="Besides, make readings with fewer wrong words more probable than others (minimum "
            "word error rate): for a model that writes well already. 3 is usual.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 0.0,
    mwer_samples: Annotated[
        int,
        typer.Option(
            "--mwer-samples",
            min=2,
            metavar="N",
            help="Readings that are drawn of each recording for it.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 8,
    metric: Annotated[
        Literal["wer", "cer"],
        typer.Option("--metric", help="What decides which is best.", rich_help_panel=TEXTS_GROUP),
    ] = "wer",
    *,
    shared: SharedOptions,
) -> None:
    """Train a network to write down what is said.

    \b
    Examples:
      w2v finetune ctc train.jsonl --model facebook/wav2vec2-base -o my-model
      w2v finetune ctc train.tsv --eval-manifest dev.tsv --model mini -o better-mini
      w2v finetune ctc list.jsonl --from-scratch config.json --vocab build -o from-scratch
      w2v finetune ctc list.jsonl --model mini -o run --speed 0.5 --noise 0.5 --join 0.3
      w2v finetune ctc list.jsonl --model mini -o run --dry-run
      w2v transcribe --model my-model talk.wav

    Before it begins, all recordings are opened: what cannot be read, and what the vocabulary
    cannot write, is said on stderr. The folder gets checkpoints, log.jsonl, report.md and, when
    all is done, the best model with its card. The same command goes on with a run that was
    interrupted or killed, and ends with the same weights (on a CPU, to the bit).

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """

    def prepare(kind: Kind) -> Any:
        from w2v_cli.training.run import check_texts
        from w2v_cli.training.start import CTCChoice, count_too_dense, start_ctc

        choice = CTCChoice(
            vocabulary=vocab,
            normalizer=text_normalization,
            case=case,
            ignored=chars_to_ignore,
            reduction=ctc_loss_reduction,
            zero_infinity=ctc_zero_infinity,
            consistency=consistency,
            metric=metric,
            mwer_weight=mwer_weight,
            mwer_samples=mwer_samples,
        )
        texts = [example.text or "" for example in kind.data.train.examples]
        model, objective = start_ctc(kind.start, choice, texts)
        findings = check_texts(objective, kind.data, outside_vocabulary)
        examples = kind.data.train.examples
        findings.n_too_dense = count_too_dense(objective, model, examples)
        particular = {
            "text_rules": vars(objective.rules),
            "vocabulary": objective.processor.tokenizer.encoder,
            "outside_vocabulary": outside_vocabulary,
            "join": join,
            "join_seconds": join_seconds,
            "ctc_loss_reduction": ctc_loss_reduction,
            "ctc_zero_infinity": ctc_zero_infinity,
            "consistency": consistency,
            "metric": metric,
        }
        if mwer_weight:
            particular |= {"mwer_weight": mwer_weight, "mwer_samples": mwer_samples}
        return model, objective, findings, particular

    train("ctc", shared, manifests, prepare, join=join, join_seconds=join_seconds)


@finetune.command("keywords", cls=GroupedCommand)
@with_shared_options
def keywords(
    manifests: Manifests,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="A,B,...",
            help="The labels to tell apart. [default: all there are]",
            show_default=False,
            rich_help_panel=LABELS_GROUP,
        ),
    ] = None,
    other_label: Annotated[
        str | None,
        typer.Option(
            "--other-label",
            metavar="NAME",
            help="What all other labels count as; without it, such recordings are left out.",
            show_default=False,
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
            show_default=False,
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
    *,
    shared: SharedOptions,
) -> None:
    """Train a network to say which word, or what else, a recording is.

    \b
    Examples:
      w2v finetune keywords commands.jsonl --model facebook/wav2vec2-base -o my-keywords
      w2v finetune keywords commands.jsonl --model mini --labels yes,no,stop,go
        --other-label _unknown_ --empty-label _silence_ --balance 0.4 -o keywords
      w2v evaluate my-keywords commands.jsonl

    A recording's label is in the column label; where there is none, its text is taken. The
    rest is as in w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """
    wanted = tuple(label.strip() for label in labels.split(",")) if labels else ()
    if labels and ("" in wanted or len(set(wanted)) < len(wanted)):
        raise UsageError(f"--labels {labels}: an empty label, or one twice")

    def prepare(kind: Kind) -> Any:
        from w2v_cli.training.keywords import LabelRules, labels_of
        from w2v_cli.training.run import Findings, drop_unlabelled
        from w2v_cli.training.start import start_keywords

        rules = LabelRules(wanted, other_label, empty_label)
        data = kind.data
        train_examples = rules.apply(data.train.examples)
        known = labels_of(train_examples)
        dev_examples = [e for e in rules.apply(data.dev.examples) if e.label in known]
        n_dropped = drop_unlabelled(data, {"train": train_examples, "dev": dev_examples})
        model, objective = start_keywords(kind.start, known, label_smoothing=label_smoothing)
        particular = {
            "labels": list(objective.labels),
            "other_label": other_label,
            "empty_label": empty_label,
            "label_smoothing": label_smoothing,
        }
        return model, objective, Findings(n_without_target=n_dropped), particular

    train("keywords", shared, manifests, prepare)


finetune.command("frames", cls=GroupedCommand)(frames)
finetune.command("speakers", cls=GroupedCommand)(speakers)
finetune.command("pretrain", cls=GroupedCommand)(pretrain)
