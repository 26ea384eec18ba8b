"""The options of who speaks when, each declared once, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v_cli.cli import options
from w2v_cli.diarization.rules import TurnRules
from w2v_cli.errors import UsageError
from w2v_cli.formats.turns import TURN_FORMATS

if TYPE_CHECKING:
    from w2v_cli.tasks.diarize import Chunks, Regions, SpeakerChoice
    from w2v_cli.tasks.spoken_turns import NamedTranscriptJob
    from w2v_cli.tasks.transcribe import TranscriptionJob

DEFAULT_MODEL = "mini-turns"
RULES = TurnRules()

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
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value:g}: it must be 0 or more, in seconds")
    return value


def complete_turn_format(incomplete: str) -> list[str]:
    """Return the formats whose names begin like that."""
    names = (*TURN_FORMATS, options.ALL_FORMATS)
    return [name for name in names if name.startswith(incomplete.lower())]


TurnsModel = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        autocompletion=options.complete_model,
        help="A folder, a model id of the Hugging Face Hub, or an embedded model; with a head for "
        "audio frame classification.",
        rich_help_panel=options.MODEL_GROUP,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        "[default: what the model of speakers says, else 0.5]",
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
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
        show_default=False,
        rich_help_panel=TURNS_GROUP,
    ),
]

# Output

Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        parser=options.format_parser(TURN_FORMATS),
        autocompletion=complete_turn_format,
        help="rttm: for scoring. txt: for people. json and jsonl: all that is known. csv: a row a "
        "turn. textgrid: for Praat. audacity: labels. npz: the probabilities of all frames. srt, "
        "vtt: subtitles, with --transcribe. May be repeated; all is each of them. [default: rttm, "
        "or with --transcribe txt]",
        show_default=False,
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw who speaks when, along the waveform, into a .png or .svg; of one recording.",
        show_default=False,
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
        show_default=False,
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
        show_default=False,
        rich_help_panel=WORDS_GROUP,
    ),
]


@dataclass(frozen=True)
class WordSpeakers:
    """How the words of a transcript are given to speakers.

    Attributes:
        model: What tells who speaks when.
        speakers_model: What links the speakers of a long recording's pieces.
        num_speakers: How many there are; None to have them estimated.
    """

    model: str
    speakers_model: str | None
    num_speakers: int | None

    def job(self, text: TranscriptionJob) -> NamedTranscriptJob:
        """Return what transcribes as a job says, and names the speakers."""
        from dataclasses import replace

        from w2v_cli.tasks.diarize import DiarizationJob
        from w2v_cli.tasks.spoken_turns import NamedTranscriptJob

        turns = DiarizationJob(
            model=self.model,
            runtime=text.runtime,
            hub=replace(text.hub, revision="main"),  # --revision is one of --model
            speakers=speaker_choice(self.speakers_model, self.num_speakers),
        )
        return NamedTranscriptJob(text, turns)


def word_speakers(params: Mapping[str, Any]) -> WordSpeakers | None:
    """Return how words are given to speakers; None without --speakers.

    Args:
        params: The values of the command's parameters, by their names; with those of this group.

    Raises:
        UsageError: Something is chosen that nothing would obey.
    """
    if not params["speakers"]:
        for name in ("turns_model", "speakers_model", "num_speakers"):
            if params[name] is not None:
                raise UsageError(f"--{name.replace('_', '-')} is about speakers; add --speakers")
        return None
    check_speakers(params["speakers_model"], params["num_speakers"], None, None)
    model = params["turns_model"] or DEFAULT_MODEL
    return WordSpeakers(model, params["speakers_model"], params["num_speakers"])


def turn_rules(offset: float | None, **chosen: Any) -> TurnRules:
    """Return how probabilities become turns.

    Raises:
        UsageError: The offset is above the onset.
    """
    onset = chosen["onset"]
    if offset is not None and offset > onset:
        raise UsageError(f"--offset {offset:g} is above --onset {onset:g}; choose a lower one")
    return TurnRules(offset=onset if offset is None else offset, **chosen)


def check_speakers(
    model: str | None, number: int | None, least: int | None, most: int | None, **others: Any
) -> None:
    """Refuse a number of speakers that contradicts another, or that nothing would obey.

    Args:
        model: The model of speakers.
        number: How many there are.
        least: How many at least.
        most: How many at most.
        others: What else needs such a model, by the names of its options.

    Raises:
        UsageError: There is one.
    """
    numbers = {"num_speakers": number, "min_speakers": least, "max_speakers": most}
    for name, value in {**numbers, **others}.items():
        if value is not None and model is None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option}: speakers are counted by their voices; add --speakers-model MODEL, such "
                f"as mini-speakers"
            )
    if number is not None and (least is not None or most is not None):
        raise UsageError("--num-speakers says it all; leave out --min-speakers and --max-speakers")
    if least is not None and most is not None and least > most:
        raise UsageError(f"--min-speakers {least} is more than --max-speakers {most}")


def speaker_choice(
    model: str | None,
    number: int | None,
    least: int | None = None,
    most: int | None = None,
    threshold: float | None = None,
) -> SpeakerChoice:
    """Return how speakers are told apart over a long recording; see `check_speakers`."""
    from w2v_cli.tasks.diarize import SpeakerChoice

    return SpeakerChoice(model, number or least or 1, number or most, threshold)


def chunks_choice(chunk_seconds: float | None, stride_seconds: float | None) -> Chunks:
    """Return how long the pieces of recordings are.

    Raises:
        UsageError: A length that cannot be.
    """
    if chunk_seconds is not None and not 1 <= chunk_seconds < math.inf:
        raise UsageError(f"--chunk-seconds {chunk_seconds:g}: it must be 1 or more")
    if stride_seconds is not None:
        if chunk_seconds is None:
            raise UsageError("--stride-seconds is a part of a piece; add --chunk-seconds")
        if not 0 <= stride_seconds <= chunk_seconds / 3:
            raise UsageError(
                f"--stride-seconds {stride_seconds:g}: it must be from 0 to a third of "
                f"--chunk-seconds {chunk_seconds:g}, {chunk_seconds / 3:g}"
            )

    from w2v_cli.tasks.diarize import Chunks

    return Chunks(chunk_seconds, stride_seconds)


def regions_of(uem: str | None) -> Regions | None:
    """Return where turns count.

    Raises:
        UsageError: The file cannot be read, or is no UEM.
    """
    if uem is None:
        return None
    from w2v_cli.scoring.turn_files import read_regions

    return read_regions(uem)
