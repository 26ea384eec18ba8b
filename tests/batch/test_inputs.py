"""From what was named to recordings: folders, globs, lists, and which shard has what."""

import os
from collections import Counter
from pathlib import PurePath

import pytest

from w2v_cli.batch.inputs import (
    Found,
    Selection,
    add_listed,
    add_named,
    in_shard,
    place_in_list,
)
from w2v_cli.batch.manifests import read_names
from w2v_cli.batch.outcome import Item


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with recordings and other things in it, which is the current one."""
    for name in (
        "calls/b.wav",
        "calls/a.FLAC",
        "calls/notes.txt",
        "calls/.hidden.wav",
        "calls/.git/x.wav",
        "calls/mon/c d.opus",
        "calls/mon/deep/e.mp3",
        "calls/tue/c d.opus",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "calls/up").symlink_to(tmp_path / "calls")
    (tmp_path / "calls/broken.wav").symlink_to("gone.wav")
    (tmp_path / "calls/folder.wav").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*sources, add=add_named, **selection):
    result = Found()
    add(result, sources, Selection(**selection))
    return result


def places(result):
    return [(item.source, item.relative.as_posix()) for item in result.items]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_a_folder_is_no_recording(tree):
    os.mkfifo(tree / "calls/live.wav")
    assert "calls/live.wav" not in dict(places(found("calls", recursive=True)))
    assert places(found("calls/live.wav")) == [("calls/live.wav", "live.wav")]


def test_a_folder_and_the_folders_in_it(tree):
    result = found("calls", recursive=True)
    assert places(result) == [
        ("calls/a.FLAC", "a.FLAC"),
        ("calls/b.wav", "b.wav"),
        ("calls/broken.wav", "broken.wav"),  # a bad input, which has to be told
        ("calls/mon/c d.opus", "mon/c d.opus"),
        ("calls/mon/deep/e.mp3", "mon/deep/e.mp3"),
        ("calls/tue/c d.opus", "tue/c d.opus"),
    ]
    assert result.refused == []


def test_include_takes_the_place_of_what_is_known(tree):
    assert places(found("calls", recursive=True, include=("*.txt", "mon/*"))) == [
        ("calls/notes.txt", "notes.txt"),
        ("calls/mon/c d.opus", "mon/c d.opus"),
        ("calls/mon/deep/e.mp3", "mon/deep/e.mp3"),
    ]


def test_exclude_leaves_out_files_and_folders(tree):
    assert places(found("calls", recursive=True, exclude=("mon", "tue/*", "b*"))) == [
        ("calls/a.FLAC", "a.FLAC")
    ]


def test_a_folder_is_a_bad_input_unless_asked_for(tree):
    assert places(found("calls")) == [("calls", "calls")]  # opening it says why not


def test_a_folder_without_recordings(tree):
    (tree / "none").mkdir()
    ((item, error),) = found("none", recursive=True).refused
    assert item.source == "none"
    assert str(error).startswith("none: there is no recording in this folder; ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed(tree):
    (tree / "calls/mon").chmod(0)
    ((_, error),) = found("calls", recursive=True).refused
    (tree / "calls/mon").chmod(0o755)
    assert str(error) == "calls/mon: the folder cannot be listed: Permission denied"


def test_a_pattern_that_the_shell_left(tree):
    assert places(found("calls/*/c*.opus")) == [
        ("calls/mon/c d.opus", "mon/c d.opus"),
        ("calls/tue/c d.opus", "tue/c d.opus"),
    ]
    assert places(found("calls/**/*.mp3")) == [("calls/mon/deep/e.mp3", "mon/deep/e.mp3")]
    ((_, error),) = found("calls/*.ogg").refused
    assert str(error) == "calls/*.ogg: no file is called like that; check the pattern"


def test_a_name_that_looks_like_a_pattern(tree):
    (tree / "[1].wav").write_bytes(b"x")
    assert places(found("[1].wav", "s3://bucket/a*.wav")) == [
        ("[1].wav", "[1].wav"),
        ("s3://bucket/a*.wav", "a*.wav"),
    ]


def test_a_list_keeps_folders(tree):
    sources = ["./calls/b.wav", "calls/../calls/b.wav", "/abs/x.wav", "s3://bucket/a/b.wav", "-"]
    assert [place for _, place in places(found(*sources, add=add_listed))] == [
        "calls/b.wav",
        "calls/b.wav",
        "abs/x.wav",
        "bucket/a/b.wav",
        "-",
    ]


def test_a_list_from_above_stays_below_the_output(tree):
    place = place_in_list("../outside/x.wav")
    assert ".." not in place.parts
    assert not place.is_absolute()
    assert place.parts[-2:] == ("outside", "x.wav")


def test_shards_share_everything_out():
    items = [Item(f"in/{n}.wav", PurePath(f"{n}.wav")) for n in range(1000)]
    shards = [in_shard(items, index, 3) for index in (1, 2, 3)]
    assert Counter(item for shard in shards for item in shard) == Counter(items)
    assert min(map(len, shards)) > 250
    # Wherever the folder is mounted, and whatever else lies in it.
    elsewhere = [Item(f"/mnt/{n}.wav", PurePath(f"{n}.wav")) for n in range(500)]
    assert {i.relative for i in in_shard(elsewhere, 2, 3)} <= {i.relative for i in shards[1]}


def test_a_link_to_itself_is_a_bad_recording_and_no_more(tree):
    (tree / "calls/loop.wav").symlink_to("loop.wav")
    assert ("calls/loop.wav", "loop.wav") in places(found("calls", recursive=True))


def test_exclude_takes_the_slash_that_a_shell_adds(tree):
    with_slash, without = (
        found("calls", recursive=True, exclude=(pattern,)) for pattern in ("mon/", "mon")
    )
    assert places(with_slash) == places(without)


def test_a_pattern_of_folders_alone(tree):
    ((_, error),) = found("cal*").refused
    assert str(error) == "cal*: only folders are called like that; add --recursive"
    assert found("cal*", recursive=True).refused == []


def test_the_mark_before_a_list_is_no_name():
    assert read_names(b"\xef\xbb\xbfa.wav\r\nb.wav\r\n", null=False) == ["a.wav", "b.wav"]
    assert read_names(b"", null=False) == []


def test_parts_that_are_named(tree):
    sources = ["calls/talk.wav#t=0.5,2", "calls/talk.wav#t=3&channel=2"]
    assert [place for _, place in places(found(*sources))] == [
        *("talk.0.50-2.00.wav", "talk.3.00-.channel2.wav"),
    ]
    assert [place for _, place in places(found(*sources, add=add_listed))] == [
        *("calls/talk.0.50-2.00.wav", "calls/talk.3.00-.channel2.wav"),
    ]


def test_a_part_of_a_recording_that_looks_like_a_pattern(tree):
    (tree / "t[1].wav").touch()
    items = found("t[1].wav#channel=2").items
    assert [item.source for item in items] == ["t[1].wav#channel=2"]
