"""A run over many recordings in this process: one network, fed by threads that read ahead."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from w2v_cli.batch.grouping import Queued, padded_seconds
from w2v_cli.batch.outcome import Engine, Item, Outcome
from w2v_cli.batch.window import (
    Bounds,
    Finish,
    GiveOut,
    Hear,
    Load,
    Passage,
    Stopped,
    Window,
    of_one_recording,
)
from w2v_cli.errors import AudioError, OutOfMemoryError, W2VError

if TYPE_CHECKING:
    from w2v_cli.tasks.task import Job, Task

Result = TypeVar("Result")

# A reader that is told to stop finishes the block that it reads; none takes longer but one that
# waits for a pipe or a disk, and that one is left behind.
_JOIN_SECONDS = 1.0


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)


class LocalEngine(Engine[Result]):
    """Runs a job here.

    A thread reads recordings ahead; this one passes chunks of about one length through the
    network together, and hands outcomes out in the order of the inputs while later ones are
    still decoded. How much is read ahead is bounded, whatever the recordings are.

    The model is loaded when the first recording could be opened, and kept until `close`.

    Args:
        job: What is to be done.
        batch_seconds: The most audio that goes through the network at once, padding included,
            unless a single chunk is longer; 0 for one chunk at a time; None for what the task
            says.
        n_readers: How many threads read; None for one beside a processor, which is slower than
            it, and several beside a GPU.
        patience_seconds: How long a batch that is not full waits for more.
        on_load: Told of the model when it is loaded, and how many seconds that took.
        on_heard: Told of an input and how many more seconds of it the network has heard.
        warn: Told once if batches must be smaller, because the memory is too small for them.
    """

    def __init__(
        self,
        job: Job[Result],
        *,
        batch_seconds: float | None = None,
        n_readers: int | None = None,
        patience_seconds: float = 0.1,
        on_load: Callable[[Task[Result], float], None] | None = None,
        on_heard: Callable[[Item, float], None] | None = None,
        warn: Callable[[str], None] = _warn,
    ) -> None:
        if batch_seconds is not None and batch_seconds < 0:
            raise ValueError(f"batch_seconds is {batch_seconds}; it must be 0 or more")
        if n_readers is not None and n_readers < 1:
            raise ValueError(f"n_readers is {n_readers}; it must be 1 or more")
        self._job = job
        self._batch_seconds = batch_seconds
        self._n_readers = n_readers
        self._patience_seconds = patience_seconds
        self._on_load = on_load
        self._on_heard = on_heard
        self._warn = warn
        self._has_warned = False
        self._task: Task[Result] | None = None
        self._readers: _Readers[Result] | None = None

    def close(self) -> None:
        """End what is running, and let go of the model and its processes."""
        if self._readers is not None:
            self._readers.stop()
            self._readers = None
        if self._task is not None:
            self._task.close()
            self._task = None

    def run(self, items: Iterable[Item]) -> Generator[Outcome[Result], None, None]:
        """Yield an outcome for every item, in their order, each as soon as that allows.

        A bad input is an outcome with an error. Closing the iterator ends the work.

        Raises:
            W2VError: The model cannot be loaded, or else no recording can be done.
            KeyboardInterrupt: The user has interrupted; what was ready came before it.
        """
        n_readers = self._n_readers or (1 if self._task is None else readers_for(self._limit))
        window: Window[Result] = Window(
            bounds(self._limit), n_readers, self._patience_seconds, self._task
        )
        self._readers = readers = _Readers(self._job, items, window, n_readers)
        try:
            yield from self._outcomes(window, readers)
        except KeyboardInterrupt:
            while (passage := window.ready()) is not None:
                yield _given_out(window, passage)
            raise
        finally:
            if self._readers is readers:
                self._readers = None
            readers.stop()

    @property
    def _limit(self) -> float:
        """How much audio a batch may be now."""
        return self._batch_seconds or 0.0

    def _outcomes(
        self, window: Window[Result], readers: _Readers[Result]
    ) -> Iterator[Outcome[Result]]:
        while (step := window.next_step(self._limit)) is not None:
            if isinstance(step, Load):
                window.loaded(self._load(), bounds(self._limit))
                if self._n_readers is None:
                    readers.add(readers_for(self._limit) - 1)
            elif isinstance(step, Hear):
                self._hear(window, step.batch)
            elif isinstance(step, Finish):
                _finish(window, step.passage)
            elif isinstance(step, GiveOut):
                yield _given_out(window, step.passage)

    def _load(self) -> Task[Result]:
        began = time.perf_counter()
        self._task = self._job.load()
        if self._batch_seconds is None:
            self._batch_seconds = self._task.batch_seconds
        if self._on_load is not None:
            self._on_load(self._task, time.perf_counter() - began)
        return self._task

    def _hear(self, window: Window[Result], batch: list[Queued[Passage[Result]]]) -> None:
        """Pass a batch through the network and hand each recording what is its own."""
        assert self._task is not None
        failure: AudioError | None = None
        try:
            outputs = self._task.run([queued.chunk for queued in batch])
        except MemoryError:
            failure = OutOfMemoryError(
                f"{batch[0].seconds:.0f} s of audio do not fit into the memory"
            )
        except AudioError as error:
            failure = type(error)(str(error))  # without the tensors that its traceback holds
        if failure is None:
            for queued, output in zip(batch, outputs, strict=True):
                self._take(window, queued, output)
        elif len(batch) == 1:
            source = batch[0].owner.item.source
            window.fail(batch[0].owner, type(failure)(f"{source}: {failure}"))
        else:
            if isinstance(failure, OutOfMemoryError):
                self._batch_less_than(padded_seconds(batch))
            middle = len(batch) // 2
            self._hear(window, batch[:middle])
            self._hear(window, batch[middle:])

    def _take(self, window: Window[Result], queued: Queued[Passage[Result]], output: Any) -> None:
        passage = queued.owner
        if passage.error is not None:
            return
        assert passage.session is not None
        try:
            passage.session.take(queued.chunk, output)
        except W2VError as error:
            window.fail(passage, of_one_recording(error))
            return
        window.taken(queued)
        more_seconds = passage.heard(queued.seconds)
        if self._on_heard is not None and more_seconds > 0:
            self._on_heard(passage.item, more_seconds)

    def _batch_less_than(self, seconds: float) -> None:
        """Halve the batches, and say so the first time."""
        self._batch_seconds = min(self._limit, seconds / 2)
        if not self._has_warned:
            self._has_warned = True
            self._warn(
                f"{seconds:.0f} s of audio at once do not fit into the memory; going on with "
                f"batches of {self._batch_seconds:.0f} s or less; to begin with these: "
                f"--batch-seconds {self._batch_seconds:.0f}"
            )


def bounds(batch_seconds: float) -> Bounds:
    """Return how much may be under way, for batches of a size."""
    # Several batches, to choose chunks of one length from; two minutes are 8 MB.
    queued_seconds = max(4 * batch_seconds, 120.0)
    return Bounds(
        queued_seconds=queued_seconds,
        open_seconds=queued_seconds + 900.0,
        open_recordings=4096 if batch_seconds else 256,
    )


def readers_for(batch_seconds: float) -> int:
    """Return how many threads should read, for batches of a size.

    Large ones are a GPU's, which hears faster than a thread decodes and resamples.
    """
    return min(8, os.cpu_count() or 1) if batch_seconds >= 60 else 1


def _given_out(window: Window[Result], passage: Passage[Result]) -> Outcome[Result]:
    outcome = passage.outcome()  # may be interrupted: only then is it out of the window
    window.given_out()
    return outcome


def _finish(window: Window[Result], passage: Passage[Result]) -> None:
    if passage.error is not None:
        return
    assert passage.session is not None
    try:
        passage.pending = passage.session.finish()
    except W2VError as error:
        window.fail(passage, of_one_recording(error))


class _Readers(Generic[Result]):
    """Threads that open recordings, one after the other, and queue their chunks."""

    def __init__(
        self,
        job: Job[Result],
        items: Iterable[Item],
        window: Window[Result],
        n_readers: int,
    ) -> None:
        self._job, self._window = job, window
        self._items = iter(items)
        self._order = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._start(n_readers)

    def add(self, n_readers: int) -> None:
        """Start some more."""
        self._window.more_readers(n_readers)
        self._start(n_readers)

    def _start(self, n_readers: int) -> None:
        for number in range(len(self._threads), len(self._threads) + n_readers):
            # Daemons: one that waits for a pipe cannot be told to stop.
            name = f"w2v-reader-{number}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Send them home, and wait for those that no pipe and no slow disk holds up."""
        self._window.stop()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        failure: BaseException | None = None
        try:
            while (passage := self._next()) is not None:
                # This recording's end; if it is the run's, the next begin says so.
                with contextlib.suppress(Stopped):
                    self._read(passage)
                # Not after a bug: nothing may be made of what was read before it.
                self._window.end_reading(passage)
        except Stopped:
            pass
        except BaseException as error:  # the engine raises it, where it is seen
            failure = error
        finally:
            self._window.leave(failure)

    def _next(self) -> Passage[Result] | None:
        with self._order:
            for item in self._items:
                return self._window.begin(item)
            return None

    def _read(self, passage: Passage[Result]) -> None:
        source = passage.item.source
        try:
            with self._job.open(source) as stream:
                session = passage.session = self._window.task().session(stream, source)
                for chunk in session.chunks():
                    passage.audio_seconds = stream.duration_seconds
                    seconds = len(chunk.input_values) / stream.sample_rate
                    self._window.put(passage, chunk, seconds)
                passage.audio_seconds = stream.duration_seconds
        except W2VError as error:
            self._window.fail(passage, of_one_recording(error))
        except MemoryError:
            message = f"{source}: reading it takes more memory than there is"
            self._window.fail(passage, OutOfMemoryError(message))
