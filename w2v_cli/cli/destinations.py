"""Where the transcripts of a command go: into one stream, or into files named after recordings.

    one format, no --output or -            stdout
    one format, --output FILE               that file
    several formats, --output NAME          NAME.srt, NAME.vtt ..., of one recording
    --output DIR (there already, or DIR/)   DIR/RECORDING.srt ... of each recording

A stream holds several recordings if its format can (see `Joining` in `w2v_cli.formats`).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from w2v_cli.cli.inputs import STDIN
from w2v_cli.cli.options import ALL_FORMATS
from w2v_cli.cli.output import STDOUT, AtomicFile, Results, cannot_write, check_output, check_place
from w2v_cli.errors import UsageError, W2VError
from w2v_cli.formats import FORMATS, SubtitleOptions, format_transcript, json_error_line
from w2v_cli.results import Transcript

Files = Mapping[str, Mapping[str, Path]]
"""For every recording and format: the file it is written to."""


class Destination(ABC):
    """Takes transcripts as they are finished; inside a `with` block.

    Leaving the block keeps what is finished, however it is left.
    """

    @abstractmethod
    def __enter__(self) -> Destination:
        """Open what has to be open from the beginning on."""

    @abstractmethod
    def __exit__(
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


def chosen_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Return the formats, each once, in the order of `FORMATS`; ``all`` stands for all.

    >>> chosen_formats(["vtt", "srt", "vtt"])
    ('srt', 'vtt')
    """
    return tuple(name for name in FORMATS if name in names or ALL_FORMATS in names)


def destination(
    output: str,
    format_names: Sequence[str],
    inputs: Sequence[str],
    options: SubtitleOptions | None = None,
) -> Destination:
    """Return where the transcripts of `inputs` go, before anything is opened or written.

    Args:
        output: What was given as --output.
        format_names: What was given as --format, each time.
        inputs: The recordings.
        options: How subtitles are laid out; None for the defaults.

    Raises:
        UsageError: `output` cannot hold these formats of these recordings, or is one of them.
    """
    if not output:
        raise UsageError("--output: an empty name; name a file or a folder, or - for stdout")
    options = options or SubtitleOptions()
    formats = chosen_formats(format_names)
    if output != STDOUT and (Path(output).is_dir() or output.endswith(("/", os.sep))):
        return FilesDestination(Path(output), files_in_folder(output, formats, inputs), options)
    if len(formats) == 1:
        (name,) = formats
        if len(inputs) > 1 and FORMATS[name].joining is None:
            raise UsageError(
                f"--format {name}: a file holds one recording, and there are {len(inputs)}; name "
                f"a folder for the files: --output {_as_folder(output)}"
            )
        check_output(output, inputs)
        return StreamDestination(output, name, len(inputs), options)
    several = f"--format {' and '.join(formats) if len(formats) < 4 else ALL_FORMATS}"
    if output == STDOUT:
        raise UsageError(
            f"{several}: several formats don't fit on stdout; name a folder for the files: "
            f"--output {_as_folder(output)}"
        )
    if len(inputs) > 1:
        raise UsageError(
            f"{several}: {len(inputs)} recordings don't fit into one file a format; name a "
            f"folder for the files: --output {_as_folder(output)}"
        )
    stem = _without_suffix(output, formats)
    files = {name: Path(stem + FORMATS[name].suffix) for name in formats}
    check_place(str(files[formats[0]]))  # that there is a folder
    _check_files({inputs[0]: files}, inputs)
    return FilesDestination(None, {inputs[0]: files}, options)


class StreamDestination(Destination):
    """Everything in one format, on stdout or in one file."""

    def __init__(
        self, target: str, format_name: str, n_inputs: int, options: SubtitleOptions
    ) -> None:
        self._results = Results(target, format_name, n_inputs)
        self._format_name = format_name
        self._options = options

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
        text = format_transcript(transcript, self._format_name, self._options)
        self._results.write(text, transcript.source or "")

    def fail(self, source: str, error: W2VError) -> None:
        if self._format_name == "jsonl":
            self._results.write(json_error_line(source, str(error), error.exit_code), source)


class FilesDestination(Destination):
    """A file for every recording and format; each is either the old one or complete.

    Args:
        folder: Where they are, to be made when the first is written; None if it is there.
        files: The files by recording and format.
        options: How subtitles are laid out.
    """

    def __init__(self, folder: Path | None, files: Files, options: SubtitleOptions) -> None:
        self._folder = folder
        self._files = files
        self._options = options

    def __enter__(self) -> FilesDestination:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass  # each file was completed when it was written

    def write(self, transcript: Transcript) -> None:
        for name, path in self._files[transcript.source or ""].items():
            self._write(path, format_transcript(transcript, name, self._options))

    def fail(self, source: str, error: W2VError) -> None:
        path = self._files[source].get("jsonl")
        if path is not None:
            self._write(path, json_error_line(source, str(error), error.exit_code))

    def _write(self, path: Path, text: str) -> None:
        if self._folder is not None:
            try:
                self._folder.mkdir(exist_ok=True)
            except OSError as error:
                raise cannot_write(str(self._folder), error) from error
        with AtomicFile(str(path)) as file:
            file.write(text)


def files_in_folder(folder: str, formats: Sequence[str], inputs: Sequence[str]) -> Files:
    """Return the file of every recording and format in a folder.

    It is named after the recording: ``talk.srt`` for ``talk.wav``. Where two would have the
    same name, both keep more of theirs: ``talk.wav.srt`` beside ``talk.mp3.srt``, or
    ``monday_talk.srt`` beside ``tuesday_talk.srt``.

    Raises:
        UsageError: The folder has no parent folder, a recording is named twice, or a file
            would overwrite a recording.
    """
    parent = Path(folder).absolute().parent
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--output {folder}: a file, not a folder; name another")
    if not parent.is_dir():
        raise UsageError(
            f"--output {folder}: there is no folder {parent}; make it first: mkdir -p {parent}"
        )
    files: dict[str, dict[str, Path]] = {}
    for source, name in zip(inputs, _names(inputs, formats), strict=True):
        files[source] = {form: Path(folder, name + FORMATS[form].suffix) for form in formats}
    _check_files(files, inputs)
    return files


def _names(inputs: Sequence[str], formats: Sequence[str]) -> list[str]:
    """Return a name for every recording, as short as tells them apart."""
    candidates = [_candidates(source) for source in inputs]
    level = [0] * len(inputs)
    while True:
        names = [candidates[index][level[index]] for index in range(len(inputs))]
        users: dict[str, set[int]] = {}
        for index, name in enumerate(names):
            for form in formats:
                # Some file systems don't tell upper from lower case.
                users.setdefault((name + FORMATS[form].suffix).casefold(), set()).add(index)
        clashing = {index for same in users.values() if len(same) > 1 for index in same}
        if not clashing:
            return names
        longer = [index for index in clashing if level[index] + 1 < len(candidates[index])]
        if not longer:
            name = inputs[min(clashing)]
            raise UsageError(f"{name}: the same recording is named more than once; name it once")
        for index in longer:
            level[index] += 1


def _candidates(source: str) -> list[str]:
    """Return names for a recording's files, longer and longer.

    >>> _candidates("/calls/monday/talk.wav")
    ['talk', 'talk.wav', 'monday_talk', 'calls_monday_talk', 'calls_monday_talk.wav']
    """
    if source == STDIN:
        return ["stdin", "standard_input"]
    path = Path(source).absolute()
    folders = [part for part in path.parent.parts[1:] if part != ".."]
    longer = ["_".join([*folders[-n:], path.stem]) for n in range(1, len(folders) + 1)]
    longest = [longer[-1] + path.suffix] if longer and path.suffix else []
    return [path.stem, path.name, *longer, *longest]


def _check_files(files: Files, inputs: Sequence[str]) -> None:
    """Refuse now what would fail when the first recording, or the last, is done."""
    for paths in files.values():
        for path in paths.values():
            check_output(str(path), inputs)
            if path.parent.is_dir():  # else it is the folder that is to be made
                check_place(str(path))


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
