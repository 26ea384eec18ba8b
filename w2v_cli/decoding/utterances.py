"""Emissions of any length cut into utterances, so that neither they nor beams pile up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alphabet import Alphabet

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

# What the blank has in a frame that nobody listened to; the others share the rest.
_SURE = 1.0 - 1e-9


@dataclass(frozen=True, eq=False)
class Utterance:
    """Emissions that are decoded together.

    Attributes:
        first_frame: Which frame of the recording is their first.
        emissions: Natural-log probabilities, (frames, vocab).
    """

    first_frame: int
    emissions: FloatArray


@dataclass(frozen=True)
class UtteranceLimits:
    """Where emissions may be cut.

    Attributes:
        min_frames: Shorter ones stay together with what follows.
        pause_frames: As long nobody has said anything before a cut, and a word has ended;
        silence_frames: or as long, whatever came before.
        max_frames: Without such a place in so many frames, the cut is at the longest pause.
    """

    min_frames: int = 1500
    pause_frames: int = 50
    silence_frames: int = 150
    max_frames: int = 6000

    @classmethod
    def of(
        cls,
        frame_seconds: float,
        *,
        min_seconds: float = 30.0,
        pause_seconds: float = 1.0,
        silence_seconds: float = 3.0,
        max_seconds: float = 120.0,
    ) -> UtteranceLimits:
        """Return the limits in frames of a length."""
        in_seconds = min_seconds, pause_seconds, silence_seconds, max_seconds
        return cls(*(max(round(seconds / frame_seconds), 1) for seconds in in_seconds))


class UtteranceCutter:
    """Cuts emissions at pauses while they arrive.

    A pause is a stretch of frames whose best output is no letter, with the word delimiter among
    them. So no word is cut: the best path through the parts, one after the other, is the best
    path through all. Only a silence needs no delimiter: nobody pauses so long inside a word.

    Where a cut lies depends on the emissions alone, not on the pieces that they come in.

    Args:
        alphabet: What the outputs write.
        limits: Where to cut.
    """

    def __init__(self, alphabet: Alphabet, limits: UtteranceLimits | None = None) -> None:
        self._alphabet = alphabet
        self._limits = limits or UtteranceLimits()
        self._first_frame = 0
        self._emissions: list[FloatArray] = []
        # For each frame that waits: how long nobody said a letter, up to and with it, and
        # whether a word ended meanwhile.
        self._pauses: list[IntArray] = []
        self._is_between: list[BoolArray] = []
        self._n_waiting = 0
        self._pause, self._between = 0, alphabet.word_delimiter_id is None

    @property
    def n_frames(self) -> int:
        """How many frames were added until now."""
        return self._first_frame + self._n_waiting

    def add(self, emissions: FloatArray) -> Iterator[Utterance]:
        """Take in the next frames, and yield the utterances that are complete with them."""
        if len(emissions) == 0:
            return
        self._emissions.append(emissions)
        self._n_waiting += len(emissions)
        self._measure(emissions)
        while self._n_waiting > self._limits.min_frames:
            place = self._place()
            if place is None:
                return
            yield self._cut(place)

    def skip(self, n_frames: int, vocab_size: int) -> Iterator[Utterance]:
        """Take in frames in which nothing is said."""
        for start in range(0, n_frames, self._limits.max_frames):
            n_blanks = min(self._limits.max_frames, n_frames - start)
            yield from self.add(blank_emissions(n_blanks, vocab_size, self._alphabet.blank_id))

    def waiting(self) -> list[FloatArray]:
        """Return the emissions that belong to no complete utterance yet, in pieces."""
        return [piece for piece in self._emissions if len(piece)]

    def finish(self) -> Iterator[Utterance]:
        """Yield the last utterance, if a frame is left."""
        if self._n_waiting:
            yield self._cut(self._n_waiting)

    def _measure(self, emissions: FloatArray) -> None:
        """Find the pauses in new frames."""
        ids = emissions.argmax(axis=1)
        alphabet = self._alphabet
        silent = [alphabet.blank_id, *alphabet.ignored_ids]
        if alphabet.word_delimiter_id is not None:
            silent.append(alphabet.word_delimiter_id)
        is_letter = (ids < len(alphabet.tokens)) & ~np.isin(ids, silent)
        frames = np.arange(len(ids))
        # The last letter and the last delimiter at or before each frame; before all: -1, or where
        # they were before these frames.
        letters = np.where(is_letter, frames, -1 - self._pause)
        letters = np.maximum.accumulate(letters)
        self._pauses.append(frames - letters)
        if alphabet.word_delimiter_id is None:
            between = np.ones(len(ids), np.bool_)
        else:
            never = -2 - self._pause
            before = -1 if self._between else never
            delimiters = np.where(ids == alphabet.word_delimiter_id, frames, before)
            between = np.maximum.accumulate(delimiters) > letters
        self._is_between.append(between)
        self._pause, self._between = int(frames[-1] - letters[-1]), bool(between[-1])

    def _place(self) -> int | None:
        """Return how many of the frames that wait are complete; None if they wait on."""
        limits = self._limits
        window = slice(limits.min_frames - 1, limits.max_frames)
        pauses = _joined(self._pauses)[window]
        between = _joined(self._is_between)[window]
        good = (between & (pauses >= limits.pause_frames)) | (pauses >= limits.silence_frames)
        if good.any():
            return limits.min_frames + int(good.argmax())
        if self._n_waiting < limits.max_frames:
            return None
        if between.any():
            pauses = np.where(between, pauses, 0)
        return limits.min_frames + int(pauses.argmax())

    def _cut(self, n_frames: int) -> Utterance:
        emissions = _joined(self._emissions)
        utterance = Utterance(self._first_frame, emissions[:n_frames].copy())
        self._emissions = [emissions[n_frames:].copy()]
        self._pauses = [_joined(self._pauses)[n_frames:].copy()]
        self._is_between = [_joined(self._is_between)[n_frames:].copy()]
        self._n_waiting -= n_frames
        self._first_frame += n_frames
        return utterance


def _joined(pieces: list[Any]) -> Any:
    """Return the pieces as one array, which becomes their only one."""
    pieces[:] = [np.concatenate(pieces)] if len(pieces) > 1 else pieces
    return pieces[0]


def blank_emissions(n_frames: int, vocab_size: int, blank_id: int) -> npt.NDArray[np.float32]:
    """Return emissions of frames in which nothing is said, (n_frames, vocab_size)."""
    others = (1.0 - _SURE) / max(vocab_size - 1, 1)
    row = np.full(vocab_size, np.log(others), np.float32)
    row[blank_id] = np.log(_SURE)
    return np.tile(row, (n_frames, 1))
