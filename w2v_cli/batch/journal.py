"""What is finished, written down so that a run that was killed can go on.

The journal is a file of JSON lines, only ever added to. A line is on the disk before its result
takes effect, and that is the moment in which an input is done: before it, the input is done
again; after it, never. A line that was cut short by a crash is as if it had not been begun.

    files of results                      one file for all
    1. parts are written, beside          1. the line is added: it holds the text
       their places                       2. in the end, the file is put together from the
    2. the line is added, with their         lines, as a part, and gets its name
       hashes
    3. the parts get their names

Killed before 2 (or in it), the next run finds parts that no line tells of, and drops them. Killed
after it, it finds parts with their line, and gives them their names. Killed while one file is put
together, the next run does so again from the same lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from w2v_cli.batch.fingerprint import Content
from w2v_cli.errors import WriteError

if sys.platform != "win32":
    import fcntl

VERSION = 1
# Rewritten when more of it is out of date than in use, but not for crumbs.
_MIN_STALE_LINES = 1000


@dataclass(frozen=True)
class Record:
    """What became of an input.

    Attributes:
        source: The input as it was named.
        key: A hash of the settings and the model; of the settings alone where it failed.
        content: What the input held; None for what is no file.
        seconds: How much audio was read.
        files: The result's files, relative to the journal's folder where they lie in it.
        parts: Hashes of what was written beside their places, which tell this attempt's parts
            from those of one that was never finished.
        error: Why there is no result; None where there is one.
        exit_code: What a run of this input alone would end with.
        position: Where its line begins in the journal, in bytes; -1 before it is written.
        has_text: Whether the line holds the result itself.
        at: When it was written, in seconds since 1970.
    """

    source: str
    key: str
    content: Content | None = None
    seconds: float = 0.0
    files: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    error: str | None = None
    exit_code: int = 0
    position: int = -1
    has_text: bool = False
    at: float = 0.0


class JournalInUseError(WriteError):
    """Another run is writing the same journal."""


class Journal:
    """The records of a run, of those before it and of other shards; the last of an input counts.

    Args:
        path: Where it is; nothing is written there before the first record.
        others: Journals of other runs, of other shards for instance, to read but not to write.

    Raises:
        JournalInUseError: Another run has it.
        WriteError: It cannot be read.
    """

    def __init__(self, path: Path, others: tuple[Path, ...] = ()) -> None:
        self.path = path
        self.settings: dict[str, Any] | None = None
        self._records: dict[str, Record] = {}
        self._file: IO[bytes] | None = None
        try:
            for other in others:
                with other.open("rb") as lines:
                    for _, record, _ in _read(lines):
                        if record is not None:
                            self._take(replace(record, position=-1))
            if path.exists():
                self._open()
                self._load()
        except OSError as error:
            self.close()
            raise _explained(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other runs have it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self._records)

    def get(self, source: str) -> Record | None:
        """Return the last record of an input, or None."""
        return self._records.get(source)

    def _take(self, record: Record) -> None:
        """Take a record that was read, unless another journal has a newer one."""
        known = self._records.get(record.source)
        is_own = known is not None and known.position >= 0
        if known is None or is_own or known.at <= record.at:
            self._records[record.source] = record

    def begin(self, settings: dict[str, Any]) -> None:
        """Write down what a run was asked for, if it differs from the run before."""
        settings = json.loads(_line(settings))  # as it will be read
        if settings != self.settings:
            self._write({"settings": settings, "version": VERSION})
            self.settings = settings

    def add(self, record: Record, text: str | None = None) -> None:
        """Write a record, and return when it is on the disk.

        Args:
            record: What became of an input.
            text: Its result, where the journal is to keep it.

        Raises:
            WriteError: It cannot be written.
        """
        fields = {name: value for name, value in asdict(record).items() if value}
        del fields["position"]
        fields.pop("has_text", None)
        if text is not None:
            fields["text"] = text
        fields["at"] = at = time.time()
        position = self._write(fields)
        self._records[record.source] = replace(
            record, position=position, has_text=text is not None, at=at
        )

    def text(self, record: Record) -> str:
        """Return the result that a record's line holds.

        Raises:
            WriteError: The journal cannot be read any more.
        """
        try:
            assert self._file is not None
            self._file.seek(record.position)
            text = json.loads(self._file.readline())["text"]
        except (OSError, ValueError, KeyError) as error:
            raise WriteError(f"{self.path}: damaged; remove it, and run again") from error
        assert isinstance(text, str)
        return text

    def remove(self) -> None:
        """Remove it: there is nothing to go on with."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _write(self, fields: dict[str, Any]) -> int:
        """Add a line, and return where it begins."""
        try:
            if self._file is None:
                self._open()
            assert self._file is not None
            position = self._file.seek(0, os.SEEK_END)
            try:
                _write_durably(self._file, [_line(fields)])
            except BaseException:  # Ctrl-C too: half a line would spoil the next
                with contextlib.suppress(OSError):
                    self._file.truncate(position)
                raise
        except OSError as error:
            raise _explained(self.path, error) from error
        return position

    def _open(self) -> None:
        """Open the file, made if it isn't there, and keep other runs out."""
        while True:
            file = _opened(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666))
            try:
                _lock(file)
                same = os.path.samestat(os.fstat(file.fileno()), self.path.stat())
            except BlockingIOError as error:
                file.close()
                raise JournalInUseError(
                    f"{self.path.parent}: another run is writing there (it holds {self.path}); "
                    f"wait for its end"
                ) from error
            except FileNotFoundError:
                same = False
            if same:
                self._file = file
                return
            file.close()  # rewritten by another run in the meantime

    def _load(self) -> None:
        assert self._file is not None
        n_own = 0
        end = 0
        with self.path.open("rb") as lines:
            for line_end, record, fields in _read(lines):
                end = line_end
                if record is not None:
                    self._take(record)
                    n_own += 1
                elif fields:
                    self.settings = fields["settings"]
        if end < self._file.seek(0, os.SEEK_END):
            self._file.truncate(end)  # the line that was being written when the run was killed
        n_stale = n_own - sum(record.position >= 0 for record in self._records.values())
        if n_stale > max(_MIN_STALE_LINES, n_own // 2):
            self._rewrite()

    def _rewrite(self) -> None:
        """Leave out what later lines have replaced."""
        assert self._file is not None
        part = self.path.with_name(self.path.name + "-part")
        file = _opened(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666))
        _lock(file)
        _write_durably(file, [_line({"settings": self.settings, "version": VERSION})])
        with self.path.open("rb") as lines:
            for source, record in self._records.items():
                if record.position >= 0:
                    lines.seek(record.position)
                    position = file.tell()
                    file.write(lines.readline())
                    self._records[source] = replace(record, position=position)
        os.fsync(file.fileno())
        part.replace(self.path)
        self._file.close()
        self._file = file


def _opened(descriptor: int) -> IO[bytes]:
    """Return a file that stays open, unbuffered: what failed is not tried again behind our back."""
    return os.fdopen(descriptor, "r+b", buffering=0)


def _lock(file: IO[bytes]) -> None:
    if sys.platform != "win32":  # there nothing keeps two runs apart
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_durably(file: IO[bytes], pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _read(lines: Iterable[bytes]) -> Iterator[tuple[int, Record | None, dict[str, Any]]]:
    """Yield where each line ends, its record, and its fields.

    What a damaged line says has to be done again, and so does what another version of w2v wrote
    down otherwise; the last line may be cut short.
    """
    is_ours = True
    position = 0
    for line in lines:
        end = position + len(line)
        if not line.endswith(b"\n"):
            return
        record, settings = None, {}
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise TypeError(line)
            if "settings" in fields:
                is_ours = fields.get("version") == VERSION
                if is_ours and isinstance(fields["settings"], dict):
                    settings = fields
            elif is_ours:
                record = _record(fields, position)
        yield end, record, settings
        position = end


def _record(fields: dict[str, Any], position: int) -> Record:
    """Return the record in a line.

    Raises:
        TypeError: A field is of another kind than was written.
        KeyError: A field is missing.
    """
    content, text = fields.get("content"), fields.get("text")
    named = (fields["source"], fields["key"], fields.get("error", ""), text or "")
    numbers = [fields.get(name, 0) for name in ("seconds", "exit_code", "at")]
    files, parts = fields.get("files", []), fields.get("parts", [])
    if not all(isinstance(name, str) for name in (*named, *files, *parts)):
        raise TypeError("names are texts")
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError("these are numbers")
    return Record(
        source=fields["source"],
        key=fields["key"],
        content=None if content is None else Content(**content),
        seconds=fields.get("seconds", 0.0),
        files=tuple(files),
        parts=tuple(parts),
        error=fields.get("error"),
        exit_code=fields.get("exit_code", 0),
        position=position,
        has_text=text is not None,
        at=fields.get("at", 0.0),
    )


def _line(fields: dict[str, Any]) -> bytes:
    # In ASCII, so that names that are no UTF-8 come back as they were.
    return json.dumps(fields, ensure_ascii=True).encode("ascii") + b"\n"


def _explained(path: Path, error: OSError) -> WriteError:
    if isinstance(error, WriteError):
        return error
    return WriteError(f"{path}: the journal cannot be kept: {error.strerror or error}")
