"""Files that appear whole or not at all: written beside their place, then renamed into it.

A saved model may be the very file that the running one is mapped from; renaming leaves that
mapping intact, where writing into the file would not.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from w2v_cli.errors import WriteError

if TYPE_CHECKING:
    import torch

# Says in a file of safetensors that they are torch's; the published loader asks for it.
_METADATA = {"format": "pt"}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Return `folder` as a path, made with its parents when it isn't there.

    Raises:
        WriteError: It is a file, or it cannot be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise WriteError(f"{path}: a folder is needed here, and this is a file") from error
    except OSError as error:
        raise explain_failure(path, error) from error
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` when the block ends well.

    Raises:
        WriteError: The disk is full, or the folder cannot be written. Nothing is left behind
            then, and an older file of that name stays as it was.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.touch()
        usual_mode = partial.stat().st_mode
        yield partial
        partial.chmod(usual_mode)  # safetensors writes files that their owner alone can read
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise explain_failure(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    from safetensors.torch import save_file  # torch, which texts need not wait for

    with replacing(path) as partial:
        save_file(tensors, partial, metadata=_METADATA)


def explain_failure(path: Path, error: Exception) -> WriteError:
    """Return the error for people of a file that could not be written."""
    number = getattr(error, "errno", None)
    # safetensors tells the number only in its message: "... (os error 28)".
    if number in _NO_ROOM or any(f"os error {code})" in str(error) for code in _NO_ROOM):
        return WriteError(f"{path}: the disk is full; make room, or save to another folder")
    reason = getattr(error, "strerror", None) or str(error)
    return WriteError(f"{path}: cannot be written ({reason}); save to another folder")
