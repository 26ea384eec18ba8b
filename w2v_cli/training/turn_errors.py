"""Who speaks when, as `w2v diarize-frames` hears it, measured by time as the field does."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from w2v_cli.audio import SAMPLE_RATE, Waveforms
from w2v_cli.diarization.turns import runs_of, within
from w2v_cli.errors import AudioError
from w2v_cli.formats.spoken import recording_name
from w2v_cli.results import Turn
from w2v_cli.scoring.diarization import ScoringRules, TurnRates, rate_turns
from w2v_cli.scoring.turn_files import Regions
from w2v_cli.tasks.diarize import Diarizer
from w2v_cli.training.augmentation import Waveform
from w2v_cli.training.conversations import Mixing
from w2v_cli.training.examples import Recordings
from w2v_cli.training.figures import Tally
from w2v_cli.training.frames import FrameErrors, FramesObjective, count_errors
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import Evaluation, Result
from w2v_cli.training.turns import (
    BLOCK_SAMPLES,
    Activity,
    SpokenTurn,
    activity_of_turns,
    count_blocks,
)

logger = logging.getLogger(__name__)

_SEED = 20
_CONVERSATION_SECONDS = 30.0

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class TurnErrors:
    """What is wrong in a conversation.

    Attributes:
        rates: Seconds, by kind.
        blocks: The same in blocks of 10 ms, without a collar.
    """

    rates: TurnRates
    blocks: FrameErrors


class Conversation(NamedTuple):
    """What is heard, and who speaks when in it, in seconds of the recording.

    Attributes:
        waveform: (samples,).
        start_seconds: Where in the recording it begins.
        turns: Who speaks when.
        regions: Where that counts; None for everywhere.
    """

    waveform: Waveform
    start_seconds: float
    turns: tuple[SpokenTurn, ...]
    regions: Spans | None


class TurnsObjective(FramesObjective):
    """Measures a model of frames on whole conversations.

    Those with turns are taken as they are; of recordings of single speakers conversations of half
    a minute are made, the same each time.

    Args:
        diarizer: The model, and how its frames become turns.
        rules: What counts.
        regions: Where that counts, by recordings; others are left out. None for everywhere.
    """

    def __init__(
        self, diarizer: Diarizer, rules: ScoringRules, regions: Regions | None = None
    ) -> None:
        network = diarizer.network
        super().__init__(
            network.feature_extractor,
            hop=network.hop_samples,
            receptive_field=network.receptive_field_samples,
            mixing=Mixing(network.n_speakers, 1.0, _CONVERSATION_SECONDS),
        )
        self.diarizer, self.rules, self.regions = diarizer, rules, regions

    def counts(self, example: Example) -> bool:
        """Say whether an example can be measured on."""
        if self.regions is None:
            return bool(example.turns) or example.speaker is not None
        return recording_name(example.audio) in self.regions

    def evaluate(
        self, model: Any, examples: Sequence[Example], recordings: Recordings
    ) -> Evaluation:
        """Return what a diarizer makes of conversations."""
        results = []
        for example, conversation in self._conversations(examples, recordings):
            try:
                errors = self._wrong(model, conversation)
            except AudioError as error:
                logger.warning("left out: %s: %s", example.audio, error)
                recordings.broken[example.part] = str(error)
                continue
            results.append(Result(example, "", errors))
        return Evaluation(tuple(results), self.measure(results) if results else {})

    def _conversations(
        self, examples: Sequence[Example], recordings: Recordings
    ) -> Iterator[tuple[Example, Conversation]]:
        composer = self.composer(examples, recordings, seed=_SEED)
        for index, example in enumerate(examples):
            if not example.turns and self.regions is None:
                for item in composer.items([(index,)], epoch=0, number=index):
                    assert item.activity is not None
                    turns = turns_of_activity(item.activity)
                    yield example, Conversation(item.waveform, 0.0, turns, None)
                continue
            waveform = recordings.read(example)
            if waveform is not None:
                yield example, self._annotated(example, waveform)

    def _annotated(self, example: Example, waveform: Waveform) -> Conversation:
        start = example.start_seconds
        part = np.array([(start, start + len(waveform) / SAMPLE_RATE)])
        turns = tuple(
            SpokenTurn(begin, end, turn.speaker)
            for turn in example.turns
            for begin, end in within(np.array([turn[:2]]), part).tolist()
        )
        if self.regions is None:
            return Conversation(waveform, start, turns, None)
        regions = within(np.array(self.regions[recording_name(example.audio)]), part)
        return Conversation(waveform, start, turns, regions.tolist())

    def _wrong(self, diarizer: Diarizer, conversation: Conversation) -> TurnErrors:
        """Return what is wrong.

        Raises:
            AudioError: It is too short, or the memory is too small.
            MissingDependencyError: pyannote.metrics is not installed.
        """
        waveform, start = conversation.waveform, conversation.start_seconds
        seconds = len(waveform) / SAMPLE_RATE
        found = diarizer.diarize(Waveforms((waveform,), (None,), SAMPLE_RATE, start, seconds))
        said = [Turn(*turn) for turn in conversation.turns]
        rates = rate_turns(said, found.turns, self.rules, conversation.regions)
        heard = [SpokenTurn(t.start_seconds, t.end_seconds, t.speaker) for t in found.turns]
        rows = [_rows(turns, start, len(waveform)) for turns in (conversation.turns, heard)]
        if conversation.regions is not None:
            counts = [SpokenTurn(*region, "") for region in conversation.regions]
            inside = _rows(counts, start, len(waveform)).any(axis=0)
            rows = [row[:, inside] for row in rows]
        return TurnErrors(rates, count_errors(*rows))

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return der and its parts by the time of speech, jer by speakers, and frame_error."""
        rates: list[TurnRates] = [result.heard.rates for result in results]
        blocks: list[FrameErrors] = [result.heard.blocks for result in results]
        missed, false_alarm, confusion, spoken = np.array(
            [
                (r.missed_seconds, r.false_alarm_seconds, r.confused_seconds, r.spoken_seconds)
                for r in rates
            ]
        ).T.reshape(4, -1, 1)
        jaccard = np.array([[r.jaccard_errors] for r in rates])
        return {
            "der": (missed + false_alarm + confusion, spoken),
            "missed": (missed, spoken),
            "false_alarm": (false_alarm, spoken),
            "confusion": (confusion, spoken),
            "jer": (jaccard, np.array([[float(r.n_speakers)] for r in rates])),
            "frame_error": (
                np.array([[float(b.wrong)] for b in blocks]),
                np.array([[float(b.frames)] for b in blocks]),
            ),
        }


def turns_of_activity(activity: Activity) -> tuple[SpokenTurn, ...]:
    """Return the turns in blocks of 10 ms, (speakers, blocks).

    >>> turns_of_activity(np.array([[0, 1, 1, 0, 1]], dtype=np.float32))
    (SpokenTurn(start_seconds=0.01, end_seconds=0.03, speaker='0'), \
SpokenTurn(start_seconds=0.04, end_seconds=0.05, speaker='0'))
    """
    per_second = SAMPLE_RATE / BLOCK_SAMPLES
    turns = []
    for speaker, row in enumerate(activity):
        for start, end in runs_of(row > 0):
            turns.append(SpokenTurn(start / per_second, end / per_second, str(speaker)))
    return tuple(turns)


def _rows(turns: Sequence[SpokenTurn], start_seconds: float, n_samples: int) -> Activity:
    """Return who speaks in each block, (speakers, blocks); one silent row if nobody does."""
    found = list(activity_of_turns(turns, start_seconds, n_samples).values())
    return np.stack(found) if found else np.zeros((1, count_blocks(n_samples)), np.float32)
