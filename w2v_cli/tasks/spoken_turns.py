"""Who said what: recordings through a model that transcribes and one that tells who speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from w2v_cli.inference.chunks import Chunk
from w2v_cli.results import Diarization
from w2v_cli.tasks.attribution import attribute
from w2v_cli.tasks.diarize import DiarizationJob, Diarizer, folder_of
from w2v_cli.tasks.transcribe import Transcriber, TranscriptionJob

if TYPE_CHECKING:
    from w2v_cli.audio import WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.tasks.diarization_session import DiarizationSession
    from w2v_cli.tasks.session import TranscriptionSession
    from w2v_cli.tasks.task import Pending


@dataclass(frozen=True, eq=False)
class TurnsChunk(Chunk):
    """A chunk for the model that tells speakers apart; others are for the one that transcribes."""

    @classmethod
    def of(cls, chunk: Chunk) -> TurnsChunk:
        """Return the same chunk as one of these."""
        return cls(**{field.name: getattr(chunk, field.name) for field in fields(chunk)})


class SpokenTurns:
    """Two models that hear the same recordings; a `w2v_cli.tasks.task.Task`.

    Args:
        transcriber: What writes down what is said.
        diarizer: What tells who speaks when.
    """

    def __init__(self, transcriber: Transcriber, diarizer: Diarizer) -> None:
        self.transcriber, self.diarizer = transcriber, diarizer

    @property
    def description(self) -> str:
        """One line about what runs where."""
        return f"{self.transcriber.description}; {self.diarizer.description}"

    @property
    def batch_seconds(self) -> float:
        """How much audio `run` should hear at once: what both have room for."""
        return min(self.transcriber.batch_seconds, self.diarizer.batch_seconds)

    def session(self, stream: WaveformStream, source: str | None) -> SpokenTurnsSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: A model hears another sample rate.
        """
        return SpokenTurnsSession(
            self.transcriber.session(stream, source), self.diarizer.session(stream, source)
        )

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


class SpokenTurnsSession:
    """A recording on its way through both; a `w2v_cli.tasks.task.Session`.

    Args:
        text: Its way through the model that transcribes.
        turns: And through the other.
    """

    def __init__(self, text: TranscriptionSession, turns: DiarizationSession) -> None:
        self._text, self._turns = text, turns

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording, for one model and then for the other."""
        yield from self._text.chunks()
        yield from map(TurnsChunk.of, self._turns.chunks())

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in what a network made of a chunk; errors are those of both."""
        session = self._turns if isinstance(chunk, TurnsChunk) else self._text
        session.take(chunk, output)

    def finish(self) -> PendingSpokenTurns:
        """Return who said what, which may still have to be decoded."""
        return PendingSpokenTurns(self._text.finish(), self._turns.finish())


@dataclass(frozen=True)
class PendingSpokenTurns:
    """Who said what, whose words are being decoded; a `w2v_cli.tasks.task.Pending`."""

    text: Pending[Any]
    turns: Pending[Diarization]

    @property
    def ready(self) -> bool:
        """Whether `result` has nothing to wait for."""
        return self.text.ready and self.turns.ready

    def result(self) -> Diarization:
        """Return who speaks when and says what.

        Raises:
            W2VError: The decoder failed.
        """
        diarization = self.turns.result()
        return replace(diarization, transcript=attribute(self.text.result(), diarization.turns))


@dataclass(frozen=True)
class SpokenTurnsJob:
    """In what it is to be told who said what, and how; a `w2v_cli.tasks.task.ModelJob`.

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

    def load(self) -> SpokenTurns:
        """Load both models; errors are those of both."""
        return SpokenTurns(self.text.load(), self.turns.load())

    def settings(self) -> dict[str, Any]:
        """Return all that the result depends on besides recording and models, as JSON values."""
        return {
            "task": "spoken turns",
            "text": self.text.settings(),
            "turns": {"model": self.turns.model, **self.turns.settings()},
        }

    def other_files(self) -> tuple[str, ...]:
        """Return what else it depends on: the other models, and the language model."""
        others = folder_of(self.turns.model), *self.turns.other_files()
        return (*self.text.other_files(), *(name for name in others if name is not None))
