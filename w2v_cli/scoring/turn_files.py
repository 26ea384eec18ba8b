"""Who speaks when, and where that counts, out of RTTM and UEM files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from w2v_cli.audio.sources import STDIN, STDIN_LABEL
from w2v_cli.encodings import decoded_text
from w2v_cli.errors import UsageError
from w2v_cli.formats.rttm import parse_rttm, parse_uem
from w2v_cli.results import Turn
from w2v_cli.scoring.sources import content_of

Turns = dict[str, tuple[Turn, ...]]
"""The turns of each recording, by its name."""

Regions = dict[str, tuple[tuple[float, float], ...]]
"""The regions of each recording that count, by its name: start and end in seconds."""


def read_turns(source: str) -> Turns:
    """Return the turns of each recording in a source.

    Args:
        source: An RTTM file; a folder, whose files in it and below it end with ``.rttm``; or
            "-" for RTTM on standard input.

    Raises:
        UsageError: It cannot be read, or is none of these.
    """
    turns: Turns = {}
    for label, content in _contents(source, ".rttm"):
        for name, more in parse_rttm(content, label).items():
            turns[name] = turns.get(name, ()) + more
    return turns


def read_regions(source: str) -> Regions:
    """Return the regions of each recording in a UEM file.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    ((label, content),) = _contents(source, "")
    regions = parse_uem(content, label)
    if not regions:
        raise UsageError(f"{source}: no regions in it; a line is: recording, channel, start, end")
    return regions


def _contents(source: str, suffix: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file."""
    path = Path(source)
    if source == STDIN:
        yield STDIN_LABEL, decoded_text(sys.stdin.buffer.read(), STDIN_LABEL)
    elif suffix and path.is_dir():
        files = [f for f in sorted(path.rglob("*")) if f.suffix.lower() == suffix and f.is_file()]
        if not files:
            raise UsageError(f"{source}: no {suffix} files in this folder")
        for file in files:
            yield str(file), decoded_text(content_of(file), str(file))
    else:
        yield source, decoded_text(content_of(path), source)
