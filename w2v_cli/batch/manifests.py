"""Lists of recordings: names a line or between NULs, NeMo's JSONL, and tables with a head."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import IO

from w2v_cli.audio.manifests import (
    manifest_rows,
    place_beside,
    row_recording,
    row_recording_part,
)
from w2v_cli.audio.remote import is_url
from w2v_cli.batch.inputs import Found, place_in_list
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import part_name, part_place, split_part


def read_names(content: bytes, *, null: bool) -> list[str]:
    """Return the names in a list, a line each, or between NULs as `find -print0` writes them.

    The mark that some editors put before a text is no part of the first name.

    Names are bytes, and not always text: they come back as Python's file functions take them.

    Raises:
        UsageError: NULs are in it that end no names.
    """
    if not null and b"\0" in content:
        raise UsageError("--files-from: names in the list end with NUL; add --null (-0)")
    separator = b"\0" if null else b"\n"
    names = content.split(separator)
    if not null:
        names = [name.removesuffix(b"\r") for name in names]
        names[0] = names[0].removeprefix(codecs.BOM_UTF8)
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
    for number, row in manifest_rows(content, label):
        where = f"{label}, line {number}"
        name = row_recording(row, where)
        source = name if is_url(name) else place_beside(folder, name)
        part = row_recording_part(source, row, where)
        place = place_in_list(name if part.recording == source else split_part(name).recording)
        found.items.append(Item(part_name(part), part_place(place, part)))


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
