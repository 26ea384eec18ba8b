"""Jobs for clusters: they can be pickled, and say what was done by files, since workers are far."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from w2v_cli.errors import AudioError, MissingDependencyError, ModelError
from w2v_cli.inference.chunks import Chunk


@dataclass
class Stream:
    sample_rate: int = 100
    duration_seconds: float = 2.0


@dataclass
class Done:
    value: object
    ready: bool = True

    def result(self):
        return self.value


@dataclass
class Session:
    source: str
    environment: bool
    taken: float = 0.0

    def chunks(self):
        yield Chunk(np.full(200, len(self.source), np.float32))

    def take(self, chunk, output):
        self.taken += float(output[0])

    def finish(self):
        threads = os.environ["OMP_NUM_THREADS"] if self.environment else ""
        return Done((self.source, self.taken, threads))


@dataclass
class Task:
    seconds: float
    environment: bool
    batch_seconds: float = 0.0

    def session(self, stream, source):
        return Session(source, self.environment)

    def run(self, chunks):
        time.sleep(self.seconds * len(chunks))
        return [np.array([chunk.input_values.sum()], np.float32) for chunk in chunks]

    def close(self):
        pass


@dataclass(frozen=True)
class ClusterJob:
    """Adds up recordings that are made up; a source's name says what happens to it.

    Attributes:
        log: The folder where every source that is opened leaves a mark.
        seconds: How long the network hears a recording.
        broken: The model cannot be loaded.
        environment: Results tell how many threads there were.
    """

    log: str
    seconds: float = 0.0
    broken: bool = False
    environment: bool = True

    @contextlib.contextmanager
    def open(self, source):
        with open(Path(self.log) / "opened", "a", encoding="utf-8") as file:
            file.write(f"{source}\n")
        if "missing" in source:
            raise AudioError(f"{source}: no such file in {Path.cwd()}")
        if "package" in source:
            raise MissingDependencyError("av", extra="containers", purpose=f"{source}: reading it")
        if "deadly" in source:
            os._exit(1)
        if "bug" in source:
            raise ZeroDivisionError(source)
        yield Stream()

    def load(self):
        if self.broken:
            raise ModelError("no such model")
        return Task(self.seconds, self.environment)

    def settings(self):
        return {}
