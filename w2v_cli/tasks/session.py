"""One recording on its way through a model that transcribes, chunk by chunk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from w2v_cli.decoding.utterances import UtteranceCutter, UtteranceLimits
from w2v_cli.results import Alternative, Character, Segment, Transcript, Word
from w2v_cli.tasks.readings import Readings
from w2v_cli.tasks.segments import Segmentation, cut, in_time_order, segment_of

if TYPE_CHECKING:
    from w2v_cli.decoding.alphabet import Alphabet
    from w2v_cli.decoding.hypothesis import HypothesisWord
    from w2v_cli.decoding.utterances import Utterance
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.emitter import Emitter
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.tasks.decoding import Decoder, Handle
    from w2v_cli.tasks.recording import Hearing

# Utterances of a channel that wait for the decoder. If the network is that much faster it waits,
# or their emissions would pile up.
_MOST_WAITING = 16


@dataclass(frozen=True)
class Clock:
    """From frames of emissions to seconds of a recording.

    Attributes:
        frame_seconds: From one frame to the next.
        begin_seconds: Where in the recording the first frame is.
        end_seconds: Where what was read ends. What is shorter than a frame was padded, but
            nothing ends after the recording.
    """

    frame_seconds: float
    begin_seconds: float
    end_seconds: float

    @classmethod
    def of(cls, emitter: Emitter, begin_seconds: float, end_seconds: float) -> Clock:
        """Return the clock of a network's frames.

        What a frame stands for lies in the middle of what it sees. With convolutions that see far
        all frames come so many whole frames later; in the published shapes none.

        Args:
            emitter: The network.
            begin_seconds: Where in a recording its hearing begins.
            end_seconds: Where what was read ends.
        """
        frame_seconds = emitter.hop_samples / emitter.sample_rate
        late_seconds = round(emitter.lead_samples / emitter.hop_samples) * frame_seconds
        return cls(frame_seconds, begin_seconds + late_seconds, end_seconds)

    def seconds(self, frame: int) -> float:
        """Return when a frame begins."""
        return min(self.begin_seconds + frame * self.frame_seconds, self.end_seconds)

    def word(self, word: HypothesisWord, first_frame: int = 0) -> Word:
        """Return a word with its times in seconds.

        Args:
            word: Its frames count from
            first_frame: this frame of the recording.
        """
        return Word(
            text=word.text,
            start_seconds=self.seconds(first_frame + word.start_frame),
            end_seconds=self.seconds(first_frame + word.end_frame),
            probability=word.probability,
            characters=tuple(
                Character(
                    text=character.text,
                    start_seconds=self.seconds(first_frame + character.start_frame),
                    end_seconds=self.seconds(first_frame + character.end_frame),
                    probability=character.probability,
                )
                for character in word.characters
            ),
            interpolated=word.interpolated,
        )


class TranscriptionSession:
    """A recording that is being transcribed; a `w2v_cli.tasks.task.Session`.

    Args:
        emitter: The model.
        alphabet: What its outputs write.
        decoder: What turns emissions into text.
        segmentation: Where to cut the text.
        hearing: How the recording is heard.
    """

    def __init__(
        self,
        emitter: Emitter,
        alphabet: Alphabet,
        decoder: Decoder,
        segmentation: Segmentation,
        hearing: Hearing,
    ) -> None:
        self._emitter, self._segmentation = emitter, segmentation
        self._hearing, self._stream = hearing, hearing.stream
        frame_seconds = emitter.hop_samples / emitter.sample_rate
        # Of one channel alone, whoever chose it need not be told which.
        numbers = self._stream.channel_numbers
        self._channels = [
            ChannelText(decoder, alphabet, UtteranceLimits.of(frame_seconds), number, self._clock)
            for number in (numbers if len(numbers) > 1 else (None,))
        ]

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield its chunks; errors are those of `Hearing.chunks`."""
        return self._hearing.chunks()

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in a chunk's emissions.

        Raises:
            AudioError: They are not numbers.
            W2VError: The decoder failed.
        """
        kept = self._hearing.kept(chunk, output)
        self._channels[chunk.channel].hear(chunk.first_frame, kept)

    def finish(self) -> PendingTranscript:
        """Return the transcript, which may still have to be decoded."""
        for channel in self._channels:
            channel.finish()
        return PendingTranscript(
            channels=tuple(self._channels),
            segmentation=self._segmentation,
            duration_seconds=self._stream.duration_seconds,
            model=self._emitter.name,
            source=self._hearing.source,
            start_seconds=self._stream.start_seconds,
        )

    def _clock(self) -> Clock:
        """Return the clock of what was read until now."""
        start_seconds = self._stream.start_seconds
        end_seconds = start_seconds + self._stream.duration_seconds
        return Clock.of(self._emitter, start_seconds, end_seconds)


class ChannelText:
    """The words of one channel, decoded utterance by utterance.

    Args:
        decoder: What turns emissions into text.
        alphabet: What the outputs write.
        limits: Where emissions are cut into utterances.
        number: The channel's number, where there are several.
        clock: Gives the clock of what was read until now.
    """

    def __init__(
        self,
        decoder: Decoder,
        alphabet: Alphabet,
        limits: UtteranceLimits,
        number: int | None,
        clock: Callable[[], Clock],
    ) -> None:
        self.number = number
        self.words: list[Word] = []
        self.readings = Readings(number)
        self._decoder, self._clock = decoder, clock
        self._cutter = UtteranceCutter(alphabet, limits)
        self._waiting: deque[tuple[int, Handle]] = deque()

    def hear(self, first_frame: int, emissions: FloatArray) -> None:
        """Take in the emissions from a frame on; those between that nobody heard are blanks."""
        missing = first_frame - self._cutter.n_frames
        if missing > 0:
            self._decode(self._cutter.skip(missing, emissions.shape[1]))
        self._decode(self._cutter.add(emissions))

    def finish(self) -> None:
        """Have the decoder begin with what is left."""
        self._decode(self._cutter.finish())

    def undecoded(self) -> list[FloatArray]:
        """Return the emissions of the utterance that is not complete yet."""
        return self._cutter.waiting()

    @property
    def ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return all(handle.ready for _, handle in self._waiting)

    def take_words(self) -> list[Word]:
        """Return the words that were decoded since the last call, and forget them."""
        words, self.words = self.words, []
        self.readings = Readings(self.number)
        return words

    def settle(self, most_waiting: int = 0) -> None:
        """Wait until no more than so many utterances wait, and take in all that are ready.

        Raises:
            W2VError: The decoder failed.
        """
        while self._waiting and (len(self._waiting) > most_waiting or self._waiting[0][1].ready):
            first_frame, handle = self._waiting.popleft()
            clock = self._clock()
            for hypotheses in handle.result():
                self.words += [clock.word(word, first_frame) for word in hypotheses[0].words]
                self.readings.add(hypotheses)

    def _decode(self, utterances: Iterable[Utterance]) -> None:
        for utterance in utterances:
            handle = self._decoder.submit([utterance.emissions])
            self._waiting.append((utterance.first_frame, handle))
            self.settle(_MOST_WAITING)


@dataclass(frozen=True)
class PendingTranscript:
    """A transcript whose emissions are being decoded; `result` waits for it."""

    channels: tuple[ChannelText, ...]
    segmentation: Segmentation
    duration_seconds: float
    model: str
    source: str | None
    start_seconds: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether `result` has nothing to wait for."""
        return all(channel.ready for channel in self.channels)

    def result(self) -> Transcript:
        """Return the transcript.

        Raises:
            W2VError: The decoder failed.
        """
        segments: list[Segment] = []
        alternatives: list[Alternative] = []
        for channel in self.channels:
            channel.settle()
            groups = cut(channel.words, self.segmentation)
            segments += [segment_of(words, channel.number) for words in groups]
            alternatives += channel.readings.alternatives()
        segments = in_time_order(segments)
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            segments=tuple(segments),
            duration_seconds=self.duration_seconds,
            model=self.model,
            source=self.source,
            alternatives=tuple(alternatives),
            start_seconds=self.start_seconds,
        )
