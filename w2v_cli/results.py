"""What a task found in a recording. Plain, frozen, and timed in seconds.

Times count from the start of the recording, also when only a part of it was read: a word
12 seconds into the file says 12 with and without `--start 10`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)  # three hours have a hundred thousand
class Character:
    """One character of a word and when it was said.

    Attributes:
        text: A letter, or what else the model's vocabulary has as one piece.
        start_seconds: Where its first frame starts.
        end_seconds: Where its last frame ends.
        probability: How sure the model is of it, 0 to 1.
    """

    text: str
    start_seconds: float
    end_seconds: float
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said.

    Attributes:
        text: The word, without spaces around it.
        start_seconds: Where its first letter starts.
        end_seconds: Where its last letter ends.
        probability: How sure the model is of it, 0 to 1.
        characters: Its characters with their times; empty where nobody asked for them.
        interpolated: The times are a guess between the neighbours': the model gave none.
    """

    text: str
    start_seconds: float
    end_seconds: float
    probability: float
    characters: tuple[Character, ...] = ()
    interpolated: bool = False


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses.

    Attributes:
        id: Its place in the transcript, from 0.
        start_seconds: Where its first word starts.
        end_seconds: Where its last word ends.
        text: Its words, with one space between them.
        words: The same words with their times.
        channel: The recording's channel it was heard on, from 1, where the channels were
            transcribed apart; else None.
    """

    id: int
    start_seconds: float
    end_seconds: float
    text: str
    words: tuple[Word, ...]
    channel: int | None = None


@dataclass(frozen=True)
class Alternative:
    """One of the best readings of a recording's channel.

    Attributes:
        text: The whole text.
        logit_score: Natural logarithm of what the network gives it.
        lm_score: The same with the language model's share, which ranks the readings; None
            where no language model was used.
        channel: The channel it was read on, where the channels were transcribed apart.
    """

    text: str
    logit_score: float
    lm_score: float | None = None
    channel: int | None = None


@dataclass(frozen=True)
class Transcript:
    """Everything said in one recording, as one model heard it.

    Attributes:
        text: The whole text; empty where nobody speaks.
        segments: The text in pieces, in the order of their start.
        duration_seconds: How much of the recording was read.
        model: The model that was asked for: a folder, a model id or an embedded name.
        source: The recording as the user named it; None for one held in memory.
        alternatives: The best readings of each channel, best first; empty unless asked for.
    """

    text: str
    segments: tuple[Segment, ...]
    duration_seconds: float
    model: str
    source: str | None = None
    alternatives: tuple[Alternative, ...] = ()
