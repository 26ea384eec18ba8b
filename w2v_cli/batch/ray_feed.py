"""Items for a cluster, gathered while it works: which need no work may take time to find out."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from w2v_cli.batch.outcome import Item

if TYPE_CHECKING:
    from typing_extensions import Self

# As many names are some ten megabytes.
_MOST_ITEMS = 100_000
# A wave costs as much as loading the model everywhere.
_GATHER_SECONDS = 5.0
_LOOK_UP_SECONDS = 0.2


class Feed:
    """A thread that gathers items, and hands out all there are as a wave.

    Args:
        items: Where they come from.
        most_items: The most that a wave has, and that are gathered ahead of it.
        gather_seconds: How long a wave waits for more after its first item.
    """

    def __init__(
        self,
        items: Iterable[Item],
        *,
        most_items: int = _MOST_ITEMS,
        gather_seconds: float = _GATHER_SECONDS,
    ) -> None:
        self._items = items
        self._most_items = most_items
        self._gather_seconds = gather_seconds
        self._queue: queue.Queue[Item | None] = queue.Queue(most_items)
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._gather, name="w2v-feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(2 * _LOOK_UP_SECONDS)

    def waves(self) -> Iterator[list[Item]]:
        """Yield all items, in their order, some at a time.

        Raises what the items' own iterator raises, after the items before it.
        """
        while not self._is_over:
            wave = list(self._wave())
            if wave:
                yield wave
        if self._failure is not None:
            raise self._failure

    def _wave(self) -> Iterator[Item]:
        """Yield the next item when it is there, and those that come soon after it."""
        deadline: float | None = None
        for _ in range(self._most_items):
            try:
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                item = self._queue.get(timeout=remaining)
            except queue.Empty:
                return
            if item is None:
                self._is_over = True
                return
            deadline = deadline or time.monotonic() + self._gather_seconds
            yield item

    def _gather(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # raised where it is seen
            self._failure = error
        self._put(None)

    def _put(self, item: Item | None) -> bool:
        """Queue an item when there is room; return False if nobody wants it any more."""
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=_LOOK_UP_SECONDS)
                return True
        return False
