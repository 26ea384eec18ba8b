"""Processes that decode: as many as one likes, started in any way, and killed at any time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.beam import make_decoder
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions, Hotword
from w2v_cli.decoding.pool import MOST_TRIES, DecoderPool, WorkerDiedError, WorkerPool
from w2v_cli.errors import CheckpointError, UsageError

pytest.importorskip("ctc_beam_decoder")

METHODS = ["fork", "forkserver", "spawn"]


@pytest.fixture(scope="module")
def alphabet(lm_alphabet):
    return Alphabet(tuple(lm_alphabet), 0, 4, frozenset({1, 2, 3}))


@pytest.fixture(scope="module")
def ngram(trigram_arpa):
    return NGram.load(trigram_arpa)


@pytest.fixture(scope="module")
def batch(heard_sentences):
    return [matrix for _, matrix in heard_sentences(8, seed=21, most_words=4)]


@pytest.fixture(scope="module")
def expected(alphabet, ngram, batch):
    decoder = make_decoder(alphabet, ngram, BeamOptions(n_best=3))
    return [decoder.decode(emissions) for emissions in batch]


@pytest.mark.parametrize(
    ("workers", "method"), [(0, None), (1, None), (3, None), *((2, method) for method in METHODS)]
)
def test_neither_number_nor_kind_of_workers_changes_anything(
    workers, method, alphabet, ngram, batch, expected
):
    options = BeamOptions(n_best=3)
    with DecoderPool(alphabet, ngram, options, workers=workers, start_method=method) as pool:
        handles = [pool.submit(batch), pool.submit(batch[::-1]), pool.submit([])]
        assert [handle.result() for handle in handles] == [expected, expected[::-1], []]
        other = pool.submit(batch[:2], BeamOptions(alpha=2.0, beta=-2.0)).result()
        assert [len(readings) for readings in other] == [1, 1]
        assert other[0][0].lm_score != expected[0][0].lm_score
        assert pool.submit(batch[:2]).result() == expected[:2]


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_worker_is_replaced_and_its_work_done_again(
    method, alphabet, ngram, batch, expected
):
    options = BeamOptions(n_best=3)
    with DecoderPool(alphabet, ngram, options, workers=2, start_method=method) as pool:
        pool.submit(batch[:2]).result()
        before = pool.worker_pids
        handle = pool.submit(batch * 3)
        for pid in before:
            time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)
        assert handle.result() == expected * 3
        assert len(pool.worker_pids) == 2
        assert not set(pool.worker_pids) & set(before)


def test_an_idle_worker_may_be_killed_too(alphabet, ngram, batch, expected):
    with DecoderPool(alphabet, ngram, BeamOptions(n_best=3), workers=1) as pool:
        pool.submit(batch[:1]).result()
        os.kill(pool.worker_pids[0], signal.SIGKILL)
        assert pool.submit(batch).result() == expected


@dataclass(frozen=True)
class Deadly:
    """A decoder that some matrices kill."""

    when: str = "deadly"

    def make(self):
        if self.when == "always":
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def decode(self, emissions, options):
        if emissions.min() < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if emissions.max() > 5:
            raise UnpicklableError("too loud", detail=3)
        return float(emissions.sum())


class UnpicklableError(Exception):
    def __init__(self, message, *, detail):
        super().__init__(message)


def test_what_kills_every_worker_is_given_up_and_the_rest_is_not():
    good, bad = np.ones((2, 3)), -np.ones((2, 3))
    with WorkerPool(Deadly(), 2, "fork") as pool:
        doomed, fine = pool.submit([good, bad], None), pool.submit([good] * 5, None)
        with pytest.raises(WorkerDiedError, match=f"ended its worker {MOST_TRIES} times"):
            doomed.result()
        assert fine.result() == [6.0] * 5
        assert pool.submit([good], None).result() == [6.0]


def test_workers_that_cannot_start_are_given_up():
    with WorkerPool(Deadly("always"), 2, "fork") as pool:
        with pytest.raises(WorkerDiedError, match="before they are ready"):
            pool.submit([np.ones((1, 1))], None).result()
        with pytest.raises(WorkerDiedError):
            pool.submit([np.ones((1, 1))], None).result()


@dataclass(frozen=True)
class OnlyOnce:
    """A decoder that one process alone can make, and that answers when it may."""

    folder: Path

    def make(self):
        try:
            (self.folder / "made").touch(exist_ok=False)
        except FileExistsError:
            wait_for(self.folder / "decoding")
            os._exit(1)
        return self

    def decode(self, emissions, options):
        (self.folder / "decoding").touch()
        wait_for(self.folder / "may answer")
        return float(emissions.sum())


def wait_for(file):
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_an_answer_that_comes_after_the_pool_has_failed_is_nobody_else_s(tmp_path):
    with WorkerPool(OnlyOnce(tmp_path), 2, "fork") as pool:
        with pytest.raises(WorkerDiedError, match="before they are ready"):
            pool.submit([np.ones((2, 3))], None).result()
        (tmp_path / "may answer").touch()
        for _ in range(10):
            with pytest.raises(WorkerDiedError, match="before they are ready"):
                pool.submit([np.zeros((1, 1))], None).result()
            time.sleep(0.05)


def test_any_error_reaches_whoever_waits():
    with (
        WorkerPool(Deadly(), 1, "fork") as pool,
        pytest.raises(Exception, match="too loud"),
    ):
        pool.submit([np.full((1, 1), 9.0)], None).result()


def test_errors_come_where_they_can_be_caught(alphabet, ngram, batch, tmp_path):
    with DecoderPool(alphabet, ngram, BeamOptions(), workers=1) as pool:
        wrong = pool.submit([batch[0][:, :3]])
        with pytest.raises(ValueError, match="emissions must be"):
            wrong.result()
        assert pool.submit(batch[:1]).result()
    with pytest.raises(UsageError, match="lacks 2 7"):
        DecoderPool(alphabet, ngram, BeamOptions(hotwords=(Hotword("R2D7"),)), workers=1)
    with pytest.raises(ValueError, match="workers is -1"):
        DecoderPool(alphabet, ngram, BeamOptions(), workers=-1)
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"mmap lm http://kheafield.com/code, and nothing that KenLM knows")
    with (
        DecoderPool(alphabet, NGram.load(broken), BeamOptions(), workers=2) as pool,
        pytest.raises(CheckpointError, match="KenLM cannot read it"),
    ):
        pool.submit(batch).result()


def test_closing_ends_everything(alphabet, ngram, batch):
    pool = DecoderPool(alphabet, ngram, BeamOptions(), workers=2)
    pids = pool.worker_pids
    unfinished = pool.submit(batch * 50)
    pool.close()
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        unfinished.result()
    with pytest.raises(ValueError, match="closed"):
        pool.submit(batch)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


PROGRAM = """
import os, signal, sys, time
import numpy as np
from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.pool import DecoderPool

if __name__ == "__main__":
    # What runs in the background of a shell inherits that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = DecoderPool(
        Alphabet(("_", "|", *"ABCDEFGH"), 0, 1), None, BeamOptions(beam_width=2000), workers=2,
        start_method=sys.argv[1],
    )
    rng = np.random.default_rng(0)
    pool.submit([rng.normal(size=(5, 10))] * 4).result()
    handle = pool.submit([rng.normal(size=(3000, 10)).astype(np.float32)] * 4)
    print(*pool.worker_pids, flush=True)
    if sys.argv[2] == "leave":
        sys.exit(7)
    with pool:
        handle.result()
"""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("end", "code"),
    [("interrupt", -signal.SIGINT), ("kill", -signal.SIGKILL), ("leave", 7)],
    ids=["interrupt", "kill", "leave"],
)
def test_no_child_is_left(method, end, code, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    root = Path(__file__).parents[2]
    program = subprocess.Popen(
        [sys.executable, script, method, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
        text=True,
    )
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == 2, program.stderr.read()
    if end == "interrupt":
        os.killpg(program.pid, signal.SIGINT)  # as a terminal's Ctrl-C: to the whole group
    elif end == "kill":
        program.kill()
    _, errors = program.communicate(timeout=30)
    assert program.returncode == code, errors
    if end == "interrupt":
        assert errors.count("Traceback") == 1, errors  # the workers say nothing
    elif end == "leave":
        assert errors == ""
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.decoding.pool import DecoderPool

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[2] == "threads":  # which may take the signal in place of the main one
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    alphabet = Alphabet(("_", "|", "A"), 0, 1)
    try:
        with DecoderPool(alphabet, None, BeamOptions(), start_method=sys.argv[1]) as pool:
            pool.submit([np.zeros((3, 3))]).result()
            time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted")
"""

SLOW_START = """
import os, sys, time

program = " ".join(sys.orig_argv)
if "multiprocessing" in program and "resource_tracker" not in program:
    open(os.environ["STARTING"], "w").close()
    time.sleep(1)
"""


@pytest.mark.parametrize("threads", ["threads", "no threads"])
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_an_interrupt_while_workers_start_reaches_the_parent_alone(method, threads, tmp_path):
    script, starting = tmp_path / "program.py", tmp_path / "starting"
    script.write_text(INTERRUPTED)
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    paths = (str(tmp_path), str(Path(__file__).parents[2]))
    program = subprocess.Popen(
        [sys.executable, script, method, threads],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "STARTING": str(starting)},
        start_new_session=True,
        text=True,
    )
    wait_for(starting)
    os.killpg(program.pid, signal.SIGINT)
    printed, errors = program.communicate(timeout=30)
    assert (printed, errors, program.returncode) == ("interrupted\n", "", 0)


def is_running(pid):
    """Whether a process is there and not merely waiting for its parent to notice its end."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
