"""`w2v transcribe - --raw RATE`: what is said in a stream, while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_cli.audio.sources import STDIN
from w2v_cli.cli.console import write_stderr
from w2v_cli.cli.output import STDOUT, Results
from w2v_cli.cli.raw_input import heard_samples, refuse_terminal
from w2v_cli.cli.stopping import stopping
from w2v_cli.formats import partial_line, segment_line
from w2v_cli.formats.spoken import one_line

if TYPE_CHECKING:
    from w2v_cli.cli.console import Console
    from w2v_cli.cli.long_options import LiveChoice
    from w2v_cli.results import Segment
    from w2v_cli.tasks.transcribe import TranscriptionJob

# Before the end of a text whose beginning does not fit into a line.
_LEFT_OUT = "…"


def transcribe_stream(job: TranscriptionJob, choice: LiveChoice, console: Console) -> int:
    """Return the exit code after standard input has ended and all of it was written down.

    Raises:
        AudioError: Standard input is a terminal, cannot be read, or has no such samples.
        W2VError: The model cannot be loaded, or results cannot be written.
    """
    from w2v_cli.tasks.live import LiveTranscript

    refuse_terminal()
    with console.warnings_as_lines(), Results(STDOUT, None, 1) as results:
        transcriber = job.load()
        console.note(transcriber.emitter.description)
        writer = SegmentWriter(results, choice, console)
        transcript = LiveTranscript(transcriber)
        try:
            with stopping() as should_stop:
                for samples in heard_samples(choice.raw_rate, should_stop):
                    writer.write(transcript.hear(samples))
                    if choice.partial:
                        writer.show(transcript.partial())
                writer.write(transcript.finish())
                writer.end()
                if should_stop():
                    console.error("interrupted; what was heard is kept")
                    raise KeyboardInterrupt
        finally:
            writer.end()
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
            write_stderr(f"\r\x1b[K{_end_that_fits(text)}")
        else:
            write_stderr(f"{text}\n")
        self._shown = text

    def end(self) -> None:
        """Take away what is shown."""
        self._erase()

    def _erase(self) -> None:
        if self._shown and self._redraws:
            write_stderr("\r\x1b[K")
        self._shown = ""


def _end_that_fits(text: str) -> str:
    """Return the last words of a text that fit into a line of the terminal."""
    from rich.cells import cell_len
    from rich.console import Console as RichConsole

    # The last column stays free: some terminals break the line as soon as it is written to.
    n_columns = RichConsole(stderr=True).width - 1
    if cell_len(text) <= n_columns:
        return text
    fits = ""
    for character in reversed(text):
        if cell_len(_LEFT_OUT + character + fits) > n_columns:
            break
        fits = character + fits
    return _LEFT_OUT + fits
