"""A stream is read ahead: nothing is lost, whatever it does and whenever it ends."""

import io
import os
import threading
import time

import pytest

from w2v_cli.cli.raw_input import ReadAhead
from w2v_cli.errors import AudioError


class Breaking(io.RawIOBase):
    """A stream that breaks after the first piece."""

    def __init__(self, error):
        self._pieces = iter([b"\0\0"])
        self._error = error

    def read(self, size=-1):
        for piece in self._pieces:
            return piece
        raise self._error


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (ValueError("broken"), ValueError, "broken"),
        (OSError(5, "Input/output error"), AudioError, "standard input: cannot be read: Input/out"),
    ],
)
def test_what_breaks_while_reading_breaks_the_run(error, raised, message):
    ahead = iter(ReadAhead(Breaking(error)))
    next(ahead)
    with pytest.raises(raised, match=message):
        next(ahead)


def test_what_waits_is_given_without_waiting():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stream, os.fdopen(writer, "wb", buffering=0) as to:
        ahead = ReadAhead(stream, lambda: True)
        for n_waiting, piece in enumerate((b"one", b"two"), start=1):
            to.write(piece)
            deadline = time.monotonic() + 30
            while ahead._waiting.qsize() < n_waiting and time.monotonic() < deadline:
                time.sleep(0.01)
        assert list(ahead) == [b"one", b"two"]
        assert list(ahead) == []


def test_a_stream_that_is_told_not_to_wait_has_not_ended():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stream, os.fdopen(writer, "wb", buffering=0) as to:
        ahead = iter(ReadAhead(stream))
        to.write(b"one")
        assert next(ahead) == b"one"
        os.set_blocking(stream.fileno(), False)
        to.write(b"two")  # the thread waits for this one still
        assert next(ahead) == b"two"
        threading.Timer(0.5, to.write, [b"three"]).start()
        assert next(ahead) == b"three"
