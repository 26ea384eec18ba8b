"""What the files of results are called: the tree of the inputs again, by a template.

The names are worked out, and refused if two inputs would share one, before any work starts.
"""

from __future__ import annotations

import os
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from w2v_cli.audio.remote import is_url
from w2v_cli.audio.sources import STDIN
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import split_part

DEFAULT_TEMPLATE = "{stem}.{ext}"
TEMPLATE_FIELDS = {
    "stem": "the recording's name without its suffix",
    "name": "the recording's name",
    "suffix": "the recording's suffix, such as wav",
    "ext": "the format's suffix, such as srt",
    "format": "the format's name",
}
_MAX_NAME_BYTES = 255  # of nearly all file systems


@dataclass(frozen=True)
class NameTemplate:
    """How a result's file is called, below the folder that its recording lies in.

    Attributes:
        text: Text with fields, such as ``{stem}.{ext}``.

    >>> template = NameTemplate("{stem}/{format}.{ext}")
    >>> template.place(Item("in/a/talk.wav", PurePath("a/talk.wav")), "srt", ".srt")
    'a/talk/srt.srt'
    """

    text: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        try:
            parsed = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise UsageError(f"--name {self.text!r}: {error}; {_EXAMPLE}") from error
        if any(form or conversion for _, _, form, conversion in parsed):
            raise UsageError(
                f"--name {self.text!r}: fields are names alone, without : and !; {_EXAMPLE}"
            )
        fields = [field for _, field, _, _ in parsed]
        unknown = [field for field in fields if field is not None and field not in TEMPLATE_FIELDS]
        if unknown:
            known = ", ".join(f"{{{field}}}" for field in TEMPLATE_FIELDS)
            raise UsageError(f"--name {self.text!r}: no field {{{unknown[0]}}}; there are {known}")
        parts = PurePath(self.text).parts
        if not parts or PurePath(self.text).is_absolute() or ".." in parts:
            raise UsageError(f"--name {self.text!r}: it must stay in the folder; {_EXAMPLE}")

    def place(self, item: Item, format_name: str, format_suffix: str) -> str:
        """Return where the result of an item in a format lies, below the output folder."""
        # Of strings: there may be a million, and paths are slow to make.
        relative = "stdin" if item.source == STDIN else str(item.relative)
        folder, name = os.path.split(relative)
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  # paths are slow
        called = self.text.format(
            stem=stem,
            name=name,
            suffix=suffix[1:],
            ext=format_suffix[1:],
            format=format_name,
        )
        parts = [part for part in called.split("/") if part not in ("", ".")]  # of empty fields
        if not parts or ".." in parts:
            raise UsageError(
                f"--name {self.text!r}: would call the result of {item.source} {called!r}; "
                f"{_EXAMPLE}"
            )
        return "/".join([folder, *parts] if folder else parts)


_EXAMPLE = "write a name such as {stem}.{ext}"


class OutputNames(Mapping[str, Mapping[str, Path]]):
    """For every recording, by its source: the file of each format.

    They are calculated when asked for: a million of them would fill the memory.

    Args:
        folder: The output folder.
        items: The recordings.
        suffixes: The suffix of each format.
        template: How a file is called; None for the recording's name.
        apart: Where two recordings that were named one by one would share a name, give both
            longer ones, instead of refusing them.

    Raises:
        UsageError: Two recordings would share a file.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        items: Sequence[Item],
        suffixes: Mapping[str, str],
        *,
        template: NameTemplate | None = None,
        apart: bool = False,
    ) -> None:
        self._folder = Path(folder)
        self._items = {item.source: item for item in items}
        self._suffixes = suffixes
        self._template = template or NameTemplate()
        self._stems: dict[str, str] = {}
        if apart and template is None:
            names = names_apart(items, tuple(suffixes.values()))
            self._stems = dict(zip(self._items, names, strict=True))
            for stem in names:
                for suffix in suffixes.values():
                    _refuse_too_long(stem + suffix)
        else:
            self._refuse_shared(items)

    def __getitem__(self, source: str) -> dict[str, Path]:
        if self._stems:
            stem = self._stems[source]
            return {name: self._folder / (stem + end) for name, end in self._suffixes.items()}
        item = self._items[source]
        return {
            name: self._folder / self._template.place(item, name, suffix)
            for name, suffix in self._suffixes.items()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def _refuse_shared(self, items: Sequence[Item]) -> None:
        owners: dict[str, str] = {}
        folders: set[str] = set()
        if len(self._items) < len(items):
            counts = Counter(item.source for item in items)
            raise UsageError(f"{counts.most_common(1)[0][0]}: {_NAMED_TWICE}")
        for item in items:
            places = [self._template.place(item, *form) for form in self._suffixes.items()]
            if len(set(places)) < len(places):
                raise UsageError(
                    f"--name {self._template.text!r}: all formats would have one name; {_EXAMPLE}"
                )
            for place in places:
                folder, name = os.path.split(place)
                _refuse_too_long(name)
                other = owners.setdefault(_as_the_disk_tells(place), item.source)
                if other != item.source:
                    raise UsageError(_shared(self._folder / place, other, item.source))
                folders.add(folder)
        for folder in folders:
            if _as_the_disk_tells(folder) in owners:
                path = self._folder / folder
                raise UsageError(f"{path}: a folder and a file would be called so; see --name")


def _refuse_too_long(name: str) -> None:
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        raise UsageError(f"{name}: the name is too long for a file; see --name")


_NAMED_TWICE = "the same recording is named more than once; name it once"


def _shared(path: Path, one: str, other: str) -> str:
    if os.path.realpath(one) == os.path.realpath(other):
        return f"{other}: {_NAMED_TWICE} (also as {one})"
    advice = "keep their suffixes apart with --name '{name}.{ext}'"
    if PurePath(one).name == PurePath(other).name:
        advice = "name the folder above them with --recursive, or work on one after the other"
    return f"{one} and {other} would both be written to {path}; {advice}"


def _as_the_disk_tells(path: str) -> str:
    """Return a path so that those which name one file are equal: there case does not count."""
    return path.casefold() if sys.platform in ("win32", "darwin") else path


def names_apart(items: Sequence[Item], suffixes: Sequence[str]) -> list[str]:
    """Return a name for every recording, as short as tells them apart.

    It is that of the recording: ``talk`` for ``talk.wav``. Where two would have the same, both
    keep more of theirs: ``talk.wav`` beside ``talk.mp3``, or ``monday_talk`` beside
    ``tuesday_talk``.

    Raises:
        UsageError: A recording is named twice.
    """
    candidates: dict[int, list[str]] = {}
    level = [0] * len(items)
    names = [_stem(item) for item in items]
    changed: Sequence[int] = range(len(items))
    users: dict[str, set[int]] = {}
    while True:
        for index in changed:
            for suffix in suffixes:
                # Some file systems don't tell upper from lower case.
                users.setdefault((names[index] + suffix).casefold(), set()).add(index)
        clashing = {index for same in users.values() if len(same) > 1 for index in same}
        if not clashing:
            return names
        for index in clashing:
            candidates.setdefault(index, _candidates(items[index]))
        longer = [index for index in clashing if level[index] + 1 < len(candidates[index])]
        if not longer and len(set(map(_as_the_disk_tells, names))) == len(names):
            return names
        if not longer:
            raise UsageError(f"{items[min(clashing)].source}: {_NAMED_TWICE}")
        for index in longer:
            for suffix in suffixes:
                users[(names[index] + suffix).casefold()].discard(index)
            level[index] += 1
            names[index] = candidates[index][level[index]]
        changed = longer


def _stem(item: Item) -> str:
    return "stdin" if item.source == STDIN else item.relative.stem


def _candidates(item: Item) -> list[str]:
    """Return names for a recording's files, longer and longer.

    >>> _candidates(Item("/calls/monday/talk.wav", PurePath("talk.wav")))
    ['talk', 'talk.wav', 'monday_talk', 'calls_monday_talk', 'calls_monday_talk.wav']
    """
    if item.source == STDIN:
        return ["stdin", "standard_input"]
    source = split_part(item.source).recording
    path = PurePath(source) if is_url(source) else Path(source).absolute()
    if item.relative.name:  # the root of a disk has none
        path = path.with_name(item.relative.name)
    folders = [part for part in path.parent.parts[1:] if part != ".."]
    longer = ["_".join([*folders[-n:], path.stem]) for n in range(1, len(folders) + 1)]
    longest = [longer[-1] + path.suffix] if longer and path.suffix else []
    return [path.stem, path.name, *longer, *longest]
