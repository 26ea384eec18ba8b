"""What the options of who speaks when come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from w2v_cli.cli import options
from w2v_cli.cli.output import format_of_name
from w2v_cli.cli.pictures import PICTURES
from w2v_cli.cli.turn_options import DEFAULT_MODEL
from w2v_cli.diarization.rules import TurnRules
from w2v_cli.errors import UsageError
from w2v_cli.formats.turns import OF_WORDS, TURN_FORMATS, WITHOUT_WORDS
from w2v_cli.plots.paths import require_matplotlib

if TYPE_CHECKING:
    from w2v_cli.audio.streams import ChannelChoice
    from w2v_cli.scoring.turn_files import Regions
    from w2v_cli.tasks.diarize import Chunks, SpeakerChoice
    from w2v_cli.tasks.spoken_turns import NamedTranscriptJob
    from w2v_cli.tasks.transcribe import TranscriptionJob


def format_choice(
    formats: Sequence[str] | None, output: str, transcribe: str | None
) -> tuple[str, ...]:
    """Return the formats that results are written in, each by its name.

    Args:
        formats: What was given as --format, each time; else the output's name says one.
        output: Where results go.
        transcribe: The model that writes down what is said; None for none.

    Raises:
        UsageError: One is of words, and there will be none; or none has a place for them.
        MissingDependencyError: One is a picture, and matplotlib is not installed.
    """
    default = "rttm" if transcribe is None else options.DEFAULT_FORMAT
    known = (*TURN_FORMATS, *PICTURES)
    chosen = tuple(formats or [format_of_name(output, known, default)])
    for name in chosen:
        if name in OF_WORDS and transcribe is None:
            raise UsageError(
                f"--format {name}: subtitles have words in them; add --transcribe MODEL"
            )
        if name in PICTURES:
            require_matplotlib(f"--format {name}")
    if transcribe is not None and WITHOUT_WORDS.union(PICTURES).issuperset(chosen):
        raise UsageError(
            f"--transcribe: {' and '.join(chosen)} cannot say what is said; leave it out, or add "
            f"--format txt or another format with words"
        )
    if options.ALL_FORMATS not in chosen:
        return chosen
    left_out = OF_WORDS if transcribe is None else frozenset[str]()
    every = (name for name in TURN_FORMATS if name not in left_out)
    return (*every, *(name for name in chosen if name in PICTURES))


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
    if set(params["formats"] or ()) == {"ctm"}:
        raise UsageError("--speakers: ctm names no speakers; leave it out, or use --format stm")
    voices, number = params["speakers_model"], params["num_speakers"]
    check_speakers(voices, number, channel=params["channel"])
    return WordSpeakers(params["turns_model"] or DEFAULT_MODEL, voices, number)


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
    model: str | None,
    number: int | None,
    least: int | None = None,
    most: int | None = None,
    threshold: float | None = None,
    *,
    channel: ChannelChoice,
) -> None:
    """Refuse what contradicts something else about speakers, or what nothing would obey.

    Args:
        model: The model of speakers.
        number: How many there are.
        least: How many at least.
        most: How many at most.
        threshold: From which cosine on voices are one speaker's.
        channel: Which channels are heard.

    Raises:
        UsageError: There is one.
    """
    by_voice = {
        "--num-speakers": number,
        "--min-speakers": least,
        "--max-speakers": most,
        "--voice-threshold": threshold,
    }
    for option, value in by_voice.items():
        if value is not None and model is None:
            raise UsageError(
                f"{option}: speakers are counted by their voices; add --speakers-model MODEL, such "
                f"as mini-speakers"
            )
    if model is not None and channel == "all":
        raise UsageError(
            "--speakers-model: with --channel all each channel is a speaker, and no voices are "
            "compared; leave it out, or choose --channel mix or a channel"
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

    chosen = SpeakerChoice(model, number or least or 1, number or most)
    return chosen if threshold is None else replace(chosen, threshold=threshold)


def chunks_choice(chunk_seconds: float | None, stride_seconds: float | None) -> Chunks:
    """Return how long the pieces of recordings are.

    Raises:
        UsageError: A length that cannot be.
    """
    if chunk_seconds is not None and not 1 <= chunk_seconds <= options.LONGEST_SECONDS:
        raise UsageError(
            f"--chunk-seconds {chunk_seconds:g}: it must be 1 or more, up to "
            f"{options.LONGEST_SECONDS:.0f}"
        )
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
