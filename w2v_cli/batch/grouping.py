"""Which chunks go through the network together: those of about one length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunk

Owner = TypeVar("Owner", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Queued(Generic[Owner]):
    """A chunk that was read and waits for the network.

    Attributes:
        owner: The recording that it is a part of.
        chunk: The chunk.
        seconds: How long it is.
        since: When it was read, on the clock `time.monotonic`.
    """

    owner: Owner
    chunk: Chunk
    seconds: float
    since: float = 0.0


def choose_batch(queue: Sequence[Queued[Owner]], limit_seconds: float) -> list[int]:
    """Return which of the queue go through the network together, as rising indices.

    The oldest is always among them, so that nothing waits for ever. It is joined by those
    nearest to it in length, while all, padded to the longest, are no longer than the limit. Of
    one recording none goes before an earlier one.

    Args:
        queue: What waits, the oldest first; not empty.
        limit_seconds: The most that a batch may be, padding included; 0 for one at a time.

    >>> queue = [Queued(n, None, seconds) for n, seconds in enumerate([2.0, 9.0, 2.5, 1.0, 2.2])]
    >>> choose_batch(queue, 8.0)
    [0, 2, 4]
    """
    oldest = queue[0].seconds
    by_distance = sorted(
        range(1, len(queue)), key=lambda index: (abs(queue[index].seconds - oldest), index)
    )
    chosen = [0]
    longest = oldest
    for index in by_distance:
        would_be_longest = max(longest, queue[index].seconds)
        if would_be_longest * (len(chosen) + 1) <= limit_seconds:
            chosen.append(index)
            longest = would_be_longest
        elif would_be_longest == longest:
            break  # a batch has no room for one more, however short
    return _in_turn(queue, sorted(chosen))


def padded_seconds(batch: Sequence[Queued[Owner]]) -> float:
    """Return how much the network hears of a batch, which is padded to its longest."""
    return len(batch) * max(queued.seconds for queued in batch)


def _in_turn(queue: Sequence[Queued[Owner]], chosen: list[int]) -> list[int]:
    """Leave out what would overtake an earlier chunk of its own recording."""
    wanted = set(chosen)
    waiting = set()  # recordings of which an earlier chunk is not chosen
    for index in range(chosen[-1] + 1):
        if index not in wanted:
            waiting.add(queue[index].owner)
        elif queue[index].owner in waiting:
            wanted.discard(index)
    return [index for index in chosen if index in wanted]
