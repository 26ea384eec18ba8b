"""`w2v score --rttm`: how much of who speaks when is wrong."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v_cli.cli.console import Console
from w2v_cli.cli.score_report import percent, rounded, shortened, some_names
from w2v_cli.errors import SOME_INPUTS_FAILED, UsageError

if TYPE_CHECKING:
    from w2v_cli.scoring.diarization import DiarizationScore, ScoringRules, TurnRates

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

TURNS_GROUP = "Who speaks when"
_SECONDS_DIGITS = 3

HEADINGS = ("speech", "missed", "false", "confused", "DER", "JER")
_CELL = 11

Rttm = Annotated[
    bool,
    typer.Option(
        "--rttm",
        help="Both are RTTM files, or folders of them: who speaks when. Counts DER and JER; needs "
        "the extra diarization.",
        rich_help_panel=TURNS_GROUP,
    ),
]
Uem = Annotated[
    str | None,
    typer.Option(
        "--uem",
        metavar="FILE",
        help="Count in these regions alone. [default: from the first turn of a recording to its "
        "last]",
        rich_help_panel=TURNS_GROUP,
    ),
]
Collar = Annotated[
    float | None,
    typer.Option(
        "--collar",
        metavar="SECONDS",
        help="What does not count before and after each beginning and end of a turn in the "
        "reference, such as 0.25. [default: 0]",
        rich_help_panel=TURNS_GROUP,
    ),
]
SkipOverlap = Annotated[
    bool,
    typer.Option(
        "--skip-overlap",
        help="Time in which several speak at once in the reference does not count.",
        rich_help_panel=TURNS_GROUP,
    ),
]


def scoring_rules(collar: float | None, skip_overlap: bool) -> ScoringRules:
    """Return what counts.

    Raises:
        UsageError: The collar is no length of time.
    """
    if collar is not None and not 0 <= collar < math.inf:
        raise UsageError(f"--collar {collar:g}: it must be 0 or more, in seconds")

    from w2v_cli.scoring.diarization import ScoringRules

    return ScoringRules(collar or 0.0, skip_overlap)


def score_rttm(
    reference: str, hypothesis: str, rules: ScoringRules, uem: str | None
) -> DiarizationScore:
    """Return how much of the hypothesis is wrong.

    Args:
        reference: An RTTM file, a folder of them, or "-".
        hypothesis: The same.
        rules: What counts.
        uem: A UEM file; None for none.

    Raises:
        UsageError: A file cannot be read, or nothing can be compared.
        MissingDependencyError: pyannote.metrics is not installed.
    """
    from w2v_cli.scoring.diarization import score_turns
    from w2v_cli.scoring.turn_files import read_regions, read_turns

    said, heard = read_turns(reference), read_turns(hypothesis)
    regions = None if uem is None else read_regions(uem)
    if not said and regions is None:
        raise UsageError(f"{reference}: no SPEAKER lines in it; there is nothing to compare with")
    names = said if regions is None else regions
    if heard and not any(name in names for name in heard):
        of = reference if uem is None else uem
        raise UsageError(
            f"{of} and {hypothesis} have no recording in common: {some_names((*names, *heard))}"
        )
    return score_turns(said, heard, rules, regions)


def say_what_is_missing(score: DiarizationScore, uem: str | None, console: Console) -> int:
    """Name on stderr what has no partner, and return the exit code."""
    if score.not_heard:
        console.warn(f"nobody was found to speak in {some_names(score.not_heard)}")
    if score.not_counted:
        missing = "reference" if uem is None else "UEM"
        console.error(f"not in the {missing}, and not counted: {some_names(score.not_counted)}")
    return SOME_INPUTS_FAILED if score.not_counted else 0


def turns_table(score: DiarizationScore) -> str:
    """Return a line for each recording and one for all; a dash for a rate that there is none of."""
    rows = list(score.recordings.items())
    if len(rows) > 1:
        rows.append((f"all {len(rows)}", score.total))
    names = [shortened(name) for name, _ in rows]
    width = max(map(len, names))
    lines = [" " * width + "".join(head.rjust(_CELL) for head in HEADINGS)]
    for name, (_, rates) in zip(names, rows, strict=True):
        cells = [
            f"{rates.spoken_seconds:.1f} s",
            _share(rates.missed_seconds, rates),
            _share(rates.false_alarm_seconds, rates),
            _share(rates.confused_seconds, rates),
            percent(rates.der),
            percent(rates.jer),
        ]
        lines.append(f"{name:{width}}" + "".join(cell.rjust(_CELL) for cell in cells))
    return "\n".join(lines) + "\n"


def _share(seconds: float, rates: TurnRates) -> str:
    return percent(seconds / rates.spoken_seconds if rates.spoken_seconds else None)


def turns_json(score: DiarizationScore, rules: ScoringRules) -> str:
    """Return the scores as a JSON object on several lines; docs/diarization.md has the fields."""
    fields = {
        "schema_version": SCHEMA_VERSION,
        "collar": rules.collar_seconds,
        "skip_overlap": rules.skip_overlap,
        **_fields(score.total),
        "recordings": [{"name": name, **_fields(r)} for name, r in score.recordings.items()],
        "not_heard": list(score.not_heard),
        "not_counted": list(score.not_counted),
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _fields(rates: TurnRates) -> dict[str, Any]:
    return {**rate_fields(rates), "speakers": rates.n_speakers}


def rate_fields(rates: TurnRates) -> dict[str, float | None]:
    """Return how much of who speaks when is wrong, as JSON has it."""
    return {
        "der": rounded(rates.der),
        "jer": rounded(rates.jer),
        "speech": round(rates.spoken_seconds, _SECONDS_DIGITS),
        "missed": round(rates.missed_seconds, _SECONDS_DIGITS),
        "false_alarm": round(rates.false_alarm_seconds, _SECONDS_DIGITS),
        "confused": round(rates.confused_seconds, _SECONDS_DIGITS),
    }
