"""Files that appear whole."""

import stat
from pathlib import Path

import pytest

from w2v_cli.batch.parts import drop_part, finish_part, part_path, write_part


def test_a_part_becomes_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    write_part(path, b"new")
    assert path.read_text() == "old"
    finish_part(path)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finish_part(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_can_be_dropped(tmp_path):
    path = tmp_path / "a.txt"
    write_part(path, b"new")
    drop_part(path)
    drop_part(path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_part(link, b"new")
    finish_part(link)
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("name", ["声" * 84 + ".t", "x" * 255, "a" * 40 + "1", "a" * 40 + "2"])
def test_names_of_any_length_have_parts_of_their_own(tmp_path, name):
    path = tmp_path / name
    write_part(path, name.encode())
    finish_part(path)
    assert path.read_text() == name


def test_parts_are_told_apart():
    long = "a" * 60
    assert part_path(Path(f"{long}1")) != part_path(Path(f"{long}2"))
