"""Parts of recordings, by names that say which: talk.wav#t=3.5,8 (W3C, Media Fragments URI 1.0).

`#channel=2` is ours: the standard names tracks, and no channels.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Literal, NamedTuple

_TIMES = re.compile(r"t=(?P<start>\d+(?:\.\d+)?)(?:,(?P<end>\d+(?:\.\d+)?))?")
_CHANNEL = re.compile(r"channel=(?:(?P<number>[1-9]\d{0,3})|mix)")

_SUFFIX = ".audio"

OneChannel = int | Literal["mix"] | None
"""A channel's number from 1, or the mean of all; None leaves it open."""


class RecordingPart(NamedTuple):
    """What of a recording is meant.

    Attributes:
        recording: The recording's name.
        start_seconds: Where it begins.
        end_seconds: Where it ends; None for the recording's end.
        channel: Which channel.
    """

    recording: str
    start_seconds: float = 0.0
    end_seconds: float | None = None
    channel: OneChannel = None


def part_name(part: RecordingPart) -> str:
    """Return the name of a part of a recording; of all of it, the recording's own.

    >>> part_name(RecordingPart("talk.wav", 3.5, 8.0))
    'talk.wav#t=3.5,8'
    >>> part_name(RecordingPart("talk.wav", 3.5, channel=2))
    'talk.wav#t=3.5&channel=2'
    """
    marks = []
    if part.start_seconds or part.end_seconds is not None:
        end = "" if part.end_seconds is None else f",{_number(part.end_seconds)}"
        marks.append(f"t={_number(part.start_seconds)}{end}")
    if part.channel is not None:
        marks.append(f"channel={part.channel}")
    return part.recording + ("#" + "&".join(marks) if marks else "")


def split_part(source: str) -> RecordingPart:
    """Return what a name means; a file that is really called like a part is whole.

    >>> split_part("talk.wav#t=3.5,8")
    RecordingPart(recording='talk.wav', start_seconds=3.5, end_seconds=8.0, channel=None)
    >>> split_part("talk.wav#t=3&channel=2").channel, split_part("talk.wav").recording
    (2, 'talk.wav')
    """
    recording, _, fragment = source.rpartition("#")
    if not recording or recording.endswith("/") or os.path.lexists(source):
        return RecordingPart(source)
    part = RecordingPart(recording)
    for mark in fragment.split("&"):
        if (times := _TIMES.fullmatch(mark)) is not None and part[1:3] == (0.0, None):
            end = None if times["end"] is None else float(times["end"])
            part = part._replace(start_seconds=float(times["start"]), end_seconds=end)
        elif (chosen := _CHANNEL.fullmatch(mark)) is not None and part.channel is None:
            number = chosen["number"]
            part = part._replace(channel="mix" if number is None else int(number))
        else:
            return RecordingPart(source)
    return part


def part_place(place: PurePath, part: RecordingPart) -> PurePath:
    """Return where the results of a part of a recording lie: its name says which part.

    >>> part_place(PurePath("talk.wav"), RecordingPart("talk.wav", 3.5, 8.0)).name
    'talk.3.50-8.00.wav'
    >>> part_place(PurePath("talk.wav"), RecordingPart("talk.wav", channel=2)).name
    'talk.channel2.wav'
    """
    marks = ""
    if part.start_seconds or part.end_seconds is not None:
        end = "" if part.end_seconds is None else _written(part.end_seconds)
        marks += f".{_written(part.start_seconds)}-{end}"
    if part.channel is not None:
        marks += f".{part.channel}" if part.channel == "mix" else f".channel{part.channel}"
    # Without a suffix the marks would be taken for one.
    return place.with_name(f"{place.stem}{marks}{place.suffix or _SUFFIX}") if marks else place


def _written(seconds: float) -> str:
    """Return seconds with two digits behind the point, more where it takes more to tell them."""
    return max(f"{seconds:.2f}", _number(seconds), key=len)


def _number(seconds: float) -> str:
    """Return seconds to the microsecond, without zeros at the end."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
