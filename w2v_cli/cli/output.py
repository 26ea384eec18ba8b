"""Where results go: stdout, or a file that is either the old one or complete.

One input gives what its format says. With several inputs, each line of txt starts with the
input's name, as grep does it, json is an array with an object for every input, a table has one
head, and in the formats whose lines name their recording these follow one another.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, TextIO

from w2v_cli.audio.remote import local_path
from w2v_cli.batch.parts import part_path, true_path
from w2v_cli.errors import UsageError, W2VError
from w2v_cli.recording_parts import split_part

if TYPE_CHECKING:
    from w2v_cli.formats.format import Joining

STDOUT = "-"

# A file's name need not be UTF-8; it is written as the bytes it has, as grep does it.
ENCODING_ERRORS = "surrogateescape"


class Results:
    """Writes results as they are finished; inside a `with` block.

    Leaving the block keeps what is finished, however it is left: at the end, by an error or
    by Ctrl-C.

    Args:
        target: A file's path, or "-" for stdout.
        joining: How several results in their format share a file; None where they don't.
        n_inputs: How many inputs there are; more than one gives each a heading.
        in_part: Write a file under the name that the next run will find, should this one be
            killed (see `w2v_cli.batch.parts`); no two runs may do so at once.
    """

    def __init__(
        self, target: str, joining: Joining | None, n_inputs: int, *, in_part: bool = False
    ) -> None:
        self._target = target
        self._in_part = in_part
        self._joining = joining
        self._several = n_inputs > 1
        self._n_written = 0
        self._file: AtomicFile | None = None
        self._stream: TextIO

    def __enter__(self) -> Results:
        if self._target == STDOUT:
            self._stream = utf8_stdout()
        else:
            self._file = AtomicFile(self._target, in_part=self._in_part)
            self._stream = self._file.stream
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A part is put together from a journal, which still has everything if that is broken off.
        broken = isinstance(error, OutputError | BrokenPipeError) or (
            self._in_part and error is not None
        )
        try:
            if self._is_array and not broken and (self._n_written or error is None):
                self._write("\n]\n" if self._n_written else "[]\n")
        finally:
            if self._file is not None:
                self._file.close(keep=self._n_written > 0 and not broken)

    @property
    def _is_array(self) -> bool:
        return self._several and self._joining == "array"

    def write(self, text: str | bytes, source: str) -> None:
        """Write an input's result, and see that it has left this process.

        Args:
            text: The result in the format of all; bytes of the only input.
            source: The input's name.

        Raises:
            OutputError: The file or stdout does not take it.
            BrokenPipeError: Nobody reads stdout any more.
        """
        if isinstance(text, bytes):
            self._n_written += 1
            self._write_bytes(text)
            return
        if self._is_array:
            text = ("[\n" if self._n_written == 0 else ",\n") + text.rstrip("\n")
        elif self._several and self._joining == "headings":
            text = _with_heading(text, source)
        elif self._joining == "header" and self._n_written:
            text = text.partition("\n")[2]
        self._n_written += 1
        self._write(text)

    def gather(
        self, write: Callable[[Iterable[str], BinaryIO], None], notes: Iterable[str]
    ) -> None:
        """Have a file put together of what journals keep; see `w2v_cli.formats.format.Gathering`.

        Raises:
            OutputError: The file does not take it.
        """
        self._n_written += 1
        with self._telling():
            write(notes, self._stream.buffer)

    def _write(self, text: str) -> None:
        with self._telling():
            self._stream.write(text)
            self._stream.flush()

    def _write_bytes(self, content: bytes) -> None:
        with self._telling():
            self._stream.buffer.write(content)
            self._stream.flush()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say where what is written in the `with` block does not fit."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            if self._file is None:
                drop_stdout()
            raise cannot_write(self._target, error) from error


def write_result(target: str, text: str) -> None:
    """Write the only result of a command.

    Args:
        target: A file's path, or "-" for stdout.
        text: All that is written there.

    Raises:
        OutputError: It does not take it.
        BrokenPipeError: Nobody reads stdout any more.
    """
    with Results(target, None, 1) as results:
        results.write(text, "")


class OutputError(W2VError):
    """Results that could not be written."""


class AtomicFile:
    """A file under a temporary name beside its target, renamed when it is complete.

    Args:
        target: Its path.
        in_part: Call it as `w2v_cli.batch.parts` does, and not by chance.

    Raises:
        UsageError: The target is a folder, or lies in none.
        OutputError: It cannot be written.
    """

    def __init__(self, target: str, *, in_part: bool = False) -> None:
        self._target = target
        path = true_path(target)
        check_place(target)
        self._path = path
        self._temporary: Path | None = None
        try:
            if path.is_file() or not path.exists():
                self._temporary = part_path(path) if in_part else _temporary_beside(path)
            # A named pipe or /dev/null takes the results as they come.
            written = self._temporary or path
            self.stream: TextIO = written.open(
                "w", encoding="utf-8", errors=ENCODING_ERRORS, newline="\n"
            )
            if in_part and path.is_file():
                written.chmod(_file_mode(path))
        except OSError as error:
            raise cannot_write(target, error) from error

    def close(self, *, keep: bool) -> None:
        """Rename the file to its target, or remove it if it is not to be kept."""
        try:
            self.stream.close()
            if self._temporary is None:
                return
            if keep:
                self._temporary.replace(self._path)
            else:
                self._temporary.unlink()
        except OSError as error:
            raise cannot_write(self._target, error) from error


def is_folder(output: str) -> bool:
    """Return whether an output is a folder, to be made or there already."""
    is_there = os.path.isdir(output)  # noqa: PTH112  # Path raises for names that are too long
    return output != STDOUT and (is_there or output.endswith(("/", os.sep)))


def format_of_name(output: str, formats: Collection[str], default: str) -> str:
    """Return the format that a file's name ends with, for who names none; else the default.

    >>> format_of_name("talk.srt", ["txt", "srt"], "txt"), format_of_name("-", ["txt"], "txt")
    ('srt', 'txt')
    >>> format_of_name("talk.labels.txt", ["txt", "audacity"], "txt")
    'audacity'
    """
    name = "" if is_folder(output) else Path(output).name.lower()
    ending = "audacity" if name.endswith(".labels.txt") else Path(name).suffix.removeprefix(".")
    return ending if ending in formats else default


def check_place(target: str) -> None:
    """Refuse a name that no file can be written under.

    Raises:
        UsageError: It is a folder, or its folder is not there.
        OutputError: Its folder takes no new files.
    """
    path = true_path(target)
    if path.is_dir():
        raise UsageError(f"--output {target}: a directory; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(
            f"--output {target}: there is no folder {path.parent}; make it first: "
            f"mkdir -p {path.parent}"
        )
    if (path.is_file() or not path.exists()) and not os.access(path.parent, os.W_OK | os.X_OK):
        raise cannot_write(target, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def check_file(target: str, inputs: Sequence[str]) -> None:
    """Refuse now an only file that could not be written when all is done.

    Raises:
        UsageError: It is one of `inputs` or a folder, or its folder is not there.
        OutputError: Its folder takes no new files.
    """
    if target != STDOUT:
        check_place(target)
        check_output(target, inputs)


def check_output(target: str, inputs: Sequence[str]) -> None:
    """Refuse to write over a recording that is to be read.

    Raises:
        UsageError: `target` is one of `inputs`.
    """
    if target != STDOUT and Path(target).exists():
        _check_targets({_identity(Path(target)): target}, inputs)


def check_files(files: Mapping[str, Mapping[str, Path]], reads: Sequence[str] = ()) -> None:
    """Refuse now what would fail when the first recording, or the last, is done.

    Args:
        files: For every recording and format: the file it is written to.
        reads: What is read besides the recordings.

    Raises:
        UsageError: A file is one of the recordings or of `reads`, or a folder.
        OutputError: A folder takes no new files.
    """
    folders: set[Path] = set()
    existing: dict[tuple[int, int], str] = {}
    for paths in files.values():
        for path in paths.values():
            try:
                status = path.stat()
            except OSError:
                if path.parent in folders:
                    continue
            else:
                existing[(status.st_dev, status.st_ino)] = str(path)
            if path.parent not in folders or stat.S_ISDIR(status.st_mode):
                folders.add(path.parent)
                if path.parent.is_dir():  # else it is to be made
                    check_place(str(path))
    _check_targets(existing, itertools.chain(files, reads))


def _check_targets(targets: Mapping[tuple[int, int], str], inputs: Iterable[str]) -> None:
    if not targets:
        return
    for source in inputs:
        recording = split_part(source).recording
        path = Path(local_path(recording) or recording)
        identity = _identity(path) if path.is_file() else (0, 0)
        if identity in targets:
            raise UsageError(
                f"--output {targets[identity]}: this is an input too, and would be overwritten; "
                f"name another file"
            )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _temporary_beside(path: Path) -> Path:
    """Return a new, empty file in the folder of `path`, with the permissions it would have."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(_file_mode(path))
    return temporary


def _with_heading(text: str, name: str) -> str:
    """Return the lines with the input's name before each, and at least one line."""
    name = name.replace("\n", "\\n")
    return "".join(f"{name}: {line}".rstrip() + "\n" for line in text.splitlines() or [""])


def utf8_stdout() -> TextIO:
    """Return stdout, writing UTF-8 whatever the locale says: json has no other encoding.

    Raises:
        OutputError: The caller has closed it.
    """
    if sys.stdout is None:
        raise OutputError("stdout: closed; leave it open, or name a file with --output")
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a test's stdout has none
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors=ENCODING_ERRORS)
    return sys.stdout


def drop_stdout() -> None:
    """Send what is still buffered for stdout nowhere, or Python would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _file_mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new one."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def cannot_write(target: str, error: OSError) -> OutputError:
    """Return the error to raise for a target that does not take what is written."""
    name = "stdout" if target == STDOUT else f"--output {target}"
    advice = "; make room on the disk" if error.errno == errno.ENOSPC else ""
    return OutputError(f"{name}: cannot be written: {error.strerror or error}{advice}")
