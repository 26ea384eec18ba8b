"""Transcription: waveforms to a transcript with words and segments in seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from w2v_cli.checkpoint.language_models import language_model_folder
from w2v_cli.checkpoint.lexicons import own_lexicon
from w2v_cli.decoding.ngram import LANGUAGE_MODEL_FOLDER
from w2v_cli.inference.chunks import Chunking, SpeechFinder
from w2v_cli.inference.emitter import Emitter
from w2v_cli.tasks.decoding import (
    DecodingChoice,
    greedy_decoder,
    make_decoder,
    spaced_alphabet,
)
from w2v_cli.tasks.recording import HearingTask, RecordingJob
from w2v_cli.tasks.segments import Segmentation, cut, in_time_order
from w2v_cli.tasks.session import PendingTranscript, TranscriptionSession

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms, WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.inference.runtime import Runtime
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


class Transcriber(HearingTask["Transcript"]):
    """A model that transcribes; a `w2v_cli.tasks.task.Task`.

    Args:
        emitter: The model.
        segmentation: Where to cut; None for the defaults.
        decoder: What turns emissions into text; None for greedy decoding.
        chunking: How long recordings are cut; None for the defaults.
        find_speech: Makes what finds speech in a channel, to hear no more than that; None
            hears everything.
    """

    smallest = "a letter"

    def __init__(
        self,
        emitter: Emitter,
        segmentation: Segmentation | None = None,
        decoder: Decoder | None = None,
        chunking: Chunking | None = None,
        find_speech: Callable[[], SpeechFinder] | None = None,
    ) -> None:
        super().__init__(emitter, chunking, find_speech)
        self.emitter = emitter
        self.alphabet = spaced_alphabet(emitter)
        self.segmentation = segmentation or Segmentation()
        self.decoder = decoder or greedy_decoder(self.alphabet)

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
                or lexicon if it has one, else greedily.
            chunking: How long recordings are cut; None for the defaults.
            segmentation: Where the transcript is cut; None for the defaults.
            vad: Leave out what a detector takes for no speech.

        Raises:
            MissingDependencyError: A beam search or the detector needs a package that is not
                installed.
            ModelError: The language model or the lexicon cannot be loaded, or does not fit the
                model.
        """
        decoding = decoding or DecodingChoice()
        find_speech = speech_finder() if vad else None
        ngram = find_language_model(name, decoding, hub)
        lexicon = find_lexicon(name, decoding, ngram, hub)
        emitter = Emitter.load(name, runtime=runtime, hub=hub, target_lang=target_lang)
        alphabet = spaced_alphabet(emitter)
        decoder = make_decoder(alphabet, decoding, ngram, lexicon)
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

    def session(self, stream: WaveformStream, source: str | None) -> TranscriptionSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate.
        """
        hearing = self.hearing(stream, source)
        return TranscriptionSession(
            self.emitter, self.alphabet, self.decoder, self.segmentation, hearing
        )


@dataclass(frozen=True)
class TranscriptionJob(RecordingJob):
    """What is to be transcribed and how; a `w2v_cli.tasks.task.ModelJob`.

    Attributes:
        target_lang: The language whose adapter a multi-lingual model loads.
        decoding: How to decode.
        segmentation: Where the transcript is cut.
        vad: Leave out what a detector takes for no speech.
    """

    target_lang: str | None = None
    decoding: DecodingChoice = field(default_factory=DecodingChoice)
    segmentation: Segmentation = field(default_factory=Segmentation)
    vad: bool = False

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
        """Return all that a transcript depends on; see `RecordingJob.settings`."""
        decoding = asdict(self.decoding)
        del decoding["workers"]
        return {
            **super().settings(),
            "task": "transcribe",
            "target_lang": self.target_lang,
            "decoding": decoding,
            "segmentation": asdict(self.segmentation),
            "vad": self.vad,
        }

    def other_files(self) -> tuple[str, ...]:
        """Return the language model, where one was named."""
        return () if self.decoding.lm is None else (str(self.decoding.lm),)


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
    if place is None and decoding.use_own and not decoding.lexicon:
        folder = language_model_folder(name, hub)
        if folder is not None and (folder / LANGUAGE_MODEL_FOLDER).is_dir():
            place = folder
    if place is None:
        return None
    from w2v_cli.decoding.ngram import NGram

    return NGram.load(place)


def find_lexicon(
    name: str | os.PathLike[str],
    decoding: DecodingChoice,
    ngram: NGram | None,
    hub: HubOptions | None,
) -> tuple[str, ...]:
    """Return the lexicon that was chosen, or else the model's own; none where there is a search.

    Raises:
        ModelError: It cannot be loaded.
    """
    if decoding.lexicon:
        return decoding.lexicon
    if ngram is not None or decoding.search or not decoding.use_own:
        return ()
    return own_lexicon(name, hub) or ()
