"""What tasks have in common: how a job opens recordings, and how a model hears one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from w2v_cli.audio.streams import ChannelChoice, WaveformStream, open_waveforms
from w2v_cli.audio.waveforms import HeldStream
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.errors import AudioError, ModelError, OutOfMemoryError
from w2v_cli.inference.chunks import Chunk, Chunker, Chunking, SpeechFinder
from w2v_cli.inference.runtime import Runtime
from w2v_cli.recording_parts import split_part

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.inference.network import FloatArray, Network
    from w2v_cli.tasks.task import Pending, Session

Result = TypeVar("Result")


@dataclass(frozen=True)
class RecordingJob:
    """What every `w2v_cli.tasks.task.ModelJob` has; its subclasses add `load`.

    Attributes:
        model: A folder, an embedded model or a model id.
        runtime: Device, precision, threads and attention.
        hub: Where to look for the model.
        chunking: How long recordings are cut.
        channel: As for `w2v_cli.audio.read_waveforms`, as are the next two.
        start_seconds: Where to start.
        end_seconds: Where to stop.
    """

    model: str
    runtime: Runtime = field(default_factory=Runtime)
    hub: HubOptions = field(default_factory=HubOptions)
    chunking: Chunking = field(default_factory=Chunking)
    channel: ChannelChoice = None
    start_seconds: float = 0.0
    end_seconds: float | None = None

    def open(self, source: str) -> AbstractContextManager[WaveformStream]:
        """Open a recording, or a part of one; see `w2v_cli.recording_parts`.

        Errors are those of `w2v_cli.audio.open_waveforms`.
        """
        part = split_part(source)
        ends = [end for end in (self.end_seconds, part.end_seconds) if end is not None]
        return open_waveforms(
            part.recording,
            channel=self.channel if part.channel is None else part.channel,
            start_seconds=max(self.start_seconds, part.start_seconds),
            end_seconds=min(ends, default=None),
            name=None if part.recording == source else source,
        )

    def settings(self) -> dict[str, Any]:
        """Return all that a result depends on besides recording and model, as JSON values.

        Devices, threads and processes are left out: they change a result by no more than
        rounding does.
        """
        return {
            "dtype": self.runtime.dtype,
            "quantize": self.runtime.quantize,
            "load_in_8bit": self.runtime.load_in_8bit,
            "chunking": asdict(self.chunking),
            "channel": self.channel,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
        }

    def other_models(self) -> tuple[str, ...]:
        """Return what else it depends on: the names of models besides `model`."""
        return ()

    def other_files(self) -> tuple[str, ...]:
        """Return what else a result depends on: files whose content is fingerprinted."""
        return ()


class Cutter(Protocol):
    """What cuts a recording into chunks, such as a `Chunker`."""

    def chunks(self, read: Callable[[], Iterator[FloatArray]]) -> Iterator[Chunk]:
        """Yield chunks, in the order of time.

        Args:
            read: Begins to read the recording, from its beginning: blocks (channels, samples).
        """
        ...


class Hearing:
    """A recording on its way through a network: it is cut, and what comes out is checked.

    Args:
        network: The model.
        chunker: What cuts the recording.
        stream: The recording, open.
        source: Its name, for errors; None for one held in memory.
        smallest: What a recording has to have room for, such as ``a letter``.
    """

    def __init__(
        self,
        network: Network,
        chunker: Cutter,
        stream: WaveformStream,
        source: str | None,
        smallest: str,
    ) -> None:
        self._network, self._chunker, self.stream = network, chunker, stream
        self.source, self._smallest = source, smallest

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield its chunks; see `w2v_cli.tasks.task.Session.chunks`.

        Raises:
            AudioError: The recording cannot be read to its end, or is a click in which nobody
                can have said anything: it was cut short, or written wrongly.
        """
        yield from self._chunker.chunks(self.stream.blocks)
        read_seconds = self.stream.duration_seconds
        frame_seconds = self._network.receptive_field_samples / self._network.sample_rate
        is_a_file = not isinstance(self.stream, HeldStream)  # samples are what they are
        if is_a_file and 0 < read_seconds < frame_seconds:
            raise AudioError(
                f"{self.source}: {read_seconds:.4f} s of sound, which is too short for "
                f"{self._smallest}; the model hears no less than {frame_seconds:g} s"
            )

    def kept(self, chunk: Chunk, output: FloatArray) -> FloatArray:
        """Return the rows of a chunk's output that its neighbours do not have.

        Raises:
            AudioError: They are not numbers.
        """
        if np.isnan(output).any():
            raise self.error(self._network.not_a_number())
        return output[chunk.keep_start : chunk.keep_end]

    def error(self, error: AudioError) -> AudioError:
        """Return an error that says which recording it is about."""
        return about(self.source, error)


def about(source: str | None, error: AudioError) -> AudioError:
    """Return an error that says which recording it is about, if that has a name."""
    return type(error)(f"{source}: {error}") if source else error


def check_rate(network: Network, stream: WaveformStream, source: str | None) -> None:
    """Refuse waveforms of another rate than a model hears.

    Raises:
        AudioError: They were given so.
        ModelError: A recording was opened, which is always heard at one rate.
    """
    if stream.sample_rate != network.sample_rate and not isinstance(stream, HeldStream):
        raise ModelError(
            f"{network.name}: this model hears {network.sample_rate} Hz, and commands are for "
            f"models of {stream.sample_rate} Hz; use its class in Python"
        )
    try:
        network.check_rate(stream.sample_rate)
    except AudioError as error:
        raise about(source, error) from error


class HearingTask(ABC, Generic[Result]):
    """A `w2v_cli.tasks.task.Task` with one network; a subclass adds `session`.

    Args:
        network: The model.
        chunking: How long recordings are cut; None for the defaults.
        find_speech: Makes what finds speech in a channel, to hear no more than that; None
            hears everything.
    """

    smallest = "anything"

    def __init__(
        self,
        network: Network,
        chunking: Chunking | None = None,
        find_speech: Callable[[], SpeechFinder] | None = None,
    ) -> None:
        self._network = network
        self.chunking = chunking or Chunking()
        self.find_speech = find_speech

    @abstractmethod
    def session(self, stream: WaveformStream, source: str | None) -> Session[Result]:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate.
        """

    def hearing(self, stream: WaveformStream, source: str | None) -> Hearing:
        """Return how a recording is heard, for a session to build upon.

        Raises:
            AudioError: The model hears another sample rate.
        """
        check_rate(self._network, stream, source)
        return Hearing(self._network, self.chunker(), stream, source, self.smallest)

    def chunker(self) -> Cutter:
        """Return what cuts a recording."""
        return Chunker(self._network, self.chunking, self.find_speech)

    def begin(self, waveforms: Waveforms, *, source: str | None = None) -> Pending[Result]:
        """Run the network over a recording; what comes back is a promise.

        So the next recording can begin while the rest of the work on this one is done.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned.
            source: The recording's name.

        Raises:
            AudioError: The model hears another sample rate, or the memory is too small.
        """
        session = self.session(HeldStream(waveforms), source)
        for chunk in session.chunks():
            try:
                outputs = self.run([chunk])
            except OutOfMemoryError as error:
                raise about(source, error) from error
            session.take(chunk, *outputs)  # its errors name the recording
        return session.finish()

    @property
    def description(self) -> str:
        """One line about what runs where."""
        return self._network.description

    @property
    def batch_seconds(self) -> float:
        """How much audio `run` should hear at once, padding included."""
        return self._network.batch_seconds

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Return the output of each chunk, from one pass of the network over all.

        Raises:
            OutOfMemoryError: They are too many or too long for the memory.
        """
        return self._network.run(chunks)

    def close(self) -> None:
        """Let go of processes and models."""
