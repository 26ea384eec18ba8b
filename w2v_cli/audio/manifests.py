"""Manifests: tables of recordings, as JSONL (NeMo), CSV or TSV, read row by row."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import OneChannel, RecordingPart, split_part

PATH_COLUMNS = ("audio_filepath", "audio_path", "path", "file", "filename", "audio", "wav")
"""What names the recordings in NeMo's, SpeechBrain's, Hugging Face's and Common Voice's tables;
the first that a table has is taken."""

OFFSET_COLUMNS = ("offset", "start", "start_time")
"""Where in its recording a row's part begins, in seconds."""

END_COLUMNS = ("end", "end_time")
"""Where it ends, in rows without a duration."""


_CHANNEL_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


def manifest_rows(content: bytes, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of the line and the columns of each row.

    Args:
        content: The manifest: JSONL, CSV or TSV, told apart by what it begins with.
        label: What errors call it.

    Raises:
        UsageError: It is none of these, or not in UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{label}: the manifest is not in UTF-8; convert it first") from error
    is_json = text.lstrip()[:1] in "{["
    return _json_rows(text, label) if is_json else _table_rows(text, label)


def place_beside(folder: str | os.PathLike[str], name: str) -> str:
    """Return where a recording lies that a table in a folder names, as short as it can be written.

    >>> place_beside("lists", "../audio/./a.wav")
    'audio/a.wav'
    """
    joined = Path(folder, name)
    short = os.path.normpath(joined)
    # Behind a link .. leads to another folder than it is written in.
    is_other = ".." in name and joined.exists() and not Path(short).exists()
    return str(joined) if is_other else short


def row_recording(row: dict[str, Any], where: str) -> str:
    """Return the name of the recording that a row is about, as it is written.

    Args:
        row: Its columns.
        where: What errors call it, as in the others here: the file and the line.

    Raises:
        UsageError: No column names it, it is empty, or no file can be called so.
    """
    column = next((name for name in PATH_COLUMNS if name in row), None)
    if column is None:
        raise UsageError(
            f"{where}: no column names the recordings; call it "
            f"{PATH_COLUMNS[0]}, or one of: {', '.join(PATH_COLUMNS[1:])}"
        )
    name = row[column]
    if not isinstance(name, str) or not name:
        raise UsageError(f"{where}: {column} is empty; name a recording")
    try:
        if b"\0" not in os.fsencode(name):
            return name
    except UnicodeEncodeError:  # half of a pair of surrogates
        pass
    raise UsageError(f"{where}: {column}: no file can be called {name!r}")


def row_seconds(row: dict[str, Any], columns: tuple[str, ...], where: str) -> float | None:
    """Return the time in the first of the columns that holds one; None where none does.

    Raises:
        UsageError: It is no number.
    """
    value = next((row[key] for key in columns if row.get(key) not in (None, "")), None)
    if value is None:
        return None
    try:
        return as_number(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{where}: {value!r} is no time in seconds") from error


def as_number(value: Any) -> float:
    """Return a cell of a table as a number, where the comma may be the decimal mark.

    >>> as_number("0,5"), as_number(2)
    (0.5, 2.0)
    """
    return float(value.replace(",", ".") if isinstance(value, str) else value)


def row_part(row: dict[str, Any], where: str) -> tuple[float, float | None] | None:
    """Return where the part of its recording that a row is about begins and ends, in seconds.

    None where it is about all of it. As in NeMo's, an offset, if only of 0, makes the duration that
    of a part; without a duration the column of ends counts, and the end is None where there is
    neither.

    Raises:
        UsageError: A time is no number, or lies where no recording is.
    """
    duration = row_seconds(row, ("duration",), where)
    if duration is not None and not 0 < duration < math.inf:
        raise UsageError(f"{where}: a duration of {duration:g} s; correct it")
    offset = row_seconds(row, OFFSET_COLUMNS, where)
    start = offset or 0.0
    if not 0 <= start < math.inf:
        raise UsageError(f"{where}: an offset of {start:g} s; correct it")
    if duration is None:
        end = row_seconds(row, END_COLUMNS, where)
        if end is not None and not start < end < math.inf:
            raise UsageError(f"{where}: a part from {start:g} to {end:g} s; correct it")
        return None if end is None and not start else (start, end)
    return None if offset is None else (start, start + duration)


def row_channel(row: dict[str, Any], where: str) -> OneChannel:
    """Return which of its recording's channels a row is about, from 1; None where it doesn't say.

    Raises:
        UsageError: It is neither a number from 1 nor "mix", for the mean of all.
    """
    value = row.get("channel")
    if value in (None, ""):
        return None
    word = str(value).strip().lower().replace(",", ".")
    word = word.removesuffix(".0")  # pandas', beside rows without one
    if word == "mix":
        return "mix"
    if _CHANNEL_NUMBER.fullmatch(word) is None:
        raise UsageError(
            f"{where}: {value!r} is no channel; write 1, 2, ... or mix, or call a "
            "column of something else by another name"
        )
    return int(word)


def row_recording_part(name: str, row: dict[str, Any], where: str) -> RecordingPart:
    """Return what of a recording a row is about, by the recording's name or by its columns.

    Raises:
        UsageError: Both say so, or a column holds nothing of the kind.
    """
    named, times, channel = split_part(name), row_part(row, where), row_channel(row, where)
    if named.recording == name:
        return RecordingPart(name, *(times or (0.0, None)), channel)
    if times is not None or channel is not None:
        raise UsageError(f"{where}: {name} is a part already, and columns name one; leave one out")
    return named


def _json_rows(text: str, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
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
        yield number, row


def _table_rows(text: str, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
    head = text.split("\n", 1)[0]
    between = next((mark for mark in "\t,;" if {*PATH_COLUMNS} & _names(head, mark)), None)
    between = between or next((mark for mark in "\t,;" if mark in head), ",")
    # In tables with tabs, such as Common Voice's, a quotation mark is one of the text.
    rows = csv.reader(
        io.StringIO(text),
        delimiter=between,
        strict=True,
        quoting=csv.QUOTE_NONE if between == "\t" else csv.QUOTE_MINIMAL,
        skipinitialspace=f"{between} " in head,
    )
    names: list[str] = []
    try:
        for cells in rows:
            if between == "\t":
                cells = [_unquoted(cell) for cell in cells]
            if not names:
                names = [cell.strip() for cell in cells]
            elif cells:
                yield rows.line_num, _table_row(names, cells, f"{label}, line {rows.line_num}")
    except csv.Error as error:
        raise UsageError(f"{label}, line {rows.line_num}: no table ({error})") from error


def _unquoted(cell: str) -> str:
    """Return a cell without quotation marks around it, where there are no others inside.

    >>> _unquoted('"go ""left"" now"'), _unquoted('"Go," she said, "now"')
    ('go "left" now', '"Go," she said, "now"')
    """
    inside = cell[1:-1]
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inside.replace('""', "")
    return inside.replace('""', '"') if is_quoted else cell


def _table_row(names: list[str], cells: list[str], where: str) -> dict[str, Any]:
    """Return the cells by the names of their columns; those that are missing at the end are None.

    Raises:
        UsageError: There are more cells than columns, and something in them.
    """
    beyond = [cell for cell in cells[len(names) :] if cell.strip()]
    if beyond:
        raise UsageError(
            f"{where}: more cells than columns, the last of them {beyond[-1]!r}; put a text with "
            f"the mark that parts cells into quotation marks"
        )
    missing = [None] * (len(names) - len(cells))
    return dict(zip(names, [*cells[: len(names)], *missing], strict=True))


def _names(head: str, mark: str) -> set[str]:
    """Return the names of columns in the first line of a table."""
    return {name.strip().strip('"') for name in head.split(mark)} if mark in head else set()
