"""What a result depends on, in few bytes: a recording's content, a model's files, settings."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.audio.remote import is_url, remote_info
from w2v_cli.recording_parts import split_part

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions

_DIGEST_BYTES = 16
_MODEL_SUFFIXES = frozenset([".json", ".jinja", ".txt", ".model", ".safetensors", ".bin"])


@dataclass(frozen=True)
class Content:
    """What a file holds, as far as it was looked at.

    Attributes:
        size: Its bytes.
        modified_ns: When it was written to, by the file system.
        changed_ns: When anything about it was changed, by the file system.
        digest: A hash of its bytes; None where they were not read.
    """

    size: int
    modified_ns: int
    changed_ns: int
    digest: str | None = None

    @classmethod
    def glance(cls, path: str | os.PathLike[str]) -> Content | None:
        """Return what the file system tells; None for what is no file, or isn't there.

        Of a part, what it tells of the recording.
        """
        path = split_part(os.fspath(path)).recording
        if is_url(path):
            return _remote(path)
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Content | None:
        """Return all there is to know; None for what is no file, or cannot be read."""
        before = cls.glance(path)
        path = split_part(os.fspath(path)).recording
        if before is None or is_url(path):
            return before  # a store's own mark does, where reading costs a transfer
        try:
            digest = file_digest(path)
        except OSError:
            return None
        return cls(before.size, before.modified_ns, before.changed_ns, digest)

    def looks_like(self, other: Content) -> bool:
        """Whether the file system says that nothing happened in between."""
        mine = (self.size, self.modified_ns, self.changed_ns)
        return mine == (other.size, other.modified_ns, other.changed_ns)


def _remote(url: str) -> Content | None:
    """Return what a store tells about a file: its size, and a number that changes with it.

    A web server's own mark of the content counts where it has one, else the size alone does; of a
    file without either nothing is known.
    """
    try:
        info, key = remote_info(url)
    except Exception:  # each store has its own family of errors; whoever opens it says why
        return None
    size, mark = info.get("size"), info.get("ETag")
    if size is None and mark is None:
        return None
    number = hashlib.blake2b(f"{key} {mark or ''}".strip().encode(), digest_size=7)
    return Content(int(size or 0), 0, int(number.hexdigest(), 16))


def content_digest(content: bytes) -> str:
    """Return the hash that `file_digest` has of a file with this content."""
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return a hash of a file's bytes.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    piece = memoryview(bytearray(2**20))
    with open(path, "rb", buffering=0) as file:
        while n_bytes := file.readinto(piece):
            digest.update(piece[:n_bytes])
    return digest.hexdigest()


def model_fingerprint(name: str, hub: HubOptions | None = None) -> str:
    """Return what tells a model from all others: its commit on the Hub, or a hash of its files.

    Raises:
        ModelError: There is no such model.
    """
    from w2v_cli.checkpoint.resolve import locate, pin

    folder = locate(name)
    if folder is None:
        return f"{name}@{pin(name, hub).revision}"
    return files_fingerprint(folder, every=False)


def files_fingerprint(place: str | os.PathLike[str], *, every: bool = True) -> str:
    """Return a hash of a file, or of the files that make up a model in a folder, and their names.

    Args:
        place: The file or the folder.
        every: All files in the folder count; else those only that models are loaded from.

    Raises:
        OSError: They cannot be read.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return file_digest(path)
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for file in _model_files(path, every):
        digest.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0")
        digest.update(file_digest(file).encode())
    return digest.hexdigest()


def _model_files(folder: Path, every: bool) -> Iterator[Path]:
    """Yield what a model is loaded from: its own files, and those of its language model."""
    for place in (folder, folder / "language_model"):
        if place.is_dir():
            for file in sorted(place.iterdir()):
                wanted = every or place != folder or file.suffix in _MODEL_SUFFIXES
                if wanted and file.is_file():
                    yield file


def settings_key(settings: dict[str, Any]) -> str:
    """Return a short hash of settings, the same for equal ones."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
