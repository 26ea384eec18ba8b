"""The options that commands share, each declared once, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal, cast, get_args

import typer

from w2v_cli.errors import UsageError
from w2v_cli.formats import FORMATS
from w2v_cli.inference.runtime import AttnName, DtypeName, check_device_name

DEFAULT_MODEL = "facebook/wav2vec2-base-960h"

MODEL_GROUP = "Model"
RECORDING_GROUP = "Recording"
OUTPUT_GROUP = "Output"
SPEED_GROUP = "Device and speed"
MESSAGES_GROUP = "Messages"

ChannelName = Literal["mix", "all"]
ALL_FORMATS = "all"
DEFAULT_FORMAT = "txt"

# 90, 90.5, 1:30, 1:30.5 or 1:02:30
_TIME = re.compile(r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?|\.\d+)")


# What stdout is called as a file. Opened by such a name it would be written from its beginning.
_STDOUT_NAMES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def parse_output(name: str) -> str:
    """Return a file's name, or - for any name of stdout.

    >>> parse_output("/dev/stdout")
    '-'
    """
    return "-" if name in _STDOUT_NAMES else name


def parse_seconds(text: str) -> float:
    """Return the seconds in ``90.5``, ``1:30.5`` or ``1:02:30``.

    >>> parse_seconds("1:30.5")
    90.5
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time; write seconds (90.5) or [hh:]mm:ss (1:30)")
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    seconds = float(match["seconds"])
    if (match["minutes"] and seconds >= 60) or (match["hours"] and minutes >= 60):
        raise typer.BadParameter(f"{text!r} is no time; minutes and seconds go to 59")
    return 3600.0 * hours + 60.0 * minutes + seconds


def parse_channel(text: str) -> int | ChannelName:
    """Return a channel's number from 1, or ``mix`` or ``all`` as they are.

    >>> parse_channel("2")
    2
    """
    name = text.strip().lower()
    for word in get_args(ChannelName):
        if name == word:
            return cast(ChannelName, word)
    if not name.isdecimal() or int(name) == 0:
        raise typer.BadParameter(f"{text!r} is no channel; write 1, 2, ... or mix or all")
    return int(name)


def parse_device(text: str) -> str:
    """Return the device's name in lower case; whether it is there is seen later.

    >>> parse_device("CUDA:0")
    'cuda:0'
    """
    name = text.strip().lower()
    try:
        check_device_name(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return name


def format_parser(names: Collection[str]) -> Callable[[str], str]:
    """Return what reads the name of one of some formats, or ``all``, as lower case.

    >>> format_parser(["json", "textgrid"])("TextGrid")
    'textgrid'
    """

    def parse_format(text: str) -> str:
        name = text.strip().lower()
        if name not in names and name != ALL_FORMATS:
            said = ", ".join(names)
            raise typer.BadParameter(f"{text!r} is no format; choose from {said} or all")
        return name

    return parse_format


def checked_start(start: float | None, end: float | None) -> float:
    """Return where to begin, in seconds.

    Raises:
        UsageError: The end does not come after it.
    """
    start_seconds = start or 0.0
    if end is not None and end <= start_seconds:
        raise UsageError(
            f"--end {end:g} s is not after --start {start_seconds:g} s; choose a later --end"
        )
    return start_seconds


def complete_model(incomplete: str) -> list[str]:
    """Return the embedded models whose names begin like that; shells add the folders."""
    from w2v_cli.checkpoint.resolve import embedded_models

    return [name for name in embedded_models() if name.startswith(incomplete)]


def format_completer(names: Collection[str]) -> Callable[[str], list[str]]:
    """Return what completes the name of one of some formats, or ``all``."""
    known = (*names, ALL_FORMATS)

    def complete_format(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete.lower())]

    return complete_format


def complete_device(incomplete: str) -> list[str]:
    """Return the devices whose names begin like that, present or not: torch is slow to ask."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def complete_channel(incomplete: str) -> list[str]:
    """Return mix and all, if they begin like that; a number completes itself."""
    return [name for name in get_args(ChannelName) if name.startswith(incomplete)]


# Model


def model_option(text: str, envvar: str | None = None) -> Any:
    """Return the option of a command's model, with what its help says."""
    return typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        envvar=envvar,
        autocompletion=complete_model,
        help=text,
        rich_help_panel=MODEL_GROUP,
    )


def model_argument(text: str, metavar: str = "MODEL") -> Any:
    """Return the argument that is a command's model, with what its help says."""
    return typer.Argument(metavar=metavar, autocompletion=complete_model, help=text)


Model = Annotated[
    str,
    model_option(
        "A folder, a model id of the Hugging Face Hub, or an embedded model (see w2v models).",
        envvar="W2V_MODEL",
    ),
]
Language = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="CODE",
        help="The language whose adapter an MMS model loads, such as fra.",
        rich_help_panel=MODEL_GROUP,
    ),
]
Revision = Annotated[
    str,
    typer.Option(
        "--revision",
        metavar="NAME",
        help="The branch, tag or commit of a model on the Hub.",
        rich_help_panel=MODEL_GROUP,
    ),
]
CacheDir = Annotated[
    str | None,
    typer.Option(
        "--cache-dir",
        metavar="DIR",
        help="Where downloaded models are kept, instead of the Hub's own cache (HF_HOME).",
        rich_help_panel=MODEL_GROUP,
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Take models from this machine only, as with HF_HUB_OFFLINE=1.",
        rich_help_panel=MODEL_GROUP,
    ),
]

# Recording

Channel = Annotated[
    Any,  # int, "mix", "all" or None: more than Typer's types can say
    typer.Option(
        "--channel",
        parser=parse_channel,
        autocompletion=complete_channel,
        metavar="N|mix|all",
        help="One channel, counted from 1; their mean; or each on its own. Without it two "
        "channels are mixed, and more are refused.",
        rich_help_panel=RECORDING_GROUP,
    ),
]
Start = Annotated[
    float | None,  # Typer would give a default of 0.0 to the parser
    typer.Option(
        "--start",
        parser=parse_seconds,
        metavar="TIME",
        help="Where to begin: seconds or [hh:]mm:ss.",
        rich_help_panel=RECORDING_GROUP,
    ),
]
End = Annotated[
    float | None,
    typer.Option(
        "--end",
        parser=parse_seconds,
        metavar="TIME",
        help="Where to stop, counted from the recording's beginning.",
        rich_help_panel=RECORDING_GROUP,
    ),
]

# Output


def formats_option(names: Collection[str], text: str) -> Any:
    """Return the option of the formats that a command writes, with what its help says."""
    return typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        parser=format_parser(names),
        autocompletion=format_completer(names),
        help=text,
        rich_help_panel=OUTPUT_GROUP,
    )


Formats = Annotated[
    list[str] | None,
    formats_option(
        FORMATS,
        "txt: a line a segment. json and jsonl: all that is known. srt, vtt, lrc: "
        "subtitles. tsv: segments. csv: words. audacity: labels. ctm, stm: for sclite. textgrid: "
        "for Praat. May be repeated; all is each of them. [default: what --output ends "
        "with, or txt]",
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR/|-",
        callback=parse_output,
        help="The file to write, replaced only when all is done; - is stdout. In a folder each "
        "recording has a file of its name for each format; one recording in several formats "
        "may also be given a name without suffix.",
        rich_help_panel=OUTPUT_GROUP,
    ),
]
OutputFile = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|-",
        callback=parse_output,
        help="The file to write, replaced only when all is done; - is stdout.",
        rich_help_panel=OUTPUT_GROUP,
    ),
]
# Device and speed

Device = Annotated[
    str,
    typer.Option(
        "--device",
        parser=parse_device,
        autocompletion=complete_device,
        metavar="auto|cpu|cuda[:N]|mps",
        help="Where the network runs; auto takes a GPU if there is one.",
        rich_help_panel=SPEED_GROUP,
    ),
]
Dtype = Annotated[
    DtypeName,
    typer.Option(
        "--dtype",
        help="The precision; auto is float32, and float16 on CUDA. bfloat16 is faster on a "
        "processor that multiplies it, with a small error; w2v bench tells.",
        rich_help_panel=SPEED_GROUP,
    ),
]
LONGEST_SECONDS = 1e6
"""Of a length of time that is given as an option: eleven days."""

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=1024,
        metavar="N",
        help="Threads of the processor to use; all cores without it.",
        rich_help_panel=SPEED_GROUP,
    ),
]
Attn = Annotated[
    AttnName,
    typer.Option(
        "--attn",
        help="How attention is calculated; flash_attention_2 needs CUDA and flash-attn.",
        rich_help_panel=SPEED_GROUP,
    ),
]

# Messages

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Nothing on stderr but errors.",
        rich_help_panel=MESSAGES_GROUP,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say on stderr which model runs where, and how fast.",
        rich_help_panel=MESSAGES_GROUP,
    ),
]
