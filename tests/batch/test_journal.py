"""The journal: lines that are whole or not there, and how it stays small."""

import errno
import itertools
import json
import os
from types import SimpleNamespace

import pytest

from w2v_cli.batch.fingerprint import Content
from w2v_cli.batch.journal import Journal, JournalInUseError, Record
from w2v_cli.errors import WriteError

CONTENT = Content(12, 1, 2, "abc")


def write(path, *sources, text=None, key="k"):
    with Journal(path) as journal:
        for source in sources:
            journal.add(Record(source, key, CONTENT, 1.5, ("a.srt",)), text)


def test_what_is_added_is_there_for_the_next(tmp_path):
    path = tmp_path / "journal"
    with Journal(path) as journal:
        assert not path.exists()  # before there is anything to say
        journal.begin({"model": "mini", "formats": ("srt",)})
        journal.add(Record("größe 🎙\udce9.wav", "k", CONTENT, 1.5, ("a.srt",)))
        journal.add(Record("bad.wav", "k", error="bad.wav: bad", exit_code=1))
    with Journal(path) as journal:
        assert journal.settings == {"model": "mini", "formats": ["srt"]}
        record = journal.get("größe 🎙\udce9.wav")
        assert (record.content, record.seconds, record.files) == (CONTENT, 1.5, ("a.srt",))
        assert (record.error, record.has_text) == (None, False)
        assert journal.get("bad.wav").error == "bad.wav: bad"
        assert journal.get("other.wav") is None
        assert len(journal) == 2


def test_the_same_settings_are_written_once(tmp_path):
    for _ in range(2):
        with Journal(tmp_path / "journal") as journal:
            journal.begin({"formats": ("srt",)})
    assert len((tmp_path / "journal").read_text().splitlines()) == 1


def test_texts_come_back(tmp_path):
    path = tmp_path / "journal"
    write(path, "a.wav", text="one\n")
    write(path, "b.wav", text="zwei ü\n")
    with Journal(path) as journal:
        journal.add(Record("c.wav", "k"), "three")
        texts = [journal.text(journal.get(name)) for name in ("b.wav", "c.wav", "a.wav")]
    assert texts == ["zwei ü\n", "three", "one\n"]


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_was_cut_short_was_never_written(tmp_path, cut):
    path = tmp_path / "journal"
    write(path, "a.wav", "b.wav")
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path) as journal:
        assert journal.get("b.wav") is None
        assert journal.get("a.wav") is not None
        journal.add(Record("c.wav", "k"))
    assert [json.loads(line)["source"] for line in path.read_text().splitlines()] == [
        "a.wav",
        "c.wav",
    ]


def test_a_damaged_line_is_left_out(tmp_path):
    path = tmp_path / "journal"
    write(path, "a.wav", "b.wav")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 20 + b"\n[1]\n{}\n" + lines[1])
    with Journal(path) as journal:
        assert (len(journal), journal.get("b.wav").content) == (2, CONTENT)


def test_what_is_out_of_date_is_left_out_when_there_is_much_of_it(tmp_path):
    path = tmp_path / "journal"
    write(path, *["a.wav", "b.wav"] * 700, text="old\n")
    write(path, "b.wav", text="new\n")
    with Journal(path) as journal:
        # Rewritten by the second run: settings, a line each, and the new one.
        assert len(path.read_bytes().splitlines()) == 4
        assert journal.text(journal.get("a.wav")) == "old\n"
        assert journal.text(journal.get("b.wav")) == "new\n"
        with pytest.raises(JournalInUseError):
            Journal(path)
        journal.add(Record("c.wav", "k"))
    with Journal(path) as journal:
        assert len(journal) == 3
    assert os.listdir(tmp_path) == ["journal"]  # noqa: PTH208


def test_others_are_read_and_not_written(tmp_path):
    write(tmp_path / "one", "a.wav", key="1")
    with Journal(tmp_path / "two", (tmp_path / "one",)) as journal:
        assert journal.get("a.wav").key == "1"
        journal.add(Record("a.wav", "2"))
        assert journal.get("a.wav").key == "2"
    with Journal(tmp_path / "one") as journal:
        assert journal.get("a.wav").key == "1"


def test_a_place_that_cannot_be_written(tmp_path):
    with (
        Journal(tmp_path / "no" / "journal") as journal,
        pytest.raises(WriteError, match="the journal cannot be kept: No such file"),
    ):
        journal.add(Record("a.wav", "k"))


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    write(path, "a.wav")
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="the journal cannot be kept: No space left on device"):
        write(path, "b.wav")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        *("5", "null", '"settings"', "[]", '{"source": [], "key": "x"}', "[" * 100_000),
        *('{"source": "a.wav", "key": "x", "text": 5}', '{"source": "a.wav"}'),
        *('{"source": "a.wav", "key": "x", "seconds": "1"}', '{"settings": 5, "version": 1}'),
        '{"source": "a.wav", "key": "x", "files": 7}',
        '{"source": "a.wav", "key": "x", "content": {"size": 1, "colour": "red"}}',
    ],
)
def test_a_damaged_line_says_nothing(tmp_path, line):
    path = tmp_path / "journal"
    write(path, "a.wav")
    with path.open("a") as lines:
        lines.write(line + "\n")
    write(path, "b.wav")
    with Journal(path) as journal:
        assert journal.get("a.wav").key == journal.get("b.wav").key == "k"
        assert journal.settings is None


def test_what_another_version_wrote_is_done_again(tmp_path):
    path = tmp_path / "journal"
    path.write_text(
        '{"settings": {"model": "mini"}, "version": 2}\n{"source": "a.wav", "key": "k"}\n'
    )
    with Journal(path) as journal:
        assert journal.get("a.wav") is None
        journal.begin({"model": "mini"})
        journal.add(Record("b.wav", "k"))
    with Journal(path) as journal:
        assert journal.get("a.wav") is None
        assert journal.get("b.wav").key == "k"


def test_the_newest_of_several_journals_counts(tmp_path, monkeypatch):
    clock = itertools.count(1.7e9)
    monkeypatch.setattr("w2v_cli.batch.journal.time", SimpleNamespace(time=lambda: next(clock)))
    own, others = tmp_path / "own", (tmp_path / "one", tmp_path / "two")
    for key, path in (("old", own), ("older", others[1]), ("newest", others[0])):
        write(path, "a.wav", key=key)
    with Journal(own, others) as journal:
        assert journal.get("a.wav").key == "newest"
        journal.add(Record("a.wav", "now"))
    with Journal(own, others) as journal:
        assert journal.get("a.wav").key == "now"
