"""Which inputs need no work, because a run before this one did it."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from w2v_cli.audio.remote import is_url
from w2v_cli.batch.fingerprint import Content, settings_key
from w2v_cli.batch.journal import Journal, Record
from w2v_cli.batch.outcome import Item
from w2v_cli.batch.parts import drop_part, finish_part, part_digest
from w2v_cli.errors import AudioError, OutOfMemoryError, W2VError

Files = Mapping[str, Mapping[str, Path]]
"""For every recording and format: the file it is written to."""


@dataclass(frozen=True)
class Policy:
    """What is done about earlier results, where the journal does not decide.

    Attributes:
        overwrite: Do everything again.
        skip_existing: Leave out what has all its files, wherever they are from.
        retry_failed: Try again what failed before.
    """

    overwrite: bool = False
    skip_existing: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class SetAside:
    """An input that needs no work.

    Attributes:
        item: The input.
        record: What became of it earlier; None where only its files are known.
        content: What it holds, where only the times of its file have changed since.
    """

    item: Item
    record: Record | None
    content: Content | None = None


class Ledger:
    """Compares what is to be done with what a journal says is done, and adds to the journal.

    `todo` runs in the thread that reads, everything else in the one that writes.

    Args:
        journal: What earlier runs did.
        settings: All that results depend on besides recordings and the model's files.
        model: Returns the fingerprint of these; called when first needed.
        files: The files of every result; None where the journal keeps the results.
        policy: What is done about earlier results.
        hashes: Read recordings for a hash of their content; else only times and sizes tell.
    """

    def __init__(
        self,
        journal: Journal,
        settings: dict[str, Any],
        model: Callable[[], str],
        files: Files | None = None,
        policy: Policy | None = None,
        *,
        hashes: bool = True,
    ) -> None:
        self.journal = journal
        self.set_aside: deque[SetAside] = deque()
        self._settings = settings
        self._model = model
        self._files = files
        self._policy = policy or Policy()
        self._hashes = hashes
        self._failure_key = settings_key(settings)
        self._key: str | None = None
        self._key_lock = threading.Lock()
        self._contents: dict[str, Content] = {}
        self._current: set[str] = set()
        self._has_begun = False

    @property
    def key(self) -> str:
        """The hash of settings and model.

        Raises:
            ModelError: There is no such model.
        """
        with self._key_lock:
            if self._key is None:
                self._key = settings_key(self._settings | {"model_files": self._model()})
            return self._key

    def changed_settings(self) -> list[str]:
        """Return which settings are not those of the last run, if there was one."""
        earlier = self.journal.settings
        if earlier is None:
            return []
        now = json.loads(json.dumps(self._settings))
        return sorted(name for name in {*earlier, *now} if earlier.get(name) != now.get(name))

    def todo(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield what needs work, and put the rest into `set_aside`.

        Raises:
            ModelError: There is no such model.
        """
        for item in items:
            aside = self._set_aside(item)
            if aside is None:
                self._look_at(item)
                yield item
            else:
                self.set_aside.append(aside)

    def preview(self, items: Iterable[Item]) -> Iterator[tuple[Item, SetAside | None]]:
        """Yield all items, each with what is known about it, and change nothing."""
        for item in items:
            yield item, self._settled(item, self._known(item))

    def accept(self, aside: SetAside) -> None:
        """Count an input that was set aside among the results of this run."""
        self._current.add(aside.item.source)
        if aside.record is not None and aside.content is not None:
            text = self.journal.text(aside.record) if aside.record.has_text else None
            self.journal.add(replace(aside.record, content=aside.content), text)

    def begin(self) -> None:
        """Keep other runs out, before the first result is written anywhere.

        Raises:
            WriteError: The journal cannot be written, or another run has it.
        """
        if not self._has_begun:
            self.journal.begin(self._settings)
            self._has_begun = True

    def done(
        self, source: str, seconds: float, text: str | None = None, parts: Sequence[str] = ()
    ) -> None:
        """Write down that an input has a result.

        Args:
            source: The input.
            seconds: How much audio was read.
            text: The result, where the journal keeps it.
            parts: Hashes of the parts of its files, which lie beside their places.

        Raises:
            WriteError: The journal cannot be written.
        """
        files = () if self._files is None else self._names(source)
        content = self._content(source)
        self._add(Record(source, self.key, content, seconds, files, tuple(parts)), text)

    def failed(
        self, source: str, error: W2VError, text: str | None = None, parts: Sequence[str] = ()
    ) -> None:
        """Write down that an input has none, and why; `text` and `parts` tell of it.

        Raises:
            WriteError: The journal cannot be written.
        """
        content = self._content(source)
        # Where the recording may not be to blame, it is tried again by the next run.
        is_bad = isinstance(error, AudioError) and not isinstance(error, OutOfMemoryError)
        if not is_bad or is_url(source):
            content = None
        record = Record(source, self._failure_key, content, parts=tuple(parts))
        self._add(replace(record, error=str(error), exit_code=error.exit_code), text)

    def result(self, item: Item) -> str | None:
        """Return the text that the journal keeps for an input, if it is one of this run's."""
        record = self.journal.get(item.source)
        if record is None or not record.has_text:
            return None
        if item.source not in self._current and self._known(item, quick=True) is None:
            return None  # the run was interrupted before it, and it is out of date
        return self.journal.text(record)

    def _add(self, record: Record, text: str | None) -> None:
        self.begin()
        self.journal.add(record, text)
        self._current.add(record.source)

    def _set_aside(self, item: Item) -> SetAside | None:
        aside = self._known(item)
        if self._files is not None:
            self._settle_parts(item, aside)
        return self._settled(item, aside)

    def _settled(self, item: Item, aside: SetAside | None) -> SetAside | None:
        """Return what a journal and the files say together."""
        if self._files is None:
            return aside
        if aside is None:
            record = self.journal.get(item.source)
            is_result = record is None or record.error is None  # files say errors, too, in jsonl
            exists = self._policy.skip_existing and is_result and self._has_files(item.source)
            return SetAside(item, None) if exists else None
        failed = aside.record is not None and aside.record.error is not None
        return aside if failed or self._has_files(item.source) else None

    def _settle_parts(self, item: Item, aside: SetAside | None) -> None:
        """Complete or remove what a run that was killed has left behind."""
        if len(self.journal) == 0 and not self.journal.path.exists():
            return
        finished = () if aside is None or aside.record is None else aside.record.parts
        for path in self._paths(item.source):
            digest = part_digest(path)
            if digest in finished:
                finish_part(path)
            elif digest is not None:
                drop_part(path)

    def _known(self, item: Item, *, quick: bool = False) -> SetAside | None:
        record = self.journal.get(item.source)
        if record is None or record.content is None or not self._counts(record):
            return None
        now = Content.glance(item.source)
        if now is None:
            return None
        if now.looks_like(record.content):
            return SetAside(item, record)
        if quick or record.content.digest is None or now.size != record.content.size:
            return None
        read = Content.read(item.source)
        if read is None or read.digest != record.content.digest:
            return None
        return SetAside(item, record, read)

    def _counts(self, record: Record) -> bool:
        """Whether a record, if its content is still the same, makes work unnecessary."""
        if self._policy.overwrite:
            return False
        if record.error is not None:
            return record.key == self._failure_key and not self._policy.retry_failed
        if self._files is not None and record.files != self._names(record.source):
            return False
        return record.key == self.key

    def _look_at(self, item: Item) -> None:
        look = Content.read if self._hashes else Content.glance
        content = look(item.source)
        if content is not None:
            self._contents[item.source] = content

    def _content(self, source: str) -> Content | None:
        """Return what was read; without a hash if it has changed while it was."""
        content = self._contents.pop(source, None)
        if content is None:
            return None
        now = Content.glance(source)
        unchanged = now is not None and now.looks_like(content)
        return content if unchanged else replace(content, digest=None)

    def _paths(self, source: str) -> list[Path]:
        assert self._files is not None
        return list(self._files[source].values())

    def _names(self, source: str) -> tuple[str, ...]:
        folder = self.journal.path.parent
        return tuple(
            path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
            for path in self._paths(source)
        )

    def _has_files(self, source: str) -> bool:
        return all(path.exists() for path in self._paths(source))
