"""The options of a run over many recordings, each declared once, and what they come to."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from w2v_cli.audio.sources import STDIN
from w2v_cli.batch.inputs import Found, Selection, add_listed, add_named, in_shard
from w2v_cli.batch.ledger import Policy
from w2v_cli.batch.manifests import add_manifest, read_bytes, read_names
from w2v_cli.batch.naming import NameTemplate
from w2v_cli.batch.outcome import Item
from w2v_cli.cli.destinations import destination
from w2v_cli.cli.inputs import check_inputs
from w2v_cli.cli.sinks import Destination, Result
from w2v_cli.errors import UsageError
from w2v_cli.formats.format import Format

INPUTS_GROUP = "Many recordings"

# So many names on a command line are a batch, which is summed up in the end.
_MANY_NAMES = 20


def parse_shard(text: str) -> tuple[int, int]:
    """Return I and N of ``I/N``.

    >>> parse_shard("2/8")
    (2, 8)
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"{text!r} is no shard; write I/N with I from 1 to N, such as 2/8")
    return int(match[1]), int(match[2])


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]",
        help="Recordings: wav, flac, ogg, opus, mp3, aiff ..., or - for one on standard input; "
        "folders with --recursive; patterns in quotes.",
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        "-r",
        help="Look into folders, and the folders in them, for recordings.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="GLOB",
        help="Take only such files from folders, by their names ('*.dat'), or their paths below "
        "the folder ('calls/*'); may be repeated. [default: what is called like a recording]",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="Leave out such files and folders; may be repeated.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
FilesFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--files-from",
        metavar="FILE|-",
        help="A list of recordings, a name a line; - reads it from standard input.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Null = Annotated[
    bool,
    typer.Option(
        "--null",
        "-0",
        help="Names in the list end with NUL, as find -print0 writes them.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Manifest = Annotated[
    list[str] | None,
    typer.Option(
        "--manifest",
        metavar="FILE|-",
        help="A manifest: JSONL as NeMo's (audio_filepath), or CSV or TSV with a head.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Shard = Annotated[
    Any,  # a pair of numbers: more than Typer's types can say
    typer.Option(
        "--shard",
        parser=parse_shard,
        metavar="I/N",
        help="Only the I-th of N parts of the recordings, one for each machine or process.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEMPLATE",
        help="What files in an output folder are called: {stem}, {name} and {suffix} of the "
        "recording, {ext} and {format} of the result. [default: {stem}.{ext}]",
        rich_help_panel=INPUTS_GROUP,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out recordings whose output files are there, whatever made them.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Do everything again; without it what an earlier run finished, of the same content "
        "and with the same model and settings, is not done again.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try recordings again that failed in an earlier run and have not changed since.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
FailFast = Annotated[
    bool,
    typer.Option(
        "--fail-fast",
        help="Stop at the first recording that fails.",
        rich_help_panel=INPUTS_GROUP,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done with each recording, and do nothing.",
        rich_help_panel=INPUTS_GROUP,
    ),
]


@dataclass(frozen=True)
class BatchChoice:
    """What the options of a run over many recordings come to.

    Attributes:
        selection: What is taken from folders.
        files_from: Lists of names.
        null: Names in the lists end with NUL.
        manifests: Manifests.
        shard: Which part of how many; None for all.
        template: What files are called; None for the recordings' names.
        policy: What is done about earlier results.
        fail_fast: Stop at the first recording that fails.
        dry_run: Say what would be done.
    """

    selection: Selection
    files_from: tuple[str, ...]
    null: bool
    manifests: tuple[str, ...]
    shard: tuple[int, int] | None
    template: NameTemplate | None
    policy: Policy
    fail_fast: bool
    dry_run: bool


def batch_choice(params: Mapping[str, Any]) -> BatchChoice:
    """Return what the options of this group come to.

    Args:
        params: The values of the command's parameters, by their names; with those of this group.

    Raises:
        UsageError: One of them contradicts another.
    """
    recursive, null = params["recursive"], params["null"]
    lists = {name: tuple(params[name] or ()) for name in _LISTS}
    if (lists["include"] or lists["exclude"]) and not recursive:
        option = "--include" if lists["include"] else "--exclude"
        raise UsageError(f"{option} chooses among the files in folders; add --recursive")
    if null and not lists["files_from"]:
        raise UsageError("--null (-0) is about the names in a list; add --files-from")
    if params["skip_existing"] and params["overwrite"]:
        raise UsageError("--skip-existing and --overwrite contradict each other; choose one")
    if [*lists["files_from"], *lists["manifest"]].count(STDIN) > 1:
        raise UsageError("- stands for standard input, which can be read only once; name it once")
    return BatchChoice(
        selection=Selection(recursive, lists["include"], lists["exclude"]),
        files_from=lists["files_from"],
        null=null,
        manifests=lists["manifest"],
        shard=params["shard"],
        template=None if params["name"] is None else NameTemplate(params["name"]),
        policy=Policy(params["overwrite"], params["skip_existing"], params["retry_failed"]),
        fail_fast=params["fail_fast"],
        dry_run=params["dry_run"],
    )


def drawing(choice: BatchChoice, plot: str | None) -> BatchChoice:
    """Return the choice of a run that may draw its only recording, which is heard again for it.

    Raises:
        UsageError: The recording is to be left out where its files are there.
    """
    if plot is None:
        return choice
    if choice.policy.skip_existing:
        raise UsageError(
            "--plot draws what is heard, and --skip-existing leaves it out; choose one"
        )
    return replace(choice, policy=replace(choice.policy, overwrite=True))


_LISTS = ("include", "exclude", "files_from", "manifest")


@dataclass(frozen=True)
class Recordings:
    """What a command is to work on.

    Attributes:
        found: The recordings, and what was named and has none.
        named: All were named on the command line, one by one.
        of_all_shards: The recordings, and those that other shards work on.
        lists: Files that name some of them.
    """

    found: Found
    named: bool
    of_all_shards: Sequence[Item] = ()
    lists: tuple[str, ...] = ()

    @property
    def n_inputs(self) -> int:
        """How many inputs there are, bad ones too."""
        return len(self.found.items) + len(self.found.refused)

    @property
    def many(self) -> bool:
        """Whether the run is a batch, which is summed up in the end."""
        return not self.named or len(self.found.items) >= _MANY_NAMES

    @property
    def reads_stdin(self) -> bool:
        """Whether one of them comes on standard input."""
        return any(item.source == STDIN for item in self.found.items)


def recordings(inputs: Sequence[str], choice: BatchChoice) -> Recordings:
    """Return the recordings that a command line is about.

    Raises:
        UsageError: There are none, a list cannot be read, or standard input has two uses.
    """
    lists = [*choice.files_from, *choice.manifests]
    if not inputs and not lists:
        raise UsageError(
            "no input: name recordings, or - for one on standard input, or a list of them with "
            "--files-from"
        )
    if STDIN in inputs and STDIN in lists:
        raise UsageError("- stands for standard input, which can be read only once; name it once")
    check_inputs(inputs)
    found = Found()
    add_named(found, inputs, choice.selection)
    for name in choice.files_from:
        content = read_bytes(_stdin(name), name, "--files-from")
        add_listed(found, read_names(content, null=choice.null), choice.selection)
    for name in choice.manifests:
        content = read_bytes(_stdin(name), name, "--manifest")
        folder = "" if name == STDIN else str(Path(name).parent)
        add_manifest(found, content, f"--manifest {name}", folder)
    check_inputs([item.source for item in found.items])
    if not found.items and not found.refused:
        raise UsageError(
            f"{' and '.join(lists)}: no recordings in the list; there is nothing to do"
        )
    n_named = sum(item.relative.parent == Path() for item in found.items)
    named = not lists and n_named == len(found.items) and not choice.selection.recursive
    everything = found.items
    if choice.shard is not None:
        found.items = in_shard(everything, *choice.shard)
    files = tuple(name for name in lists if name != STDIN)
    return Recordings(found, named, everything, files)


def output_of(
    recordings: Recordings,
    choice: BatchChoice,
    output: str,
    format_names: Sequence[str],
    formats: Mapping[str, Format[Result]],
    *,
    reads: Sequence[str | None] = (),
) -> Destination[Result]:
    """Return where the results go.

    Args:
        recordings: What the command is about.
        choice: What the options of this group come to.
        output: What was given as --output.
        format_names: What was given as --format, each time, or the default.
        formats: What such results can be written in, by name.
        reads: What is read besides recordings and lists; None where nothing is.

    Raises:
        UsageError: They cannot go there.
    """
    target = destination(
        output,
        format_names,
        recordings.found.items,
        formats,
        refused=[item for item, _ in recordings.found.refused],
        template=choice.template,
        named=recordings.named,
        of_all_shards=recordings.of_all_shards,
        reads=[*recordings.lists, *(name for name in reads if name is not None)],
    )
    check_policy(choice, resumable=target.journal_path is not None)
    if choice.policy.skip_existing and target.files is None:
        raise UsageError(
            "--skip-existing: one file for all has no file of each recording; name a folder: "
            "--output DIR/"
        )
    return target


def check_policy(choice: BatchChoice, *, resumable: bool) -> None:
    """Refuse options that are about earlier results where none can be found.

    Raises:
        UsageError: There is no folder and no file with earlier results.
    """
    policy = choice.policy
    for option, chosen in {
        "--skip-existing": policy.skip_existing,
        "--retry-failed": policy.retry_failed,
    }.items():
        if chosen and not resumable:
            raise UsageError(
                f"{option}: results on stdout, or of one recording in one file, are not kept "
                f"track of; name a folder: --output DIR/"
            )


def _stdin(name: str) -> Any:
    return sys.stdin.buffer if name == STDIN else None
