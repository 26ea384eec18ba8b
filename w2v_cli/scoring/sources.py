"""Texts with names, out of a file, a folder, a manifest or what `w2v transcribe` wrote."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v_cli.audio.manifests import PATH_COLUMNS, row_recording_part
from w2v_cli.audio.sources import STDIN, STDIN_LABEL
from w2v_cli.encodings import decoded_text
from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import part_name
from w2v_cli.scoring.timed_texts import (
    LABELS,
    SUBTITLES,
    TABLES,
    refuse_times,
    table_rows,
    text_of_subtitles,
    without_voices,
)

# In a folder with several files of one name the first of these is read.
_SUFFIXES = (".txt", ".json", ".jsonl")
UTTERANCES = ".trn"
_UTTERANCE = re.compile(r"(?P<text>.*?)\s*\((?P<name>[^()\s]+)\)")
# What manifests and transcripts call a recording and its text.
_NAME_FIELDS = ("audio_filepath", "source", "audio", "path", "id", *PATH_COLUMNS)
_TEXT_FIELDS = ("text", "transcript", "sentence")


@dataclass(frozen=True)
class NamedText:
    """A text and what it belongs to.

    Attributes:
        name: The recording, as the manifest or transcript names it, or the text's own file.
        text: The text; None where a transcription failed and left an error in its place.
    """

    name: str
    text: str | None


def read_texts(source: str, *, by_line: bool = False) -> list[NamedText]:
    """Return the texts of a source, in its order.

    Args:
        source: A text file, which is one text, as subtitles are (srt, vtt); a folder, whose
            texts are named by their paths in it; sclite's trn; a manifest (jsonl, csv or tsv, with
            audio_filepath and text); the json, jsonl, csv or tsv of `w2v transcribe`; or "-"
            for text or JSON on standard input.
        by_line: Each line of a text file is a text, named by its number.

    Raises:
        UsageError: It cannot be read, or is none of these.
    """
    if source == STDIN:
        return _texts(sys.stdin.buffer.read(), STDIN_LABEL, "", by_line)
    path = Path(source)
    if path.is_dir():
        if by_line:
            raise _no_lines(source)
        return [text for file in _files(path) for text in _texts_of_file(file, path)]
    return _texts(content_of(path), source, path.suffix.lower(), by_line)


def _files(folder: Path) -> Iterator[Path]:
    """Yield one file for every name in a folder, in the order of names."""
    found: dict[Path, Path] = {}
    for suffix in reversed(_SUFFIXES):
        for path in folder.rglob(f"*{suffix}"):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and not path.name.endswith(LABELS) and path.is_file():
                found[path.with_suffix("")] = path
    if not found:
        raise UsageError(f"{folder}: no {', '.join(_SUFFIXES)} files in this folder")
    yield from (found[name] for name in sorted(found))


def _texts_of_file(path: Path, folder: Path) -> list[NamedText]:
    texts = _texts(content_of(path), str(path), path.suffix.lower(), by_line=False)
    if len(texts) == 1:  # a file for each recording, named like it
        return [NamedText(path.relative_to(folder).as_posix(), texts[0].text)]
    return texts


def content_of(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _texts(content: bytes, source: str, suffix: str, by_line: bool) -> list[NamedText]:
    text = decoded_text(content, source)
    refuse_times(suffix, source)
    if suffix in SUBTITLES:
        text = text_of_subtitles(text, suffix)
    elif suffix in TABLES:
        if by_line:
            raise _no_lines(source)
        rows = enumerate(table_rows(text, source), start=1)
        return [_named_text(row, f"{source}, row {n}") for n, row in rows]
    elif suffix == UTTERANCES:
        if by_line:
            raise _no_lines(source)
        return [_utterance(line, f"{source}:{n}") for n, line in _filled_lines(text)]
    # What comes by a pipe has no suffix; a spoken text does not begin with a bracket and a quote.
    is_json = suffix in (".json", ".jsonl") or (not suffix and _looks_like_json(text))
    if not is_json:
        text = without_voices(text)
        if by_line:
            return [NamedText(str(n), line) for n, line in enumerate(_lines(text), start=1)]
        return [NamedText(source, text)]
    if by_line:
        raise _no_lines(source)
    return [_named_text(row, where) for row, where in _rows(text, source)]


def _filled_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, with their numbers."""
    return ((n, line) for n, line in enumerate(_lines(text), start=1) if line.strip())


def _utterance(line: str, where: str) -> NamedText:
    """Return a line of sclite's trn files, which ends with the utterance's name in brackets."""
    match = _UTTERANCE.fullmatch(line.strip())
    if match is None:
        raise UsageError(f"{where}: no (name) at the line's end, as trn files have it")
    return NamedText(match["name"], match["text"])


def _no_lines(source: str) -> UsageError:
    return UsageError(f"{source}: --by-line is for text files; leave it out")


def _lines(text: str) -> Iterator[str]:
    """Return the lines of a text: a form feed or U+2028 ends none, as in any other reader."""
    return (line.rstrip("\n") for line in io.StringIO(text, newline=None))


def _looks_like_json(text: str) -> bool:
    return "".join(text[:100].split()).startswith(('{"', '[{"', "[]"))


def _rows(text: str, source: str) -> Iterator[tuple[Any, str]]:
    """Yield the objects of a json or jsonl file, each with its place."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    except RecursionError as error:
        raise UsageError(f"{source}: not JSON of texts: nested too deep") from error
    if whole is not None:
        rows = whole if isinstance(whole, list) else [whole]
        yield from ((row, f"{source}, object {n}") for n, row in enumerate(rows, start=1))
        return
    for number, line in _filled_lines(text):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{source}:{number}: not JSON: {error}") from error
        yield row, f"{source}:{number}"


def _named_text(row: Any, where: str) -> NamedText:
    fields = row if isinstance(row, dict) else {}
    name = next((fields[f] for f in _NAME_FIELDS if isinstance(fields.get(f), str)), None)
    text = next((fields[f] for f in _TEXT_FIELDS if isinstance(fields.get(f), str)), None)
    failed = text is None and "error" in fields
    if text is None and not failed:
        raise UsageError(f"{where}: no text; a row needs one of {', '.join(_TEXT_FIELDS)}")
    if name is None and failed:
        raise UsageError(f"{where}: no name; a row needs one of {', '.join(_NAME_FIELDS)}")
    if name is None:
        return NamedText(where, text)
    try:
        return NamedText(part_name(row_recording_part(name, fields, where)), text)
    except UsageError:  # columns of something else; a text needs none of them
        return NamedText(name, text)
