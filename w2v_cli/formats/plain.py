"""txt: the words and nothing else."""

from __future__ import annotations

from w2v_cli.formats.spoken import one_line, voice_label, voice_of
from w2v_cli.results import Transcript


def plain_text(transcript: Transcript) -> str:
    """Return one line a segment; nothing at all where nobody speaks.

    Where speakers are known, or channels were transcribed apart, each line starts with these.

    >>> from w2v_cli.results import Segment
    >>> two = Segment(0, 0.5, 1.0, "go left", ()), Segment(1, 1.9, 2.4, "stop", ())
    >>> print(plain_text(Transcript("go left stop", two, 3.0, "mini")), end="")
    go left
    stop
    """
    lines = []
    for segment in transcript.segments:
        # A vocabulary may hold a newline, and a line must stay one.
        line = f"{voice_label(voice_of(segment))} {one_line(segment.text)}"
        lines.append(line.removeprefix(" ") + "\n")
    return "".join(lines)
