"""How a run over many recordings ended: counts, hours, speed, and why what failed did."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from w2v_cli.errors import SOME_INPUTS_FAILED, W2VError

if TYPE_CHECKING:
    from w2v_cli.cli.console import Console

# More kinds of failures than this say little more; jsonl and stderr name each.
_MOST_REASONS = 20


@dataclass(frozen=True)
class Failure:
    """An input without a result."""

    source: str
    error: W2VError

    @property
    def reason(self) -> str:
        """Why, in words that are the same for all inputs that fail like this.

        >>> from w2v_cli.errors import AudioError
        >>> Failure("a.wav", AudioError("a.wav: cut short: 0.27 s of 1.00 s; copy it")).reason
        'cut short: N s of N s'
        >>> Failure("a.wav", AudioError("a.wav: a link to in/b.wav, which is not there")).reason
        'a link to ..., which is not there'
        """
        text = " ".join(str(self.error).split())
        text = text.removeprefix(f"{self.source}: ").split(";")[0]
        text = re.sub(r"\b\d+(\.\d+)?\b", "N", text)
        return re.sub(r"\S*\w[/.]\w\S*[^\s,:]", "...", text)  # names of files


@dataclass
class Tally:
    """What became of the inputs of a run, counted while it runs.

    Attributes:
        n_done: Inputs that have a result now.
        n_skipped: Inputs that had one before.
        failures: Inputs that have none.
        audio_seconds: How much audio was read.
        began: When the run began, by `time.monotonic`.
    """

    n_done: int = 0
    n_skipped: int = 0
    failures: list[Failure] = field(default_factory=list)
    audio_seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def exit_code(self) -> int:
        """What the run ends with."""
        if self.failures and (self.n_done or self.n_skipped):
            return SOME_INPUTS_FAILED
        return min((failure.error.exit_code for failure in self.failures), default=0)


def print_summary(tally: Tally, n_inputs: int, console: Console) -> None:
    """Write a table on stderr that sums up a run, unless --quiet.

    Args:
        tally: What became of the inputs.
        n_inputs: How many there were.
        console: How much is said.
    """
    if console.quiet:
        return
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("done", f"{tally.n_done:,}", _amount(tally))
    if tally.n_skipped:
        table.add_row("skipped", f"{tally.n_skipped:,}", "had a result before")
    if tally.failures:
        table.add_row("failed", f"{len(tally.failures):,}", "")
    for reason, failures in _by_reason(tally.failures):
        example = Text(f"{reason} (", overflow="fold")
        example.append(_printable(failures[0].source), style="dim")
        example.append(", ...)" if len(failures) > 1 else ")")
        table.add_row("", f"{len(failures):,}", example)
    n_left = n_inputs - tally.n_done - tally.n_skipped - len(tally.failures)
    if n_left > 0:
        table.add_row("not begun", f"{n_left:,}", "")
    # Off a terminal rich takes 80 columns; a log has room for a line a reason.
    width = None if sys.stderr.isatty() else 200
    RichConsole(stderr=True, width=width, highlight=False).print(table)


def _amount(tally: Tally) -> str:
    """Return how much audio that was, and how fast.

    >>> _amount(Tally(began=time.monotonic() - 10))
    'in 0:00:10'
    """
    took_seconds = time.monotonic() - tally.began
    took = clock(took_seconds)
    if tally.audio_seconds <= 0:
        return f"in {took}"
    speed = tally.audio_seconds / max(took_seconds, 1e-3)
    return f"{hours(tally.audio_seconds)} of audio in {took}, {speed:.1f} times real time"


def hours(seconds: float) -> str:
    """Return an amount of audio, in hours where it is more than a few minutes.

    >>> hours(9.5), hours(95), hours(7200)
    ('9.5 s', '1.6 min', '2.00 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:,.2f} h" if seconds >= 600 else f"{seconds / 60:.1f} min"


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds.

    >>> clock(3725)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _by_reason(failures: list[Failure]) -> list[tuple[str, list[Failure]]]:
    """Return the failures in groups of a reason, the largest first."""
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.reason, []).append(failure)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    rest = [failure for _, group in ordered[_MOST_REASONS:] for failure in group]
    return ordered[:_MOST_REASONS] + ([("other reasons", rest)] if rest else [])


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
