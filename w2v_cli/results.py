"""What a task found in a recording. Plain, frozen, and timed in seconds.

Times count from the start of the recording, also when only a part of it was read: a word
12 seconds into the file says 12 with and without `--start 10`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from w2v_cli.plots.canvas import Envelope

    FloatArray = npt.NDArray[np.floating[Any]]


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
        characters: Its characters with their times; empty where they are not known.
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
        speaker: Who says it, where that was asked for and somebody was found; else None.
    """

    id: int
    start_seconds: float
    end_seconds: float
    text: str
    words: tuple[Word, ...]
    channel: int | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Alternative:
    """One of the best readings of a recording's channel.

    Attributes:
        text: The whole text.
        logit_score: Natural logarithm of what the network gives it.
        lm_score: The same with the shares of language model and hotwords, if there are any,
            which ranks the readings; None where nothing was searched.
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
        start_seconds: Where in the recording the part that was read begins; times count from the
            recording's beginning.
    """

    text: str
    segments: tuple[Segment, ...]
    duration_seconds: float
    model: str
    source: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    start_seconds: float = 0.0


@dataclass(frozen=True)
class VectorKind:
    """What made a vector: only those of one kind can be compared.

    Attributes:
        model: The model that was asked for: a folder, a model id or an embedded name.
        layer: Which layer's hidden states: a number, or last; None for an x-vector.
        pool: How frames became a vector: mean, max, mean+std, or none for a vector a frame;
            None for an x-vector.
        unit_length: Each was divided by its length.
    """

    model: str
    layer: str | None = None
    pool: str | None = None
    unit_length: bool = False


@dataclass(frozen=True, eq=False)
class Embedding:
    """A recording as vectors: one for each channel that was heard, or one for each frame.

    Two are equal if all their numbers are.

    Attributes:
        vectors: float32 or float16, (vectors, dimensions).
        kind: What made them.
        duration_seconds: How much of the recording was read.
        source: The recording as the user named it; None for one held in memory.
        channels: The channel of each vector, from 1, where the channels were heard apart; empty
            where they were not.
        starts_seconds: Where the frame of each vector begins, (vectors,); None where a vector
            stands for a whole channel.
    """

    vectors: FloatArray
    kind: VectorKind
    duration_seconds: float
    source: str | None = None
    channels: tuple[int, ...] = ()
    starts_seconds: FloatArray | None = None

    def _value(self) -> tuple[Any, ...]:
        starts = None if self.starts_seconds is None else self.starts_seconds.tolist()
        numbers = (str(self.vectors.dtype), self.vectors.shape, self.vectors.tobytes())
        return numbers, self.kind, self.duration_seconds, self.source, self.channels, str(starts)

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Embedding) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in which somebody speaks.

    Attributes:
        start_seconds: Where it starts.
        end_seconds: Where it ends.
        speaker: Who speaks.
        channel: The recording's channel it was heard on, from 1, where each channel is a
            speaker; else None.
    """

    start_seconds: float
    end_seconds: float
    speaker: str
    channel: int | None = None


@dataclass(frozen=True, eq=False)
class FrameActivity:
    """How sure a model is, frame by frame, that each speaker speaks.

    Attributes:
        probabilities: 0 to 1, float32 (frames, speakers).
        first_seconds: The middle of the first frame.
        step_seconds: From the middle of one frame to that of the next.
        envelope: What the recording's waveform looks like, for pictures; None where nobody asked.
    """

    probabilities: FloatArray
    first_seconds: float
    step_seconds: float
    envelope: Envelope | None = None


@dataclass(frozen=True)
class Diarization:
    """Who speaks when in one recording, as one model heard it.

    Attributes:
        turns: By their start, and those of one start by their end; they may overlap.
        speakers: The speakers' names, by their first turn; those without a turn last.
        duration_seconds: How much of the recording was read.
        model: The model that was asked for: a folder, a model id or an embedded name.
        source: The recording as the user named it; None for one held in memory.
        start_seconds: Where in the recording reading began.
        transcript: What they say, where that was asked for.
        frames: What the turns were made from; its columns are the speakers. It does not count
            when two of these are compared.
    """

    turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    duration_seconds: float
    model: str
    source: str | None = None
    start_seconds: float = 0.0
    transcript: Transcript | None = None
    frames: FrameActivity | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Label:
    """One of the labels of a recording, or of a stretch of it.

    Attributes:
        text: The label, as the model's configuration names it.
        score: How sure the model is of it, 0 to 1; any number where no function was applied.
    """

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording that was classified on its own.

    Attributes:
        start_seconds: Where it starts.
        end_seconds: Where it ends.
        channel: The recording's channel it was heard on, from 1, where the channels were
            classified apart; else None.
    """

    start_seconds: float
    end_seconds: float
    channel: int | None = None


@dataclass(frozen=True, eq=False)
class Classification:
    """The labels of one recording, as one model heard it.

    Attributes:
        names: The labels that there are.
        stretches: What was classified, in the order of its start: each channel as a whole, or
            one window after the other.
        scores: The score of every label for each stretch, float32 (stretches, names).
        function: What made scores of the network's outputs: softmax, sigmoid or none.
        windowed: Stretches are windows.
        duration_seconds: How much of the recording was read.
        model: The model that was asked for: a folder, a model id or an embedded name.
        source: The recording as the user named it; None for one held in memory.
        envelope: What its waveform looks like, for pictures; None where nobody asked.
    """

    names: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    scores: FloatArray
    function: str
    windowed: bool
    duration_seconds: float
    model: str
    source: str | None = None
    envelope: Envelope | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of the first stretch, best first: of all, if it is not cut into windows."""
        return self.best(0) if self.stretches else ()

    def best(
        self, stretch: int, top_k: int | None = None, threshold: float | None = None
    ) -> tuple[Label, ...]:
        """Return the labels of a stretch, best first; of equal ones the model's first.

        Args:
            stretch: Its number.
            top_k: How many at most; None for all.
            threshold: Leave out those with a lower score; None for none.
        """
        scores = self.scores[stretch].tolist()
        order = sorted(range(len(scores)), key=lambda index: -scores[index])
        return tuple(
            Label(self.names[index], scores[index])
            for index in order[:top_k]
            if threshold is None or scores[index] >= threshold
        )
