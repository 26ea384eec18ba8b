"""txt: the words and nothing else."""

from __future__ import annotations

from w2v_cli.formats.spoken import one_line
from w2v_cli.results import Transcript


def plain_text(transcript: Transcript) -> str:
    """Return one line a segment; nothing at all where nobody speaks.

    Where channels were transcribed apart, each line starts with its channel.

    >>> from w2v_cli.results import Segment
    >>> two = Segment(0, 0.5, 1.0, "go left", ()), Segment(1, 1.9, 2.4, "stop", ())
    >>> print(plain_text(Transcript("go left stop", two, 3.0, "mini")), end="")
    go left
    stop
    """
    lines = []
    for segment in transcript.segments:
        label = "" if segment.channel is None else f"[channel {segment.channel}] "
        # A vocabulary may hold a newline, and a line must stay one.
        lines.append(label + one_line(segment.text) + "\n")
    return "".join(lines)
