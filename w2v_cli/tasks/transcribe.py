"""Transcription: waveforms to a transcript with words and segments in seconds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.checkpoint.language_models import LANGUAGE_MODEL_FOLDER, language_model_folder
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.errors import AudioError
from w2v_cli.inference.emitter import Emitter
from w2v_cli.results import Alternative, Character, Segment, Transcript, Word
from w2v_cli.tasks.decoding import DecodingChoice, GreedyDecoder, make_decoder

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.decoding.hypothesis import Hypothesis, HypothesisWord
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.inference.emitter import FloatArray
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.tasks.decoding import Decoder, Handle


@dataclass(frozen=True)
class Segmentation:
    """Where a transcript is cut into segments."""

    # From the last letter of a word to the first of the next. CTC writes a letter in a frame or
    # two of its sound, so that words look shorter and gaps longer than they are: within a phrase
    # they come to 0.7 s, between phrases they begin at about 1 s.
    pause_seconds: float = 0.8
    # Longer ones are cut at a gap: more than half a minute is hard to find one's way in.
    max_segment_seconds: float = 30.0


class Transcriber:
    """A model that transcribes.

    Args:
        emitter: The model.
        segmentation: Where to cut; None for the defaults.
        decoder: What turns emissions into text; None for greedy decoding.
    """

    def __init__(
        self,
        emitter: Emitter,
        segmentation: Segmentation | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.emitter = emitter
        self.alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
        self.segmentation = segmentation or Segmentation()
        self.decoder = decoder or GreedyDecoder(self.alphabet)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
        decoding: DecodingChoice | None = None,
    ) -> Transcriber:
        """Return the transcriber of a folder, an embedded model or a model id.

        Args and errors are those of `Emitter.load`; besides:

        Args:
            decoding: How to decode; None for the defaults: with the model's own language model
                if it has one, else greedily.

        Raises:
            MissingDependencyError: A beam search needs a package that is not installed.
            ModelError: The language model cannot be loaded, or does not fit the model.
        """
        decoding = decoding or DecodingChoice()
        ngram = find_language_model(name, decoding, hub)
        emitter = Emitter.load(name, runtime=runtime, hub=hub, target_lang=target_lang)
        alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
        return cls(emitter, decoder=make_decoder(alphabet, decoding, ngram))

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
        heard = []
        for waveform in waveforms.channels:
            # Digital silence: a network was never trained on it and may babble.
            silent = not np.ptp(waveform if waveform.size else [0])
            heard.append(None if silent else self._emissions(waveform, waveforms, source))
        handle = self.decoder.submit([emissions for emissions in heard if emissions is not None])
        return PendingTranscript(
            handle=handle,
            silent=tuple(emissions is None for emissions in heard),
            clock=Clock(
                frame_seconds=self.emitter.hop_samples / self.emitter.sample_rate,
                begin_seconds=waveforms.start_seconds,
                end_seconds=waveforms.start_seconds + waveforms.duration_seconds,
            ),
            # Of one channel alone, whoever chose it need not be told which.
            channels=waveforms.channel_numbers if len(waveforms.channels) > 1 else (None,),
            segmentation=self.segmentation,
            duration_seconds=waveforms.duration_seconds,
            model=self.emitter.name,
            source=source,
        )

    def _emissions(
        self, waveform: FloatArray, waveforms: Waveforms, source: str | None
    ) -> FloatArray:
        try:
            return self.emitter.emissions(waveform, sample_rate=waveforms.sample_rate)
        except AudioError as error:
            raise AudioError(f"{source}: {error}" if source else str(error)) from error


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

    def seconds(self, frame: int) -> float:
        """Return when a frame begins."""
        return min(self.begin_seconds + frame * self.frame_seconds, self.end_seconds)

    def word(self, word: HypothesisWord) -> Word:
        """Return a word with its times in seconds."""
        return Word(
            text=word.text,
            start_seconds=self.seconds(word.start_frame),
            end_seconds=self.seconds(word.end_frame),
            probability=word.probability,
            characters=tuple(
                Character(
                    text=character.text,
                    start_seconds=self.seconds(character.start_frame),
                    end_seconds=self.seconds(character.end_frame),
                    probability=character.probability,
                )
                for character in word.characters
            ),
            interpolated=word.interpolated,
        )


@dataclass(frozen=True)
class PendingTranscript:
    """A transcript whose emissions are being decoded; `result` waits for it."""

    handle: Handle
    silent: tuple[bool, ...]
    clock: Clock
    channels: tuple[int | None, ...]
    segmentation: Segmentation
    duration_seconds: float
    model: str
    source: str | None

    @property
    def ready(self) -> bool:
        """Whether `result` has nothing to wait for."""
        return self.handle.ready

    def result(self) -> Transcript:
        """Return the transcript.

        Raises:
            W2VError: The decoder failed.
        """
        decoded = iter(self.handle.result())
        segments: list[Segment] = []
        alternatives: list[Alternative] = []
        for channel, silent in zip(self.channels, self.silent, strict=True):
            if silent:
                continue
            best, *others = hypotheses = next(decoded)
            words = [self.clock.word(word) for word in best.words]
            segments += [_segment(piece, channel) for piece in cut(words, self.segmentation)]
            if others or best.lm_score is not None:
                alternatives += [_alternative(hypothesis, channel) for hypothesis in hypotheses]
        segments = in_time_order(segments)
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            segments=tuple(segments),
            duration_seconds=self.duration_seconds,
            model=self.model,
            source=self.source,
            alternatives=tuple(alternatives),
        )


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


def cut(words: Sequence[Word], segmentation: Segmentation) -> list[list[Word]]:
    """Return the words in groups, cut at pauses, and once more where that is too long.

    A group is longer than `max_segment_seconds` only if a single word is.
    """
    groups: list[list[Word]] = []
    for index, word in enumerate(words):
        if groups and _gap(words, index) < segmentation.pause_seconds:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [part for group in groups for part in _shortened(group, segmentation)]


def _shortened(words: Sequence[Word], segmentation: Segmentation) -> list[list[Word]]:
    """Return a group in parts that are short enough."""
    parts = []
    first = 0
    while (place := _place_to_cut(words, first, segmentation.max_segment_seconds)) is not None:
        parts.append(list(words[first:place]))
        first = place
    return [*parts, list(words[first:])]


def _place_to_cut(words: Sequence[Word], first: int, max_seconds: float) -> int | None:
    """Return which word begins the next part, if the one from `first` on is too long.

    It is cut at its longest gap, but not in its first half, which would leave crumbs.
    """
    begin_seconds = words[first].start_seconds
    if words[-1].end_seconds - begin_seconds <= max_seconds:
        return None
    best = first + 1
    for index in range(first + 1, len(words)):
        length_seconds = words[index - 1].end_seconds - begin_seconds
        if length_seconds > max_seconds:
            break
        best_is_early = words[best - 1].end_seconds - begin_seconds < max_seconds / 2
        if best_is_early or _gap(words, index) >= _gap(words, best):
            best = index
    return best if best < len(words) else None


def in_time_order(segments: Iterable[Segment]) -> list[Segment]:
    """Return the segments of all channels by their start, with new ids from 0."""
    ordered = sorted(segments, key=lambda segment: (segment.start_seconds, segment.channel or 0))
    return [
        Segment(
            id=index,
            start_seconds=segment.start_seconds,
            end_seconds=segment.end_seconds,
            text=segment.text,
            words=segment.words,
            channel=segment.channel,
        )
        for index, segment in enumerate(ordered)
    ]


def _segment(words: Sequence[Word], channel: int | None) -> Segment:
    return Segment(
        id=0,  # `in_time_order` counts them
        start_seconds=words[0].start_seconds,
        end_seconds=words[-1].end_seconds,
        text=" ".join(word.text for word in words),
        words=tuple(words),
        channel=channel,
    )


def _alternative(hypothesis: Hypothesis, channel: int | None) -> Alternative:
    return Alternative(
        text=hypothesis.text,
        logit_score=hypothesis.logit_score,
        lm_score=hypothesis.lm_score,
        channel=channel,
    )


def _gap(words: Sequence[Word], index: int) -> float:
    """Return the seconds between a word and the one before it."""
    return words[index].start_seconds - words[index - 1].end_seconds
