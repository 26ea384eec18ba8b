"""Which recordings a run is about: from names, folders, globs, lists and manifests to items.

Nothing is opened but the lists: a folder of a hundred thousand recordings is named in seconds.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from w2v_cli.audio.remote import is_url
from w2v_cli.audio.sources import STDIN
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import AudioError
from w2v_cli.recording_parts import part_place, split_part

_SUFFIXES = (
    ".3gp .aac .ac3 .aif .aifc .aiff .amr .au .avi .caf .flac .m4a .m4b .m4v .mka .mkv .mov .mp2 "
    ".mp3 .mp4 .mpga .nist .oga .ogg .opus .rf64 .snd .sph .w64 .wav .weba .webm .wma"
)
RECORDING_SUFFIXES = frozenset(_SUFFIXES.split())
"""What recordings in folders are told by, where no --include says more."""


@dataclass(frozen=True)
class Selection:
    """What is taken from folders.

    Attributes:
        recursive: Look into folders, and the folders in them; else a folder is a bad input.
        include: Patterns as a shell has them (* ? []), of names or of paths below the folder
            where they have a slash; empty for all files that are called like recordings.
        exclude: Patterns of files and folders that are left out.
    """

    recursive: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, name: str, relative: str) -> bool:
        """Whether a file in a folder is a recording that is wanted."""
        if self.excludes(name, relative):
            return False
        if self.include:
            return any(_matches(pattern, name, relative) for pattern in self.include)
        return PurePath(name).suffix.lower() in RECORDING_SUFFIXES

    def excludes(self, name: str, relative: str) -> bool:
        """Whether a file or a folder is left out."""
        return any(_matches(pattern, name, relative) for pattern in self.exclude)


@dataclass
class Found:
    """What a command is to work on.

    Attributes:
        items: The recordings, in order.
        refused: What was named and has no recordings to offer, with the reason.
    """

    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Item, AudioError]] = field(default_factory=list)

    def refuse(self, source: str, reason: str) -> None:
        """Note that something that was named cannot be worked on, and why."""
        item = Item(source, PurePath(source))
        self.refused.append((item, AudioError(f"{source}: {reason}")))


def add_named(found: Found, sources: Iterable[str], selection: Selection) -> None:
    """Add what was named on the command line: recordings, folders and globs."""
    for source in sources:
        if selection.recursive and not is_url(source) and Path(source).is_dir():
            _add_folder(found, source, selection)
            continue
        part = split_part(source)
        is_there = is_url(source) or os.path.lexists(part.recording)
        if glob.has_magic(source) and not is_there:
            _add_glob(found, source, selection)
        else:
            place = PurePath(_last_part(part.recording))
            found.items.append(Item(source, part_place(place, part)))


def add_listed(found: Found, sources: Iterable[str], selection: Selection) -> None:
    """Add what a list names; a recording keeps the folders that its name has, as its place."""
    for source in sources:
        if selection.recursive and not is_url(source) and Path(source).is_dir():
            _add_folder(found, source, selection)
        else:
            part = split_part(source)
            found.items.append(Item(source, part_place(place_in_list(part.recording), part)))


def place_in_list(source: str) -> PurePath:
    """Return where the results of a listed recording lie: below the same folders.

    >>> str(place_in_list("./monday/talk.wav")), str(place_in_list("/calls/talk.wav"))
    ('monday/talk.wav', 'calls/talk.wav')
    >>> str(place_in_list("https://host/talk.wav?signature=ab/c"))
    'host/talk.wav'
    """
    if source == STDIN:
        return PurePath(source)
    if is_url(source):
        address = re.split(r"[?#]", source)[0]
        # What is behind a file's name, such as a signature, is not about the file.
        named = address if PurePosixPath(address).suffix else source
        return PurePosixPath(*[p for p in re.split(r"[/?#]", named)[2:] if p not in ("", "..")])
    path = PurePath(os.path.normpath(source))
    if ".." in path.parts:
        path = Path(source).resolve()
    return path.relative_to(path.anchor)


def in_shard(items: Sequence[Item], index: int, count: int) -> list[Item]:
    """Return the items that belong to shard `index` (from 1) of `count`.

    An item's place decides, so that machines agree also when one of them sees a file more.
    """
    return [item for item in items if shard_of(item, count) == index]


def shard_of(item: Item, count: int) -> int:
    """Return which of `count` shards an item belongs to, from 1."""
    place = item.relative.as_posix() if item.relative.name else item.source
    return zlib.crc32(os.fsencode(place)) % count + 1


def _add_folder(found: Found, folder: str, selection: Selection) -> None:
    """Add the recordings in a folder and the folders in it, in the order of their names."""
    n_before = len(found.items) + len(found.refused)
    for path, relative in _walk(found, folder, selection):
        found.items.append(Item(path, PurePath(relative)))
    if len(found.items) + len(found.refused) == n_before:
        found.refuse(
            folder,
            "there is no recording in this folder; choose files by their names, for instance: "
            "--include '*.dat'",
        )


def _walk(found: Found, folder: str, selection: Selection) -> Iterator[tuple[str, str]]:
    """Yield the path of every wanted file and its place below `folder`, without hidden ones."""
    waiting = [(folder, "")]
    while waiting:
        path, relative = waiting.pop()
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.refuse(path, f"the folder cannot be listed: {error.strerror or error}")
            continue
        folders = []
        for entry in entries:
            below = f"{relative}{entry.name}"
            if entry.name.startswith(".") or selection.excludes(entry.name, below):
                continue
            # A link to a folder is not followed: it may lead back up.
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, f"{below}/"))
            elif selection.takes(entry.name, below) and _may_be_file(entry):
                yield entry.path, below
        waiting += reversed(folders)


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, a link to one, or a link that leads nowhere.

    A named pipe that lies in a folder may have nobody who writes to it.
    """
    if entry.is_file(follow_symlinks=False):
        return True
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # whoever opens it says so
        return True


def _add_glob(found: Found, pattern: str, selection: Selection) -> None:
    """Add what a pattern matches, for shells that leave it to the program."""
    paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # Path.glob drops ./
    if not paths:
        found.refuse(pattern, "no file is called like that; check the pattern")
    elif not selection.recursive and all(Path(path).is_dir() for path in paths):
        found.refuse(pattern, "only folders are called like that; add --recursive")
    fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    root = PurePath(f"{fixed}_").parent
    linked: dict[PurePath, bool] = {}
    for path in paths:
        if "**" in pattern and _is_below_link(PurePath(path).parent, root, linked):
            continue  # ** goes round in circles where a link leads back up
        if not Path(path).is_dir():
            found.items.append(Item(path, PurePath(os.path.relpath(path, root))))
        elif selection.recursive and "**" not in pattern:
            _add_folder(found, path, selection)


def _is_below_link(folder: PurePath, root: PurePath, known: dict[PurePath, bool]) -> bool:
    """Whether a folder is a link, or lies in one, below `root`."""
    if folder == root or folder == folder.parent:
        return False
    if folder not in known:
        known[folder] = Path(folder).is_symlink() or _is_below_link(folder.parent, root, known)
    return known[folder]


def _last_part(source: str) -> str:
    if is_url(source):
        return place_in_list(source).name
    return PurePath(source).name


def _matches(pattern: str, name: str, relative: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatch.fnmatch(relative if "/" in pattern else name, pattern)
