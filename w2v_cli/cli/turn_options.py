"""The options of who speaks when, each declared once; `turn_choices` says what they come to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from w2v_cli.cli import options
from w2v_cli.cli.pictures import PICTURES
from w2v_cli.diarization.rules import TurnRules
from w2v_cli.formats.turns import TURN_FORMATS

DEFAULT_MODEL = "mini-turns"
RULES = TurnRules()
FORMAT_NAMES = (*TURN_FORMATS, *PICTURES)

SPEAKERS_GROUP = "Speakers"
TURNS_GROUP = "Turns"
WORDS_GROUP = "Who said what"


def probability(value: float | None) -> float | None:
    """Return a number that a probability can have."""
    if value is not None and not 0 <= value <= 1:
        raise typer.BadParameter(f"{value:g}: it must be from 0 to 1")
    return value


def cosine(value: float | None) -> float | None:
    """Return a number that a cosine can have."""
    if value is not None and not -1 <= value <= 1:
        raise typer.BadParameter(f"{value:g}: it must be from -1 to 1")
    return value


def seconds(value: float | None) -> float | None:
    """Return a length of time."""
    if value is not None and not 0 <= value <= options.LONGEST_SECONDS:
        raise typer.BadParameter(
            f"{value:g}: it must be 0 or more, up to {options.LONGEST_SECONDS:.0f}, in seconds"
        )
    return value


TurnsModel = Annotated[
    str,
    options.model_option(
        "A folder, a model id of the Hugging Face Hub, or an embedded model; with a head for "
        "audio frame classification.",
    ),
]
Channel = Annotated[
    Any,  # int, "mix", "all" or None: more than Typer's types can say
    typer.Option(
        "--channel",
        parser=options.parse_channel,
        autocompletion=options.complete_channel,
        metavar="N|mix|all",
        help="One channel, counted from 1; their mean; or all, each of which is a speaker, as in "
        "telephone calls. Without it two channels are mixed, and more are refused.",
        rich_help_panel=options.RECORDING_GROUP,
    ),
]
Uem = Annotated[
    str | None,
    typer.Option(
        "--uem",
        metavar="FILE",
        help="Keep turns in the regions of this UEM file alone, which has a line for each "
        "recording at least.",
        rich_help_panel=options.RECORDING_GROUP,
    ),
]

# Speakers

SpeakersModel = Annotated[
    str | None,
    typer.Option(
        "--speakers-model",
        metavar="MODEL",
        autocompletion=options.complete_model,
        help="Link the speakers of a long recording's pieces by their voices, with the x-vectors "
        "of this model, such as mini-speakers; so there may be more of them than the other model "
        "tells apart. [default: by what neighbouring pieces have in common]",
        rich_help_panel=SPEAKERS_GROUP,
    ),
]
NumSpeakers = Annotated[
    int | None,
    typer.Option(
        "--num-speakers",
        min=1,
        metavar="N",
        help="How many there are, with --speakers-model. [default: estimated]",
        rich_help_panel=SPEAKERS_GROUP,
    ),
]
MinSpeakers = Annotated[
    int | None,
    typer.Option(
        "--min-speakers",
        min=1,
        metavar="N",
        help="How many there are at least, with --speakers-model.",
        rich_help_panel=SPEAKERS_GROUP,
    ),
]
MaxSpeakers = Annotated[
    int | None,
    typer.Option(
        "--max-speakers",
        min=1,
        metavar="N",
        help="How many there are at most, with --speakers-model.",
        rich_help_panel=SPEAKERS_GROUP,
    ),
]
VoiceThreshold = Annotated[
    float | None,
    typer.Option(
        "--voice-threshold",
        metavar="COSINE",
        callback=cosine,
        help="Voices of at least this mean cosine are one speaker's; higher gives more speakers. "
        "[default: 0.5]",
        rich_help_panel=SPEAKERS_GROUP,
    ),
]

# Turns

Onset = Annotated[
    float,
    typer.Option(
        "--onset",
        metavar="PROBABILITY",
        callback=probability,
        help="A turn begins where the probability goes above this,",
        rich_help_panel=TURNS_GROUP,
    ),
]
Offset = Annotated[
    float | None,
    typer.Option(
        "--offset",
        metavar="PROBABILITY",
        callback=probability,
        help="and ends where it goes below this. [default: as --onset]",
        rich_help_panel=TURNS_GROUP,
    ),
]
MinDurationOn = Annotated[
    float,
    typer.Option(
        "--min-duration-on",
        metavar="SECONDS",
        callback=seconds,
        help="Leave shorter turns out.",
        rich_help_panel=TURNS_GROUP,
    ),
]
MinDurationOff = Annotated[
    float,
    typer.Option(
        "--min-duration-off",
        metavar="SECONDS",
        callback=seconds,
        help="Fill shorter gaps within a speaker's speech.",
        rich_help_panel=TURNS_GROUP,
    ),
]
PadOnset = Annotated[
    float,
    typer.Option(
        "--pad-onset",
        metavar="SECONDS",
        callback=seconds,
        help="Have turns begin so much earlier,",
        rich_help_panel=TURNS_GROUP,
    ),
]
PadOffset = Annotated[
    float,
    typer.Option(
        "--pad-offset",
        metavar="SECONDS",
        callback=seconds,
        help="and end so much later.",
        rich_help_panel=TURNS_GROUP,
    ),
]
Median = Annotated[
    float,
    typer.Option(
        "--median-seconds",
        metavar="SECONDS",
        callback=seconds,
        help="Smooth probabilities first, by the median of so much around each frame; 0 does not.",
        rich_help_panel=TURNS_GROUP,
    ),
]
MaxSimultaneous = Annotated[
    int | None,
    typer.Option(
        "--max-simultaneous",
        min=1,
        metavar="N",
        help="Of more speakers at once keep the N most probable, before turns are padded. "
        "[default: all]",
        rich_help_panel=TURNS_GROUP,
    ),
]
ChunkSeconds = Annotated[
    float | None,
    typer.Option(
        "--chunk-seconds",
        metavar="SECONDS",
        help="The longest piece that the network hears at once, and in which it tells speakers "
        "apart. [default: as long as what the model was trained on, if that is known, else 15]",
        rich_help_panel=TURNS_GROUP,
    ),
]
StrideSeconds = Annotated[
    float | None,
    typer.Option(
        "--stride-seconds",
        metavar="SECONDS",
        help="What the network hears before and after the part of a piece that is kept: "
        "neighbours have twice as much in common. [default: a quarter of a piece]",
        rich_help_panel=TURNS_GROUP,
    ),
]

# Output

Formats = Annotated[
    list[str] | None,
    options.formats_option(
        FORMAT_NAMES,
        "rttm: for scoring. txt: for people. json and jsonl: all that is known. csv: a row a "
        "turn. textgrid: for Praat. audacity: labels. npz: the probabilities of all frames. srt, "
        "vtt: subtitles, with --transcribe. png, svg: pictures. May be repeated; all is each but "
        "pictures. [default: what --output ends with, or rttm, with --transcribe txt]",
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|svg",
        help="Also draw a picture of the only recording: who speaks when, along the waveform.",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]

# Who said what

Transcribe = Annotated[
    str | None,
    typer.Option(
        "--transcribe",
        metavar="MODEL",
        autocompletion=options.complete_model,
        help="Write down what is said, too, with this model, and by whom. More can be chosen with "
        "w2v transcribe --speakers.",
        rich_help_panel=WORDS_GROUP,
    ),
]
Speakers = Annotated[
    bool,
    typer.Option(
        "--speakers",
        help="Say who says what: the names of speakers, in every format but ctm.",
        rich_help_panel=WORDS_GROUP,
    ),
]
ModelOfTurns = Annotated[
    str | None,
    typer.Option(
        "--turns-model",
        metavar="MODEL",
        autocompletion=options.complete_model,
        help=f"What tells who speaks when, with --speakers. [default: {DEFAULT_MODEL}]",
        rich_help_panel=WORDS_GROUP,
    ),
]
