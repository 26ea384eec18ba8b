"""Where the bytes of a recording come from: a file, a URL, standard input, an open file."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from w2v_cli.audio.remote import is_url, local_path, open_url, url_suffix
from w2v_cli.errors import AudioError

STDIN = "-"
STDIN_LABEL = "standard input"
"""What errors call it."""

# A stream cannot seek and decoders must, so it is copied: short ones to memory, an hour of
# studio sound to a temporary file.
_SPOOL_BYTES = 64 * 2**20

# Bytes. How far to look for more sound: behind tags, pictures among them.
LONGEST_LOOK = 2**20

# What a path may name besides a file, by the test that tells.
_SPECIAL_FILES = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class ByteSource:
    """The bytes of one recording, as the decoders read them, and what errors call it.

    Decoders written in C call `read` back and would print and forget an exception raised
    in it. It is kept instead, the decoder sees the end of the file, and `check` raises it.
    It has no `name`, from which soundfile would guess a format.
    """

    def __init__(self, handle: IO[bytes], label: str, suffix: str = "") -> None:
        self.label = label
        self.suffix = suffix
        self._handle = handle
        self._patch: tuple[int, bytes] | None = None
        self._failure: OSError | KeyboardInterrupt | None = None
        self.size = self.seek(0, os.SEEK_END)
        self.seek(0)

    def patch(self, offset: int, replacement: bytes) -> None:
        """Let readers see `replacement` in place of the bytes at `offset`."""
        self._patch = (offset, replacement)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes from where the source stands; all there are if negative."""
        try:
            position = self._handle.tell()
            piece = self._handle.read(size)
        except (OSError, KeyboardInterrupt) as failure:
            self._failure = failure
            return b""
        return piece if self._patch is None else _patched(piece, position, *self._patch)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` from where the source stands and return how many bytes there were."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset` and leave the source where it stands."""
        stood = self.tell()
        self.seek(offset)
        piece = self.read(size)
        self.seek(stood)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to `offset` and return where the source then stands, from the beginning.

        As a system call would, it stays where it is if asked for a place that no file has,
        before the first byte for instance, which damaged headers lead to.
        """
        with contextlib.suppress(ValueError, OverflowError, OSError):
            self._handle.seek(offset, whence)
        return self._handle.tell()

    def tell(self) -> int:
        """Return where the source stands, in bytes from the beginning."""
        return self._handle.tell()

    def seekable(self) -> bool:
        """Return True: what cannot seek was copied first."""
        return True

    def check(self) -> None:
        """Raise what went wrong while a decoder was reading, if anything did.

        Raises:
            AudioError: A read failed.
            KeyboardInterrupt: The user interrupted a read.
        """
        if isinstance(self._failure, KeyboardInterrupt):
            raise self._failure
        if self._failure is not None:
            raise AudioError(f"{self.label}: {_reason(self._failure)}") from self._failure


@contextlib.contextmanager
def open_source(
    source: str | os.PathLike[str] | BinaryIO, name: str | None = None
) -> Iterator[ByteSource]:
    """Yield the bytes of a recording, able to seek.

    Args:
        source: A path, a URL, "-" for standard input, or a file open for reading bytes.
        name: What errors call it; its path if None.

    Raises:
        AudioError: It cannot be opened or read, or is empty.
        MissingDependencyError: The package for a URL's protocol is not installed.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            path = os.fsdecode(source)
            label = printable(name or (STDIN_LABEL if path == STDIN else path))
            path = local_path(path) or path
            suffix = url_suffix(path) if is_url(path) else Path(path).suffix.lower()
            handle: IO[bytes]
            if path == STDIN:
                handle = _standard_input(label)
            elif is_url(path):
                handle = cast("IO[bytes]", stack.enter_context(open_url(path, label)))
            else:
                handle = _open(path, label)
                stack.callback(handle.close)
        else:
            handle = source
            own_name = getattr(source, "name", None)
            label = printable(name or (own_name if isinstance(own_name, str) else "stream"))
            suffix = ""
        if not handle.seekable():
            handle = stack.enter_context(_copy(handle, label))
        opened = ByteSource(handle, label, suffix)
        if opened.size == 0:
            raise AudioError(f"{label}: empty (0 bytes); record or copy it again")
        yield opened


def printable(name: str) -> str:
    """Return a file's name for a one-line message, control characters written out."""
    return "".join(c if c.isprintable() or c == " " else ascii(c)[1:-1] for c in name)


def _standard_input(label: str) -> BinaryIO:
    if sys.stdin.isatty():
        raise AudioError(f"{label}: a terminal, not a recording; pipe one in with: ... < FILE")
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # something else stands in for it
        return sys.stdin.buffer
    # A reader of its own: Python aborts if a thread still waits in sys.stdin's when it exits.
    return open(descriptor, "rb", closefd=False)


def _open(path: str, label: str) -> BinaryIO:
    """Return the file, open for reading; every reason why not has its own message."""
    try:
        mode = Path(path).stat().st_mode
        for test, what in _SPECIAL_FILES:
            if test(mode):
                raise AudioError(f"{label}: {what}, not a recording; name a file")
        if stat.S_ISDIR(mode):
            raise AudioError(
                f"{label}: a directory; name the recordings in it, {label}/*, or add --recursive"
            )
        return open(path, "rb")
    except FileNotFoundError as error:
        raise AudioError(f"{label}: {_missing(Path(path))}") from error
    except PermissionError as error:
        raise AudioError(
            f"{label}: no permission to read it; ask its owner, or try: "
            f"chmod u+r {shlex.quote(label)}"
        ) from error
    except OSError as error:
        raise AudioError(f"{label}: {_reason(error)}") from error


def _missing(path: Path) -> str:
    """Return why there is nothing at `path`, and what may have been meant."""
    if path.is_symlink():
        return f"a link to {path.readlink()}, which does not exist; mend or remove it"
    if not path.parent.is_dir():
        return f"no such file: there is no folder {path.parent}; check the path"
    try:
        neighbours = sorted(near.name for near in path.parent.iterdir())
    except OSError:
        neighbours = []
    for name in difflib.get_close_matches(path.name, neighbours, n=1, cutoff=0.75):
        return f"no such file; did you mean {printable(str(path.with_name(name)))}?"
    return f"no such file; check the name, or where you are: {Path.cwd()}"


def _copy(stream: IO[bytes], label: str) -> IO[bytes]:
    """Return a copy that can seek of everything left in a stream."""
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  # returned
    try:
        shutil.copyfileobj(stream, spool, 2**20)
    except OSError as error:
        spool.close()
        full = error.errno == errno.ENOSPC
        advice = f"; free space in {tempfile.gettempdir()}, or set TMPDIR" if full else ""
        raise AudioError(f"{label}: {_reason(error)}{advice}") from error
    return spool


def _reason(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _patched(piece: bytes, position: int, offset: int, replacement: bytes) -> bytes:
    """Return the bytes read at `position` with those of a patch that fall among them."""
    start = max(offset, position)
    end = min(offset + len(replacement), position + len(piece))
    if start >= end:
        return piece
    middle = replacement[start - offset : end - offset]
    return piece[: start - position] + middle + piece[end - position :]
