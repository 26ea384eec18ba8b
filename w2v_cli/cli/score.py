"""`w2v score`: how much of a transcript is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.audio.sources import STDIN
from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.output import STDOUT, check_file, format_of_name, write_result
from w2v_cli.cli.score_report import errors_view, rounded, score_table, some_names
from w2v_cli.cli.score_turns import (
    Collar,
    Rttm,
    SkipOverlap,
    Uem,
    say_what_is_missing,
    score_rttm,
    scoring_rules,
    turns_json,
    turns_table,
)
from w2v_cli.errors import SOME_INPUTS_FAILED, UsageError

if TYPE_CHECKING:
    from w2v_cli.scoring import Counts, Pairing, Score, ScoredPair

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

SCORING_GROUP = "Scoring"

NormalizerName = Literal["none", "basic", "english"]
ReportName = Literal["table", "json"]

Reference = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="What was said: a text file, a folder of them, or a manifest. With --rttm "
        "who speaks when: an RTTM file or a folder of them.",
    ),
]
Hypothesis = Annotated[
    str,
    typer.Argument(
        metavar="HYPOTHESIS",
        help="What was heard: the same, or what w2v transcribe wrote. - is standard input.",
    ),
]
Normalizer = Annotated[
    NormalizerName,
    typer.Option(
        "--normalizer",
        "-n",
        help="What does not count. none: white space. basic: case, punctuation and [remarks] "
        "too. english: numbers in digits, contractions, titles, spellings and uh as well.",
        rich_help_panel=SCORING_GROUP,
    ),
]
ByLine = Annotated[
    bool,
    typer.Option(
        "--by-line",
        help="Compare text files line by line instead of as a whole.",
        rich_help_panel=SCORING_GROUP,
    ),
]
Report = Annotated[
    ReportName | None,
    typer.Option(
        "--format",
        "-f",
        help="table: a line a text. json: with what was heard in place of what, too. [default: "
        "table, or json where --output ends with it]",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]
ShowErrors = Annotated[
    bool,
    typer.Option(
        "--errors",
        "-e",
        help="Show the lines with errors, one text above the other; in colour on a terminal.",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]


def score(
    reference: Reference,
    hypothesis: Hypothesis,
    normalizer: Normalizer = "none",
    by_line: ByLine = False,
    report: Report = None,
    errors: ShowErrors = False,
    rttm: Rttm = False,
    uem: Uem = None,
    collar: Collar = None,
    skip_overlap: SkipOverlap = False,
    output: options.OutputFile = STDOUT,
    quiet: options.Quiet = False,
) -> None:
    """Count the words and characters that a transcript has wrong, or the time of its speakers.

    \b
    Examples:
      w2v score said.txt heard.txt
      w2v score --normalizer english --errors said.txt heard.txt
      w2v score references/ transcripts/
      w2v score --normalizer basic manifest.jsonl heard.jsonl
      w2v score --format json --output score.json manifest.jsonl heard.json
      w2v transcribe -f jsonl *.wav | w2v score manifest.jsonl -
      w2v score --rttm meetings.rttm heard.rttm --uem meetings.uem --collar 0.25

    Two single texts belong together; of several, those of one name do, without suffix and
    with as many folders as tell them apart. WER is the share of words that were replaced,
    left out (deleted) or added (inserted); CER the same of characters.

    Texts without a partner are named on stderr and not counted.

    With --rttm, DER is the time that was given to a wrong speaker, or wrongly to any or to none,
    by the time of speech; JER the mean over speakers of the share of their time that is wrong.
    A recording in which nobody was found is all missed.

    Exit codes: 0 all were compared, 1 failed, 2 wrong command line or a file that cannot be
    read, 3 some texts have no partner, 5 a package is missing.
    """
    if reference == hypothesis == STDIN:
        raise UsageError("- stands for standard input, which can be read only once; name a file")
    is_json = (report or format_of_name(output, ["json"], "table")) == "json"
    if errors and is_json:
        raise UsageError("--errors: json has them already; leave it out, or use --format table")
    _check_kind(
        rttm,
        of_texts={"--normalizer": normalizer != "none", "--by-line": by_line, "--errors": errors},
        of_turns={
            "--uem": uem is not None,
            "--collar": collar is not None,
            "--skip-overlap": skip_overlap,
        },
    )
    reads = [reference, hypothesis, *([] if uem is None else [uem])]
    check_file(output, [file for name in reads for file in _files_of(name)])
    console = Console(quiet=quiet)
    if rttm:
        rules = scoring_rules(collar, skip_overlap)
        scored = score_rttm(reference, hypothesis, rules, uem)
        shown = turns_json(scored, rules) if is_json else turns_table(scored)
        write_result(output, shown)
        raise typer.Exit(say_what_is_missing(scored, uem, console))
    from w2v_cli.scoring import pair_texts, read_texts, score_pairs

    pairing = pair_texts(
        read_texts(reference, by_line=by_line), read_texts(hypothesis, by_line=by_line)
    )
    if not pairing.pairs:
        raise UsageError(
            f"{reference} and {hypothesis} have no name in common: {some_names(_alone(pairing))}"
        )
    result = score_pairs(pairing.pairs, normalizer=normalizer)
    if is_json:
        shown = score_json(result, pairing, normalizer)
    else:
        shown = errors_view(result, for_terminal=output == STDOUT) if errors else ""
        shown += score_table(result)
    write_result(output, shown)
    for names, missing in (
        (pairing.without_hypothesis, "hypothesis"),
        (pairing.without_reference, "reference"),
    ):
        if names:
            console.error(f"without a {missing}, and not counted: {some_names(names)}")
    raise typer.Exit(SOME_INPUTS_FAILED if _alone(pairing) else 0)


def _files_of(source: str) -> list[str]:
    """Return the files that a source may be read from: those of a folder, or itself."""
    folder = Path(source)
    return [str(path) for path in folder.rglob("*")] if folder.is_dir() else [source]


def _check_kind(rttm: bool, of_texts: dict[str, bool], of_turns: dict[str, bool]) -> None:
    """Refuse options of the kind of score that was not asked for.

    Raises:
        UsageError: There is one.
    """
    for option, given in (of_texts if rttm else of_turns).items():
        if given and rttm:
            raise UsageError(f"{option} is about texts; leave it out, or --rttm")
        if given:
            raise UsageError(f"{option} is about who speaks when; add --rttm")


def _alone(pairing: Pairing) -> tuple[str, ...]:
    return pairing.without_hypothesis + pairing.without_reference


def score_json(result: Score, pairing: Pairing, normalizer: str) -> str:
    """Return the scores as a JSON object on several lines; docs/scoring.md names the fields."""
    fields = {
        "schema_version": SCHEMA_VERSION,
        "normalizer": normalizer,
        **_rates(result.words, result.characters),
        "files": [_file(pair) for pair in result.pairs],
        "without_hypothesis": list(pairing.without_hypothesis),
        "without_reference": list(pairing.without_reference),
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _file(pair: ScoredPair) -> dict[str, Any]:
    return {
        "name": pair.name,
        **_rates(pair.words, pair.characters),
        "alignment": [
            {
                "type": stretch.kind,
                "reference": " ".join(stretch.reference),
                "hypothesis": " ".join(stretch.hypothesis),
            }
            for stretch in pair.alignment
        ],
    }


def _rates(words: Counts, characters: Counts) -> dict[str, Any]:
    return {
        "wer": rounded(words.rate),
        "cer": rounded(characters.rate),
        "words": _counts(words),
        "characters": _counts(characters),
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "reference": counts.n_reference,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
