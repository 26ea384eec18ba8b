"""Transcription of what is still being said: segments as soon as they are final."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from w2v_cli.audio.sources import STDIN_LABEL
from w2v_cli.decoding.utterances import UtteranceLimits, blank_emissions
from w2v_cli.errors import AudioError
from w2v_cli.inference.chunks import Chunk, FloatArray, Survey
from w2v_cli.results import Segment
from w2v_cli.tasks.segments import cut, segment_of
from w2v_cli.tasks.session import ChannelText, Clock
from w2v_cli.tasks.transcribe import Transcriber


@dataclass(frozen=True)
class LiveOptions:
    """How soon something is said about what is heard.

    Attributes:
        step_seconds: The network hears what is new as often.
        ahead_seconds: How much it has heard of what follows when a letter is final.
        stride_seconds: How much it hears once more of what came before.
        silence_seconds: A pause that ends a segment whatever came before.
        max_seconds: Without any pause a segment ends after so long.
    """

    step_seconds: float = 1.0
    ahead_seconds: float = 2.0
    stride_seconds: float = 4.0
    silence_seconds: float = 1.5
    max_seconds: float = 20.0


class LiveTranscript:
    """What is said in a stream, while it is read.

    What is final does not depend on how the samples come in, nor on how fast. The loudness of
    the whole stream is not known, so that it is normalised by all that was heard until now; apart
    from that it is what a file with the same samples gives.

    Args:
        transcriber: The model, the decoder, and where segments are cut.
        options: How soon; None for the defaults.
    """

    def __init__(self, transcriber: Transcriber, options: LiveOptions | None = None) -> None:
        self._transcriber = transcriber
        self._emitter = transcriber.emitter
        self._options = options or LiveOptions()
        hop, rate = self._emitter.hop_samples, self._emitter.sample_rate
        self._step = max(round(self._options.step_seconds * rate / hop), 1) * hop
        self._ahead = round(self._options.ahead_seconds * rate / hop)  # frames
        self._stride = math.ceil(self._options.stride_seconds * rate / hop) * hop
        limits = UtteranceLimits.of(
            hop / rate,
            min_seconds=1.0,
            pause_seconds=transcriber.segmentation.pause_seconds,
            silence_seconds=self._options.silence_seconds,
            max_seconds=self._options.max_seconds,
        )
        self._text = ChannelText(
            transcriber.decoder, transcriber.alphabet, limits, None, self._clock
        )
        self._survey = Survey(self._emitter, None)
        self._waiting: list[FloatArray] = []  # samples of the next step
        self._n_waiting = 0
        self._held = np.zeros(0, np.float32)  # samples that the network hears once more
        self._begin = 0  # the first of them, a multiple of the hop
        self._settled = 0  # the first frame that is not final
        self._unsettled: FloatArray | None = None
        self._n_segments = 0
        self._partial: str | None = ""  # None if it is to be decoded anew

    @property
    def duration_seconds(self) -> float:
        """How much the network has heard."""
        return (self._begin + len(self._held)) / self._emitter.sample_rate

    def hear(self, samples: FloatArray) -> list[Segment]:
        """Take in samples and return the segments that have become final.

        Args:
            samples: float32 (samples,), at the rate of the model.

        Raises:
            AudioError: The network gave what is not a number.
            OutOfMemoryError: Its memory is too small.
        """
        self._waiting.append(samples)
        self._n_waiting += len(samples)
        while self._n_waiting >= self._step:
            joined = np.concatenate(self._waiting)
            self._waiting, self._n_waiting = [joined[self._step :]], len(joined) - self._step
            self._listen(joined[: self._step], is_last=False)
        return self._new_segments()

    def finish(self) -> list[Segment]:
        """Return the last segments, after the last sample."""
        rest = np.concatenate([np.zeros(0, np.float32), *self._waiting])
        self._waiting, self._n_waiting = [], 0
        self._listen(rest, is_last=True)
        self._text.finish()
        return self._new_segments()

    def partial(self) -> str:
        """Return the words after the last final segment, which may still change."""
        if self._partial is None:
            pieces = self._text.undecoded()
            if self._unsettled is not None:
                pieces.append(self._unsettled)
            self._partial = ""
            if pieces:
                self._partial = self._transcriber.decoder.preview(np.concatenate(pieces))
        return self._partial

    def _listen(self, samples: FloatArray, *, is_last: bool) -> None:
        """Have the network hear samples, and settle what it has heard enough of."""
        self._partial = None
        self._survey.hear(samples)
        self._held = np.concatenate([self._held, samples])
        hop = self._emitter.hop_samples
        field = self._emitter.receptive_field_samples
        heard = self._held
        if len(heard) < field and is_last and self._begin == 0 and len(heard):
            heard = np.pad(heard, (0, field - len(heard)))
        if len(heard) < field:
            return
        first = self._settled - self._begin // hop
        if np.ptp(heard):
            emissions = self._emissions(heard)[first:]
        else:  # digital silence, of which a network knows nothing
            n_blanks = (len(heard) - field) // hop + 1 - first
            blank_id = self._transcriber.alphabet.blank_id
            emissions = blank_emissions(n_blanks, self._emitter.vocab_size, blank_id)
        n_final = len(emissions) if is_last else max(len(emissions) - self._ahead, 0)
        self._text.hear(self._settled, emissions[:n_final])
        self._text.settle()
        self._unsettled = emissions[n_final:]
        self._settled += n_final
        begin = max(self._settled * hop - self._stride, self._begin)
        self._held = self._held[begin - self._begin :]
        self._begin = begin

    def _emissions(self, heard: FloatArray) -> FloatArray:
        chunk = Chunk(
            self._emitter.scaled(heard, *self._survey.statistics.mean_and_variance),
            context_seconds=self._transcriber.chunking.context_seconds,
            moments=self._survey.moments,
        )
        (emissions,) = self._emitter.run([chunk])
        if np.isnan(emissions).any():
            raise AudioError(f"{STDIN_LABEL}: {self._emitter.not_a_number()}")
        return emissions

    def _new_segments(self) -> list[Segment]:
        segments = []
        for group in cut(self._text.take_words(), self._transcriber.segmentation):
            segments.append(segment_of(group, None, self._n_segments))
            self._n_segments += 1
        return segments

    def _clock(self) -> Clock:
        return Clock.of(self._emitter, 0.0, self.duration_seconds)
