"""Transcription: waveforms to a transcript with words and segments in seconds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from w2v_cli.audio.parts import split_part
from w2v_cli.audio.streams import ChannelChoice, WaveformStream, open_waveforms
from w2v_cli.audio.waveforms import HeldStream
from w2v_cli.checkpoint.language_models import LANGUAGE_MODEL_FOLDER, language_model_folder
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.errors import AudioError, OutOfMemoryError
from w2v_cli.inference.chunks import Chunk, Chunker, Chunking, SpeechFinder
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.memory import batch_seconds
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.decoding import DecodingChoice, GreedyDecoder, make_decoder
from w2v_cli.tasks.segments import Segmentation, cut, in_time_order
from w2v_cli.tasks.session import PendingTranscript, TranscriptionSession

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.inference.emitter import FloatArray
    from w2v_cli.results import Transcript
    from w2v_cli.tasks.decoding import Decoder

__all__ = [
    "PendingTranscript",
    "Segmentation",
    "Transcriber",
    "TranscriptionJob",
    "TranscriptionSession",
    "cut",
    "in_time_order",
]


class Transcriber:
    """A model that transcribes; a `w2v_cli.tasks.task.Task`.

    Args:
        emitter: The model.
        segmentation: Where to cut; None for the defaults.
        decoder: What turns emissions into text; None for greedy decoding.
        chunking: How long recordings are cut; None for the defaults.
        find_speech: Makes what finds speech in a channel, to hear no more than that; None
            hears everything.
    """

    def __init__(
        self,
        emitter: Emitter,
        segmentation: Segmentation | None = None,
        decoder: Decoder | None = None,
        chunking: Chunking | None = None,
        find_speech: Callable[[], SpeechFinder] | None = None,
    ) -> None:
        self.emitter = emitter
        self.alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
        self.segmentation = segmentation or Segmentation()
        self.decoder = decoder or GreedyDecoder(self.alphabet)
        self.chunking = chunking or Chunking()
        self.find_speech = find_speech

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
        decoding: DecodingChoice | None = None,
        chunking: Chunking | None = None,
        segmentation: Segmentation | None = None,
        vad: bool = False,
    ) -> Transcriber:
        """Return the transcriber of a folder, an embedded model or a model id.

        Args and errors are those of `Emitter.load`; besides:

        Args:
            decoding: How to decode; None for the defaults: with the model's own language model
                if it has one, else greedily.
            chunking: How long recordings are cut; None for the defaults.
            segmentation: Where the transcript is cut; None for the defaults.
            vad: Leave out what a detector takes for no speech.

        Raises:
            MissingDependencyError: A beam search or the detector needs a package that is not
                installed.
            ModelError: The language model cannot be loaded, or does not fit the model.
        """
        decoding = decoding or DecodingChoice()
        find_speech = speech_finder() if vad else None
        ngram = find_language_model(name, decoding, hub)
        emitter = Emitter.load(name, runtime=runtime, hub=hub, target_lang=target_lang)
        alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
        decoder = make_decoder(alphabet, decoding, ngram)
        return cls(emitter, segmentation, decoder, chunking, find_speech)

    def close(self) -> None:
        """End the processes that decode, if there are any."""
        self.decoder.close()

    def transcribe(self, waveforms: Waveforms, *, source: str | None = None) -> Transcript:
        """Return what is said in a recording; an empty transcript where nothing is.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned; every channel is
                transcribed on its own.
            source: The recording's name, for the transcript.

        Raises:
            AudioError: The model hears another sample rate, or the memory is too small.
        """
        return self.begin(waveforms, source=source).result()

    def begin(self, waveforms: Waveforms, *, source: str | None = None) -> PendingTranscript:
        """Run the network over a recording and hand its emissions to the decoder.

        What comes back is a promise: the next recording can begin while this one is decoded.
        Args and errors are those of `transcribe`.
        """
        session = self.session(HeldStream(waveforms), source)
        try:
            for chunk in session.chunks():
                session.take(chunk, *self.run([chunk]))
        except OutOfMemoryError as error:
            raise OutOfMemoryError(f"{source}: {error}" if source else str(error)) from error
        return session.finish()

    def session(self, stream: WaveformStream, source: str | None) -> TranscriptionSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate.
        """
        try:
            self.emitter.check_rate(stream.sample_rate)
        except AudioError as error:
            raise AudioError(f"{source}: {error}" if source else str(error)) from error
        chunker = Chunker(self.emitter, self.chunking, self.find_speech)
        return TranscriptionSession(
            self.emitter,
            self.alphabet,
            self.decoder,
            self.segmentation,
            chunker,
            stream,
            source,
        )

    @property
    def batch_seconds(self) -> float:
        """How much audio `run` should hear at once, padding included."""
        return batch_seconds(self.emitter.model, self.emitter.sample_rate)

    def run(self, chunks: Sequence[Chunk]) -> list[FloatArray]:
        """Return the emissions of each chunk, from one pass of the network over all.

        Raises:
            OutOfMemoryError: They are too many or too long for the memory.
        """
        return self.emitter.run(chunks)


@dataclass(frozen=True)
class TranscriptionJob:
    """What is to be transcribed and how; a `w2v_cli.tasks.task.Job`.

    Attributes:
        model: A folder, an embedded model or a model id.
        target_lang: The language whose adapter a multi-lingual model loads.
        runtime: Device, precision, threads and attention.
        hub: Where to look for the model.
        decoding: How to decode.
        segmentation: Where the transcript is cut.
        chunking: How long recordings are cut.
        vad: Leave out what a detector takes for no speech.
        channel: As for `w2v_cli.audio.read_waveforms`, as are the next two.
        start_seconds: Where to start.
        end_seconds: Where to stop.
    """

    model: str
    target_lang: str | None = None
    runtime: Runtime = field(default_factory=Runtime)
    hub: HubOptions = field(default_factory=HubOptions)
    decoding: DecodingChoice = field(default_factory=DecodingChoice)
    segmentation: Segmentation = field(default_factory=Segmentation)
    chunking: Chunking = field(default_factory=Chunking)
    vad: bool = False
    channel: ChannelChoice = None
    start_seconds: float = 0.0
    end_seconds: float | None = None

    def open(self, source: str) -> AbstractContextManager[WaveformStream]:
        """Open a recording, or a part of one; see `w2v_cli.audio.parts`.

        Errors are those of `w2v_cli.audio.open_waveforms`.
        """
        path, begin_seconds, end_seconds = split_part(source)
        ends = [end for end in (self.end_seconds, end_seconds) if end is not None]
        return open_waveforms(
            path,
            channel=self.channel,
            start_seconds=max(self.start_seconds, begin_seconds),
            end_seconds=min(ends, default=None),
            name=None if path == source else source,
        )

    def load(self) -> Transcriber:
        """Load the model; errors are those of `Transcriber.load`."""
        return Transcriber.load(
            self.model,
            runtime=self.runtime,
            hub=self.hub,
            target_lang=self.target_lang,
            decoding=self.decoding,
            chunking=self.chunking,
            segmentation=self.segmentation,
            vad=self.vad,
        )

    def settings(self) -> dict[str, Any]:
        """Return all that a transcript depends on besides recording and model, as JSON values.

        Devices, threads and processes are left out: they change a transcript by no more than
        rounding does. The language model is named, not fingerprinted.
        """
        decoding = asdict(self.decoding)
        del decoding["workers"]
        return {
            "task": "transcribe",
            "target_lang": self.target_lang,
            "dtype": self.runtime.dtype,
            "decoding": decoding,
            "segmentation": asdict(self.segmentation),
            "chunking": asdict(self.chunking),
            "vad": self.vad,
            "channel": self.channel,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
        }


def speech_finder() -> Callable[[], SpeechFinder]:
    """Return what makes a detector of speech for each channel.

    Raises:
        MissingDependencyError: silero-vad is not installed.
        ModelError: It has another network than the one that is known here.
    """
    from w2v_cli.inference.vad import SileroVAD, SpeechDetector

    network = SileroVAD()
    return lambda: SpeechDetector(network)


def find_language_model(
    name: str | os.PathLike[str], decoding: DecodingChoice, hub: HubOptions | None
) -> NGram | None:
    """Return the language model that was chosen, or else the model's own, or None.

    Raises:
        ModelError: It cannot be loaded.
    """
    place: str | os.PathLike[str] | None = decoding.lm
    if place is None and decoding.use_own_lm:
        folder = language_model_folder(name, hub)
        if folder is not None and (folder / LANGUAGE_MODEL_FOLDER).is_dir():
            place = folder
    if place is None:
        return None
    from w2v_cli.decoding.ngram import NGram

    return NGram.load(place)
