"""Where the results of a command go: into one stream, or into files named after recordings.

    one format, no --output or -            stdout
    one format, --output FILE               that file
    several formats, --output NAME          NAME.srt, NAME.vtt ..., of one recording
    --output DIR (there already, or DIR/)   DIR/RECORDING.srt ... of each recording, in the folders
                                            that it has below the one that was named

A stream holds several recordings if its format can (see `w2v_cli.formats.format`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from w2v_cli.batch.journal import Journal
from w2v_cli.batch.ledger import Files
from w2v_cli.batch.naming import NameTemplate, OutputNames
from w2v_cli.batch.outcome import Item
from w2v_cli.cli.options import ALL_FORMATS
from w2v_cli.cli.output import STDOUT, check_files, check_output, check_place, is_folder
from w2v_cli.cli.sinks import (
    Destination,
    FilesDestination,
    Result,
    StreamDestination,
    is_plain_file,
)
from w2v_cli.errors import UsageError
from w2v_cli.formats.format import Format
from w2v_cli.formats.spoken import recording_name
from w2v_cli.recording_parts import split_part


def chosen_formats(names: Sequence[str], formats: Iterable[str]) -> tuple[str, ...]:
    """Return the formats, each once, in the order of `formats`; ``all`` stands for all.

    >>> chosen_formats(["vtt", "srt", "vtt"], ["txt", "srt", "vtt"])
    ('srt', 'vtt')
    """
    return tuple(name for name in formats if name in names or ALL_FORMATS in names)


def destination(
    output: str,
    format_names: Sequence[str],
    inputs: Sequence[str | Item],
    formats: Mapping[str, Format[Result]],
    *,
    refused: Sequence[Item] = (),
    template: NameTemplate | None = None,
    named: bool = True,
    of_all_shards: Sequence[Item] = (),
    reads: Sequence[str] = (),
) -> Destination[Result]:
    """Return where the results of `inputs` go, before anything is opened or written.

    Args:
        output: What was given as --output.
        format_names: What was given as --format, each time.
        inputs: The recordings.
        formats: What such results can be written in, by name.
        refused: What was named and cannot be worked on; jsonl has a record of it.
        template: How files in a folder are called; None for the recordings' names.
        named: They were named one by one. Those of the same name get longer ones; others are
            refused, and share a file as several do even if they turn out to be only one.
        of_all_shards: The recordings, and those of other shards, whose files must have other
            names; empty for the recordings alone.
        reads: Files that are read besides, and must not be written over.

    Raises:
        UsageError: `output` cannot hold these formats of these recordings, or is one of them or
            of `reads`.
    """
    if not output:
        raise UsageError("--output: an empty name; name a file or a folder, or - for stdout")
    chosen = {name: formats[name] for name in chosen_formats(format_names, formats)}
    items = [Item(i, PurePath(PurePath(i).name)) if isinstance(i, str) else i for i in inputs]
    if is_folder(output):
        everything = of_all_shards or items
        files = files_in_folder(output, chosen, everything, template, named, reads)
        return FilesDestination(Path(output), files, chosen)
    if template is not None:
        raise UsageError(
            f"--name: it names files in a folder; name one: --output {_as_folder(output)}"
        )
    if len(chosen) == 1:
        several = len(of_all_shards or items) + len(refused) > 1 or not named
        _check_stream(output, chosen, items, several=several)
        check_output(output, [*(item.source for item in items), *reads])
        return StreamDestination(output, chosen, [*refused, *items], several=several)
    said = f"--format {' and '.join(chosen) if len(chosen) < 4 else ALL_FORMATS}"
    if output == STDOUT:
        raise UsageError(
            f"{said}: several formats don't fit on stdout; name a folder for the files: "
            f"--output {_as_folder(output)}"
        )
    if len(items) != 1:
        raise UsageError(
            f"{said}: {len(items)} recordings don't fit into one file a format; name a "
            f"folder for the files: --output {_as_folder(output)}"
        )
    paths = files_beside(output, {name: form.suffix for name, form in chosen.items()})
    check_place(str(next(iter(paths.values()))))  # that there is a folder
    files = {items[0].source: paths}
    check_files(files, reads)
    return FilesDestination(None, files, chosen)


def _check_stream(
    output: str, chosen: Mapping[str, Format[Any]], items: Sequence[Item], *, several: bool
) -> None:
    """Refuse a stream that cannot hold these recordings in the only format that was chosen.

    Raises:
        UsageError: It cannot.
    """
    ((name, form),) = chosen.items()
    if len(items) > 1 and not form.holds_several:
        raise UsageError(
            f"--format {name}: a file holds one recording, and there are {len(items)}; name "
            f"a folder for the files: --output {_as_folder(output)}"
        )
    if form.tells_apart_by_name:
        _refuse_one_name(items, name, output)
    if form.gathering is not None and several and not is_plain_file(output):
        raise UsageError(
            f"--format {name}: several recordings are put together in a file; name one: "
            f"--output FILE{form.suffix}"
        )


def _refuse_one_name(items: Iterable[Item], format_name: str, output: str) -> None:
    """Refuse recordings whose lines nobody could tell apart.

    Raises:
        UsageError: Two that are not parts of one recording have one name.
    """
    owners: dict[str, str] = {}
    for item in items:
        recording = split_part(item.source).recording
        other = owners.setdefault(recording_name(recording), recording)
        if other != recording:
            raise UsageError(
                f"--format {format_name}: {other} and {recording} would both be called "
                f"{recording_name(recording)} in one file; name a folder for the files: --output "
                f"{_as_folder(output)}"
            )


def open_journal(target: Destination[Any], shard: tuple[int, int] | None) -> Journal:
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
    formats: Mapping[str, Format[Any]],
    items: Sequence[Item],
    template: NameTemplate | None = None,
    named: bool = True,
    reads: Sequence[str] = (),
) -> Files:
    """Return the file of every recording and format in a folder.

    Raises:
        UsageError: The folder has no parent folder, two recordings would share a file, or a
            file would overwrite a recording, or one of `reads`.
    """
    parent = Path(folder).absolute().parent
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--output {folder}: a file, not a folder; name another")
    if not parent.is_dir():
        raise UsageError(
            f"--output {folder}: there is no folder {parent}; make it first: mkdir -p {parent}"
        )
    suffixes = {name: form.suffix for name, form in formats.items()}
    files = OutputNames(folder, items, suffixes, template=template, apart=named)
    check_files(files, reads)
    return files


def _as_folder(output: str) -> str:
    return "DIR/" if output == STDOUT else output.rstrip("/") + "/"


def files_beside(output: str, suffixes: Mapping[str, str]) -> dict[str, Path]:
    """Return the files of one recording in several formats, by these.

    Args:
        output: What was given as --output.
        suffixes: That of each format.
    """
    stem = _without_suffix(output, suffixes.values())
    return {name: Path(stem + suffix) for name, suffix in suffixes.items()}


def _without_suffix(output: str, suffixes: Iterable[str]) -> str:
    """Return a name without a suffix that one of the formats adds again.

    >>> _without_suffix("talk.SRT", [".srt"])
    'talk'
    """
    for suffix in suffixes:
        if output.lower().endswith(suffix.lower()) and Path(output).name.lower() != suffix.lower():
            return output[: -len(suffix)]
    return output
