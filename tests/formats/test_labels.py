"""Labels as text, checked by eye and by what reads such files."""

import csv
import io
import json

import numpy as np
import pytest

from w2v_cli.formats.labels import LabelOptions, label_formats
from w2v_cli.results import Classification, Stretch

NAMES = ("stop", "go", "left")


def heard(*stretches, scores=((0.125, 0.75, 0.125),), windowed=False):
    return Classification(
        names=NAMES,
        stretches=stretches or (Stretch(0.0, 1.5),),
        scores=np.array(scores, np.float32),
        function="softmax",
        windowed=windowed,
        duration_seconds=1.5,
        model="m",
        source="a b.wav",
    )


WINDOWS = heard(
    Stretch(0.0, 1.0),
    Stretch(0.5, 1.5),
    scores=((0.5, 0.375, 0.125), (0.25, 0.25, 0.5)),
    windowed=True,
)
CHANNELS = heard(Stretch(0.0, 1.5, 1), Stretch(0.0, 1.5, 2), scores=((1, 0, 0), (0, 0, 1)))


def written(name, result, **options):
    return label_formats(LabelOptions(**options))[name].write(result)


def test_text():
    assert written("txt", heard()) == "0.7500  go\n0.1250  stop\n0.1250  left\n"
    assert written("txt", heard(), top_k=1) == "0.7500  go\n"
    assert written("txt", heard(), threshold=0.2) == "0.7500  go\n"
    assert (
        written("txt", WINDOWS, top_k=1) == "0.000-1.000  0.5000  stop\n0.500-1.500  0.5000  left\n"
    )
    assert written("txt", WINDOWS, top_k=1, threshold=0.6) == ""
    assert written("txt", CHANNELS, top_k=1) == (
        "[channel 1] 1.0000  stop\n[channel 2] 1.0000  left\n"
    )


def test_json():
    result = json.loads(written("json", heard(), top_k=2))
    assert result == {
        "schema_version": 1,
        "source": "a b.wav",
        "model": "m",
        "duration": 1.5,
        "function": "softmax",
        "labels": [{"label": "go", "score": 0.75}, {"label": "stop", "score": 0.125}],
    }
    assert json.loads(written("jsonl", heard(), top_k=2)) == result
    assert written("jsonl", WINDOWS).count("\n") == 1
    assert json.loads(written("json", WINDOWS, top_k=1))["windows"] == [
        {"start": 0.0, "end": 1.0, "labels": [{"label": "stop", "score": 0.5}]},
        {"start": 0.5, "end": 1.5, "labels": [{"label": "left", "score": 0.5}]},
    ]
    channels = json.loads(written("json", CHANNELS, top_k=1))["channels"]
    assert [row["channel"] for row in channels] == [1, 2]


def test_csv():
    rows = list(csv.DictReader(io.StringIO(written("csv", WINDOWS, top_k=2))))
    assert [(row["start"], row["rank"], row["label"]) for row in rows] == [
        ("0.000", "1", "stop"),
        ("0.000", "2", "go"),
        ("0.500", "1", "left"),
        ("0.500", "2", "stop"),
    ]
    assert rows[0]["source"] == "a b.wav"
    assert float(rows[0]["score"]) == 0.5


def test_labels_of_many_scripts_stay_one_line():
    odd = Classification(
        names=("日本\n語", "a,b"),
        stretches=(Stretch(0.0, 1.0),),
        scores=np.array([[0.75, 0.25]], np.float32),
        function="softmax",
        windowed=False,
        duration_seconds=1.0,
        model="m",
    )
    assert written("txt", odd).splitlines() == ["0.7500  日本 語", "0.2500  a,b"]
    assert len(written("csv", odd).splitlines()) == 3


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"threshold": float("nan")}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="it must be"):
        LabelOptions(**wrong)
