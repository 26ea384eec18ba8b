"""Manifests in each of their forms give the same rows; what is none of them is named."""

from pathlib import Path

import pytest

from w2v_cli.audio.manifests import (
    manifest_rows,
    place_beside,
    row_channel,
    row_part,
    row_recording,
    row_recording_part,
    row_seconds,
)
from w2v_cli.errors import UsageError

FORMS = {
    "jsonl": '{"path": "a.wav", "text": "go left"}\n\n{"path": "b.wav", "text": ""}\n',
    "csv": 'path,text\na.wav,"go left"\nb.wav,\n',
    "tsv": "path\ttext\na.wav\tgo left\nb.wav\t\n",
    "tsv with quotation marks around cells": 'path\ttext\n"a.wav"\t"go left"\nb.wav\t""\n',
    "csv with blanks after commas": 'path, text\na.wav, "go left"\nb.wav,\n',
    "csv with empty cells at the end": "path,text\na.wav,go left,\nb.wav,,\n",
    "csv of tables in some languages": "path;text\na.wav;go left\nb.wav;\n",
    "jsonl with Windows' mark": '\ufeff{"path": "a.wav", "text": "go left"}\r\n'
    '{"path": "b.wav", "text": ""}\r\n',
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_rows(content):
    rows = [row for _, row in manifest_rows(content.encode(), "list")]
    assert rows == [{"path": "a.wav", "text": "go left"}, {"path": "b.wav", "text": ""}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not in UTF-8"),
        (b'{"path": "a.wav"}\n{"path"', "line 2: not JSON"),
        (b"[1]", "line 1: not an object"),
        (b'path,text\n"a.wav,go', "no table"),
        (b"path,text\na.wav,Well, happy\n", "line 2: more cells than columns.*' happy'"),
    ],
)
def test_what_is_no_manifest_is_refused(content, message):
    with pytest.raises(UsageError, match=message):
        list(manifest_rows(content, "list"))


def test_quotation_marks_in_tables_with_tabs_belong_to_the_text():
    """Common Voice quotes nothing: a sentence may begin with a quotation."""
    content = 'path\tsentence\na.wav\t"Go\nb.wav\tleft"\nc.wav\t"Go," she said\n'
    rows = [row["sentence"] for _, row in manifest_rows(content.encode(), "list")]
    assert rows == ['"Go', 'left"', '"Go," she said']


def test_columns_are_read():
    assert row_recording({"text": "go", "file": "a.wav"}, "list, line 1") == "a.wav"
    assert row_seconds({"start": "1.5"}, ("offset", "start"), "list, line 1") == 1.5
    assert row_seconds({"offset": ""}, ("offset", "start"), "list, line 1") is None
    assert row_seconds({"offset": "1,5"}, ("offset",), "list, line 1") == 1.5
    with pytest.raises(UsageError, match="no column names the recordings"):
        row_recording({"text": "go"}, "list, line 1")
    with pytest.raises(UsageError, match="line 3: 'soon' is no time"):
        row_seconds({"offset": "soon"}, ("offset",), "list, line 3")


@pytest.mark.parametrize(
    ("value", "channel"),
    [
        (2, 2),
        ("1", 1),
        ("3.0", 3),
        (1.0, 1),
        ("2,0", 2),
        (" Mix ", "mix"),
        (None, None),
        ("", None),
    ],
)
def test_channels_are_read(value, channel):
    assert row_channel({"channel": value}, "list, line 1") == channel
    assert row_channel({}, "list, line 1") is None


@pytest.mark.parametrize("value", [0, -1, 1.5, "telephone", "all", True, "9" * 5000])
def test_what_is_no_channel_is_refused(value):
    with pytest.raises(UsageError, match=r"list, line 3: .* is no channel; write 1, 2"):
        row_channel({"channel": value}, "list, line 3")


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800b.wav", ""])
def test_names_that_no_file_has_are_refused(name):
    with pytest.raises(UsageError, match="list, line 2: path"):
        row_recording({"path": name}, "list, line 2")


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ({"duration": 2.5}, None),
        ({"offset": 0, "duration": 2.5}, (0.0, 2.5)),
        ({"offset": "1", "duration": "2.5"}, (1.0, 3.5)),
        ({"offset": 1}, (1.0, None)),
        ({"offset": 0}, None),
        ({"start": "0.5", "end": "2"}, (0.5, 2.0)),
        ({"start_time": 0, "end_time": 2}, (0.0, 2.0)),
        ({"start": 1, "end": 2, "duration": 0.5}, (1.0, 1.5)),
        ({"end": ""}, None),
    ],
)
def test_parts(row, part):
    assert row_part(row, "list, line 1") == part


@pytest.mark.parametrize(
    "row",
    [
        {"offset": 0.3, "duration": 0},
        {"offset": 0.3, "duration": "0"},
        {"offset": 10**400},
        {"start": 2, "end": 1},
        {"start": 2, "end": float("nan")},
        {"offset": -1},
    ],
)
def test_what_are_no_parts(row):
    with pytest.raises(UsageError, match="list, line 4: "):
        row_part(row, "list, line 4")


def test_a_row_names_its_part_once():
    assert row_recording_part("a.wav#channel=2", {"duration": 1}, "list").channel == 2
    assert row_recording_part("a.wav", {"offset": 1, "channel": 2}, "list")[1:] == (1.0, None, 2)
    with pytest.raises(UsageError, match="is a part already, and columns name one"):
        row_recording_part("a.wav#t=1", {"channel": 2}, "list")


def test_the_separator_is_the_one_that_a_column_of_recordings_stands_beside():
    table = b"path;said, or not;offset\na.wav;go, left;0,5\n"
    ((_, row),) = manifest_rows(table, "list")
    assert row == {"path": "a.wav", "said, or not": "go, left", "offset": "0,5"}


def test_a_manifest_in_a_linked_folder_names_what_lies_beside_the_real_one(tmp_path):
    for folder in ("real/sub", "real/audio"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "real" / "audio" / "a.wav").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "real" / "sub")
    place = place_beside(tmp_path / "data" / "link", "../audio/a.wav")
    assert Path(place).samefile(tmp_path / "real" / "audio" / "a.wav")
    assert place_beside(tmp_path / "real" / "sub", "../audio/a.wav") == str(
        tmp_path / "real" / "audio" / "a.wav"
    )
