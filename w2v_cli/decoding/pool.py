"""Processes that decode: started once, kept for the whole run, replaced when they die."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.counts import counted
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.interrupts import interrupts_held
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.worker import READY, DecoderRecipe, Recipe, serve
from w2v_cli.errors import W2VError

if TYPE_CHECKING:
    from typing_extensions import Self

FloatArray = npt.NDArray[np.floating[Any]]

# A recording whose search takes more memory than there is kills every worker that tries it.
MOST_TRIES = 3

_JOIN_SECONDS = 2.0


class WorkerDiedError(W2VError):
    """A decoding that its worker did not survive, several times over."""


class DecodingHandle:
    """Hypotheses that are being looked for."""

    def __init__(self, n_tasks: int) -> None:
        self._answers: list[Any] = [None] * n_tasks
        self._open = n_tasks
        self._done = threading.Event()
        if n_tasks == 0:
            self._done.set()

    @property
    def ready(self) -> bool:
        """Whether `result` would answer at once, or at least wait for no other process."""
        return self._done.is_set()

    def result(self) -> list[Any]:
        """Return each matrix's readings in the order they were submitted; a tuple for each.

        Waits for them.

        Raises:
            W2VError: The language model cannot be loaded, or a worker died again and again.
            ValueError: A matrix is no emissions of this alphabet.
        """
        # A wait without end cannot be interrupted on every system.
        while not self._done.wait(timeout=1.0):
            pass
        for answer in self._answers:
            if isinstance(answer, BaseException):
                raise answer
        return list(self._answers)

    def _set(self, index: int, answer: Any) -> None:
        self._answers[index] = answer
        self._open -= 1
        if self._open == 0:
            self._done.set()


class _Here(DecodingHandle):
    """Hypotheses that are looked for when they are asked for, in the process that asks."""

    def __init__(self, decoder: Any, batch: list[FloatArray], options: BeamOptions) -> None:
        super().__init__(0)
        self._decoder, self._batch, self._options = decoder, batch, options

    def result(self) -> list[Any]:
        if not self._answers:
            self._answers = [self._decoder.decode(e, self._options) for e in self._batch]
        return list(self._answers)


@dataclass(eq=False)
class _Task:
    emissions: FloatArray
    options: BeamOptions
    handle: DecodingHandle
    index: int
    tries: int = 0

    def answer(self, answer: Any) -> None:
        self.handle._set(self.index, answer)


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    ready: bool = False
    task: _Task | None = field(default=None)


class WorkerPool:
    """Asks decoders in other processes while this one goes on.

    Each worker makes its decoder once, when it starts. A worker that dies is replaced, and
    what it was decoding is decoded again.
    """

    def __init__(self, recipe: Recipe, workers: int, start_method: str | None = None) -> None:
        """Start the workers. They make their decoders while this process goes on.

        Args:
            recipe: The decoder.
            workers: How many processes; 0 decodes in this one, when a result is asked for.
            start_method: fork, forkserver or spawn. None is forkserver where there is one:
                a fork of a process with threads, which torch starts, can hang.

        Raises:
            ValueError: `workers` is negative, or there is no such start method.
        """
        if workers < 0:
            raise ValueError(f"workers is {workers}; it must be 0 or more")
        self._recipe = recipe
        self._decoder = recipe.make() if workers == 0 else None
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._failure: BaseException | None = None
        if workers == 0:
            return
        self._context = _context(start_method)
        self._wake, self._woken = self._context.Pipe()
        self._thread = threading.Thread(target=self._dispatch, name="w2v-decoding", daemon=True)
        with interrupts_held():
            self._workers = [self._start_worker() for _ in range(workers)]
            self._thread.start()  # which starts others in their place
            # Before multiprocessing ends the workers, whose deaths would be taken for accidents.
            atexit.register(self.close)

    def submit(self, batch: Sequence[FloatArray], options: BeamOptions) -> DecodingHandle:
        """Begin with a batch of emissions, and return what will have its readings.

        Args:
            batch: Emissions, each (frames, vocab).
            options: How to search.

        Raises:
            ValueError: The pool is closed.
        """
        if self._closed:
            raise ValueError("the pool is closed")
        if self._decoder is not None:
            return _Here(self._decoder, list(batch), options)
        handle = DecodingHandle(len(batch))
        tasks = [_Task(np.asarray(e), options, handle, index) for index, e in enumerate(batch)]
        with self._lock:
            if self._failure is not None:
                for task in tasks:
                    task.answer(self._failure)
                return handle
            self._waiting.extend(tasks)
        self._wake.send_bytes(b"")
        return handle

    def close(self) -> None:
        """End the workers; what they have not finished is not decoded."""
        if self._closed:
            return
        self._closed = True
        if self._decoder is not None:
            self._decoder = None
            return
        atexit.unregister(self.close)
        self._wake.send_bytes(b"")
        self._thread.join()
        for worker in self._workers:
            worker.connection.close()  # which ends it, once it is idle
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_JOIN_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._wake.close()
        self._woken.close()
        self._fail(ValueError("the pool was closed before this was decoded"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def worker_pids(self) -> list[int]:
        """The ids of the processes that decode now; none where this one does."""
        return [worker.process.pid for worker in self._workers]

    def _start_worker(self) -> _Worker:
        here, there = self._context.Pipe()
        is_fork = self._context.get_start_method() == "fork"
        process = self._context.Process(
            target=serve,
            args=(self._recipe, there, here if is_fork else None),
            name="w2v-decoder",
            daemon=True,
        )
        process.start()
        there.close()
        return _Worker(process, here)

    def _dispatch(self) -> None:
        """Hand out tasks and take in answers until the pool is closed."""
        try:
            self._hand_out_and_take_in()
        except BaseException as error:  # whoever waits for a result must hear of it
            self._fail(error)

    def _hand_out_and_take_in(self) -> None:
        deaths = 0
        while not self._closed:
            self._hand_out()
            ready = wait([self._woken, *(worker.connection for worker in self._workers)])
            if self._woken in ready:
                self._woken.recv_bytes()
            for worker in [w for w in self._workers if w.connection in ready]:
                try:
                    answer = worker.connection.recv()
                except (EOFError, OSError):
                    deaths = 0 if worker.ready else deaths + 1
                    self._bury(worker, is_hopeless=deaths >= MOST_TRIES)
                    continue
                self._take_in(worker, answer)

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not worker.ready or worker.task is not None:
                continue
            with self._lock:
                if not self._waiting:
                    return
                worker.task = self._waiting.popleft()
            with contextlib.suppress(OSError):  # it has died: its connection says so next
                worker.connection.send((worker.task.emissions, worker.task.options))

    def _take_in(self, worker: _Worker, answer: Any) -> None:
        if worker.task is not None:
            task, worker.task = worker.task, None
            task.answer(answer)
        elif worker.ready:
            pass  # the pool failed while it was decoding, and whoever asked has heard of that
        elif isinstance(answer, BaseException):  # no other worker can load its decoder either
            self._fail(answer)
        else:
            worker.ready = answer == READY

    def _bury(self, worker: _Worker, *, is_hopeless: bool) -> None:
        """Put another worker in the place of a dead one, and its task first in the queue."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_JOIN_SECONDS)
        if task := worker.task:
            task.tries += 1
            if task.tries >= MOST_TRIES:
                task.answer(
                    WorkerDiedError(
                        f"decoding {counted(len(task.emissions), 'frame')} ended its worker "
                        f"{task.tries} times (exit code {worker.process.exitcode}); is there "
                        f"enough memory? Try a smaller beam or fewer workers"
                    )
                )
            else:
                with self._lock:
                    self._waiting.appendleft(task)
        if self._failure is not None:
            return
        if is_hopeless:
            self._fail(
                WorkerDiedError(
                    f"decoding workers die before they are ready (exit code "
                    f"{worker.process.exitcode}); a script that starts them needs "
                    f"'if __name__ == \"__main__\":' around what it does"
                )
            )
            return
        self._workers.append(self._start_worker())

    def _fail(self, error: BaseException) -> None:
        """Answer with an error whatever waits, and what will be submitted; with the first one."""
        with self._lock:
            if self._failure is None:
                self._failure = error
            tasks = list(self._waiting)
            self._waiting.clear()
        tasks += [worker.task for worker in self._workers if worker.task is not None]
        for worker in self._workers:
            worker.task = None
        for task in tasks:
            task.answer(error)


class DecoderPool(WorkerPool):
    """Decodes batches of emissions in other processes while this one goes on.

    Each worker loads the language model once, when it starts; a binary one is mapped into
    memory, so that all share it. A worker that dies is replaced, and what it was decoding
    is decoded again. What comes back does not depend on the number of workers.

    >>> alphabet = Alphabet(("_", "|", "A"), blank_id=0, word_delimiter_id=1)
    >>> with DecoderPool(alphabet, None, BeamOptions(), workers=0) as pool:
    ...     [readings] = pool.submit([np.log([[0.1, 0.1, 0.8]])]).result()
    >>> readings[0].text
    'A'
    """

    def __init__(
        self,
        alphabet: Alphabet,
        ngram: NGram | None,
        options: BeamOptions,
        *,
        engine: str = "auto",
        workers: int = 1,
        start_method: str | None = None,
    ) -> None:
        """Start the workers. They load their language model while this process goes on.

        Args:
            alphabet: What the network's outputs write.
            ngram: The language model; None to search without.
            options: How to search.
            engine: One of `beam.ENGINES`.
            workers: As for `WorkerPool`.
            start_method: As for `WorkerPool`.

        Raises:
            ValueError: `workers` is negative, or there is no such start method or engine.
            W2VError: As `make_decoder`, at once where it can be told without loading, and
                else from `DecodingHandle.result`.
        """
        from w2v_cli.decoding.beam import check_recipe

        check_recipe(alphabet, ngram, options, engine)
        self.options = options
        super().__init__(DecoderRecipe(alphabet, ngram, options, engine), workers, start_method)

    def submit(
        self, batch: Sequence[FloatArray], options: BeamOptions | None = None
    ) -> DecodingHandle:
        """Begin with a batch of emissions, and return what will have its readings.

        Args:
            batch: Emissions, each (frames, vocab).
            options: Others than the pool's, for this batch.

        Raises:
            ValueError: The pool is closed.
        """
        return super().submit(batch, options or self.options)


def _context(start_method: str | None) -> Any:
    methods = multiprocessing.get_all_start_methods()
    if start_method is None:
        start_method = "forkserver" if "forkserver" in methods else "spawn"
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        # Loaded once, and inherited by every worker.
        context.set_forkserver_preload(["w2v_cli.decoding.beam"])
    if start_method != "fork" and sys.platform != "win32":
        from multiprocessing import resource_tracker

        # Both methods need it, and where it is started Ctrl-C is let through, held back or not.
        resource_tracker.ensure_running()
    return context
