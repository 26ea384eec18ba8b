"""The options of `w2v classify`, each declared once, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli.long_options import LONG_GROUP, check_alone, check_stream, raw_option
from w2v_cli.cli.options import (
    ALL_FORMATS,
    DEFAULT_FORMAT,
    LONGEST_SECONDS,
    MODEL_GROUP,
    OUTPUT_GROUP,
    formats_option,
    model_option,
)
from w2v_cli.cli.output import format_of_name
from w2v_cli.cli.pictures import PICTURES
from w2v_cli.errors import UsageError
from w2v_cli.formats.labels import LABEL_FORMAT_NAMES, LabelOptions, check_threshold
from w2v_cli.plots.paths import require_matplotlib

if TYPE_CHECKING:
    from w2v_cli.tasks.windows import Windowing

LABELS_GROUP = "Labels"

DEFAULT_MODEL = "mini-keywords"
DEFAULT_TOP_K = 5
# A window is heard at once, and all of it lies in memory.
SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS = 0.025, 600.0
SHORTEST_HOP_SECONDS = 0.01

FORMAT_NAMES = (*LABEL_FORMAT_NAMES, *PICTURES)
LIVE_FORMATS = ("txt", "jsonl")

FunctionName = Literal["auto", "softmax", "sigmoid", "none"]


def parse_top_k(text: str) -> int | str:
    """Return a number from 1, or ``all``.

    >>> parse_top_k("3"), parse_top_k("ALL")
    (3, 'all')
    """
    word = text.strip().lower()
    if word == "all":
        return word
    if not word.isdecimal() or int(word) < 1:
        raise typer.BadParameter(f"{text!r} is no number of labels; write 1, 2, ... or all")
    return int(word)


Model = Annotated[
    str,
    model_option(
        "A folder, a model id of the Hugging Face Hub, or an embedded model; one that labels "
        "recordings. mini-keywords knows yes, no, up, down, left, right, on, off, stop and go.",
    ),
]
ListLabels = Annotated[
    bool,
    typer.Option(
        "--list-labels",
        help="Print the labels that the model knows, a line each, and hear nothing.",
        rich_help_panel=MODEL_GROUP,
    ),
]
TopK = Annotated[
    Any,  # int or "all": more than Typer's types can say
    typer.Option(
        "--top-k",
        "-k",
        parser=parse_top_k,
        metavar="N|all",
        help="How many labels are written, best first. [default: 5; with --window 1]",
        rich_help_panel=LABELS_GROUP,
    ),
]
Function = Annotated[
    FunctionName,
    typer.Option(
        "--function",
        help="What makes scores of the network's outputs. softmax: one label is right. sigmoid: "
        "each may be. none: numbers as they are. auto is what fits the model's problem_type.",
        rich_help_panel=LABELS_GROUP,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="SCORE",
        help="Leave out labels with a lower score: from 0 to 1, but with --function none.",
        rich_help_panel=LABELS_GROUP,
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="LABEL[,LABEL]",
        help="Write only these labels; their scores don't change. May be repeated; a value that as "
        "a whole is a label of the model is that one, even with commas in it.",
        rich_help_panel=LABELS_GROUP,
    ),
]
WindowSeconds = Annotated[
    float | None,
    typer.Option(
        "--window",
        metavar="SECONDS",
        help="Label one window of this length after the other, each heard on its own, instead of "
        "the whole recording.",
        rich_help_panel=LABELS_GROUP,
    ),
]
HopSeconds = Annotated[
    float | None,
    typer.Option(
        "--hop",
        metavar="SECONDS",
        help="From where a window begins to where the next one does. [default: half a window]",
        rich_help_panel=LABELS_GROUP,
    ),
]
ChunkSeconds = Annotated[
    float | None,
    typer.Option(
        "--chunk-seconds",
        metavar="SECONDS",
        help="The longest piece that the convolutions hear at once. Labels don't depend on it in "
        "recordings that are heard whole; longer ones are heard in such pieces. [default: what "
        "memory has room for, up to 30]",
        rich_help_panel=LONG_GROUP,
    ),
]
WholeSeconds = Annotated[
    float | None,
    typer.Option(
        "--whole-seconds",
        metavar="SECONDS",
        help="Hear recordings of up to this length whole, as published: each frame attends to all "
        "others, which takes time with the square of the length. [default: 600]",
        rich_help_panel=LONG_GROUP,
    ),
]
Raw = Annotated[
    int | None,
    raw_option(
        "With --window: standard input is raw PCM of this rate, in Hz: signed 16-bit "
        "little-endian, one channel. It may still grow: each window's labels are printed at once."
    ),
]
Formats = Annotated[
    list[str] | None,
    formats_option(
        FORMAT_NAMES,
        "txt: a line a label. json and jsonl: all that is known. csv: a row a label. png, "
        "svg: a picture. May be repeated; all is each of them but pictures. [default: what "
        "--output ends with, or txt]",
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|svg",
        help="Also draw a picture of the only recording: its waveform, its labels, their scores.",
        rich_help_panel=OUTPUT_GROUP,
    ),
]

# What --raw can be combined with, by the names of the command's parameters.
_LIVE_PARAMETERS = frozenset(
    {
        *("inputs", "raw", "formats", "quiet", "verbose", "window", "hop"),
        *("model", "revision", "cache_dir", "offline", "device", "dtype"),
        *("threads", "attn", "quantize", "load_in_8bit", "compiled"),
        *("top_k", "function", "threshold", "labels"),
    }
)

# And what --list-labels can.
_LIST_PARAMETERS = frozenset(
    {"list_labels", "model", "revision", "cache_dir", "offline", "quiet", "verbose"}
)


def label_options(
    top_k: int | str | None, threshold: float | None, function: FunctionName, *, windowed: bool
) -> LabelOptions:
    """Return which labels are written.

    Raises:
        UsageError: The threshold is no number, or no score by this function.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"--threshold {threshold:g}: it must be a number")
    if function != "auto":  # else the model decides, and who has loaded it looks again
        check_threshold(threshold, function)
    if top_k is None:
        top_k = 1 if windowed else DEFAULT_TOP_K
    return LabelOptions(None if isinstance(top_k, str) else top_k, threshold)


def check_nothing_is_heard(inputs: Sequence[str] | None, context: typer.Context) -> None:
    """Refuse recordings beside --list-labels, and options about them.

    Raises:
        UsageError: There are some.
    """
    if inputs:
        raise UsageError(
            f"--list-labels prints what the model knows and hears nothing; leave out {inputs[0]}, "
            f"or the option"
        )
    check_alone(context, _LIST_PARAMETERS, "--list-labels", "recordings that are heard")


def check_windowing(window: float | None, hop: float | None) -> None:
    """Refuse windows that cannot be.

    Raises:
        UsageError: They are too short or too long, or there is a hop without windows.
    """
    if window is None:
        if hop is not None:
            raise UsageError("--hop is from one window to the next; add --window SECONDS")
        return
    if not SHORTEST_WINDOW_SECONDS <= window <= LONGEST_WINDOW_SECONDS:
        raise UsageError(
            f"--window {window:g}: a window has {SHORTEST_WINDOW_SECONDS:g} to "
            f"{LONGEST_WINDOW_SECONDS:g} s"
        )
    if hop is not None and not SHORTEST_HOP_SECONDS <= hop <= window:
        raise UsageError(
            f"--hop {hop:g}: it must be from {SHORTEST_HOP_SECONDS:g} s to the window's "
            f"{window:g} s, or something would go unheard"
        )


def check_lengths(
    chunk_seconds: float | None, whole_seconds: float | None, window: float | None
) -> None:
    """Refuse lengths that cannot be, or that nothing would obey.

    Raises:
        UsageError: One is not more than 0, or windows are heard and not the whole.
    """
    for option, seconds in (("chunk", chunk_seconds), ("whole", whole_seconds)):
        if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
            raise UsageError(
                f"--{option}-seconds {seconds:g}: it must be more than 0, up to "
                f"{LONGEST_SECONDS:.0f}"
            )
    if whole_seconds is not None and window is not None:
        raise UsageError("--whole-seconds: with --window each window is heard alone; leave one out")


def windowing_choice(window: float | None, hop: float | None) -> Windowing | None:
    """Return where windows are, of values that were checked; None for whole recordings."""
    if window is None:
        return None
    from w2v_cli.tasks.windows import Windowing  # numpy, which usage errors do not wait for

    return Windowing(window, window / 2 if hop is None else hop)


def format_choice(formats: Sequence[str] | None, output: str) -> tuple[str, ...]:
    """Return the formats, or the one that the output's name says; ``all`` are those of text.

    Raises:
        MissingDependencyError: A picture is asked for and matplotlib is not installed.
    """
    chosen = tuple(formats or [format_of_name(output, FORMAT_NAMES, DEFAULT_FORMAT)])
    for name in chosen:
        if name in PICTURES:
            require_matplotlib(f"--format {name}")
    if ALL_FORMATS not in chosen:
        return chosen
    return (*LABEL_FORMAT_NAMES, *(name for name in chosen if name in PICTURES))


def live_format(
    raw: int | None,
    window: float | None,
    inputs: Sequence[str],
    formats: Sequence[str],
    context: typer.Context,
) -> str | None:
    """Return the format that a stream's labels are printed in; None if --raw asks for none.

    Raises:
        UsageError: Something else was given that a stream has no use for.
    """
    if raw is None:
        return None
    check_stream(context, inputs, _LIVE_PARAMETERS)
    if window is None:
        raise UsageError("--raw labels a stream window by window; add --window SECONDS")
    if len(formats) != 1 or formats[0] not in LIVE_FORMATS:
        raise UsageError(
            f"--raw: labels are printed one by one, as {' or '.join(LIVE_FORMATS)}; choose one of "
            f"them with --format"
        )
    return formats[0]
