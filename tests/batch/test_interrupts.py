"""Ctrl-C: what is ready comes out, and nothing is left running, also while a reader waits."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fakes import FakeJob, items

from w2v_cli.batch.local import LocalEngine

RECORDING = Path(__file__).parents[1] / "data" / "stop.opus"


def readers_left():
    return [thread for thread in threading.enumerate() if thread.name.startswith("w2v-reader")]


def test_what_is_ready_comes_before_the_interruption():
    """It strikes in the network, while the third of four batches is heard."""
    n_runs = 0

    def interrupt(task):
        nonlocal n_runs
        n_runs += 1
        if n_runs == 3:
            raise KeyboardInterrupt

    job = FakeJob(on_run=interrupt)
    with LocalEngine(job) as engine:
        run = engine.run(items("a:1", "b:1", "c:1", "d:1"))
        done = [next(run).item.source, next(run).item.source]
        with pytest.raises(KeyboardInterrupt):
            next(run)
    assert done == ["a:1", "b:1"]
    assert n_runs == 3
    assert not readers_left()
    assert job.task.is_closed


def test_an_interrupted_wait_for_the_decoder_loses_no_place():
    """The first recording is not ready: nothing comes out in its place."""
    job = FakeJob(on_run=lambda task: raise_at(task, 2))
    with LocalEngine(job) as engine:
        run = engine.run(items("gated:1", "b:1", "c:1"))
        with pytest.raises(KeyboardInterrupt):
            next(run)
    assert not readers_left()


def raise_at(task, n_batches):
    if len(task.batches) == n_batches:
        raise KeyboardInterrupt


def test_an_iterator_that_is_forgotten_ends_its_readers():
    engine = LocalEngine(FakeJob())
    run = engine.run(items(*(f"{n}:30" for n in range(1000))))
    next(run)
    assert readers_left()
    engine.close()
    assert not readers_left()
    del run


def held_up_by_a_pipe(kind, folder):
    """Return arguments of `w2v transcribe` that end with a pipe, and what keeps it open."""
    if kind == "stdin":
        return ["-"], None
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    writer = None if kind == "unopened" else os.open(pipe, os.O_RDWR)
    return [str(pipe)], writer


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["stdin", "opened", "unopened"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_that_waits_for_a_pipe_holds_nothing_up(tmp_path, kind, stop):
    arguments, writer = held_up_by_a_pipe(kind, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "w2v_cli", "transcribe", "--model", "mini", RECORDING, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As a terminal has it: what a test runs in may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    first = process.stdout.readline()  # it is written while the reader waits for the pipe
    process.send_signal(stop)
    process.wait(timeout=60)  # `communicate` ends its standard input, which may be what it hears
    rest, said = process.communicate(timeout=60)
    if writer is not None:
        os.close(writer)
    assert process.returncode == 130, said
    assert first.decode().startswith(f"{RECORDING}: ")
    assert rest == b""
    # It may strike between a result and its being counted.
    assert re.fullmatch(rb"w2v: interrupted; (0 of 2 results are|1 of 2 results is) kept\n", said)
