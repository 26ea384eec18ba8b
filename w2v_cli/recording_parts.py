"""Parts of recordings, by names that say which: talk.wav#t=3.5,8 (W3C, Media Fragments URI 1.0)."""

from __future__ import annotations

import os
import re

_PART = re.compile(r"#t=(?P<start>\d+(?:\.\d+)?)(?:,(?P<end>\d+(?:\.\d+)?))?$")


def part_name(source: str, start_seconds: float, end_seconds: float | None = None) -> str:
    """Return the name of a part of a recording.

    >>> part_name("talk.wav", 3.5, 8.0), part_name("talk.wav", 3.5)
    ('talk.wav#t=3.5,8', 'talk.wav#t=3.5')
    """
    end = "" if end_seconds is None else f",{_number(end_seconds)}"
    return f"{source}#t={_number(start_seconds)}{end}"


def split_part(source: str) -> tuple[str, float, float | None]:
    """Return a recording's name, and where the part begins and ends, in seconds.

    A file that is really called like a part is whole.

    >>> split_part("talk.wav#t=3.5,8"), split_part("talk.wav")
    (('talk.wav', 3.5, 8.0), ('talk.wav', 0.0, None))
    """
    match = _PART.search(source)
    if match is None or os.path.lexists(source):
        return source, 0.0, None
    end = match["end"]
    return source[: match.start()], float(match["start"]), None if end is None else float(end)


def _number(seconds: float) -> str:
    """Return seconds to the microsecond, without zeros at the end."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
