"""What takes the results of a run: one stream, one file with a journal, or many files."""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from w2v_cli.batch.fingerprint import content_digest
from w2v_cli.batch.ledger import Files, Ledger
from w2v_cli.batch.outcome import Item
from w2v_cli.batch.parts import drop_part, finish_part, true_path, write_part
from w2v_cli.cli.output import (
    ENCODING_ERRORS,
    STDOUT,
    OutputError,
    Results,
    cannot_write,
    check_place,
)
from w2v_cli.errors import W2VError
from w2v_cli.formats import json_error_line
from w2v_cli.formats.format import Format, OfRecording

Result = TypeVar("Result", bound=OfRecording)

_LONGEST_NAME = 60  # of a file, in that of its journal


class Destination(ABC, Generic[Result]):
    """Takes results as they are finished; inside a `with` block.

    Leaving the block keeps what is finished, however it is left.

    Attributes:
        journal_path: Where what is finished can be written down, so that a run that was killed
            can go on; None where it cannot go on.
        files: The files of every result; None where all results share one.
        keeps: What is finished is there after an interruption; False where all of it is needed.
        prints: Results are shown where a person may be reading other things.
        formats: What the results are written in.
    """

    journal_path: Path | None = None
    files: Files | None = None
    keeps = True
    prints = False
    formats: Mapping[str, Format[Result]]

    def __enter__(self) -> Destination[Result]:
        """Open what has to be open from the beginning on."""
        return self

    def __exit__(  # some have nothing left to complete
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete what is finished."""

    @abstractmethod
    def write(self, result: Result) -> None:
        """Write a result in all formats that were asked for.

        Raises:
            OutputError: A file or stdout does not take it.
            BrokenPipeError: Nobody reads stdout any more.
        """

    @abstractmethod
    def fail(self, source: str, error: W2VError) -> None:
        """Write that there is no result, where the format has a place for it: in jsonl."""

    def keeping(self, ledger: Ledger) -> Destination[Result]:
        """Return the same, with everything that is finished written down in a ledger."""
        raise ValueError("nothing can be resumed here")


class WrappedDestination(Destination[Result]):
    """A destination that something is done before; nothing can be resumed unless it says so.

    Args:
        inner: Where results are written.
    """

    def __init__(self, inner: Destination[Result]) -> None:
        self.inner = inner
        self.files, self.prints, self.formats = inner.files, inner.prints, inner.formats

    def __enter__(self) -> WrappedDestination[Result]:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.inner.__exit__(kind, error, trace)

    def write(self, result: Result) -> None:
        self.inner.write(result)

    def fail(self, source: str, error: W2VError) -> None:
        self.inner.fail(source, error)


class StreamDestination(Destination[Result]):
    """Everything in one format, on stdout or in one file.

    Args:
        target: The file, or - for stdout.
        formats: The format, by its name.
        items: The recordings, bad ones too.
        several: There are several, or there could be.
    """

    def __init__(
        self,
        target: str,
        formats: Mapping[str, Format[Result]],
        items: Sequence[Item],
        *,
        several: bool,
    ) -> None:
        ((self._name, self._format),) = formats.items()
        self._results = Results(target, self._format.joining, 2 if several else 1)
        self._target = target
        self._items = items
        self.prints = target == STDOUT
        self.formats = formats
        if several and is_plain_file(target):
            path = true_path(target)
            self.journal_path = path.with_name(f".{_short(path.name)}.w2v-journal")

    def __enter__(self) -> StreamDestination[Result]:
        self._results.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._results.__exit__(kind, error, trace)

    def write(self, result: Result) -> None:
        self._results.write(self._format.write(result), result.source or "")

    def fail(self, source: str, error: W2VError) -> None:
        if self._name == "jsonl":
            self._results.write(json_error_line(source, str(error), error.exit_code), source)

    def keeping(self, ledger: Ledger) -> Destination[Result]:
        return JournaledFile(self._target, self.formats, self._items, ledger)


class JournaledFile(Destination[Result]):
    """One file with everything in one format, put together in the end.

    What is finished lies in the journal until then, each result on its own, so that a run that
    was killed goes on where it was. Args are those of `StreamDestination`.
    """

    def __init__(
        self,
        target: str,
        formats: Mapping[str, Format[Result]],
        items: Sequence[Item],
        ledger: Ledger,
    ) -> None:
        ((self._name, self._format),) = formats.items()
        self._target = target
        self._items = items
        self._ledger = ledger
        self._has_results = False
        self.formats = formats

    def __enter__(self) -> JournaledFile[Result]:
        check_place(self._target)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OutputError):
            return
        if error is not None and not self._has_results and Path(self._target).exists():
            return  # nothing came of this run: what is there says more
        with Results(self._target, self._format.joining, 2, in_part=True) as results:
            if self._format.gathering is not None:
                texts = (text for _, text in self._kept())
                if (first := next(texts, None)) is not None:  # a file of nothing is none
                    results.gather(self._format.gathering.write, chain([first], texts))
                return
            for item, text in self._kept():
                results.write(text, item.source)

    def _kept(self) -> Iterator[tuple[Item, str]]:
        for item in self._items:
            text = self._ledger.result(item)
            if text is not None:
                yield item, text

    def write(self, result: Result) -> None:
        self._ledger.done(result.source or "", result.duration_seconds, self._text(result))
        self._has_results = True

    def _text(self, result: Result) -> str:
        if self._format.gathering is not None:
            return self._format.gathering.note(result)
        text = self._format.write(result)
        assert isinstance(text, str)
        return text

    def fail(self, source: str, error: W2VError) -> None:
        text = None
        if self._name == "jsonl":
            text = json_error_line(source, str(error), error.exit_code)
        self._ledger.failed(source, error, text)


class FilesDestination(Destination[Result]):
    """A file for every recording and format; each is either the old one or complete.

    Args:
        folder: Where they are, to be made when the first is written; None if it is there.
        files: The files by recording and format.
        formats: What they are written in.
        ledger: Where what is finished is written down; None for nowhere.
    """

    def __init__(
        self,
        folder: Path | None,
        files: Files,
        formats: Mapping[str, Format[Result]],
        ledger: Ledger | None = None,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self.files = files
        self.formats = formats
        self.journal_path = None if folder is None else folder / ".w2v-journal"

    def keeping(self, ledger: Ledger) -> Destination[Result]:
        assert self.files is not None
        return FilesDestination(self._folder, self.files, self.formats, ledger)

    def write(self, result: Result) -> None:
        assert self.files is not None
        source = result.source or ""
        contents = {
            path: self.formats[name].write(result) for name, path in self.files[source].items()
        }
        with self._parts(contents) as digests:
            if self._ledger is not None:
                self._ledger.done(source, result.duration_seconds, parts=digests)

    def fail(self, source: str, error: W2VError) -> None:
        assert self.files is not None
        lines = {}
        if "jsonl" in self.formats and source in self.files:
            line = json_error_line(source, str(error), error.exit_code)
            lines = {self.files[source]["jsonl"]: line}
        with self._parts(lines) as digests:
            if self._ledger is not None:
                self._ledger.failed(source, error, parts=digests)

    def _drop_parts(self, paths: Iterable[Path]) -> None:
        for path in paths:
            drop_part(path)

    @contextmanager
    def _parts(self, contents: Mapping[Path, str | bytes]) -> Iterator[list[str]]:
        """Write everything beside its place, give its hashes, and then the files their names.

        If anything does not fit, or the block fails, all stays as it was.
        """
        self._make_folders(contents)
        if self._ledger is not None:
            self._ledger.begin()
        digests = []
        try:
            for path, text in contents.items():
                content = text.encode("utf-8", ENCODING_ERRORS) if isinstance(text, str) else text
                digests.append(content_digest(content))
                try:
                    write_part(path, content)
                except OSError as error:
                    raise cannot_write(str(path), error) from error
        except BaseException:  # Ctrl-C too: parts would be left behind
            self._drop_parts(contents)
            raise
        try:
            yield digests
        except Exception:  # on Ctrl-C the line may be written: the next run compares the hashes
            self._drop_parts(contents)
            raise
        for path in contents:
            try:
                finish_part(path)
            except OSError as error:
                raise cannot_write(str(path), error) from error

    def _make_folders(self, paths: Iterable[Path]) -> None:
        if self._folder is None:
            return
        folders = {path.parent for path in paths}
        if self._ledger is not None:
            folders.add(self._folder)
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(str(folder), error) from error


def _short(name: str) -> str:
    """Return a name of which a longer one can be made, another one for each."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}.{zlib.crc32(os.fsencode(name)):08x}"


def is_plain_file(target: str) -> bool:
    """Return whether a name is that of a file which can be replaced, and not stdout or a pipe."""
    return target != STDOUT and (Path(target).is_file() or not Path(target).exists())
