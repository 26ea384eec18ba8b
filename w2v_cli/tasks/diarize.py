"""Diarization: waveforms to who speaks when."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.diarization.clustering import VoiceRules
from w2v_cli.diarization.rules import TurnRules
from w2v_cli.inference.chunks import Chunking
from w2v_cli.inference.speaker_activity import SpeakerActivity
from w2v_cli.tasks.diarization_session import DiarizationSession
from w2v_cli.tasks.recording import HearingTask, RecordingJob

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms, WaveformStream
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.inference.voices import Voices
    from w2v_cli.results import Diarization
    from w2v_cli.scoring.turn_files import Regions


@dataclass(frozen=True)
class Chunks:
    """How long a recording's chunks are, in which speakers are told apart.

    Unlike a text, turns depend on it: speakers have one order within a chunk, for which every
    frame has to see all others.

    Attributes:
        chunk_seconds: The longest that the network hears at once; None for what it was trained
            to hear (`SpeakerActivity.chunk_seconds`).
        stride_seconds: What it hears before and after the part that is kept; None for a quarter
            of a chunk. Two neighbours have twice as much in common.
    """

    chunk_seconds: float | None = None
    stride_seconds: float | None = None

    def chunking(self, network: SpeakerActivity) -> Chunking:
        """Return the same for the chunker of a network."""
        longest = network.chunk_seconds if self.chunk_seconds is None else self.chunk_seconds
        stride = longest / 4 if self.stride_seconds is None else self.stride_seconds
        return Chunking(
            chunk_seconds=longest,
            stride_seconds=min(stride, longest / 3),
            whole_seconds=longest,
            context_seconds=None,
        )


@dataclass(frozen=True)
class SpeakerChoice:
    """How speakers are told apart over a long recording.

    Attributes:
        model: A model of speakers, by whose voices the speakers of chunks are linked; None to
            link by what neighbouring chunks have in common, which gives as many speakers as the
            other model has outputs.
        least: Speakers at least,
        most: and at most; None for no limit.
        threshold: Voices of at least this mean cosine are one speaker's. It lies below the one at
            which whole recordings count as one speaker's: these are voices of a second and a half.
    """

    model: str | None = None
    least: int = 1
    most: int | None = None
    threshold: float = 0.5

    def voice_rules(self) -> VoiceRules:
        """Return how voices become speakers."""
        return VoiceRules(self.threshold, self.least, self.most)


class Diarizer(HearingTask["Diarization"]):
    """A model that tells who speaks when; a `w2v_cli.tasks.task.Task`.

    Args:
        network: The model.
        rules: How probabilities become turns; None for the defaults.
        chunks: How long recordings are cut; None for the defaults.
        voices: A model of speakers that links those of chunks; None to link by overlap.
        voice_rules: How voices become speakers.
        regions: Where turns count, by recordings; None for everywhere.
        envelope: Keep the waveform's envelope, for a picture.
    """

    smallest = "a turn"

    def __init__(
        self,
        network: SpeakerActivity,
        rules: TurnRules | None = None,
        chunks: Chunks | None = None,
        *,
        voices: Voices | None = None,
        voice_rules: VoiceRules | None = None,
        regions: Regions | None = None,
        envelope: bool = False,
    ) -> None:
        super().__init__(network, (chunks or Chunks()).chunking(network))
        self.network = network
        self.rules = rules or TurnRules()
        self.voices = voices
        self.voice_rules = voice_rules or VoiceRules()
        self.regions = regions
        self.envelope = envelope

    def diarize(self, waveforms: Waveforms, *, source: str | None = None) -> Diarization:
        """Return who speaks when in a recording.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned. Of several channels each is
                a speaker.
            source: The recording's name.

        Raises:
            AudioError: The model hears another sample rate, or the memory is too small.
        """
        return self.begin(waveforms, source=source).result()

    @property
    def description(self) -> str:
        """One line about what runs where."""
        beside = "" if self.voices is None else f"; {self.voices.description}"
        return super().description + beside

    def session(self, stream: WaveformStream, source: str | None) -> DiarizationSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate, or the regions lack the recording.
        """
        return DiarizationSession(self, self.hearing(stream, source))


@dataclass(frozen=True)
class DiarizationJob(RecordingJob):
    """In what it is to be told who speaks, and how; a `w2v_cli.tasks.task.ModelJob`.

    Attributes:
        rules: How probabilities become turns.
        chunks: How long recordings are cut; `chunking` follows from it.
        speakers: How speakers are told apart over a long recording.
        regions: Where turns count, by recordings; None for everywhere.
        envelope: Keep the waveform's envelope, for a picture.
    """

    rules: TurnRules = field(default_factory=TurnRules)
    chunks: Chunks = field(default_factory=Chunks)
    speakers: SpeakerChoice = field(default_factory=SpeakerChoice)
    regions: Regions | None = None
    envelope: bool = False

    def load(self) -> Diarizer:
        """Load the model, and the one of speakers; errors are those of both."""
        return load_diarizer(
            self.model,
            runtime=self.runtime,
            hub=self.hub,
            rules=self.rules,
            chunks=self.chunks,
            speakers=self.speakers,
            regions=self.regions,
            envelope=self.envelope,
        )

    def settings(self) -> dict[str, Any]:
        """Return all that turns depend on; see `RecordingJob.settings`."""
        regions = self.regions
        return {
            **super().settings(),
            "task": "diarize-frames",
            "chunking": asdict(self.chunks),
            "rules": asdict(self.rules),
            "speakers": asdict(self.speakers),
            "uem": None if regions is None else {name: list(r) for name, r in regions.items()},
        }

    def other_models(self) -> tuple[str, ...]:
        """Return the model of speakers, where one was named."""
        return () if self.speakers.model is None else (self.speakers.model,)


def load_diarizer(
    name: str | os.PathLike[str],
    *,
    runtime: Runtime | None = None,
    hub: HubOptions | None = None,
    rules: TurnRules | None = None,
    chunks: Chunks | None = None,
    speakers: SpeakerChoice | None = None,
    regions: Regions | None = None,
    envelope: bool = False,
) -> Diarizer:
    """Return what tells who speaks when, with the model of a folder, a name or a model id.

    Args:
        name: What to load.
        runtime: Device, precision, threads and attention; None for the defaults.
        hub: Where to look for it; None for the defaults.
        rules: As for `Diarizer`, as are the others but this:
        chunks: How long recordings are cut.
        speakers: How speakers are told apart over a long recording.
        regions: Where turns count.
        envelope: Keep the waveform's envelope.

    Raises:
        UsageError: The machine cannot run it as asked.
        ModelError: It is not there, is no such model, or the two do not fit each other.
    """
    from w2v_cli.inference.voices import Voices

    speakers = speakers or SpeakerChoice()
    network = SpeakerActivity.load(name, runtime=runtime, hub=hub)
    voices, voice_rules = None, None
    if speakers.model is not None:
        # A revision is one of the other model.
        places = None if hub is None else replace(hub, revision=HubOptions().revision)
        voices = Voices.load(speakers.model, beside=network, runtime=runtime, hub=places)
        voice_rules = speakers.voice_rules()
    return Diarizer(
        network,
        rules,
        chunks,
        voices=voices,
        voice_rules=voice_rules,
        regions=regions,
        envelope=envelope,
    )
