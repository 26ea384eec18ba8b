"""Scores for people: a table, and what was wrong, one text above the other; figures as shown.

rich is imported where something is drawn: help must not wait for it.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from w2v_cli.scoring import AlignedWords, Score, ScoredPair

HEADINGS = ("words", "sub", "del", "ins", "WER", "CER")
_WIDTHS = (8, 7, 7, 7, 9, 9)
_NAME_COLUMNS = 40
_LINE_COLUMNS = 80  # off a terminal
_LABEL_COLUMNS = 6
# More names than these on a line nobody reads.
_NAMES_SHOWN = 5
_DIGITS = 6

_MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
_COLOURS = {"equal": "", "substitute": "yellow", "delete": "red", "insert": "cyan"}


def score_table(score: Score) -> str:
    """Return a line for each text and one for all; a dash for a rate that there is none of."""
    rows = [(pair.name, pair.words, pair.characters) for pair in score.pairs]
    if len(rows) > 1:
        rows.append((f"all {len(rows)}", score.words, score.characters))
    names = [shortened(name) for name, _, _ in rows]
    width = max(len(name) for name in names)
    heads = "".join(head.rjust(w) for head, w in zip(HEADINGS, _WIDTHS, strict=True))
    lines = [" " * width + heads]
    for name, (_, words, characters) in zip(names, rows, strict=True):
        cells = (
            str(words.n_reference),
            str(words.substitutions),
            str(words.deletions),
            str(words.insertions),
            percent(words.rate),
            percent(characters.rate),
        )
        row = "".join(" " + cell.rjust(w - 1) for cell, w in zip(cells, _WIDTHS, strict=True))
        lines.append(f"{name:{width}}{row}")
    return "\n".join(lines) + "\n"


def shortened(name: str) -> str:
    """Return a name on one line; of a long one the end, which tells more."""
    name = " ".join(name.split())
    return name if len(name) <= _NAME_COLUMNS else "…" + name[1 - _NAME_COLUMNS :]


def some_names(names: tuple[str, ...]) -> str:
    """Return the first names, and how many more there are."""
    rest = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def percent(rate: float | None) -> str:
    """Return a rate for people; a dash for none."""
    return "-" if rate is None else f"{100 * rate:.2f} %"


def rounded(rate: float | None) -> float | None:
    """Return a rate as JSON has it; None where there is none, or no finite one."""
    return round(rate, _DIGITS) if rate is not None and math.isfinite(rate) else None


def errors_view(score: Score, *, for_terminal: bool) -> str:
    """Return the lines with errors of every text that has any.

    Each line of the reference (ref) stands above what was heard (hyp), and the marks below are
    S for a word that was replaced, D for one that was left out (deleted) and I for one that
    was added (inserted).

    Args:
        score: What was compared.
        for_terminal: It goes to stdout: in colour and as wide as that is, if it is a terminal.
    """
    from rich.console import Console
    from rich.text import Text

    is_terminal = for_terminal and sys.stdout is not None and sys.stdout.isatty()
    in_colour = is_terminal and not os.environ.get("NO_COLOR")
    columns = shutil.get_terminal_size().columns if is_terminal else _LINE_COLUMNS
    drawn = io.StringIO()
    console = Console(
        file=drawn,
        width=columns,
        force_terminal=in_colour,
        color_system="standard" if in_colour else None,
    )
    for pair in score.pairs:
        if pair.words.errors:
            console.print(Text(pair.name, style="bold"), soft_wrap=True)
            for block in _blocks(pair, columns - _LABEL_COLUMNS):
                # Cut into lines here, for three at once; a longer word is nobody's fault.
                console.print(*_lines(block), sep="\n", soft_wrap=True)
            console.print()
    return drawn.getvalue()


@dataclass(frozen=True)
class _Cell:
    """A word above another, or above a gap."""

    kind: str
    reference: str
    hypothesis: str
    columns: int


def _cells(stretch: AlignedWords) -> Iterator[_Cell]:
    from rich.cells import cell_len

    n_words = max(len(stretch.reference), len(stretch.hypothesis))
    for index in range(n_words):
        reference = stretch.reference[index] if stretch.reference else ""
        hypothesis = stretch.hypothesis[index] if stretch.hypothesis else ""
        columns = max(cell_len(reference), cell_len(hypothesis))
        yield _Cell(
            stretch.kind,
            reference or "*" * columns,
            hypothesis or "*" * columns,
            columns,
        )


def _blocks(pair: ScoredPair, columns: int) -> Iterator[list[_Cell]]:
    """Yield the words in lines of at most so many columns, those without errors left out."""
    block: list[_Cell] = []
    for cell in (cell for stretch in pair.alignment for cell in _cells(stretch)):
        if block and sum(c.columns + 1 for c in block) + cell.columns > columns:
            if any(c.kind != "equal" for c in block):
                yield block
            block = []
        block.append(cell)
    if any(c.kind != "equal" for c in block):
        yield block


def _lines(block: list[_Cell]) -> Iterator[Text]:
    from rich.cells import cell_len
    from rich.text import Text

    rows = (
        ("ref", [cell.reference for cell in block]),
        ("hyp", [cell.hypothesis for cell in block]),
        ("", [_MARKS[cell.kind] for cell in block]),
    )
    for label, words in rows:
        line = Text(f"  {label:3}")
        for cell, word in zip(block, words, strict=True):
            line.append(" ")
            line.append(word, style=_COLOURS[cell.kind])
            line.append(" " * (cell.columns - cell_len(word)))
        line.rstrip()
        yield line
