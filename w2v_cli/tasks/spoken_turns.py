"""Who said what: recordings through a model that transcribes and one that tells who speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from w2v_cli.inference.chunks import Chunk
from w2v_cli.results import Diarization, Transcript
from w2v_cli.tasks.attribution import attribute
from w2v_cli.tasks.diarize import DiarizationJob, Diarizer
from w2v_cli.tasks.transcribe import Transcriber, TranscriptionJob

if TYPE_CHECKING:
    from w2v_cli.audio import WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.tasks.diarization_session import DiarizationSession
    from w2v_cli.tasks.session import TranscriptionSession
    from w2v_cli.tasks.task import Pending

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class TurnsChunk(Chunk):
    """A chunk for the model that tells speakers apart; others are for the one that transcribes."""

    @classmethod
    def of(cls, chunk: Chunk) -> TurnsChunk:
        """Return the same chunk as one of these."""
        return cls(**{field.name: getattr(chunk, field.name) for field in fields(chunk)})


class SpokenTurns(Generic[Result]):
    """Two models that hear the same recordings; a `w2v_cli.tasks.task.Task`.

    Args:
        transcriber: What writes down what is said.
        diarizer: What tells who speaks when.
        kept: Returns what is kept of a diarization with its transcript.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        diarizer: Diarizer,
        kept: Callable[[Diarization], Result],
    ) -> None:
        self.transcriber, self.diarizer, self.kept = transcriber, diarizer, kept

    @property
    def description(self) -> str:
        """One line about what runs where."""
        return f"{self.transcriber.description}; {self.diarizer.description}"

    @property
    def batch_seconds(self) -> float:
        """How much audio `run` should hear at once: what both have room for."""
        return min(self.transcriber.batch_seconds, self.diarizer.batch_seconds)

    def session(self, stream: WaveformStream, source: str | None) -> SpokenTurnsSession[Result]:
        """Begin with a recording that is open.

        Raises:
            AudioError: A model hears another sample rate.
        """
        text = self.transcriber.session(stream, source)
        return SpokenTurnsSession(text, self.diarizer.session(stream, source), self.kept)

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Return the output of each chunk, from one pass of each network.

        Raises:
            OutOfMemoryError: They are too many or too long for the memory.
        """
        outputs: dict[int, FloatArray] = {}
        kinds = [isinstance(chunk, TurnsChunk) for chunk in chunks]
        for kind, task in ((False, self.transcriber), (True, self.diarizer)):
            alike = [index for index, of_turns in enumerate(kinds) if of_turns == kind]
            if alike:
                outputs.update(zip(alike, task.run([chunks[i] for i in alike]), strict=True))
        return [outputs[index] for index in range(len(chunks))]

    def close(self) -> None:
        """Let go of processes and models."""
        self.transcriber.close()
        self.diarizer.close()


class SpokenTurnsSession(Generic[Result]):
    """A recording on its way through both; a `w2v_cli.tasks.task.Session`.

    Args:
        text: Its way through the model that transcribes.
        turns: And through the other.
        kept: As for `SpokenTurns`.
    """

    def __init__(
        self,
        text: TranscriptionSession,
        turns: DiarizationSession,
        kept: Callable[[Diarization], Result],
    ) -> None:
        self._text, self._turns, self._kept = text, turns, kept

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording, for one model and then for the other."""
        yield from self._text.chunks()
        yield from map(TurnsChunk.of, self._turns.chunks())

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in what a network made of a chunk; errors are those of both."""
        if isinstance(chunk, TurnsChunk):
            self._turns.take(chunk, output)
        else:
            self._text.take(chunk, output)

    def finish(self) -> PendingSpokenTurns[Result]:
        """Return who said what, which may still have to be decoded."""
        return PendingSpokenTurns(self._text.finish(), self._turns.finish(), self._kept)


@dataclass(frozen=True)
class PendingSpokenTurns(Generic[Result]):
    """Who said what, whose words are being decoded; a `w2v_cli.tasks.task.Pending`."""

    text: Pending[Transcript]
    turns: Pending[Diarization]
    kept: Callable[[Diarization], Result]

    @property
    def ready(self) -> bool:
        """Whether `result` has nothing to wait for."""
        return self.text.ready and self.turns.ready

    def result(self) -> Result:
        """Return who speaks when and says what, or what is kept of that.

        Raises:
            W2VError: The decoder failed.
        """
        diarization = self.turns.result()
        spoken = attribute(self.text.result(), diarization.turns)
        return self.kept(replace(diarization, transcript=spoken))


@dataclass(frozen=True)
class _TwoJobs:
    """What jobs with both models have in common.

    Attributes:
        text: What is to be transcribed and how; of the recording it takes what this says.
        turns: How it is told who speaks when.
    """

    text: TranscriptionJob
    turns: DiarizationJob

    @property
    def model(self) -> str:
        """The model that transcribes."""
        return self.text.model

    @property
    def runtime(self) -> Runtime:
        """Where both run."""
        return self.text.runtime

    @property
    def hub(self) -> HubOptions:
        """Where to look for the model that transcribes."""
        return self.text.hub

    def open(self, source: str) -> AbstractContextManager[WaveformStream]:
        """Open a recording; errors are those of `w2v_cli.audio.open_waveforms`."""
        return self.text.open(source)

    def settings(self) -> dict[str, Any]:
        """Return all that the result depends on besides recording and models, as JSON values."""
        turns = {"model": self.turns.model, **self.turns.settings()}
        return {**self.text.settings(), "turns": turns}

    def other_models(self) -> tuple[str, ...]:
        """Return the model of turns, and that of speakers where one was named."""
        return (self.turns.model, *self.turns.other_models())

    def other_files(self) -> tuple[str, ...]:
        """Return the language model, where one was named."""
        return self.text.other_files()


class SpokenTurnsJob(_TwoJobs):
    """In what it is to be told who said what, and how; a `w2v_cli.tasks.task.ModelJob`."""

    def load(self) -> SpokenTurns[Diarization]:
        """Load both models; errors are those of both."""
        return SpokenTurns(self.text.load(), self.turns.load(), _all)


class NamedTranscriptJob(_TwoJobs):
    """The same, of which the transcript is kept."""

    def load(self) -> SpokenTurns[Transcript]:
        """Load both models; errors are those of both."""
        return SpokenTurns(self.text.load(), self.turns.load(), _transcript)


def _all(diarization: Diarization) -> Diarization:
    return diarization


def _transcript(diarization: Diarization) -> Transcript:
    assert diarization.transcript is not None
    return diarization.transcript
