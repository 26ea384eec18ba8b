"""Ctrl-C while processes are started: it waits until they are there, and is not for them."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started, and let it come then.

    A terminal sends it to them as well, and before they can ignore it Python would end them
    with a traceback. They inherit that it is blocked, and so does whatever they start, and a
    thread that is started here. Windows blocks no signals: there it is only this process that
    is not interrupted.
    """
    came = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if is_main else None
    # Another thread may take the signal that this one blocks, and have Python handle it here.
    if callable(handler):
        signal.signal(signal.SIGINT, lambda *_: came.set())
    try:
        with _interrupts_blocked():
            yield
    finally:
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
        if came.is_set():
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
