"""`w2v classify - --raw RATE --window SECONDS`: the labels of a stream, while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_cli.audio.sources import STDIN
from w2v_cli.cli.output import STDOUT, Results
from w2v_cli.cli.raw_input import heard_samples, refuse_terminal
from w2v_cli.cli.stopping import stopping
from w2v_cli.formats.labels import stretch_line, window_line

if TYPE_CHECKING:
    from w2v_cli.cli.console import Console
    from w2v_cli.formats.labels import LabelOptions
    from w2v_cli.results import Classification
    from w2v_cli.tasks.classify import ClassificationJob


def classify_stream(
    job: ClassificationJob,
    raw_rate: int,
    format_name: str,
    written: LabelOptions,
    console: Console,
) -> int:
    """Return the exit code after standard input has ended and all its windows were labelled.

    Raises:
        AudioError: Standard input is a terminal, cannot be read, or has no such samples.
        W2VError: The model cannot be loaded, or results cannot be written.
    """
    refuse_terminal()
    with console.warnings_as_lines(), Results(STDOUT, None, 1) as results:
        classifier = job.load()
        console.note(classifier.description)
        with stopping() as should_stop:
            for window in classifier.windows(heard_samples(raw_rate, should_stop)):
                results.write(lines_of(window, format_name, written), STDIN)
            if should_stop():
                console.error("interrupted; what was heard is kept")
                raise KeyboardInterrupt
    return 0


def lines_of(window: Classification, format_name: str, written: LabelOptions) -> str:
    """Return what is printed of a window: a record, or a line a label."""
    ((stretch, labels),) = written.of(window)
    if format_name == "jsonl":
        return window_line(stretch, labels, source=STDIN)
    return "".join(stretch_line(stretch, label, windowed=True) for label in labels)
