"""Who speaks when: turns from manifests and RTTM files, and as activity over time."""

from __future__ import annotations

import glob
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.errors import UsageError
from w2v_cli.formats.rttm import parse_rttm

Activity = npt.NDArray[np.float32]
"""Whether each speaker speaks in each block of 10 ms, (speakers, blocks), 0 or 1."""

BLOCK_SAMPLES = 160

# A block that is louder than this share of the way from the noise floor to the peak is speech;
# pauses shorter than these between two such are speech as well.
_FLOOR_DECIBELS = 30.0
_BRIDGED_BLOCKS = 30

_NOT_RECORDINGS = (".rttm", ".uem", ".txt", ".json", ".jsonl", ".csv", ".tsv", ".lab", ".textgrid")


class SpokenTurn(NamedTuple):
    """A stretch in which somebody speaks, in seconds of the recording."""

    start_seconds: float
    end_seconds: float
    speaker: str


def parse_turns(value: Any, where: str) -> tuple[SpokenTurn, ...]:
    """Return the turns in a manifest's column: [[start, end, speaker], ...], or objects of these.

    Raises:
        UsageError: It is neither.

    >>> parse_turns([[0.5, 2, "anna"], {"start": 2, "end": 3, "speaker": "ben"}], "list")[1].speaker
    'ben'
    """
    try:
        rows = [
            (turn["start"], turn["end"], turn["speaker"]) if isinstance(turn, dict) else turn
            for turn in value
        ]
        turns = tuple(SpokenTurn(float(start), float(end), str(who)) for start, end, who in rows)
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(
            f'{where}: turns have to be [[start, end, "speaker"], ...] in seconds'
        ) from error
    if any(not 0 <= turn.start_seconds < turn.end_seconds < math.inf for turn in turns):
        raise UsageError(f"{where}: a turn has to end after it begins, and not begin before 0")
    return turns


def read_rttm(path: Path) -> dict[str, tuple[SpokenTurn, ...]]:
    """Return the turns of each recording in an RTTM file, by the recording's path.

    Recordings lie beside the file, and are called like the second column.

    Raises:
        UsageError: It cannot be read, or is no RTTM file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return {
        _recording(path.parent, name): tuple(
            SpokenTurn(turn.start_seconds, turn.end_seconds, turn.speaker) for turn in turns
        )
        for name, turns in parse_rttm(text, str(path)).items()
    }


def _recording(folder: Path, name: str) -> str:
    """Return the path of the recording of that name, whatever its suffix."""
    base = folder / name
    matching = (
        path
        for path in sorted(base.parent.glob(f"{glob.escape(base.name)}.*"))
        if path.suffix.lower() not in _NOT_RECORDINGS and path.stem == base.name
    )
    return str(next(matching, folder / f"{name}.wav"))


def activity_of_turns(
    turns: Sequence[SpokenTurn], start_seconds: float, n_samples: int
) -> dict[str, Activity]:
    """Return each speaker's activity in a stretch of a recording, (blocks,) each.

    Speakers come in the order in which they begin.
    """
    n_blocks = count_blocks(n_samples)
    per_second = SAMPLE_RATE / BLOCK_SAMPLES
    found: dict[str, Activity] = {}
    for turn in sorted(turns):
        first = round((turn.start_seconds - start_seconds) * per_second)
        last = round((turn.end_seconds - start_seconds) * per_second)
        if last <= 0 or first >= n_blocks:
            continue
        activity = found.setdefault(turn.speaker, np.zeros(n_blocks, dtype=np.float32))
        activity[max(first, 0) : last] = 1.0
    return found


def activity_of_speech(waveform: npt.NDArray[np.float32]) -> Activity:
    """Return where one speaker's clean recording has speech, by its loudness, (blocks,)."""
    n_blocks = count_blocks(len(waveform))
    padded = np.zeros(n_blocks * BLOCK_SAMPLES, dtype=np.float64)
    padded[: len(waveform)] = waveform
    energy = np.square(padded.reshape(n_blocks, BLOCK_SAMPLES)).mean(axis=1)
    decibels = 10 * np.log10(energy + 1e-12)
    floor, peak = np.quantile(decibels, [0.05, 0.95])
    speaks = decibels > max(peak - _FLOOR_DECIBELS, (floor + peak) / 2 - 6)
    if peak < -100:  # digital silence
        speaks[:] = False
    loud = np.flatnonzero(speaks)
    for before, after in itertools.pairwise(loud):
        if after - before <= _BRIDGED_BLOCKS:
            speaks[before:after] = True
    activity: Activity = speaks.astype(np.float32)
    return activity


def count_blocks(n_samples: int) -> int:
    """Return how many blocks a waveform has, a last one in part."""
    return -(-n_samples // BLOCK_SAMPLES)


def at_frames(activity: Activity, n_frames: int, *, hop: int, receptive_field: int) -> Activity:
    """Return activity at the centre of each of a network's frames, (speakers, frames)."""
    centres = np.arange(n_frames) * hop + receptive_field // 2
    blocks = np.minimum(centres // BLOCK_SAMPLES, max(activity.shape[1] - 1, 0))
    if activity.shape[1] == 0:
        return np.zeros((len(activity), n_frames), dtype=np.float32)
    return activity[:, blocks]
