"""Raw samples on standard input, read while the last ones are still being heard."""

from __future__ import annotations

import queue
import select
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from w2v_cli.audio.sources import STDIN_LABEL
from w2v_cli.counts import counted
from w2v_cli.errors import AudioError

if TYPE_CHECKING:
    from w2v_cli.inference.network import FloatArray

_READ_BYTES = 2**16

# Pieces that were read and not yet heard, of up to 2 seconds: so a microphone is not kept
# waiting by the network, and a file that comes in faster than that does not fill the memory.
_MOST_WAITING = 32

# How soon Ctrl-C is noticed where nothing comes in.
_WAIT_SECONDS = 0.2


def refuse_terminal() -> None:
    """Refuse a terminal, on which nobody types samples.

    Raises:
        AudioError: Standard input is one.
    """
    if sys.stdin.isatty():
        raise AudioError(f"{STDIN_LABEL}: a terminal, not a stream; pipe one in: arecord ... |")


def heard_samples(raw_rate: int, should_stop: Callable[[], bool]) -> Iterator[FloatArray]:
    """Yield the samples of standard input as they arrive, until its end or until it should stop.

    Then those that were read until then are yielded, too: of a microphone, what was said counts.

    Args:
        raw_rate: Hz of the stream.
        should_stop: Says if no more of it is wanted.

    Yields:
        float32 (samples,), 16 kHz.

    Raises:
        AudioError: It cannot be read to the end, is empty, or has no raw samples of this rate.
    """
    from w2v_cli.audio.raw import RawDecoder

    # Unbuffered, whose lock a reader that waits would hold when the process ends.
    stream: BinaryIO = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    # Not in the thread that reads, with which its filter would be there when the process ends.
    decoder = RawDecoder(raw_rate)
    n_bytes = n_samples = 0
    for piece in chain(ReadAhead(stream, should_stop), [None]):
        samples = decoder.finish() if piece is None else decoder.decode(piece)
        n_bytes += len(piece or b"")
        n_samples += len(samples)
        if len(samples):
            yield samples
    if not n_samples and not should_stop():
        raise AudioError(
            f"{STDIN_LABEL}: no samples in it ({counted(n_bytes, 'byte')}); see what should have "
            f"come from there"
        )


class ReadAhead:
    """Pieces of a stream that a thread reads while the last ones are still being heard.

    Args:
        stream: What is there is taken without waiting for more.
        should_stop: Says if no more of it is wanted but what was read.
    """

    def __init__(self, stream: BinaryIO, should_stop: Callable[[], bool] = lambda: False) -> None:
        self._stream, self._should_stop = stream, should_stop
        self._waiting: queue.Queue[bytes | BaseException] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._read, name="w2v-stream", daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces until the end, or if it should stop, those that were read until then.

        Raises:
            AudioError: They cannot be read to the end.
        """
        while not self._should_stop():
            try:
                piece = self._waiting.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            if isinstance(piece, OSError):
                raise AudioError(f"{STDIN_LABEL}: cannot be read: {piece.strerror or piece}")
            if isinstance(piece, BaseException):
                raise piece
            if not piece:
                return
            yield piece
        for _ in range(self._waiting.qsize()):  # of a stream without an end more are coming
            piece = self._waiting.get()
            if not piece or isinstance(piece, BaseException):
                return
            yield piece

    def _read(self) -> None:
        read = getattr(self._stream, "read1", self._stream.read)  # read may wait for all it wants
        try:
            while (piece := read(_READ_BYTES)) != b"":
                if piece is None:  # nothing yet: another program has told the pipe not to wait
                    select.select([self._stream], [], [])
                    continue
                self._waiting.put(piece)
            self._waiting.put(b"")
        except BaseException as error:  # raised where the pieces are taken
            self._waiting.put(error)
