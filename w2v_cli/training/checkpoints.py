"""Checkpoints of a run: folders that are there whole or not at all, and how many are kept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from w2v_cli.checkpoint.atomic import explain_failure, make_folder, replacing
from w2v_cli.errors import WriteError
from w2v_cli.training.state import PROGRESS_FILE, TENSORS_FILE

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
# Of a checkpoint, and of a file that takes another's place.
_PARTIAL = re.compile(r"\.checkpoint-\d+\.partial|\..+\.[0-9a-f]{8}\.partial")


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return folder / f"checkpoint-{step}"


def find_checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints in a run's folder by their steps, in the order of these."""
    if not folder.is_dir():
        return {}
    found = ((_CHECKPOINT.fullmatch(path.name), path) for path in folder.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def find_resumable(folder: Path) -> Path | None:
    """Return the last checkpoint that holds a run's state; None where there is none."""
    for path in reversed(find_checkpoints(folder).values()):
        if (path / PROGRESS_FILE).is_file():
            return path
    return None


def write_checkpoint(folder: Path, step: int, write: Callable[[Path], None]) -> Path:
    """Return the folder of a checkpoint, which appears when all of it is on the disk.

    Args:
        folder: The run's.
        step: What it is called after.
        write: Writes the files into the folder that it is given.

    Raises:
        WriteError: The disk is full, or the folder cannot be written; nothing is left behind.
    """
    remove_partial(folder)
    partial = make_folder(folder / f".checkpoint-{step}.partial")
    final = checkpoint_folder(folder, step)
    try:
        write(partial)
        for path in (*partial.rglob("*"), partial):
            _flush(path)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _flush(folder)
    except WriteError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise explain_failure(final, error) from error
    return final


def remove_partial(folder: Path) -> None:
    """Remove what a run that was killed had begun to write."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if not is_partial(path):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_partial(path: Path) -> bool:
    """Return whether this is something that a run had begun to write when it was killed."""
    return _PARTIAL.fullmatch(path.name) is not None


def prune_checkpoints(folder: Path, *, last: int, best: Collection[int]) -> None:
    """Remove all checkpoints but the last and the best, and from the best the run's state."""
    for step, path in find_checkpoints(folder).items():
        if step == last:
            continue
        # What is resumed from goes first, or a kill in between would leave half of a checkpoint.
        for name in (PROGRESS_FILE, TENSORS_FILE):
            (path / name).unlink(missing_ok=True)
        if step not in best:
            shutil.rmtree(path)


def publish_checkpoint(checkpoint: Path, folder: Path) -> None:
    """Copy a checkpoint's model into the run's folder, each file whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    for path in sorted(checkpoint.iterdir()):
        if path.name not in (PROGRESS_FILE, TENSORS_FILE):
            with replacing(folder / path.name) as partial:
                shutil.copyfile(path, partial)


def _flush(path: Path) -> None:
    """Have a file or a folder written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
