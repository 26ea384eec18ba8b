"""The options of `w2v embed`, each declared once, and which of its jobs they choose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.embed_formats import VECTOR_FORMATS
from w2v_cli.errors import UsageError

VECTORS_GROUP = "Vectors"
COMPARE_GROUP = "Comparing"

PoolName = Literal["mean", "max", "mean+std", "none"]
VectorDtype = Literal["float32", "float16"]
Mode = Literal["vectors", "compare", "identify", "matrix", "search"]

TEXT_FORMATS = ("txt", "jsonl")
MATRIX_FORMATS = ("txt", "csv")
ALL_NAMES = (*VECTOR_FORMATS, "txt", "csv")

_DEFAULT_TOP_K = {"identify": 1, "search": 10}


def parse_layer(text: str) -> str:
    """Return a layer's number as it was typed, or ``last``.

    >>> parse_layer("-2")
    '-2'
    """
    name = text.strip().lower()
    if name != "last" and not re.fullmatch(r"[+-]?\d+", name):
        raise typer.BadParameter(f"{text!r} is no layer; write a number such as 9 or -2, or last")
    return name if name == "last" else str(int(name))


# Unlike transcribe's: W2V_MODEL names a model that writes.
Model = Annotated[
    str,
    options.model_option(
        "A folder, a model id of the Hugging Face Hub, or an embedded model, of any kind.",
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        parser=parse_layer,
        metavar="N|last",
        help="Take hidden states of this layer: 0 is what goes into the first, negative numbers "
        "count from the end. [default: x-vectors of a model of speakers, else last]",
        rich_help_panel=VECTORS_GROUP,
    ),
]
Pool = Annotated[
    PoolName | None,
    typer.Option(
        "--pool",
        help="How the vectors of all frames become one; none gives one for each frame. "
        "[default: mean]",
        rich_help_panel=VECTORS_GROUP,
    ),
]
VectorType = Annotated[
    VectorDtype,
    typer.Option(
        "--vector-dtype",
        help="The numbers that are written; --dtype is what the network calculates with.",
        rich_help_panel=VECTORS_GROUP,
    ),
]
Normalize = Annotated[
    bool,
    typer.Option(
        "--normalize",
        help="Divide each vector by its length, so that a product of two is their cosine.",
        rich_help_panel=VECTORS_GROUP,
    ),
]
Compare = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Print the cosine of two recordings, and whether one speaker is heard in both.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=-1.0,
        max=1.0,
        metavar="COSINE",
        help="From which cosine on two recordings are of one speaker. [default: the model's own]",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Enroll = Annotated[
    str | None,
    typer.Option(
        "--enroll",
        metavar="DIR",
        help="Speakers to choose from, with --identify: a folder with a subfolder, or a recording, "
        "for each.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Identify = Annotated[
    bool,
    typer.Option(
        "--identify",
        help="Name the closest speaker of each recording, or unknown, with --enroll.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Matrix = Annotated[
    bool,
    typer.Option(
        "--matrix",
        help="Print the cosine of each recording with each other.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|svg",
        help="Draw how alike the recordings are; needs the extra plots.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Search = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="INDEX",
        help="Find what is closest to each recording in an index (-o INDEX.usearch builds one), or "
        "in another file of vectors.",
        rich_help_panel=COMPARE_GROUP,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(
        "--top-k",
        min=1,
        metavar="N",
        help="How many speakers --identify, or recordings --search, names. [default: 1, and 10]",
        rich_help_panel=COMPARE_GROUP,
    ),
]
Formats = Annotated[
    list[str] | None,
    options.formats_option(
        ALL_NAMES,
        "npy, npz, safetensors: for numpy and torch. parquet: for data frames. jsonl: text. "
        "usearch: an index of all. May be repeated; all is each of them, in a folder all but "
        "usearch. What is compared is written as txt or jsonl, and --matrix as txt or csv. "
        "[default: as --output ends, else jsonl or txt]",
    ),
]


@dataclass(frozen=True)
class Comparing:
    """What is done with vectors besides writing them.

    Attributes:
        mode: What is asked for.
        threshold: As it was typed; None for the model's own.
        enroll: The folder of speakers.
        plot: Where the picture goes.
        print_matrix: Whether the cosines are printed.
        index: The file that is searched.
        top_k: How many are named.
    """

    mode: Mode
    threshold: float | None
    enroll: Path | None
    plot: Path | None
    print_matrix: bool
    index: Path | None
    top_k: int


def comparing(params: Mapping[str, Any]) -> Comparing:
    """Return what the options of this group come to.

    Args:
        params: The values of the command's parameters, by their names; with those of this group,
            of vectors and of the output.

    Raises:
        UsageError: They contradict each other.
        MissingDependencyError: Nothing can be drawn here.
    """
    enroll, identify, matrix = params["enroll"], params["identify"], params["matrix"]
    plot, search = params["plot"], params["search"]
    threshold, top_k = params["threshold"], params["top_k"]
    if identify and enroll is None:
        raise UsageError("--identify: among which speakers? name a folder of them with --enroll")
    if enroll is not None and not identify:
        raise UsageError("--enroll names the speakers to choose from; add --identify")
    asked: dict[Mode, str] = {}
    if params["compare"]:
        asked["compare"] = "--compare"
    if identify:
        asked["identify"] = "--identify"
    if matrix or plot is not None:
        asked["matrix"] = "--matrix" if matrix else "--plot"
    if search is not None:
        asked["search"] = "--search"
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked.values())} are different jobs; choose one")
    mode: Mode = next(iter(asked), "vectors")
    if threshold is not None and math.isnan(threshold):
        raise UsageError("--threshold nan: it must be a number from -1 to 1")
    if threshold is not None and mode in ("vectors", "matrix"):
        raise UsageError("--threshold is for --compare, --identify and --search; leave it out")
    if top_k is not None and mode not in _DEFAULT_TOP_K:
        raise UsageError("--top-k is for --identify and --search; leave it out")
    if mode != "vectors":
        if params["pool"] == "none":
            raise UsageError("--pool none gives a vector a frame, and one a recording is compared")
        written = {
            "--vector-dtype": params["vector_dtype"] != "float32",
            "--normalize": params["normalize"],
        }
        for option, given in written.items():
            if given:
                raise UsageError(f"{option} changes no cosine; leave it out with {asked[mode]}")
    if identify:
        _check_whole(params)
    if enroll is not None and not Path(enroll).is_dir():
        raise UsageError(f"--enroll {enroll}: no such folder; name one with speakers' recordings")
    if plot is not None:
        from w2v_cli.plots.paths import check_plot_path

        check_plot_path(plot, params["output"])
    return Comparing(
        mode=mode,
        threshold=threshold,
        enroll=None if enroll is None else Path(enroll),
        plot=None if plot is None else Path(plot),
        print_matrix=matrix,
        index=None if search is None else Path(search),
        top_k=top_k or _DEFAULT_TOP_K.get(mode, 1),
    )


def _check_whole(params: Mapping[str, Any]) -> None:
    """Refuse to take a part of each recording where speakers are enrolled.

    Theirs would be cut as those that are asked about, and other voices be found.

    Raises:
        UsageError: There is such an option.
    """
    for name in ("start", "end", "channel"):
        if params[name] is not None:
            raise UsageError(
                f"--{name} would be about the speakers' recordings, too; with --identify name the "
                f"part of a recording: call.wav#t=3,8 or call.wav#channel=2"
            )


def one_format(formats: list[str] | None, choice: Comparing, output: str) -> str:
    """Return the only format that a comparison is written in.

    Raises:
        UsageError: It is written in others.
    """
    if choice.mode == "matrix" and not choice.print_matrix and formats:
        raise UsageError(
            f"--format {formats[0]}: how the cosines are written, which --matrix asks for; the "
            f"name of --plot says what the picture is"
        )
    allowed = MATRIX_FORMATS if choice.mode == "matrix" else TEXT_FORMATS
    suffix = Path(output).suffix.lower().removeprefix(".")
    chosen = list(dict.fromkeys(formats or [suffix if suffix in allowed else "txt"]))
    if len(chosen) != 1 or chosen[0] not in allowed:
        option = "--matrix" if choice.mode == "matrix" else f"--{choice.mode}"
        raise UsageError(
            f"--format {chosen[0]}: with {option} it is {' or '.join(allowed)}; choose one"
        )
    return chosen[0]
