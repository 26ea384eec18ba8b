"""What a training learns from: the rows of manifests, and a look at them before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from w2v_cli.audio import open_waveforms
from w2v_cli.audio.manifests import (
    as_number,
    manifest_rows,
    place_beside,
    row_recording,
    row_recording_part,
    row_seconds,
)
from w2v_cli.audio.remote import is_url
from w2v_cli.errors import AudioError, ChannelsError, MissingDependencyError, UsageError
from w2v_cli.recording_parts import OneChannel, RecordingPart
from w2v_cli.training.turns import SpokenTurn, parse_turns, read_rttm

_TEXT_COLUMNS = ("text", "transcript", "sentence", "transcription")
_LABEL_COLUMNS = ("label", "command", "keyword")
_SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id")
_DEV_NAMES = ("dev", "valid", "validation", "eval", "devel", "val")


@dataclass(frozen=True)
class Example:
    """A recording, or a part of one, and what is known about it.

    Attributes:
        audio: A path or a URL.
        text: What is said, as the manifest writes it; "" where nothing is, None if unknown.
        label: What it is, for classifiers.
        speaker: Who speaks; None if unknown.
        seconds: How long it is; None as long as nobody has looked.
        start_seconds: Where in the recording it begins.
        end_seconds: Where it ends; None for the recording's end.
        split: train, dev or test; train where the manifest doesn't say.
        turns: Who speaks when, in seconds of the recording; empty if unknown.
        speed: How fast it is played: 1.1 is 10 % faster, and higher.
        weight: How often it is heard while learning, against others' 1.
        channel: Which of the recording's channels it is, from 1, or "mix" for the mean of all; None
            takes the only one, or the mean of two.
    """

    audio: str
    text: str | None = None
    label: str | None = None
    speaker: str | None = None
    seconds: float | None = None
    start_seconds: float = 0.0
    end_seconds: float | None = None
    split: str = "train"
    turns: tuple[SpokenTurn, ...] = ()
    speed: float = 1.0
    weight: float = 1.0
    channel: OneChannel = None

    @property
    def is_word(self) -> bool:
        """Whether it is of one word, by its text or, without one, its label."""
        return len((self.text or self.label or "").split()) == 1

    @property
    def part(self) -> RecordingPart:
        """What of which recording it is."""
        return RecordingPart(self.audio, self.start_seconds, self.end_seconds, self.channel)


@dataclass
class Survey:
    """What a look at examples has found.

    Attributes:
        examples: Those that can be used, each with its length.
        unreadable: Recordings that cannot be opened, with the reason.
        too_short: How many are shorter than the limit.
        too_long: How many are longer than the limit.
    """

    examples: list[Example] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    too_short: int = 0
    too_long: int = 0

    @property
    def seconds(self) -> float:
        """How much audio can be used."""
        return sum(example.seconds or 0.0 for example in self.examples)

    @property
    def n_speakers(self) -> int:
        """How many different speakers are named."""
        return len({example.speaker for example in self.examples} - {None})


def read_examples(manifest: str | os.PathLike[str]) -> list[Example]:
    """Return the rows of a manifest: JSONL, CSV or TSV, or of an RTTM file.

    Names of recordings are relative to the manifest's folder. Columns are called as NeMo,
    SpeechBrain and Common Voice call them: audio_filepath or path, text or sentence, label,
    speaker, duration, offset, channel, weight, split.

    Raises:
        UsageError: It cannot be read, is none of these, or names no recordings.
    """
    path = Path(manifest)
    if path.suffix.lower() == ".rttm":
        turns_of = read_rttm(path)
        if not turns_of:
            raise UsageError(f"{path}: no turns in it; give each a line that begins with SPEAKER")
        return [Example(audio, turns=turns) for audio, turns in turns_of.items()]
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path}: the manifest cannot be read: {reason}") from error
    label = str(path)
    examples = [
        _example(row, f"{label}, line {n}", path.parent) for n, row in manifest_rows(content, label)
    ]
    if not examples:
        raise UsageError(
            f"{path}: no recordings in the manifest; give each a line, "
            "as JSON, or below a head with the names of the columns"
        )
    return examples


def in_split(examples: Iterable[Example], split: str) -> list[Example]:
    """Return the examples of one split, each once."""
    return list(dict.fromkeys(example for example in examples if example.split == split))


def chosen_split(examples: Sequence[Example], split: str | None) -> list[Example]:
    """Return the examples of the split that somebody asks for; all of them for None.

    Raises:
        UsageError: There are none.
    """
    wanted = None if split is None else _split(split)
    chosen = [example for example in examples if wanted in (None, example.split)]
    if not chosen:
        there = ", ".join(sorted({example.split for example in examples}))
        raise UsageError(f"--split {split}: the manifest has none of that; it has {there}")
    return chosen


def measured_split(examples: Sequence[Example], split: str | None) -> list[Example]:
    """Return what is measured on: a split that somebody asks for, or dev if there is one, or all.

    Raises:
        UsageError: There are none of the split.
    """
    if split is None and any(example.split == "dev" for example in examples):
        split = "dev"
    return chosen_split(examples, split)


def survey(
    examples: Sequence[Example],
    *,
    min_seconds: float = 0.0,
    max_seconds: float = float("inf"),
) -> Survey:
    """Return which examples can be used: every recording is opened, and none decoded.

    Args:
        examples: What to look at.
        min_seconds: Shorter ones are left out.
        max_seconds: Longer ones are left out.

    Raises:
        MissingDependencyError: A recording needs a package that is not installed.
    """
    found = Survey()
    for example in examples:
        try:
            seconds = _measure(example)
        except MissingDependencyError:
            raise
        except AudioError as error:
            found.unreadable.append((example.audio, reason_of(error, example)))
            continue
        if seconds <= 0:
            reason = "no sound in it; record or copy it again"
            if example.start_seconds:
                reason = f"cannot start at {example.start_seconds:g} s: it has ended before"
            found.unreadable.append((example.audio, reason))
        elif seconds < min_seconds:
            found.too_short += 1
        elif seconds > max_seconds:
            found.too_long += 1
        else:
            found.examples.append(replace(example, seconds=seconds))
    return found


def reason_of(error: AudioError, example: Example) -> str:
    """Return in a line why an example cannot be read, without its name."""
    if isinstance(error, ChannelsError):
        if example.turns and example.channel is None:
            return "several channels; a manifest with `turns` and `channel` says which: 1, 2, ..."
        return "several channels; its row's `channel` says which: 1, 2, ... or mix"
    return " ".join(str(error).split()).removeprefix(f"{example.audio}: ")


def _measure(example: Example) -> float:
    """Return an example's length in seconds, by its header; where that is silent, the manifest's.

    Raises:
        AudioError: The recording cannot be opened, or its header doesn't say how long it is.
    """
    with open_waveforms(
        example.audio,
        start_seconds=example.start_seconds,
        end_seconds=example.end_seconds,
        channel=example.channel,
    ) as stream:
        if stream.expected_seconds is not None:
            return stream.expected_seconds
        if example.seconds is not None:
            return example.seconds
        n_samples = sum(block.shape[1] for block in stream.blocks())
        return n_samples / stream.sample_rate


def _example(row: dict[str, Any], where: str, folder: Path) -> Example:
    name = row_recording(row, where)
    seconds = row_seconds(row, ("duration",), where)
    place = name if is_url(name) else place_beside(folder, name)
    part = row_recording_part(place, row, where)
    return Example(
        audio=part.recording,
        text=_column(row, _TEXT_COLUMNS, where),
        label=_column(row, _LABEL_COLUMNS, where),
        speaker=(_column(row, _SPEAKER_COLUMNS, where) or "").strip() or None,
        seconds=seconds,
        start_seconds=part.start_seconds,
        end_seconds=part.end_seconds,
        split=_split(_column(row, ("split",), where) or ""),
        turns=parse_turns(row.get("turns") or (), where),
        weight=_weight(row, where),
        channel=part.channel,
    )


def _weight(row: dict[str, Any], where: str) -> float:
    value = row.get("weight")
    if value in (None, ""):
        return 1.0
    try:
        weight = as_number(value)
    except (TypeError, ValueError, OverflowError):
        weight = 0.0
    if not 1e-6 <= weight <= 1e6:
        raise UsageError(
            f"{where}: a weight of {value!r}; write how often the row is heard, "
            "against others' 1, from 1e-6 to 1e6"
        )
    return weight


def _split(name: str) -> str:
    """Return what a split is called here."""
    name = name.strip().lower() or "train"
    return "dev" if name in _DEV_NAMES else name


def _column(row: dict[str, Any], names: tuple[str, ...], where: str) -> str | None:
    """Return the first of the columns that a row has, as text; NaN, as tables write it, is none.

    Raises:
        UsageError: It is a list or an object.
    """
    for name in names:
        value = row.get(name)
        if value is None or value != value:
            continue
        if isinstance(value, list | dict):
            raise UsageError(f"{where}: {name} has to be a text, in quotation marks")
        return str(value)
    return None
