"""Lists of recordings: names a line or between NULs, NeMo's JSONL, and tables with a head."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from w2v_cli.batch.inputs import Found, is_url, place_in_list
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import UsageError

PATH_COLUMNS = ("audio_filepath", "audio_path", "path", "file", "filename", "audio", "wav")
"""What names the recordings in NeMo's, SpeechBrain's, Hugging Face's and Common Voice's tables;
the first that a table has is taken."""

_OFFSET_COLUMNS = ("offset", "start", "start_time")


def read_names(content: bytes, *, null: bool) -> list[str]:
    """Return the names in a list, a line each, or between NULs as `find -print0` writes them.

    Names are bytes, and not always text: they come back as Python's file functions take them.
    """
    separator = b"\0" if null else b"\n"
    names = content.split(separator)
    if not null:
        names = [name.removesuffix(b"\r") for name in names]
    return [os.fsdecode(name) for name in names if name]


def add_manifest(found: Found, content: bytes, label: str, folder: str) -> None:
    """Add the recordings of a manifest.

    Args:
        found: What they are added to.
        content: The manifest: JSONL, CSV or TSV, told apart by what it begins with.
        label: What errors call it.
        folder: What relative names are relative to: the folder that the manifest lies in.

    Raises:
        UsageError: It is neither, or has no column that names recordings.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{label}: the manifest is not in UTF-8; convert it first") from error
    rows = _json_rows(text, label) if text.lstrip()[:1] in "{[" else _table_rows(text, label)
    for number, row in rows:
        name, offset = row
        source = name if is_url(name) else os.path.normpath(Path(folder, name))
        if offset:
            found.refuse(
                source,
                f"{label}, line {number} asks for a part of it, from {offset:g} s on; parts are "
                f"not taken from manifests: cut it first, or use --start and --end",
            )
        else:
            found.items.append(Item(source, place_in_list(name)))


def read_bytes(stream: IO[bytes] | None, name: str, option: str) -> bytes:
    """Return what a list or a manifest holds.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return Path(name).read_bytes() if stream is None else stream.read()
    except OSError as error:
        raise UsageError(
            f"{option} {name}: cannot be read: {error.strerror or error}; check the name"
        ) from error


def _json_rows(text: str, label: str) -> Iterator[tuple[int, tuple[str, float]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(
                f"{label}, line {number}: not JSON ({error}); a manifest has an object a line, "
                f'such as {{"audio_filepath": "talk.wav"}}'
            ) from error
        if not isinstance(row, dict):
            raise UsageError(f"{label}, line {number}: not an object with audio_filepath")
        yield number, _fields(row, label, number)


def _table_rows(text: str, label: str) -> Iterator[tuple[int, tuple[str, float]]]:
    head = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in head else ",", strict=True)
    try:
        for row in rows:
            yield rows.line_num, _fields(row, label, rows.line_num)
    except csv.Error as error:
        raise UsageError(f"{label}, line {rows.line_num}: no table ({error})") from error


def _fields(row: dict[str, Any], label: str, number: int) -> tuple[str, float]:
    """Return the recording that a row names, and where in it the row's part begins."""
    column = next((name for name in PATH_COLUMNS if name in row), None)
    if column is None:
        raise UsageError(
            f"{label}, line {number}: no column names the recordings; call it "
            f"{PATH_COLUMNS[0]}, or one of: {', '.join(PATH_COLUMNS[1:])}"
        )
    name = row[column]
    if not isinstance(name, str) or not name:
        raise UsageError(f"{label}, line {number}: {column} is empty; name a recording")
    offset = next((row[key] for key in _OFFSET_COLUMNS if row.get(key)), 0.0)
    try:
        return name, float(offset)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{label}, line {number}: {offset!r} is no time in seconds") from error
