"""What rows of manifests become, and what a look at the recordings finds."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.errors import UsageError
from w2v_cli.training.examples import Recordings
from w2v_cli.training.manifests import (
    Example,
    Survey,
    chosen_split,
    in_split,
    read_examples,
    survey,
)
from w2v_cli.training.run import Data


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_become_examples(tmp_path):
    manifest = write(
        tmp_path / "list.jsonl",
        [
            {"audio_filepath": "a.wav", "text": "go", "speaker": 7, "duration": 1.5},
            {"path": "/b.wav", "sentence": "", "split": "validation", "channel": 2, "weight": 3},
            {
                "audio_filepath": "c.wav",
                "label": "yes",
                "offset": 0,
                "duration": 2,
                "split": "test",
            },
        ],
    )
    assert read_examples(manifest) == [
        Example(str(tmp_path / "a.wav"), "go", speaker="7", seconds=1.5),
        Example("/b.wav", "", split="dev", weight=3, channel=2),
        Example(str(tmp_path / "c.wav"), None, "yes", seconds=2, end_seconds=2, split="test"),
    ]


def test_blanks_around_splits_and_speakers_say_nothing(tmp_path):
    (tmp_path / "list.csv").write_text("path,split,speaker\na.wav,Train , a\nb.wav, Valid,a \n")
    read = [(row.split, row.speaker) for row in read_examples(tmp_path / "list.csv")]
    assert read == [("train", "a"), ("dev", "a")]


def test_what_is_no_number_is_no_text(tmp_path):
    """As json.dumps writes the empty cells of a table that pandas has read."""
    row = {"audio_filepath": "a.wav", "text": float("nan"), "sentence": "go", "label": float("nan")}
    (example,) = read_examples(write(tmp_path / "list.jsonl", [row]))
    assert (example.text, example.label) == ("go", None)


@pytest.mark.parametrize("text", [["go"], {"en": "go"}])
def test_a_list_is_no_text(text, tmp_path):
    manifest = write(tmp_path / "list.jsonl", [{"audio_filepath": "a.wav", "text": text}])
    with pytest.raises(UsageError, match="line 1: text has to be a text, in quotation marks"):
        read_examples(manifest)


def test_turns_that_are_not_there_are_named(tmp_path):
    (tmp_path / "list.rttm").write_text("")
    with pytest.raises(UsageError, match="no turns in it"):
        read_examples(tmp_path / "list.rttm")


def test_tables_are_read(tmp_path):
    (tmp_path / "list.tsv").write_text("path\tsentence\tclient_id\na.mp3\tGo!\tabc\n")
    (example,) = read_examples(tmp_path / "list.tsv")
    assert (example.text, example.speaker, example.split) == ("Go!", "abc", "train")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no recordings in the manifest; give each a line"),
        ([{"text": "go"}], "no column names the recordings"),
        ([{"audio_filepath": "a.wav", "duration": -1}], "line 1: a duration of -1 s"),
        ([{"audio_filepath": "a.wav", "weight": 0}], "line 1: a weight of 0; write how often"),
        ([{"audio_filepath": "a.wav", "weight": "nan"}], "line 1: a weight of 'nan'"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(rows, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        read_examples(write(tmp_path / "list.jsonl", rows))


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_examples(tmp_path / "list.jsonl")


@pytest.mark.parametrize("name", ["dev", "validation", "Valid"])
def test_a_split_is_asked_for_by_any_of_its_names(name):
    examples = [Example("a.wav", split="train"), Example("b.wav", split="dev")]
    assert chosen_split(examples, name) == examples[1:]
    assert chosen_split(examples, "TRAIN") == examples[:1]
    assert chosen_split(examples, None) == examples


def test_an_example_that_is_listed_twice_counts_once():
    example = Example("a.wav")
    assert in_split([example, Example("b.wav", split="dev"), example], "train") == [example]


def test_a_look_finds_lengths_and_what_cannot_be_used(spoken, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
    without_length = [Example(example.audio, speaker=example.speaker) for example in spoken]
    bad = [Example(str(tmp_path / name)) for name in ("broken.wav", "missing.wav")]
    found = survey([*without_length, *bad], min_seconds=0.55, max_seconds=0.95)
    assert [round(example.seconds, 3) for example in found.examples] == [0.6, 0.7, 0.8, 0.9]
    assert (found.too_short, found.too_long, found.n_speakers) == (1, 1, 3)
    assert found.seconds == pytest.approx(3.0)
    assert [path for path, _ in found.unreadable] == [example.audio for example in bad]


def test_what_a_manifest_says_of_lengths_is_not_believed(spoken):
    said = replace(spoken[5], seconds=9.0)
    beyond = Example(said.audio, start_seconds=50.0, end_seconds=51.0, seconds=1.0)
    found = survey([said, beyond])
    assert found.seconds == pytest.approx(spoken[5].seconds)
    assert [path for path, _ in found.unreadable] == [said.audio]


def test_of_many_channels_the_row_says_which(tmp_path):
    sounds = np.random.default_rng(0).normal(0, 0.1, (SAMPLE_RATE, 4)).astype(np.float32)
    path = str(tmp_path / "table.wav")
    soundfile.write(path, sounds, SAMPLE_RATE, subtype="FLOAT")
    found = survey([Example(path), Example(path, channel=3), Example(path, channel="mix")])
    assert found.unreadable == [
        (path, "several channels; its row's `channel` says which: 1, 2, ... or mix")
    ]
    recordings = Recordings(cache_mb=1)
    for example, sound in zip(found.examples, (sounds[:, 2], sounds.mean(axis=1)), strict=True):
        np.testing.assert_allclose(recordings.read(example), sound, atol=1e-6)


def test_runs_go_on_though_examples_say_more_than_they_did():
    """What came later counts only where it is said."""

    def told(*examples):
        return Data(Survey(list(examples)), Survey(), ()).fingerprint

    example = Example("a.wav", "go", seconds=1.0)
    before = ("a.wav", "go", None, None, 1.0, 0.0, None, "train", (), 1.0)
    digest = hashlib.sha256(repr(before).encode() + b"None")
    assert told(example) == digest.hexdigest()
    assert told(replace(example, weight=2.0)) != told(example)
    assert told(replace(example, channel=1)) != told(replace(example, weight=1.5))


def test_a_part_has_the_length_of_the_part(spoken):
    part = Example(spoken[5].audio, start_seconds=0.2, end_seconds=0.6)
    (measured,) = survey([part]).examples
    assert measured.seconds == pytest.approx(0.4)
