"""Ctrl-C that is held back: it comes afterwards, and once."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from w2v_cli.decoding.interrupts import interrupts_held


@pytest.fixture
def heard():
    """What a handler of Ctrl-C hears."""
    calls = []
    before = signal.signal(signal.SIGINT, lambda *_: calls.append("heard"))
    yield calls
    signal.signal(signal.SIGINT, before)


def interrupt(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("times", [1, 3])
def test_it_comes_afterwards(heard, times):
    with interrupts_held():
        interrupt(times)
        assert heard == []
    assert heard == ["heard"]
    interrupt()
    assert heard == ["heard"] * 2


def test_none_comes_where_none_came(heard):
    with interrupts_held():
        pass
    assert heard == []


def test_what_is_started_does_not_hear_it(heard):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    with interrupts_held():
        child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (child.stdout, child.stderr) == ("alive\n", "")


def test_it_comes_after_an_error_too(heard):
    def fail():
        interrupt()
        raise OSError("no process")

    with pytest.raises(OSError, match="no process"), interrupts_held():
        fail()
    assert heard == ["heard"]


def test_what_is_ignored_stays_so(heard):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert heard == []


def test_another_thread_holds_nothing_back_from_the_main_one(heard):
    masks = []

    def hold():
        with interrupts_held():
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert [signal.SIGINT in mask for mask in masks] == [True, False]
    interrupt()
    assert heard == ["heard"]
