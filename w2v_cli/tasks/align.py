"""Alignment: waveforms and the text that is said in them to a transcript with times."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.audio.waveforms import HeldStream
from w2v_cli.decoding.alignment import align_words
from w2v_cli.decoding.spelling import Speller
from w2v_cli.decoding.utterances import blank_emissions
from w2v_cli.errors import AlignmentError, AudioError
from w2v_cli.inference.chunks import Chunk, Chunker, Chunking
from w2v_cli.inference.emitter import CTC_HEAD, Emitter
from w2v_cli.results import Segment, Transcript, Word
from w2v_cli.tasks.decoding import spaced_alphabet
from w2v_cli.tasks.recording import about, check_rate
from w2v_cli.tasks.segments import segment_of
from w2v_cli.tasks.session import Clock

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms, WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.inference.runtime import Runtime

ALIGNING_HEAD = replace(CTC_HEAD, job="align", cannot="align")


class Aligner:
    """A model that finds a known text in recordings.

    Args:
        emitter: The model.
        chunking: How long recordings are cut; None for the defaults.
    """

    def __init__(self, emitter: Emitter, chunking: Chunking | None = None) -> None:
        self.emitter = emitter
        self.chunking = chunking or Chunking()
        self.alphabet = spaced_alphabet(emitter)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        target_lang: str | None = None,
        chunking: Chunking | None = None,
    ) -> Aligner:
        """Return the aligner of a folder, an embedded model or a model id.

        Args and errors are those of `Emitter.load`; `chunking` says how long recordings are cut.
        """
        emitter = Emitter.load(
            name, runtime=runtime, hub=hub, target_lang=target_lang, head=ALIGNING_HEAD
        )
        return cls(emitter, chunking)

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
        return self.align_stream(HeldStream(waveforms), text, source=source)

    def align_stream(
        self, stream: WaveformStream, text: str, *, source: str | None = None
    ) -> Transcript:
        """Return the text with its times in a recording of one channel that is open.

        A long one is read and heard in chunks. Args and errors are those of `align`.

        Raises:
            AudioError: Also where the recording cannot be read to its end.
        """
        lines = [line.split() for line in text.splitlines()]
        words = [word for line in lines for word in line]
        emissions = self._emissions(stream, words, source)
        with _naming(source):
            spoken = Speller(self.alphabet).unquoted(words)
            hypothesis = align_words(emissions, words, self.alphabet, spoken=spoken)
        duration_seconds = stream.duration_seconds
        end_seconds = stream.start_seconds + duration_seconds
        clock = Clock.of(self.emitter, stream.start_seconds, end_seconds)
        timed = [clock.word(word) for word in hypothesis.words]
        segments = tuple(_segments(timed, [len(line) for line in lines]))
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            segments=segments,
            duration_seconds=duration_seconds,
            model=self.emitter.name,
            source=source,
            start_seconds=stream.start_seconds,
        )

    def _emissions(
        self, stream: WaveformStream, words: Sequence[str], source: str | None
    ) -> FloatArray:
        """Return the emissions of the only channel, if there is anything to align."""
        with _naming(source):
            if not words:
                raise AlignmentError("the text has no words; there is nothing to align")
        check_rate(self.emitter, stream, source)
        pieces: list[FloatArray] = []
        n_frames = 0
        for chunk in Chunker(self.emitter, self.chunking).chunks(stream.blocks):
            with _naming(source):
                kept = self._heard(chunk)
            # Digital silence, which the network does not hear, is blank.
            n_silent = chunk.first_frame - n_frames
            pieces.append(blank_emissions(n_silent, kept.shape[1], self.alphabet.blank_id))
            pieces.append(kept)
            n_frames += n_silent + len(kept)
        with _naming(source):
            if not pieces:
                raise AlignmentError(
                    "nothing but silence, and a text to align; is it the right one?"
                )
        return np.concatenate(pieces)

    def _heard(self, chunk: Chunk) -> FloatArray:
        """Return the emissions that are kept of a chunk."""
        (output,) = self.emitter.run([chunk])
        if np.isnan(output).any():
            raise self.emitter.not_a_number()
        return output[chunk.keep_start : chunk.keep_end]


@contextlib.contextmanager
def _naming(source: str | None) -> Iterator[None]:
    """Have errors of the `with` block say which recording they are about."""
    try:
        yield
    except AudioError as error:
        raise about(source, error) from error


def _segments(words: Sequence[Word], lengths: Sequence[int]) -> Iterator[Segment]:
    """Yield a segment for each line, given how many words each has."""
    first = n_segments = 0
    for length in lengths:
        line = tuple(words[first : first + length])
        first += length
        if line:
            yield segment_of(line, None, n_segments)
            n_segments += 1
