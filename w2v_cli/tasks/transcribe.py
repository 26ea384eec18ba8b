"""Transcription: waveforms to a transcript with words and segments in seconds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.errors import AudioError
from w2v_cli.inference.emitter import Emitter
from w2v_cli.results import Segment, Transcript, Word

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.emitter import FloatArray
    from w2v_cli.inference.runtime import Runtime


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
    """A model that transcribes, with greedy decoding.

    Args:
        emitter: The model.
        segmentation: Where to cut; None for the defaults.
    """

    def __init__(self, emitter: Emitter, segmentation: Segmentation | None = None) -> None:
        self.emitter = emitter
        self.alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)
        self.segmentation = segmentation or Segmentation()

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
    ) -> Transcriber:
        """Return the transcriber of a folder, an embedded model or a model id.

        Args and errors are those of `Emitter.load`.
        """
        return cls(Emitter.load(name, runtime=runtime, hub=hub, target_lang=target_lang))

    def transcribe(self, waveforms: Waveforms, *, source: str | None = None) -> Transcript:
        """Return what is said in a recording; an empty transcript where nothing is.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned; every channel is
                transcribed on its own.
            source: The recording's name, for the transcript.

        Raises:
            AudioError: The model hears another sample rate, or the memory is too small.
        """
        segments: list[Segment] = []
        for waveform, channel in zip(waveforms.channels, waveforms.channel_numbers, strict=True):
            words = self._words(waveform, waveforms, source)
            # Of one channel alone, whoever chose it need not be told which.
            label = channel if len(waveforms.channels) > 1 else None
            segments += [_segment(piece, label) for piece in cut(words, self.segmentation)]
        segments = in_time_order(segments)
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            segments=tuple(segments),
            duration_seconds=waveforms.duration_seconds,
            model=self.emitter.name,
            source=source,
        )

    def _words(self, waveform: FloatArray, waveforms: Waveforms, source: str | None) -> list[Word]:
        """Return the words of one channel, in seconds of the recording."""
        if not np.ptp(waveform if waveform.size else [0]):
            return []  # digital silence: a network was never trained on it and may babble
        try:
            emissions = self.emitter.emissions(waveform, sample_rate=waveforms.sample_rate)
        except AudioError as error:
            raise AudioError(f"{source}: {error}" if source else str(error)) from error
        hypothesis = greedy_decode(emissions, self.alphabet)
        frame_seconds = self.emitter.hop_samples / self.emitter.sample_rate
        begin = waveforms.start_seconds
        end = begin + waveforms.duration_seconds
        return [
            Word(
                text=word.text,
                start_seconds=min(begin + word.start_frame * frame_seconds, end),
                # What is shorter than a frame was padded: nothing ends after the recording.
                end_seconds=min(begin + word.end_frame * frame_seconds, end),
                probability=word.probability,
            )
            for word in hypothesis.words
        ]


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


def _gap(words: Sequence[Word], index: int) -> float:
    """Return the seconds between a word and the one before it."""
    return words[index].start_seconds - words[index - 1].end_seconds
