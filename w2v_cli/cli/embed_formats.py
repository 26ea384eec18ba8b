"""What `w2v embed` writes: vectors in each format, of one recording or of many in one file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from w2v_cli.cli.destinations import chosen_formats, files_beside
from w2v_cli.cli.options import ALL_FORMATS
from w2v_cli.cli.output import STDOUT, format_of_name, is_folder
from w2v_cli.errors import UsageError
from w2v_cli.formats import vectors
from w2v_cli.formats.format import Format, Gathering
from w2v_cli.formats.vector_index import require_usearch, usearch_index
from w2v_cli.results import Embedding

INDEX_FORMAT = "usearch"
DEFAULT_FORMAT = "jsonl"

_Writer = Callable[[vectors.VectorTable], bytes]

_BINARY: Mapping[str, _Writer] = MappingProxyType(
    {
        "npy": vectors.npy,
        "npz": vectors.npz,
        "parquet": vectors.parquet,
        "safetensors": vectors.safetensors,
        INDEX_FORMAT: usearch_index,
    }
)
# They have no place for names, which are written beside them.
_NAMES_BESIDE = frozenset({"npy", INDEX_FORMAT})

VECTOR_FORMATS = (DEFAULT_FORMAT, *_BINARY)


def vector_formats(output: str, format_names: Sequence[str]) -> dict[str, Format[Embedding]]:
    """Return the formats by their names.

    Args:
        output: What was given as --output: beside its files lie the names that some formats have
            no place for.
        format_names: What was given as --format, each time, or the default.
    """
    chosen = chosen_formats(format_names, VECTOR_FORMATS)
    files = {name: Path(output) for name in chosen}
    if output == STDOUT or is_folder(output):
        files = {}
    elif len(chosen) > 1:
        files = files_beside(output, {name: f".{name}" for name in chosen})
    formats: dict[str, Format[Embedding]] = {
        DEFAULT_FORMAT: Format(
            ".jsonl",
            lambda embedding: vectors.json_lines(vectors.vector_table([embedding])),
            joining="lines",
        )
    }
    for name, writer in _BINARY.items():
        if name == INDEX_FORMAT and is_folder(output):
            continue  # an index for each recording finds nothing
        formats[name] = _binary(name, writer, files.get(name) if name in _NAMES_BESIDE else None)
    return formats


def _binary(name: str, writer: _Writer, beside: Path | None) -> Format[Embedding]:
    def content(embeddings: list[Embedding]) -> bytes:
        table = vectors.vector_table(embeddings)
        written = writer(table)
        if beside is not None:
            from w2v_cli.checkpoint.atomic import write_text

            names = beside.with_name(beside.name + vectors.NAMES_SUFFIX)
            write_text(names, vectors.names_json(table).decode())
        return written

    def gather(notes: Iterable[str], file: BinaryIO) -> None:
        file.write(content([vectors.unpacked(note) for note in notes]))

    return Format(
        f".{name}",
        lambda embedding: content([embedding]),
        gathering=Gathering(vectors.packed, gather),
    )


def chosen_vector_formats(format_names: list[str] | None, output: str) -> list[str]:
    """Return the formats that were asked for, or that the name of the output says.

    Raises:
        UsageError: They cannot go there, or it says nothing.
        MissingDependencyError: One needs a package that is not installed.
    """
    chosen = format_names or [_format_of(output)]
    others = [name for name in chosen if name not in (*VECTOR_FORMATS, ALL_FORMATS)]
    if others:
        raise UsageError(
            f"--format {others[0]}: vectors are written as {', '.join(VECTOR_FORMATS)}; choose one"
        )
    if INDEX_FORMAT in chosen and (is_folder(output) or output == STDOUT):
        raise UsageError(
            f"--format {INDEX_FORMAT}: an index is one file for all recordings; name it: "
            f"--output FILE.{INDEX_FORMAT}"
        )
    if output == STDOUT and set(chosen) != {DEFAULT_FORMAT} and sys.stdout.isatty():
        raise UsageError(
            f"--format {chosen[0]}: not for a terminal; name a file with --output, or choose "
            f"--format {DEFAULT_FORMAT}"
        )
    if "parquet" in chosen or ALL_FORMATS in chosen:
        vectors.require_pyarrow()
    if INDEX_FORMAT in chosen or (ALL_FORMATS in chosen and not is_folder(output)):
        require_usearch()
    return chosen


def _format_of(output: str) -> str:
    is_file = output != STDOUT and not is_folder(output)
    chosen = format_of_name(output, VECTOR_FORMATS, "" if is_file else DEFAULT_FORMAT)
    if not chosen:
        raise UsageError(
            f"--output {output}: its suffix is none of a file of vectors; end it with one of "
            f"{', '.join(VECTOR_FORMATS)}, or say --format"
        )
    return chosen
