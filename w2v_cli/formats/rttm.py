"""rttm and uem: who speaks when, and where that counts, as NIST's tools write it (RT-09, A).

SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>
recording channel start end
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from w2v_cli.counts import counted
from w2v_cli.errors import UsageError
from w2v_cli.formats.spoken import (
    channel_number,
    decimal_seconds,
    milliseconds,
    one_line,
    recording_id,
)
from w2v_cli.results import Diarization, Turn

_COMMENT = ";;"


def rttm(diarization: Diarization) -> str:
    """Return a line for every turn, in milliseconds; nothing at all where nobody speaks.

    A turn of less than a millisecond, which would have no duration, is left out. The recording
    is called by its file's name without suffix; a space in a name becomes an underscore.
    """
    name = recording_id(diarization)
    lines = []
    for turn in diarization.turns:
        start_ms = milliseconds(turn.start_seconds)
        length_ms = milliseconds(turn.end_seconds) - start_ms
        if length_ms <= 0:
            continue
        channel = channel_number(diarization.source, turn.channel)
        speaker = "_".join(one_line(turn.speaker).split()) or "<NA>"
        times = f"{decimal_seconds(start_ms)} {decimal_seconds(length_ms)}"
        lines.append(f"SPEAKER {name} {channel} {times} <NA> <NA> {speaker} <NA> <NA>\n")
    return "".join(lines)


# Of the Rich Transcription evaluations (NIST, RT-09, appendix A).
_OTHER_TYPES = (
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER"),
    *("EDIT", "SU", "IP", "CB", "A/P", "SPKR-INFO"),
)


def parse_rttm(text: str, label: str) -> dict[str, tuple[Turn, ...]]:
    """Return the turns of each recording; lines of other types than SPEAKER are left out.

    Args:
        text: Of an RTTM file.
        label: What errors call it.

    Raises:
        UsageError: It is no RTTM.

    >>> parse_rttm("SPEAKER talk 1 0.5 1.25 <NA> <NA> anna <NA> <NA>", "a.rttm")["talk"]
    (Turn(start_seconds=0.5, end_seconds=1.75, speaker='anna', channel=1),)
    """
    found: dict[str, list[Turn]] = {}
    for where, fields in _rows(text, label):
        if fields[0] in _OTHER_TYPES:
            continue
        if fields[0] != "SPEAKER":
            raise UsageError(f"{where}: begins with {fields[0]}, which no line of RTTM does")
        if len(fields) < 8:
            raise UsageError(
                f"{where}: {counted(len(fields), 'column')}; a SPEAKER line of RTTM has eight "
                f"at least: type, recording, channel, start, duration, two of <NA>, speaker"
            )
        start, length = _times(fields[3:5], where)
        if length < 0:
            raise UsageError(f"{where}: a duration of {fields[4]}; it must not be below 0")
        channel = int(fields[2]) if fields[2].isdecimal() else None
        if length > 0:
            end = round(start + length, 9)  # not 0.30000000000000004
            found.setdefault(fields[1], []).append(Turn(start, end, fields[7], channel))
    return {name: tuple(turns) for name, turns in found.items()}


def parse_uem(text: str, label: str) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the regions of each recording that count, in seconds, joined and by their start.

    Args:
        text: Of a UEM file.
        label: What errors call it.

    Raises:
        UsageError: It is no UEM.

    >>> parse_uem("talk 1 0 30.5", "a.uem")
    {'talk': ((0.0, 30.5),)}
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for where, fields in _rows(text, label):
        if len(fields) != 4:
            raise UsageError(
                f"{where}: {counted(len(fields), 'column')}; a line of UEM has four: recording, "
                f"channel, start, end"
            )
        start, end = _times(fields[2:], where)
        if end <= start:
            raise UsageError(f"{where}: it ends at {fields[3]}, not after it starts, {fields[2]}")
        found.setdefault(fields[0], []).append((start, end))
    return {name: _joined(regions) for name, regions in found.items()}


def _rows(text: str, label: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each line's place and fields, without empty lines and comments."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        fields = line.partition(_COMMENT)[0].split()
        if fields:
            yield f"{label}, line {number}", fields


def _times(fields: list[str], where: str) -> list[float]:
    try:
        times = [float(field) for field in fields]
    except ValueError as error:
        raise UsageError(f"{where}: {' and '.join(fields)} are no times in seconds") from error
    if not all(math.isfinite(time) for time in times) or times[0] < 0:
        raise UsageError(f"{where}: {' and '.join(fields)} are no times in seconds, from 0 on")
    return times


def _joined(regions: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(regions):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)
