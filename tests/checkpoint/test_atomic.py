"""Files that are whole or absent."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from w2v_cli.checkpoint.atomic import make_folder, replacing, write_text
from w2v_cli.errors import WriteError


def test_a_file_takes_the_place_of_another(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "old")
    write_text(path, "né\n")
    assert path.read_bytes() == "né\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, failure: BaseException) -> None:
    with replacing(path) as partial:
        partial.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError()])
def test_a_write_that_breaks_off_changes_nothing(tmp_path, failure):
    path = tmp_path / "a.json"
    write_text(path, "old")
    with pytest.raises(type(failure)):
        write_half(path, failure)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError(errno.EACCES, "Permission denied"), r"cannot be written \(Permission denied\)"),
        (OSError(errno.EROFS, "Read-only file system"), r"\(Read-only file system\)"),
        (SafetensorError("odd"), r"cannot be written \(odd\)"),
    ],
)
def test_what_stands_in_the_way_is_told(tmp_path, failure, message):
    path = tmp_path / "a.json"
    with pytest.raises(WriteError, match=message) as caught:
        write_half(path, failure)
    assert str(caught.value).startswith(f"{path}: ")
    assert isinstance(caught.value, OSError)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_with_its_parents(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"


def test_a_saved_model_can_be_read_by_whom_other_new_files_can(tmp_path):
    def write_privately(path: Path) -> None:
        path.unlink()
        path.touch(mode=0o600)

    plain = tmp_path / "plain"
    plain.touch()
    with replacing(tmp_path / "model.safetensors") as partial:
        write_privately(partial)
    assert (tmp_path / "model.safetensors").stat().st_mode == plain.stat().st_mode
