"""Who said what: the words of a transcript are given to the turns of speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from w2v_cli.results import Segment, Transcript, Turn, Word
from w2v_cli.tasks.segments import in_time_order, segment_of

_ROUNDING = 1e-9  # seconds


def attribute(transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
    """Return a transcript whose segments each have one speaker.

    A word is said by whoever speaks for the longest part of it. Of several that do for the same,
    it is the speaker of the word before, or else the one who comes first in the order of names.
    A word in nobody's turn belongs to the turn that is nearest. Where another speaks, a segment
    is cut.

    Args:
        transcript: What was said.
        turns: Who speaks when. Words of a channel are said in turns on that channel, if any turn
            has one; in none, by whoever the channel is of. None at all leave a transcript of a
            single channel as it is.
    """
    if not turns and all(segment.channel is None for segment in transcript.segments):
        return transcript
    by_channel = not turns or any(turn.channel is not None for turn in turns)
    segments: list[Segment] = []
    voices: dict[int | None, TurnsOfVoices] = {}
    for segment in transcript.segments:
        channel = segment.channel if by_channel else None
        if channel not in voices:
            here = [turn for turn in turns if channel is None or turn.channel == channel]
            voices[channel] = TurnsOfVoices(here)
        if voices[channel].names or channel is None:
            segments += _by_speakers(segment, voices[channel])
        else:
            segments.append(replace(segment, speaker=channel_name(channel)))
    ordered = in_time_order(segments)
    text = " ".join(segment.text for segment in ordered)
    return replace(transcript, text=text, segments=tuple(ordered))


def channel_name(number: int) -> str:
    """Return what the speaker on a channel is called.

    >>> channel_name(2)
    'CHANNEL_2'
    """
    return f"CHANNEL_{number}"


class TurnsOfVoices:
    """Finds who says a word.

    Args:
        turns: Who speaks when.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.names = sorted({turn.speaker for turn in turns})
        self._speakers = np.array([self.names.index(turn.speaker) for turn in turns], dtype=int)
        self._starts = np.array([turn.start_seconds for turn in turns])
        self._ends = np.array([turn.end_seconds for turn in turns])

    def speaker_of(self, word: Word, before: str | None) -> str | None:
        """Return who says a word; None where nobody ever speaks.

        Args:
            word: The word.
            before: Who says the one before it.
        """
        if not self.names:
            return None
        end_seconds = max(word.end_seconds, word.start_seconds)
        # Below 0 where they don't meet: so far apart they are.
        shared = np.minimum(self._ends, end_seconds) - np.maximum(self._starts, word.start_seconds)
        fit = np.full(len(self.names), -np.inf)
        if (shared > 0).any():
            fit = np.bincount(self._speakers, np.maximum(shared, 0), len(self.names))
        else:
            np.maximum.at(fit, self._speakers, shared)
        best = [self.names[index] for index in np.flatnonzero(fit >= fit.max() - _ROUNDING)]
        return before if before in best else best[0]


def _by_speakers(segment: Segment, turns: TurnsOfVoices) -> list[Segment]:
    """Return a segment in parts with one speaker each; one without words as it is."""
    speakers: list[str | None] = []
    for word in segment.words:
        speakers.append(turns.speaker_of(word, speakers[-1] if speakers else None))
    if not speakers:
        return [segment]
    pairs = zip(speakers, segment.words, strict=True)
    return [
        replace(segment_of([word for _, word in said], segment.channel), speaker=speaker)
        for speaker, said in groupby(pairs, key=lambda pair: pair[0])
    ]
