"""`w2v finetune ctc` and `adapter`: networks that write down what is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli.finetune_command import with_shared_options
from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.cli.finetune_run import train
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.training.run import Data, Findings
    from w2v_cli.training.start import Start
    from w2v_cli.training.start_texts import CTCChoice

TEXTS_GROUP = "Texts"
ADAPTER_GROUP = "Adapter"

NormalizerName = Literal["none", "basic", "english"]
CaseName = Literal["keep", "lower", "upper"]
OutsideName = Literal["unk", "skip", "refuse"]

Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath, text, and if known duration, speaker and "
        "split (train, dev).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TextOptions(SharedOptions):
    """What a training on texts is told besides."""

    vocab: Annotated[
        str | None,
        typer.Option(
            "--vocab",
            metavar="keep|build|FILE",
            help="The model's vocabulary, one of all characters in the texts, or a vocab.json. "
            "[default: the model's, if it has one]",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = None
    text_normalization: Annotated[
        NormalizerName,
        typer.Option(
            "--text-normalization",
            help="How texts are written before they are learnt: as in w2v score.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "basic"
    case: Annotated[
        CaseName | None,
        typer.Option(
            "--case",
            help="The case of texts. [default: that of the model's vocabulary]",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = None
    chars_to_ignore: Annotated[
        str,
        typer.Option(
            "--chars-to-ignore",
            metavar="CHARACTERS",
            help="Characters that are left out of texts.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = ""
    outside_vocabulary: Annotated[
        OutsideName,
        typer.Option(
            "--outside-vocabulary",
            help="What characters that the vocabulary lacks come to: learn them as unknown, leave "
            "out their recordings, or refuse to begin. Those of dev count as errors.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "unk"
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
    ] = 0.0
    join_seconds: Annotated[
        float,
        typer.Option(
            "--join-seconds",
            min=0.1,
            metavar="SECONDS",
            help="How long joined recordings are at most, without pauses.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 10.0
    ctc_loss_reduction: Annotated[
        Literal["mean", "sum"],
        typer.Option(
            "--ctc-loss-reduction",
            help="mean: of letters, then of recordings. sum: of all.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = "mean"
    ctc_zero_infinity: Annotated[
        bool,
        typer.Option(
            "--ctc-zero-infinity/--no-ctc-zero-infinity",
            help="A recording too short for its text counts as nothing, instead of spoiling its "
            "batch, which is then left out.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = True
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
    ] = 0.0
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
    ] = 0.0
    mwer_samples: Annotated[
        int,
        typer.Option(
            "--mwer-samples",
            min=2,
            metavar="N",
            help="Readings that are drawn of each recording for it.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 8
    flat_start_steps: Annotated[
        int,
        typer.Option(
            "--flat-start-steps",
            min=0,
            metavar="N",
            help="On so many steps learn letters frame by frame, too, less and less, as if those "
            "of a recording were said equally long. From scratch it leads around a plateau where "
            "all is blank; for recordings of a word or a few.",
            rich_help_panel=TEXTS_GROUP,
        ),
    ] = 0
    metric: Annotated[
        Literal["wer", "cer"],
        typer.Option("--metric", help="What decides which is best.", rich_help_panel=TEXTS_GROUP),
    ] = "wer"

    def choice(self) -> CTCChoice:
        """Return what decides over the network and its objective."""
        from w2v_cli.training.start_texts import CTCChoice

        return CTCChoice(
            vocabulary=self.vocab,
            normalizer=self.text_normalization,
            case=self.case,
            ignored=self.chars_to_ignore,
            reduction=self.ctc_loss_reduction,
            zero_infinity=self.ctc_zero_infinity,
            consistency=self.consistency,
            metric=self.metric,
            mwer_weight=self.mwer_weight,
            mwer_samples=self.mwer_samples,
            flat_start_steps=self.flat_start_steps,
        )

    def particular(self, objective: Any) -> dict[str, Any]:
        """Return what of these decides over the result of a run."""
        found = {
            "text_rules": vars(objective.rules),
            "vocabulary": objective.processor.tokenizer.encoder,
            "outside_vocabulary": self.outside_vocabulary,
            "join": self.join,
            "join_seconds": self.join_seconds,
            "ctc_loss_reduction": self.ctc_loss_reduction,
            "ctc_zero_infinity": self.ctc_zero_infinity,
            "consistency": self.consistency,
            "metric": self.metric,
        }
        if self.flat_start_steps:
            found |= {"flat_start_steps": self.flat_start_steps}
        if self.mwer_weight:
            found |= {"mwer_weight": self.mwer_weight, "mwer_samples": self.mwer_samples}
        return found

    def findings(self, model: Any, objective: Any, data: Data) -> Findings:
        """Return what the vocabulary makes of the texts.

        Raises:
            UsageError: There are characters outside of it, and that was to be refused.
        """
        from w2v_cli.training.run import check_texts, count_too_dense

        found = check_texts(objective, data, self.outside_vocabulary)
        found.n_too_dense = count_too_dense(objective, model, data.train.examples)
        return found


@with_shared_options
def ctc(manifests: Manifests, *, shared: TextOptions) -> None:
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

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.start_texts import start_ctc

        texts = [example.text or "" for example in data.train.examples]
        model, objective = start_ctc(start, shared.choice(), texts)
        findings = shared.findings(model, objective, data)
        return model, objective, findings, shared.particular(objective)

    train("ctc", shared, manifests, prepare, join=shared.join, join_seconds=shared.join_seconds)


@with_shared_options
def adapter(
    manifests: Manifests,
    lang: Annotated[
        str,
        typer.Option(
            "--lang",
            metavar="CODE",
            help="The language that is learnt, such as fra: what its files are called after.",
            rich_help_panel=ADAPTER_GROUP,
        ),
    ],
    adapter_attn_dim: Annotated[
        int | None,
        typer.Option(
            "--adapter-attn-dim",
            min=1,
            metavar="N",
            help="Give each layer of a model that has no adapters one of this size; MMS has 16. "
            "[default: the model's]",
            rich_help_panel=ADAPTER_GROUP,
        ),
    ] = None,
    *,
    shared: TextOptions,
) -> None:
    """Train a language's adapter: small layers and a head.

    All else of the model stays as it is.

    \b
    Examples:
      w2v finetune adapter list.jsonl --model facebook/mms-1b-all --lang tur -o turkish
        --learning-rate 1e-3
      w2v finetune adapter list.jsonl --model my-model --adapter-attn-dim 16 --lang fra -o french
      w2v transcribe --model turkish --lang tur talk.wav

    The folder gets adapter.CODE.safetensors, and a vocab.json with the language in it, as
    published for MMS (Pratap et al. 2023): the file works beside that model, too. A language that
    the model knows goes on from what is there, with its vocabulary; --vocab build begins anew.
    The rest is as in w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """
    if shared.from_scratch is not None:
        raise UsageError("--from-scratch: an adapter belongs to a trained model; use --model")
    if (
        shared.freeze_base_model
        or shared.freeze_base_steps
        or shared.freeze_feature_encoder is not None
    ):
        raise UsageError("all but adapters and head is frozen anyway; leave out what says --freeze")
    if shared.bands is not None:
        raise UsageError("--bands: does nothing where convolutions are frozen; leave it out")

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.adapters import start_adapter

        texts = [example.text or "" for example in data.train.examples]
        model, objective = start_adapter(
            start, shared.choice(), texts, lang, attn_dim=adapter_attn_dim
        )
        findings = shared.findings(model, objective, data)
        particular = {"lang": lang, "adapter_attn_dim": model.config.adapter_attn_dim}
        return model, objective, findings, shared.particular(objective) | particular

    train("adapter", shared, manifests, prepare, join=shared.join, join_seconds=shared.join_seconds)
