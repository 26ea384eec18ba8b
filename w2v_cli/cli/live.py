"""`w2v transcribe - --raw RATE`: what is said in a stream, while it is read."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from w2v_cli.cli.inputs import STDIN
from w2v_cli.cli.output import STDOUT, Results
from w2v_cli.cli.stopping import stopping
from w2v_cli.errors import AudioError
from w2v_cli.formats import partial_line, segment_line
from w2v_cli.formats.spoken import one_line

if TYPE_CHECKING:
    from w2v_cli.cli.console import Console
    from w2v_cli.cli.long_options import LiveChoice
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.results import Segment
    from w2v_cli.tasks.transcribe import TranscriptionJob

# Blocks that were read and not yet heard, of up to 2 seconds: so a microphone is not kept
# waiting by the network, and a file that comes in faster than that does not fill the memory.
_MOST_WAITING = 32

# How soon Ctrl-C is noticed where nothing comes in.
_WAIT_SECONDS = 0.2


def transcribe_stream(job: TranscriptionJob, choice: LiveChoice, console: Console) -> int:
    """Return the exit code after standard input has ended and all of it was written down.

    Raises:
        AudioError: Standard input is a terminal, or cannot be read.
        W2VError: The model cannot be loaded, or results cannot be written.
    """
    from w2v_cli.audio.raw import raw_blocks
    from w2v_cli.tasks.live import LiveTranscript

    if sys.stdin.isatty():
        raise AudioError("standard input: a terminal, not a stream; pipe one in: arecord ... |")
    # Unbuffered, whose lock a reader that waits would hold when the process ends.
    stream: BinaryIO = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    with console.warnings_as_lines(), Results(STDOUT, None, 1) as results:
        transcriber = job.load()
        console.note(transcriber.emitter.description)
        writer = SegmentWriter(results, choice, console)
        transcript = LiveTranscript(transcriber)
        try:
            with stopping() as should_stop:
                blocks = ReadAhead(raw_blocks(stream, choice.raw_rate), should_stop)
                for samples in blocks:
                    writer.write(transcript.hear(samples))
                    if choice.partial:
                        writer.show(transcript.partial())
                if should_stop():  # of a microphone: what was said until now counts
                    for samples in blocks.waiting():
                        writer.write(transcript.hear(samples))
                writer.write(transcript.finish())
                writer.end()
                if should_stop():
                    console.error("interrupted; what was heard is kept")
                    raise KeyboardInterrupt
        finally:
            transcriber.close()
    return 0


class SegmentWriter:
    """Writes segments, and shows what may still become one.

    Args:
        results: Where segments are written.
        choice: As what.
        console: Where words that may change are shown, unless they are records.
    """

    def __init__(self, results: Results, choice: LiveChoice, console: Console) -> None:
        self._results, self._choice = results, choice
        self._redraws = console.draws
        self._shown = ""

    def write(self, segments: list[Segment]) -> None:
        """Write segments that are final."""
        for segment in segments:
            self._erase()
            if self._choice.format_name == "jsonl":
                line = segment_line(segment, STDIN)
            else:
                line = one_line(segment.text) + "\n"
            self._results.write(line, STDIN)

    def show(self, text: str) -> None:
        """Show words that may still change, if they have."""
        text = one_line(text)
        if text == self._shown:
            return
        if self._choice.format_name == "jsonl":
            self._results.write(partial_line(text, STDIN), STDIN)
        elif self._redraws:
            sys.stderr.write(f"\r\x1b[K{text}")
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        self._shown = text

    def end(self) -> None:
        """Take away what is shown."""
        self._erase()

    def _erase(self) -> None:
        if self._shown and self._redraws:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._shown = ""


class ReadAhead:
    """Blocks that a thread reads while the last ones are still being heard.

    Args:
        blocks: Where they come from.
        should_stop: Says if no more of them are wanted.
    """

    def __init__(
        self, blocks: Iterator[FloatArray], should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._blocks, self._should_stop = blocks, should_stop
        self._waiting: queue.Queue[FloatArray | BaseException | None] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._read, name="w2v-stream", daemon=True).start()

    def __iter__(self) -> Iterator[FloatArray]:
        """Yield blocks until their end, or until no more are wanted.

        Raises:
            AudioError: They cannot be read to the end.
        """
        while not self._should_stop():
            try:
                block = self._waiting.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            if block is None:
                return
            if isinstance(block, OSError):
                raise AudioError(f"standard input: cannot be read: {block.strerror or block}")
            if isinstance(block, BaseException):
                raise block
            yield block

    def waiting(self) -> Iterator[FloatArray]:
        """Yield the blocks that are read by now, and wait for no others."""
        for _ in range(self._waiting.qsize()):
            block = self._waiting.get()
            if block is None or isinstance(block, BaseException):
                return
            yield block

    def _read(self) -> None:
        try:
            for block in self._blocks:
                self._waiting.put(block)
            self._waiting.put(None)
        except BaseException as error:  # raised where the blocks are taken
            self._waiting.put(error)
