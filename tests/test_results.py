"""Results are values: frozen, comparable, picklable."""

import dataclasses
import pickle

import pytest

from w2v_cli import results
from w2v_cli.results import Segment, Transcript, Word

WORD = Word("yes", 0.5, 0.9, 0.9)
SEGMENT = Segment(0, 0.5, 0.9, "yes", (WORD,))
TRANSCRIPT = Transcript("yes", (SEGMENT,), 2.0, "mini", "a.wav")


@pytest.mark.parametrize("result", [WORD, SEGMENT, TRANSCRIPT], ids=lambda r: type(r).__name__)
def test_results_are_values(result):
    first = dataclasses.fields(result)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, first, "other")
    copy = pickle.loads(pickle.dumps(result))
    assert copy == result
    assert hash(copy) == hash(result)


def test_every_result_is_tested_here():
    classes = {value for value in vars(results).values() if dataclasses.is_dataclass(value)}
    assert classes == {Word, Segment, Transcript}


def test_seconds_are_named_so():
    for kind in (Word, Segment, Transcript):
        for field in dataclasses.fields(kind):
            assert field.type != "float" or field.name.endswith(("_seconds", "probability"))


def test_what_may_be_left_out():
    assert Segment(0, 0.0, 1.0, "", ()).channel is None
    assert Transcript("", (), 0.0, "mini").source is None
