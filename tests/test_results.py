"""Results are values: frozen, comparable, picklable."""

import dataclasses
import pickle

import numpy as np
import pytest

from w2v_cli import results
from w2v_cli.results import (
    Alternative,
    Character,
    Classification,
    Diarization,
    Embedding,
    FrameActivity,
    Label,
    Segment,
    Stretch,
    Transcript,
    Turn,
    VectorKind,
    Word,
)

CHARACTER = Character("y", 0.5, 0.52, 0.9)
WORD = Word("yes", 0.5, 0.9, 0.9, (CHARACTER,))
ALTERNATIVE = Alternative("yes", -1.5)
SEGMENT = Segment(0, 0.5, 0.9, "yes", (WORD,))
TRANSCRIPT = Transcript("yes", (SEGMENT,), 2.0, "mini", "a.wav", (ALTERNATIVE,))
KIND = VectorKind("mini-speakers", "last", "mean", unit_length=True)
EMBEDDING = Embedding(np.ones((2, 3), np.float32), KIND, 2.0, "a.wav", (1, 2), np.arange(2.0))
TURN = Turn(0.5, 0.9, "SPEAKER_00")
DIARIZATION = Diarization((TURN,), ("SPEAKER_00",), 2.0, "mini-turns", transcript=TRANSCRIPT)
LABEL = Label("yes", 0.9)
STRETCH = Stretch(0.5, 0.9)

RESULTS = [
    CHARACTER,
    WORD,
    SEGMENT,
    ALTERNATIVE,
    TRANSCRIPT,
    KIND,
    EMBEDDING,
    TURN,
    DIARIZATION,
    LABEL,
    STRETCH,
]
ARRAYS = {FrameActivity, Classification}  # of numbers, which are no values


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_results_are_values(result):
    first = dataclasses.fields(result)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, first, "other")
    copy = pickle.loads(pickle.dumps(result))
    assert copy == result
    assert hash(copy) == hash(result)


def test_every_result_is_tested_here():
    classes = {value for value in vars(results).values() if dataclasses.is_dataclass(value)}
    assert classes - ARRAYS == {type(result) for result in RESULTS}


def test_seconds_are_named_so():
    units = ("_seconds", "probability", "score")
    for result in RESULTS:
        for field in dataclasses.fields(result):
            assert "float" not in field.type or field.name.endswith(units)


def test_what_may_be_left_out():
    assert Segment(0, 0.0, 1.0, "", ()).channel is None
    assert Transcript("", (), 0.0, "mini").source is None
    assert Transcript("", (), 0.0, "mini").alternatives == ()
    assert Alternative("", 0.0).lm_score is None
    word = Word("", 0.0, 1.0, 1.0)
    assert word.characters == ()
    assert not word.interpolated
