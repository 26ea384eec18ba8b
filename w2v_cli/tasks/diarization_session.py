"""One recording on its way through a model that tells who speaks, chunk by chunk."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.diarization.linking import link_by_overlap
from w2v_cli.diarization.pieces import SPEAKS, Blocks, HeardWindows, Piece, Window
from w2v_cli.diarization.splitting import link_divided, windows_of
from w2v_cli.diarization.stitching import stitch
from w2v_cli.diarization.turns import Spans, speaker_spans, within
from w2v_cli.errors import AudioError
from w2v_cli.formats.spoken import recording_name
from w2v_cli.recording_parts import split_part
from w2v_cli.results import Diarization, FrameActivity, Turn
from w2v_cli.tasks.attribution import channel_name
from w2v_cli.tasks.recording import Hearing
from w2v_cli.tasks.task import Ready

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.tasks.diarize import Diarizer

log = logging.getLogger(__name__)

# Of a waveform for a picture, which has several lines of a long recording.
_MOST_STRETCHES = 32768


class DiarizationSession:
    """A recording in which it is being told who speaks; a `w2v_cli.tasks.task.Session`.

    Args:
        diarizer: The model and what it is used for.
        hearing: How the recording is heard.

    Raises:
        AudioError: There are regions, and none of this recording.
    """

    def __init__(self, diarizer: Diarizer, hearing: Hearing) -> None:
        self._diarizer, self._hearing = diarizer, hearing
        self._network = diarizer.network
        numbers = hearing.stream.channel_numbers
        # Each of several channels is a speaker; of one channel the model tells them apart.
        self._channels = tuple(n for n in numbers if n is not None) if len(numbers) > 1 else ()
        self._blocks = Blocks()
        self._pieces: list[list[Piece]] = [[] for _ in numbers]
        self._regions = self._regions_of(hearing.source)
        self._envelope = None
        if diarizer.envelope:
            from w2v_cli.plots.canvas import Envelope

            self._envelope = Envelope(hearing.stream.sample_rate, most=_MOST_STRETCHES)

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield its chunks; errors are those of `Hearing.chunks`."""
        if self._envelope is not None:
            for block in self._hearing.stream.blocks():
                self._envelope.add(block.mean(axis=0))
        return self._hearing.chunks()

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in a chunk's probabilities, and the voices in it.

        Raises:
            AudioError: They are not numbers, or the voices do not fit into the memory.
        """
        self._hearing.kept(chunk, output)  # refuses what is no number
        first_frame = chunk.first_frame - chunk.keep_start
        if self._channels:
            piece = Piece(first_frame, output.max(axis=1, keepdims=True))
        elif self._diarizer.voices is not None:
            piece = self._with_voices(chunk, output)
        else:
            piece = Piece(first_frame, output)
        self._pieces[chunk.channel].append(self._blocks.kept_piece(piece))

    def finish(self) -> Ready[Diarization]:
        """Return who speaks when."""
        stream = self._hearing.stream
        hop_seconds = self._network.hop_samples / self._network.sample_rate
        first_seconds = (
            stream.start_seconds + self._network.lead_samples / self._network.sample_rate
        )
        first_seconds += hop_seconds / 2
        probabilities = self._probabilities()
        spans = speaker_spans(
            probabilities,
            self._diarizer.rules,
            first_seconds=first_seconds,
            step_seconds=hop_seconds,
            begin=stream.start_seconds,
            end=stream.start_seconds + stream.duration_seconds,
        )
        if self._diarizer.voices is not None and not self._channels:
            self._tell_missing(sum(len(of_one) > 0 for of_one in spans))
        if self._regions is not None:
            spans = [within(of_one, self._regions) for of_one in spans]
        order = list(range(len(spans)))
        if not self._channels:
            order.sort(key=lambda index: spans[index][0, 0] if len(spans[index]) else np.inf)
        names = [self._name(rank) for rank in range(len(order))]
        channels = self._channels or (None,) * len(order)
        turns = [
            Turn(float(start), float(end), name, channel)
            for name, index, channel in zip(names, order, channels, strict=True)
            for start, end in spans[index]
        ]
        turns.sort(key=lambda turn: (turn.start_seconds, turn.end_seconds, turn.speaker))
        frames = FrameActivity(probabilities[:, order], first_seconds, hop_seconds, self._envelope)
        return Ready(
            Diarization(
                turns=tuple(turns),
                speakers=tuple(names),
                duration_seconds=stream.duration_seconds,
                model=self._network.name,
                source=self._hearing.source,
                start_seconds=stream.start_seconds,
                frames=frames,
            )
        )

    def _tell_missing(self, n_speakers: int) -> None:
        """Warn if fewer speakers were found than there are said to be."""
        least = self._diarizer.voice_rules.least
        if n_speakers < least and least > 1:
            log.warning(
                "%s: only %d of %d speakers could be told apart",
                self._hearing.source or "the recording",
                n_speakers,
                least,
            )

    def _name(self, rank: int) -> str:
        return channel_name(self._channels[rank]) if self._channels else f"SPEAKER_{rank:02d}"

    def _regions_of(self, source: str | None) -> Spans | None:
        regions = self._diarizer.regions
        if regions is None:
            return None
        name = recording_name(None if source is None else split_part(source).recording)
        if name not in regions:
            raise self._hearing.error(
                AudioError(f"the UEM has no line for {name}; add one, or leave out --uem")
            )
        return np.array(regions[name], dtype=np.float64)

    def _n_frames(self) -> int:
        """Return how many frames the recording has, chunks that nobody heard included."""
        network = self._network
        n_samples = round(self._hearing.stream.duration_seconds * network.sample_rate)
        known = max((piece.end_frame for row in self._pieces for piece in row), default=0)
        beyond = (n_samples - network.receptive_field_samples) // network.hop_samples + 1
        return max(beyond, min(known, 1), 0)

    def _probabilities(self) -> FloatArray:
        """Return who speaks in which frame, (frames, speakers)."""
        n_frames = self._n_frames()
        if self._channels:
            rows = [stitch(row, [[0]] * len(row), 1, n_frames) for row in self._pieces]
            return np.concatenate(rows, axis=1)
        (pieces,) = self._pieces
        if self._diarizer.voices is None:
            labels, n_speakers = link_by_overlap(pieces), self._network.n_speakers
        else:
            rules = self._diarizer.voice_rules
            step_seconds = self._network.hop_samples / self._network.sample_rate
            pieces, labels, n_speakers = link_divided(pieces, rules, step_seconds)
        return stitch(pieces, labels, n_speakers, n_frames)

    def _with_voices(self, chunk: Chunk, probabilities: FloatArray) -> Piece:
        """Return a piece with the voices of what each output says alone."""
        speaks = probabilities > SPEAKS
        alone = speaks & (speaks.sum(axis=1, keepdims=True) == 1)
        step_seconds = self._network.hop_samples / self._network.sample_rate
        windows = []
        for of_one in alone.T:
            found = windows_of(of_one, step_seconds)
            voices = self._voices(chunk, found)
            known = voices.any(axis=1)
            spans = tuple(span for span, is_known in zip(found, known, strict=True) if is_known)
            windows.append(HeardWindows(spans, voices[known]))
        first_frame = chunk.first_frame - chunk.keep_start
        return Piece(first_frame, probabilities, windows=tuple(windows))

    def _voices(self, chunk: Chunk, windows: Sequence[Window]) -> FloatArray:
        """Return the voice in each window of a chunk, (windows, dimensions); zeros for none."""
        voices = self._diarizer.voices
        assert voices is not None
        hop = self._network.hop_samples
        samples = chunk.input_values[self._network.lead_samples :]
        try:
            return voices.of([samples[first * hop : end * hop] for first, end in windows])
        except AudioError as error:
            raise self._hearing.error(error) from error
