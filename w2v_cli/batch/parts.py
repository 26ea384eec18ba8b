"""Files that appear whole: written beside their place under a name that can be found again.

A run that was killed leaves at most such parts behind. The next run knows what they are called
and either gives them their name, if the journal says that it is they, complete, or removes them.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from pathlib import Path

from w2v_cli.batch.fingerprint import file_digest

# The longest name is 255 bytes; 40 letters of any script, and the rest, stay below.
_KEPT_LETTERS = 40


def true_path(path: str | os.PathLike[str]) -> Path:
    """Return where a file is, or will be: a link stays a link, what it points to is replaced.

    A pipe or a device keeps its name: /dev/fd/63 leads to no other.
    """
    mode = _mode(path)
    if mode is None or stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return Path(os.path.realpath(path))
    return Path(path)


def part_path(path: Path) -> Path:
    """Return the name under which a file is written, in the folder where it will be.

    >>> part_path(Path("texts/talk.srt")).name
    '.talk.srt.ad162e7a.w2v-part'
    """
    target = true_path(path)
    number = zlib.crc32(os.fsencode(target.name))
    return target.with_name(f".{target.name[:_KEPT_LETTERS]}.{number:08x}.w2v-part")


def write_part(path: Path, content: bytes) -> None:
    """Write what a file will hold, durably, without touching the file.

    What is no plain file, a pipe or a device, is written to at once.

    Raises:
        OSError: It cannot be written.
    """
    old = _mode(path)
    if old is not None and not stat.S_ISREG(old):
        with path.open("wb") as device:
            device.write(content)
        return
    part = part_path(path)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            part.chmod(stat.S_IMODE(old))
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def part_digest(path: Path) -> str | None:
    """Return the hash of a file's part, None where there is none."""
    part = part_path(path)
    try:
        return file_digest(part) if part.exists() else None
    except OSError:
        return None


def finish_part(path: Path) -> None:
    """Give a part its name, if there is one.

    Raises:
        OSError: It cannot be renamed.
    """
    with contextlib.suppress(FileNotFoundError):
        part_path(path).replace(true_path(path))


def drop_part(path: Path) -> None:
    """Remove a part that was never completed, if there is one."""
    with contextlib.suppress(OSError):
        part_path(path).unlink()


def _mode(path: str | os.PathLike[str]) -> int | None:
    try:
        return Path(path).stat().st_mode
    except OSError:
        return None
