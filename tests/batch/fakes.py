"""A job whose recordings are made up and whose network adds, so that engines can be watched."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from w2v_cli.batch.outcome import Item
from w2v_cli.errors import AudioError, OutOfMemoryError
from w2v_cli.inference.chunks import Chunk

RATE = 100  # samples a second: a made-up recording of hours is small


def items(*sources):
    return [Item(str(source), PurePath(str(source))) for source in sources]


@dataclass
class FakeStream:
    sample_rate: int = RATE
    duration_seconds: float = 0.0


@dataclass
class Done:
    value: object
    ready: bool = True

    def result(self):
        return self.value


@dataclass
class Slow:
    """A result that is there some time after it was begun."""

    value: object
    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def ready(self):
        return time.monotonic() - self.began >= self.seconds

    def result(self):
        while not self.ready:
            time.sleep(0.001)
        return self.value


@dataclass
class Gated:
    """A result that is there when the test opens its gate."""

    value: object
    gate: threading.Event

    @property
    def ready(self):
        return self.gate.is_set()

    def result(self):
        assert self.gate.wait(timeout=60)
        return self.value


class FakeSession:
    def __init__(self, job, stream, source):
        self.job, self.stream, self.source = job, stream, source
        self.taken = []

    def chunks(self):
        seconds = self.job.seconds(self.source)
        position = 0.0
        while position < seconds:
            if "stuck" in self.source:
                assert self.job.gate.wait(timeout=60)
            length = min(self.job.chunk_seconds, seconds - position)
            self.job.watch("read", self.source, length)
            number = len(self.source) * 1000 + int(position)
            position += length
            self.stream.duration_seconds = position
            yield Chunk(
                np.full(round(length * RATE), number, np.float32), first_frame=int(position)
            )
        if "breaks" in self.source:
            raise AudioError(f"{self.source}: breaks off")

    def take(self, chunk, output):
        assert output.tolist() == [chunk.input_values.sum()]  # not another's
        assert chunk.first_frame > (self.taken[-1] if self.taken else -1)  # in order
        self.taken.append(chunk.first_frame)
        self.job.watch("taken", self.source, len(chunk.input_values) / RATE)

    def finish(self):
        if "unfinished" in self.source:
            raise AudioError(f"{self.source}: cannot be finished")
        result = (self.source, len(self.taken))
        if "gated" in self.source:
            return Gated(result, self.job.gate)
        return Slow(result, 0.02) if "slow" in self.source else Done(result)


class FakeTask:
    def __init__(self, job):
        self.job = job
        self.batches = []
        self.is_closed = False
        self.batch_seconds = job.batch_seconds

    def session(self, stream, source):
        return FakeSession(self.job, stream, source)

    def run(self, chunks):
        lengths = [len(chunk.input_values) for chunk in chunks]
        padded_seconds = len(lengths) * max(lengths) / RATE
        if padded_seconds > self.job.memory_seconds:
            raise OutOfMemoryError(f"{padded_seconds:.0f} s of audio do not fit")
        self.batches.append([length / RATE for length in lengths])
        if self.job.on_run is not None:
            self.job.on_run(self)
        return [np.array([chunk.input_values.sum()], np.float32) for chunk in chunks]

    def close(self):
        self.is_closed = True


@dataclass
class FakeJob:
    """Sources are names such as "a:12.5": what they say, and how long they are in seconds."""

    chunk_seconds: float = 30.0
    memory_seconds: float = float("inf")
    batch_seconds: float = 0.0
    on_run: object = None
    n_loaded: int = 0
    task: FakeTask | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    events: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def open(self, source):
        if "missing" in source:
            raise AudioError(f"{source}: no such file")
        yield FakeStream()

    def load(self):
        self.n_loaded += 1
        self.task = FakeTask(self)
        return self.task

    def settings(self):
        return {}

    @staticmethod
    def seconds(source):
        return float(source.rpartition(":")[2])

    def watch(self, what, source, seconds):
        with self.lock:
            self.events.append((what, source, seconds))

    def open_gate_when_nothing_moves(self):
        """Open the gate, in a thread of its own, once nothing was read or taken for a while."""

        def wait():
            n_seen = -1
            while n_seen != len(self.events):
                n_seen = len(self.events)
                time.sleep(0.3)
            self.events.append(("opened", "", 0.0))
            self.gate.set()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread
