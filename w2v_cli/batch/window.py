"""The stretch of a run that is being worked on: what was read and is not yet given out.

Readers fill it and the engine empties it. It is bounded twice: chunks wait for the network only
up to a number of seconds, and recordings begin only while those that have begun and are not yet
given out are few and short. The first of them is free of the second bound, so that the run
always goes on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from w2v_cli.batch.grouping import Queued, choose_batch
from w2v_cli.batch.outcome import Item, Outcome
from w2v_cli.errors import ModelError, UsageError, W2VError

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.tasks.task import Pending, Session, Task

Result = TypeVar("Result")

# How often to ask whether the decoder is ready, while there is nothing else to do.
_POLL_SECONDS = 0.02
# A wait without end cannot be interrupted on every system.
_WAIT_SECONDS = 1.0


class Stopped(Exception):  # noqa: N818  # no error: a reader is told to go on to something else
    """The run has ended, or nobody wants to hear the rest of a recording."""


@dataclass(frozen=True)
class Bounds:
    """How much may be under way at once.

    Attributes:
        queued_seconds: Audio that was read and waits for the network.
        open_seconds: Audio of recordings that have begun and are not yet given out, except the
            first: their emissions and results lie in memory until it is their turn.
        open_recordings: How many of these.
    """

    queued_seconds: float
    open_seconds: float
    open_recordings: int


@dataclass(eq=False)
class Passage(Generic[Result]):
    """A recording on its way from its reader to its outcome."""

    item: Item
    session: Session[Result] | None = None
    pending: Pending[Result] | None = None
    error: W2VError | None = None
    audio_seconds: float = 0.0
    chunk_seconds: float = 0.0  # of all its chunks: more than the audio by channels and strides
    heard_chunk_seconds: float = 0.0
    told_seconds: float = 0.0
    n_waiting: int = 0  # chunks that were read and are not taken in
    is_read: bool = False

    @property
    def is_heard(self) -> bool:
        """Whether the network has heard all of it, and it is to be finished."""
        is_open = self.pending is None and self.error is None
        return is_open and self.is_read and self.n_waiting == 0

    @property
    def is_ready(self) -> bool:
        """Whether its outcome need not be waited for."""
        if self.error is not None:
            return self.is_read
        return self.pending is not None and self.pending.ready

    def heard(self, chunk_seconds: float) -> float:
        """Return how many more seconds of it the network has heard, with so much of its chunks.

        Channels and strides are heard besides, so this is the same share of what was read.
        """
        self.heard_chunk_seconds += chunk_seconds
        told_seconds = self.told_seconds
        share = self.heard_chunk_seconds / self.chunk_seconds
        self.told_seconds = max(told_seconds, share * self.audio_seconds)
        return self.told_seconds - told_seconds

    def outcome(self) -> Outcome[Result]:
        """Return what became of it; waits for it where it is not ready."""
        result = None
        if self.pending is not None and self.error is None:
            try:
                result = self.pending.result()
            except W2VError as error:
                self.error = of_one_recording(error)
        return Outcome(self.item, result, self.error, self.audio_seconds)


def of_one_recording(error: W2VError) -> W2VError:
    """Return an error that concerns one recording; raise one that concerns the whole run.

    It comes without its traceback, whose frames would keep waveforms and tensors alive.
    """
    if isinstance(error, (ModelError, UsageError)):
        raise error
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


@dataclass(frozen=True)
class Load:
    """The model is needed: a recording could be opened."""


@dataclass(frozen=True)
class Hear(Generic[Result]):
    """Chunks are to go through the network together."""

    batch: list[Queued[Passage[Result]]]


@dataclass(frozen=True)
class Finish(Generic[Result]):
    """The network has heard all of a recording."""

    passage: Passage[Result]


@dataclass(frozen=True)
class GiveOut(Generic[Result]):
    """It is a recording's turn to be given out."""

    passage: Passage[Result]


class Window(Generic[Result]):
    """What readers and the engine share, behind one lock.

    Args:
        bounds: How much may be under way.
        n_readers: How many threads will read at first.
        patience_seconds: How long a batch that is not full waits for more.
        task: The model, if it is loaded already.
    """

    def __init__(
        self,
        bounds: Bounds,
        n_readers: int,
        patience_seconds: float,
        task: Task[Result] | None,
    ) -> None:
        self.bounds = bounds
        self._patience_seconds = patience_seconds
        self._task = task
        self._changed = threading.Condition()
        self._passages: deque[Passage[Result]] = deque()
        self._queue: list[Queued[Passage[Result]]] = []
        self._queued_seconds = 0.0
        self._open_seconds = 0.0
        self._heard: deque[Passage[Result]] = deque()
        self._n_readers = n_readers
        self._rooms_awaited: list[Callable[[], bool]] = []
        self._is_task_wanted = False
        self._is_stopped = False
        self._failure: BaseException | None = None

    # What a reader calls.

    def begin(self, item: Item) -> Passage[Result]:
        """Return the passage of an input, when there is room for it.

        Raises:
            Stopped: The run has ended.
        """
        with self._changed:
            self._wait_for_room(self._has_room_to_begin)
            passage: Passage[Result] = Passage(item)
            self._passages.append(passage)
            return passage

    def task(self) -> Task[Result]:
        """Return the model, when it is loaded.

        Raises:
            Stopped: The run has ended.
        """
        with self._changed:
            self._is_task_wanted = True
            self._changed.notify_all()
            while self._task is None:
                self._check_running()
                self._changed.wait(_WAIT_SECONDS)
            return self._task

    def put(self, passage: Passage[Result], chunk: Chunk, seconds: float) -> None:
        """Queue a chunk, when there is room for it.

        Raises:
            Stopped: The run has ended, or the recording has failed.
        """
        with self._changed:
            self._wait_for_room(lambda: bool(passage.error) or self._has_room(passage, seconds))
            if passage.error:
                raise Stopped
            self._queue.append(Queued(passage, chunk, seconds, time.monotonic()))
            self._queued_seconds += seconds
            self._open_seconds += seconds
            passage.chunk_seconds += seconds
            passage.n_waiting += 1
            self._changed.notify_all()

    def end_reading(self, passage: Passage[Result]) -> None:
        """Take note that no more chunks of a recording will come."""
        with self._changed:
            passage.is_read = True
            self._note_if_heard(passage)
            self._changed.notify_all()

    def leave(self, failure: BaseException | None) -> None:
        """Take note that a reader has ended, and of what ended it if that was no lack of work."""
        with self._changed:
            self._n_readers -= 1
            self._failure = self._failure or failure
            self._changed.notify_all()

    # What both call.

    def fail(self, passage: Passage[Result], error: W2VError) -> None:
        """Give a recording up: what waits of it is not heard, and the rest is not read."""
        with self._changed:
            if passage.error is None:
                passage.error = error
            for queued in self._queue:
                if queued.owner is passage:
                    self._queued_seconds -= queued.seconds
            self._queue = [queued for queued in self._queue if queued.owner is not passage]
            self._changed.notify_all()

    # What the engine calls.

    def loaded(self, task: Task[Result], bounds: Bounds) -> None:
        """Hand the model to the readers that wait for it."""
        with self._changed:
            self._task = task
            self.bounds = bounds
            self._changed.notify_all()

    def more_readers(self, n_readers: int) -> None:
        """Expect so many more readers to leave in the end."""
        with self._changed:
            self._n_readers += n_readers

    def taken(self, queued: Queued[Passage[Result]]) -> None:
        """Take note that a recording has what the network made of a chunk."""
        with self._changed:
            queued.owner.n_waiting -= 1
            self._note_if_heard(queued.owner)

    def ready(self) -> Passage[Result] | None:
        """Return the first recording, if it need not be waited for."""
        with self._changed:
            first = self._passages[0] if self._passages else None
            return first if first is not None and first.is_ready else None

    def given_out(self) -> None:
        """Forget the first recording, whose place another may take."""
        with self._changed:
            self._open_seconds -= self._passages.popleft().chunk_seconds
            self._changed.notify_all()

    def stop(self) -> None:
        """Send the readers home."""
        with self._changed:
            self._is_stopped = True
            self._queue.clear()
            self._changed.notify_all()

    def next_step(
        self, batch_seconds: float
    ) -> Load | Hear[Result] | Finish[Result] | GiveOut[Result] | None:
        """Wait for something to do and return it; None at the end of the run.

        Args:
            batch_seconds: The most that a batch may be, padding included; 0 for no batches.

        Raises:
            BaseException: What ended a reader.
        """
        with self._changed:
            while True:
                if self._heard:
                    return Finish(self._heard.popleft())
                if self._passages and self._passages[0].is_ready:
                    return GiveOut(self._passages[0])
                if self._failure is not None:
                    return self._last_step()
                if self._is_task_wanted and self._task is None:
                    return Load()
                wait_seconds = self._seconds_to_wait(batch_seconds)
                if self._queue and wait_seconds <= 0:
                    return self._hear(batch_seconds)
                if not self._queue and not self._is_anyone_busy():
                    if self._passages:  # nothing moves before the first is given out
                        return GiveOut(self._passages[0])
                    if self._n_readers == 0:
                        return None
                self._changed.wait(min(wait_seconds, _WAIT_SECONDS))

    def _last_step(self) -> GiveOut[Result]:
        """Return the first recording if the network has heard it, and else end the run."""
        assert self._failure is not None
        if self._passages and self._passages[0].pending is not None:
            return GiveOut(self._passages[0])
        raise self._failure

    def _hear(self, batch_seconds: float) -> Hear[Result]:
        chosen = choose_batch(self._queue, batch_seconds)
        batch = [self._queue[index] for index in chosen]
        for index in reversed(chosen):
            del self._queue[index]
        self._queued_seconds -= sum(queued.seconds for queued in batch)
        self._changed.notify_all()
        return Hear(batch)

    def _seconds_to_wait(self, batch_seconds: float) -> float:
        """Return how long the engine waits for more; 0 to go on with what there is."""
        if self._queue:
            if not self._is_anyone_busy() or self._queued_seconds >= batch_seconds:
                return 0.0
            return self._queue[0].since + self._patience_seconds - time.monotonic()
        is_decoding = self._passages and self._passages[0].pending is not None
        return _POLL_SECONDS if is_decoding else _WAIT_SECONDS

    def _wait_for_room(self, has_room: Callable[[], bool]) -> None:
        self._check_running()
        self._rooms_awaited.append(has_room)
        try:
            if not has_room():
                self._changed.notify_all()  # the engine may wait for a fuller batch
            while not has_room():
                self._changed.wait(_WAIT_SECONDS)
                self._check_running()
        finally:
            self._rooms_awaited.remove(has_room)

    def _is_anyone_busy(self) -> bool:
        """Return whether a reader is at work, or will be as soon as it is let."""
        n_stuck = sum(not has_room() for has_room in self._rooms_awaited)
        return n_stuck < self._n_readers

    def _note_if_heard(self, passage: Passage[Result]) -> None:
        if passage.is_heard:
            self._heard.append(passage)

    def _has_room_to_begin(self) -> bool:
        few = len(self._passages) < self.bounds.open_recordings
        return few and self._open_behind_first() < self.bounds.open_seconds

    def _has_room(self, passage: Passage[Result], seconds: float) -> bool:
        if self._queue and self._queued_seconds + seconds > self.bounds.queued_seconds:
            return False
        is_first = self._passages[0] is passage
        return is_first or self._open_behind_first() + seconds <= self.bounds.open_seconds

    def _open_behind_first(self) -> float:
        first = self._passages[0].chunk_seconds if self._passages else 0.0
        return self._open_seconds - first

    def _check_running(self) -> None:
        if self._is_stopped:
            raise Stopped
