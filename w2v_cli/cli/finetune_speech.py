"""`w2v finetune frames`, `speakers` and `pretrain`: what speech teaches without its words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v_cli.cli.finetune_command import with_shared_options
from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.cli.finetune_run import train
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.training.run import Data
    from w2v_cli.training.start import Start

CONVERSATIONS_GROUP = "Conversations"
SPEAKERS_GROUP = "Speakers"
PRETRAIN_GROUP = "Pretraining"

Manifests = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST",
        help="JSONL, CSV or TSV with audio_filepath, and if known duration, speaker and split "
        "(train, dev).",
    ),
]


def _crop(group: str) -> Any:
    return typer.Option(
        "--crop-seconds",
        min=0.1,
        metavar="SECONDS",
        help="Of longer recordings hear a stretch of this length, another each time.",
        rich_help_panel=group,
    )


def _speeds(listed: str | None) -> list[float]:
    """Return the speeds of a comma-separated list.

    Raises:
        UsageError: They are none.
    """
    if listed is None:
        return []
    try:
        speeds = [float(text) for text in listed.split(",")]
    except ValueError:
        speeds = [0.0]
    if not all(0.5 <= speed <= 2 and speed != 1 for speed in speeds) or len(set(speeds)) < len(
        speeds
    ):
        raise UsageError(
            f"--other-speeds {listed}: needs numbers from 0.5 to 2, each once and none of them 1, "
            f"such as 0.9,1.1"
        )
    return speeds


@with_shared_options
def speakers(
    manifests: Manifests,
    crop_seconds: Annotated[float, _crop(SPEAKERS_GROUP)] = 3.0,
    other_speeds: Annotated[
        str | None,
        typer.Option(
            "--other-speeds",
            metavar="X,Y,...",
            help="Learn from recordings at these speeds, too, as from further speakers, since "
            "speed changes the voice; 0.9,1.1 gives three times as many.",
            rich_help_panel=SPEAKERS_GROUP,
        ),
    ] = None,
    margin_steps: Annotated[
        int,
        typer.Option(
            "--margin-steps",
            min=0,
            metavar="N",
            help="In so many steps the margin of the loss grows to all of it; of many speakers "
            "little is learnt at first with a margin.",
            rich_help_panel=SPEAKERS_GROUP,
        ),
    ] = 0,
    *,
    shared: SharedOptions,
) -> None:
    """Train a network to tell speakers apart, by x-vectors.

    \b
    Examples:
      w2v finetune speakers voices.jsonl --model facebook/wav2vec2-base -o my-speakers
      w2v finetune speakers voices.jsonl --model mini --balance 0.5 --noise 0.5 -o speakers

    The column speaker says who speaks. Those of the split dev should be others: of them the
    equal error rate (eer) is measured, over all pairs of recordings. The rest is as in
    w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """

    speeds = _speeds(other_speeds)

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.run import keep_only
        from w2v_cli.training.speakers import at_speeds
        from w2v_cli.training.start import start_speakers

        findings = keep_only(data, lambda example: example.speaker is not None)
        train_part = data.train
        train_part.examples = at_speeds(train_part.examples, speeds)
        known = sorted({example.speaker or "" for example in data.train.examples})
        model, objective = start_speakers(start, known, margin_steps=margin_steps)
        particular = {"crop_seconds": crop_seconds, "speeds": speeds, "margin_steps": margin_steps}
        return model, objective, findings, particular

    train(
        "speakers", shared, manifests, prepare, crop_seconds=crop_seconds, max_seconds=math.inf
    )  # of long ones a stretch is heard


@with_shared_options
def frames(
    manifests: Manifests,
    num_speakers: Annotated[
        int,
        typer.Option(
            "--num-speakers",
            min=1,
            max=5,
            metavar="N",
            help="Speakers in a conversation at most: the network's outputs.",
            rich_help_panel=CONVERSATIONS_GROUP,
        ),
    ] = 2,
    mix: Annotated[
        float,
        typer.Option(
            "--mix",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="The share of recordings of one speaker that are mixed with those of others, in "
            "turns and overlapping.",
            rich_help_panel=CONVERSATIONS_GROUP,
        ),
    ] = 0.8,
    crop_seconds: Annotated[
        float,
        typer.Option(
            "--crop-seconds",
            min=0.5,
            metavar="SECONDS",
            help="How long conversations are: of longer ones a stretch is heard, another each "
            "time.",
            rich_help_panel=CONVERSATIONS_GROUP,
        ),
    ] = 10.0,
    *,
    shared: SharedOptions,
) -> None:
    """Train a network to say who speaks when, frame by frame.

    \b
    Examples:
      w2v finetune frames meetings.rttm --model facebook/wav2vec2-base -o my-turns
      w2v finetune frames readers.jsonl --eval-manifest meetings.rttm --model mini -o turns

    Conversations come from RTTM files, whose recordings lie beside them, or from the column
    turns of a manifest: [[start, end, "speaker"], ...] in seconds. Of recordings with a speaker
    and no turns conversations are made; where somebody speaks in these is told by loudness. The
    order of speakers doesn't matter. Measured are der, the time that is given wrongly by the time
    of speech, without collar, and frame_error, the share of frames with any mistake. The rest is
    as in w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.conversations import Mixing
        from w2v_cli.training.run import keep_only
        from w2v_cli.training.start import start_frames

        findings = keep_only(data, lambda e: bool(e.turns) or e.speaker is not None)
        findings.n_crowded = sum(
            len({turn.speaker for turn in example.turns}) > num_speakers
            for example in data.train.examples
        )
        mixing = Mixing(num_speakers, mix, crop_seconds)
        model, objective = start_frames(start, mixing)
        return model, objective, findings, dict(vars(mixing))

    if shared.trim:
        raise UsageError("--trim: times would not hold any more; leave it out")
    train("frames", shared, manifests, prepare, max_seconds=math.inf)  # long ones are cropped


@with_shared_options
def pretrain(
    manifests: Manifests,
    crop_seconds: Annotated[float, _crop(PRETRAIN_GROUP)] = 15.0,
    max_gumbel_temperature: Annotated[
        float,
        typer.Option(
            "--max-gumbel-temperature",
            min=1e-3,
            metavar="X",
            help="How blurred the choice of codebook entries is at first.",
            rich_help_panel=PRETRAIN_GROUP,
        ),
    ] = 2.0,
    min_gumbel_temperature: Annotated[
        float,
        typer.Option(
            "--min-gumbel-temperature",
            min=1e-3,
            metavar="X",
            help="And how blurred at least.",
            rich_help_panel=PRETRAIN_GROUP,
        ),
    ] = 0.5,
    gumbel_temperature_decay: Annotated[
        float,
        typer.Option(
            "--gumbel-temperature-decay",
            min=0.0,
            max=1.0,
            metavar="X",
            help="What is left of it after each step.",
            rich_help_panel=PRETRAIN_GROUP,
        ),
    ] = 0.999995,
    *,
    shared: SharedOptions,
) -> None:
    """Train a network on speech alone, before it has a task.

    It learns which of several frames was masked.

    \b
    Examples:
      w2v finetune pretrain speech.jsonl --model facebook/wav2vec2-base -o more-speech
      w2v finetune pretrain speech.jsonl --from-scratch config.json -o pretrained
      w2v finetune ctc texts.jsonl --model pretrained -o my-model

    Texts are not needed. Of the split dev the contrastive loss is measured, with the same masks
    each time. Without --mask-time-prob 65 % of the frames are masked. The rest is as in
    w2v finetune ctc.

    Exit codes: 0 done, 1 failed, 2 wrong command line or no such manifest, 4 no model,
    5 a package is missing, 130 interrupted; the run can go on.
    """
    if min_gumbel_temperature > max_gumbel_temperature:
        raise UsageError("--min-gumbel-temperature is above --max-gumbel-temperature")

    def prepare(start: Start, data: Data) -> Any:
        from w2v_cli.training.pretraining import MASK_TIME_PROB, Temperature
        from w2v_cli.training.run import Findings
        from w2v_cli.training.start import start_pretraining

        falls = Temperature(
            max_gumbel_temperature, min_gumbel_temperature, gumbel_temperature_decay
        )
        prob = MASK_TIME_PROB if shared.mask_time_prob is None else shared.mask_time_prob
        model, objective = start_pretraining(start, falls, mask_time_prob=prob)
        particular = {"crop_seconds": crop_seconds, **vars(falls), "mask_time_prob": prob}
        return model, objective, Findings(), particular

    # It is the pretraining's: what is trained later masks fewer, as the network says.
    unmasked = replace(shared, mask_time_prob=None)
    train("pretrain", unmasked, manifests, prepare, crop_seconds=crop_seconds, max_seconds=math.inf)
