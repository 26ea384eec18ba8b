"""Alignment: waveforms and the text that is said in them to a transcript with times."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.decoding.alignment import align_words
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.errors import AlignmentError, AudioError
from w2v_cli.inference.emitter import Emitter
from w2v_cli.results import Segment, Transcript, Word
from w2v_cli.tasks.session import Clock

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime


class Aligner:
    """A model that finds a known text in recordings.

    Args:
        emitter: The model.
    """

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.alphabet = Alphabet.from_tokenizer(emitter.processor.tokenizer)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
    ) -> Aligner:
        """Return the aligner of a folder, an embedded model or a model id.

        Args and errors are those of `Emitter.load`.
        """
        return cls(Emitter.load(name, runtime=runtime, hub=hub, target_lang=target_lang))

    def align(self, waveforms: Waveforms, text: str, *, source: str | None = None) -> Transcript:
        """Return the text with the times of its lines, words and characters.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned, of one channel.
            text: What is said, all of it and in this order. Its words come back as they are
                written here, and each line that has any becomes a segment.
            source: The recording's name, for the transcript.

        Raises:
            AlignmentError: The text has no words, more than the recording has room for, or
                letters that the model does not know at all; or the recording is silent.
            AudioError: The model hears another sample rate, or the memory is too small.
            ValueError: There are several channels.
        """
        if len(waveforms.channels) != 1:
            raise ValueError(f"a text is aligned with one channel, not {len(waveforms.channels)}")
        lines = [line.split() for line in text.splitlines()]
        words = [word for line in lines for word in line]
        try:
            hypothesis = align_words(self._emissions(waveforms, words), words, self.alphabet)
        except AudioError as error:
            named = type(error)(f"{source}: {error}") if source else error
            raise named from error
        clock = Clock(
            frame_seconds=self.emitter.hop_samples / self.emitter.sample_rate,
            begin_seconds=waveforms.start_seconds,
            end_seconds=waveforms.start_seconds + waveforms.duration_seconds,
        )
        timed = [clock.word(word) for word in hypothesis.words]
        segments = tuple(_segments(timed, [len(line) for line in lines]))
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            segments=segments,
            duration_seconds=waveforms.duration_seconds,
            model=self.emitter.name,
            source=source,
        )

    def _emissions(
        self, waveforms: Waveforms, words: Sequence[str]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Return the emissions of the only channel, if there is anything to align."""
        (waveform,) = waveforms.channels
        if not words:
            raise AlignmentError("the text has no words; there is nothing to align")
        # A network was never trained on digital silence, and may hear anything in it.
        if waveform.size == 0 or not np.ptp(waveform):
            raise AlignmentError("nothing but silence, and a text to align; is it the right one?")
        return self.emitter.emissions(waveform, sample_rate=waveforms.sample_rate)


def _segments(words: Sequence[Word], lengths: Sequence[int]) -> Iterator[Segment]:
    """Yield a segment for each line, given how many words each has."""
    first = n_segments = 0
    for length in lengths:
        line = tuple(words[first : first + length])
        first += length
        if line:
            yield Segment(
                id=n_segments,
                start_seconds=line[0].start_seconds,
                end_seconds=line[-1].end_seconds,
                text=" ".join(word.text for word in line),
                words=line,
            )
            n_segments += 1
