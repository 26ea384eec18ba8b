"""Where the transcripts of a command go: into one stream, or into files named after recordings.

    one format, no --output or -            stdout
    one format, --output FILE               that file
    several formats, --output NAME          NAME.srt, NAME.vtt ..., of one recording
    --output DIR (there already, or DIR/)   DIR/RECORDING.srt ... of each recording, in the folders
                                            that it has below the one that was named

A stream holds several recordings if its format can (see `Joining` in `w2v_cli.formats`).
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path, PurePath
from types import TracebackType

from w2v_cli.batch.journal import Journal
from w2v_cli.batch.ledger import Files, Ledger
from w2v_cli.batch.naming import NameTemplate, OutputNames
from w2v_cli.batch.outcome import Item
from w2v_cli.batch.parts import drop_part, finish_part, write_part
from w2v_cli.cli.options import ALL_FORMATS
from w2v_cli.cli.output import (
    ENCODING_ERRORS,
    STDOUT,
    OutputError,
    Results,
    cannot_write,
    check_files,
    check_output,
    check_place,
)
from w2v_cli.errors import UsageError, W2VError
from w2v_cli.formats import FORMATS, SubtitleOptions, format_transcript, json_error_line
from w2v_cli.results import Transcript


class Destination(ABC):
    """Takes transcripts as they are finished; inside a `with` block.

    Leaving the block keeps what is finished, however it is left.

    Attributes:
        journal_path: Where what is finished can be written down, so that a run that was killed
            can go on; None where it cannot go on.
        files: The files of every result; None where all results share one.
        prints: Results are shown where a person may be reading other things.
        formats: What the results are written in.
        options: How subtitles are laid out.
    """

    journal_path: Path | None = None
    files: Files | None = None
    prints = False
    formats: tuple[str, ...]
    options: SubtitleOptions

    def __enter__(self) -> Destination:
        """Open what has to be open from the beginning on."""
        return self

    def __exit__(  # noqa: B027  # some have nothing left to complete
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete what is finished."""

    @abstractmethod
    def write(self, transcript: Transcript) -> None:
        """Write a transcript in all formats that were asked for.

        Raises:
            OutputError: A file or stdout does not take it.
            BrokenPipeError: Nobody reads stdout any more.
        """

    @abstractmethod
    def fail(self, source: str, error: W2VError) -> None:
        """Write that there is no transcript, where the format has a place for it: in jsonl."""

    def keeping(self, ledger: Ledger) -> Destination:
        """Return the same, with everything that is finished written down in a ledger."""
        raise ValueError("nothing can be resumed here")


def chosen_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Return the formats, each once, in the order of `FORMATS`; ``all`` stands for all.

    >>> chosen_formats(["vtt", "srt", "vtt"])
    ('srt', 'vtt')
    """
    return tuple(name for name in FORMATS if name in names or ALL_FORMATS in names)


def destination(
    output: str,
    format_names: Sequence[str],
    inputs: Sequence[str | Item],
    options: SubtitleOptions | None = None,
    *,
    refused: Sequence[Item] = (),
    template: NameTemplate | None = None,
    named: bool = True,
) -> Destination:
    """Return where the transcripts of `inputs` go, before anything is opened or written.

    Args:
        output: What was given as --output.
        format_names: What was given as --format, each time.
        inputs: The recordings.
        options: How subtitles are laid out; None for the defaults.
        refused: What was named and cannot be worked on; jsonl has a record of it.
        template: How files in a folder are called; None for the recordings' names.
        named: They were named one by one. Those of the same name get longer ones; others are
            refused, and share a file as several do even if they turn out to be only one.

    Raises:
        UsageError: `output` cannot hold these formats of these recordings, or is one of them.
    """
    if not output:
        raise UsageError("--output: an empty name; name a file or a folder, or - for stdout")
    options = options or SubtitleOptions()
    formats = chosen_formats(format_names)
    items = [Item(i, PurePath(PurePath(i).name)) if isinstance(i, str) else i for i in inputs]
    if output != STDOUT and (Path(output).is_dir() or output.endswith(("/", os.sep))):
        files = files_in_folder(output, formats, items, template, named)
        return FilesDestination(Path(output), files, formats, options)
    if template is not None:
        raise UsageError(
            f"--name: it names files in a folder; name one: --output {_as_folder(output)}"
        )
    if len(formats) == 1:
        (name,) = formats
        if len(items) > 1 and FORMATS[name].joining is None:
            raise UsageError(
                f"--format {name}: a file holds one recording, and there are {len(items)}; name "
                f"a folder for the files: --output {_as_folder(output)}"
            )
        check_output(output, [item.source for item in items])
        several = len(items) + len(refused) > 1 or not named
        return StreamDestination(output, name, [*refused, *items], options, several=several)
    chosen = f"--format {' and '.join(formats) if len(formats) < 4 else ALL_FORMATS}"
    if output == STDOUT:
        raise UsageError(
            f"{chosen}: several formats don't fit on stdout; name a folder for the files: "
            f"--output {_as_folder(output)}"
        )
    if len(items) != 1:
        raise UsageError(
            f"{chosen}: {len(items)} recordings don't fit into one file a format; name a "
            f"folder for the files: --output {_as_folder(output)}"
        )
    stem = _without_suffix(output, formats)
    files = {items[0].source: {name: Path(stem + FORMATS[name].suffix) for name in formats}}
    check_place(str(files[items[0].source][formats[0]]))  # that there is a folder
    check_files(files)
    return FilesDestination(None, files, formats, options)


class StreamDestination(Destination):
    """Everything in one format, on stdout or in one file."""

    def __init__(
        self,
        target: str,
        format_name: str,
        items: Sequence[Item],
        options: SubtitleOptions,
        *,
        several: bool,
    ) -> None:
        self._results = Results(target, format_name, 2 if several else 1)
        self._target = target
        self._items = items
        self._format_name = format_name
        self.prints = target == STDOUT
        self.formats = (format_name,)
        self.options = options
        if several and target != STDOUT and _is_plain_file(target):
            path = Path(os.path.realpath(target))
            self.journal_path = path.with_name(f".{path.name[:60]}.w2v-journal")

    def __enter__(self) -> StreamDestination:
        self._results.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._results.__exit__(kind, error, trace)

    def write(self, transcript: Transcript) -> None:
        text = format_transcript(transcript, self._format_name, self.options)
        self._results.write(text, transcript.source or "")

    def fail(self, source: str, error: W2VError) -> None:
        if self._format_name == "jsonl":
            self._results.write(json_error_line(source, str(error), error.exit_code), source)

    def keeping(self, ledger: Ledger) -> Destination:
        return JournaledFile(self._target, self._format_name, self._items, self.options, ledger)


class JournaledFile(Destination):
    """One file with everything in one format, put together in the end.

    What is finished lies in the journal until then, each result on its own, so that a run that
    was killed goes on where it was.
    """

    def __init__(
        self,
        target: str,
        format_name: str,
        items: Sequence[Item],
        options: SubtitleOptions,
        ledger: Ledger,
    ) -> None:
        self._target = target
        self._items = items
        self._ledger = ledger
        self._format_name = format_name
        self.formats = (format_name,)
        self.options = options

    def __enter__(self) -> JournaledFile:
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
        with Results(self._target, self._format_name, 2, in_part=True) as results:
            for item in self._items:
                text = self._ledger.result(item)
                if text is not None:
                    results.write(text, item.source)

    def write(self, transcript: Transcript) -> None:
        text = format_transcript(transcript, self._format_name, self.options)
        self._ledger.done(transcript.source or "", transcript.duration_seconds, text)

    def fail(self, source: str, error: W2VError) -> None:
        text = None
        if self._format_name == "jsonl":
            text = json_error_line(source, str(error), error.exit_code)
        self._ledger.failed(source, error, text)


class FilesDestination(Destination):
    """A file for every recording and format; each is either the old one or complete.

    Args:
        folder: Where they are, to be made when the first is written; None if it is there.
        files: The files by recording and format.
        formats: What they are written in.
        options: How subtitles are laid out.
        ledger: Where what is finished is written down; None for nowhere.
    """

    def __init__(
        self,
        folder: Path | None,
        files: Files,
        formats: tuple[str, ...],
        options: SubtitleOptions,
        ledger: Ledger | None = None,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self.files = files
        self.formats = formats
        self.options = options
        self.journal_path = None if folder is None else folder / ".w2v-journal"

    def keeping(self, ledger: Ledger) -> Destination:
        assert self.files is not None
        return FilesDestination(self._folder, self.files, self.formats, self.options, ledger)

    def write(self, transcript: Transcript) -> None:
        assert self.files is not None
        source = transcript.source or ""
        texts = {
            path: format_transcript(transcript, name, self.options)
            for name, path in self.files[source].items()
        }
        self._write_parts(texts)
        if self._ledger is not None:
            self._ledger.done(source, transcript.duration_seconds)
        self._finish_parts(texts)

    def fail(self, source: str, error: W2VError) -> None:
        assert self.files is not None
        texts = {}
        if "jsonl" in self.formats and source in self.files:
            line = json_error_line(source, str(error), error.exit_code)
            texts = {self.files[source]["jsonl"]: line}
        self._write_parts(texts)
        if self._ledger is not None:
            self._ledger.failed(source, error)
        self._finish_parts(texts)

    def _write_parts(self, texts: dict[Path, str]) -> None:
        """Write everything beside its place: if anything does not fit, all stays as it was."""
        self._make_folders(texts)
        try:
            for path, text in texts.items():
                try:
                    write_part(path, text.encode("utf-8", ENCODING_ERRORS))
                except OSError as error:
                    raise cannot_write(str(path), error) from error
        except BaseException:
            for path in texts:
                drop_part(path)
            raise

    def _finish_parts(self, texts: dict[Path, str]) -> None:
        for path in texts:
            try:
                finish_part(path)
            except OSError as error:
                raise cannot_write(str(path), error) from error

    def _make_folders(self, texts: dict[Path, str]) -> None:
        if self._folder is None:
            return
        folders = {path.parent for path in texts}
        if self._ledger is not None:
            folders.add(self._folder)
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(str(folder), error) from error


def open_journal(target: Destination, shard: tuple[int, int] | None) -> Journal:
    """Return the journal of a run, and let it see what other shards have done.

    Raises:
        UsageError: Another shard has written the same file.
        WriteError: Another run has it, or it cannot be read.
    """
    path = target.journal_path
    assert path is not None
    own = path if shard is None else path.with_name(f"{path.name}-{shard[0]}of{shard[1]}")
    name = re.compile(re.escape(path.name) + r"(-\d+of\d+)?")
    near = path.parent.iterdir() if path.parent.is_dir() else ()
    others = sorted(other for other in near if name.fullmatch(other.name) and other != own)
    if target.files is None:
        if others and shard is not None:
            raise UsageError(
                f"--shard: another part of the recordings was written to the same file, as "
                f"{others[0]} says; name a file for each part, or a folder: --output DIR/"
            )
        return Journal(own)
    return Journal(own, tuple(others))


def files_in_folder(
    folder: str,
    formats: Sequence[str],
    items: Sequence[Item],
    template: NameTemplate | None = None,
    named: bool = True,
) -> Files:
    """Return the file of every recording and format in a folder.

    Raises:
        UsageError: The folder has no parent folder, two recordings would share a file, or a
            file would overwrite a recording.
    """
    parent = Path(folder).absolute().parent
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--output {folder}: a file, not a folder; name another")
    if not parent.is_dir():
        raise UsageError(
            f"--output {folder}: there is no folder {parent}; make it first: mkdir -p {parent}"
        )
    suffixes = {name: FORMATS[name].suffix for name in formats}
    files = OutputNames(folder, items, suffixes, template=template, apart=named)
    check_files(files)
    return files


def _is_plain_file(target: str) -> bool:
    return Path(target).is_file() or not Path(target).exists()


def _as_folder(output: str) -> str:
    return "DIR/" if output == STDOUT else output.rstrip("/") + "/"


def _without_suffix(output: str, formats: Sequence[str]) -> str:
    """Return a name without a suffix that one of the formats adds again.

    >>> _without_suffix("talk.SRT", ["srt", "vtt"])
    'talk'
    """
    for name in formats:
        suffix = FORMATS[name].suffix
        if output.lower().endswith(suffix.lower()) and Path(output).name.lower() != suffix.lower():
            return output[: -len(suffix)]
    return output
