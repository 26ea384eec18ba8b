"""The options of how the network runs: where, how exactly, and how much goes through at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli.options import SPEED_GROUP

if TYPE_CHECKING:
    from w2v_cli.inference.runtime import Runtime


def checked_seconds(seconds: float | None) -> float | None:
    """Return a number of seconds that a batch can have."""
    if seconds is not None and not 0 <= seconds < math.inf:
        raise typer.BadParameter(f"{seconds:g}: it must be 0 or more; 0 is one recording at a time")
    return seconds


BatchSeconds = Annotated[
    float | None,
    typer.Option(
        "--batch-seconds",
        metavar="SECONDS",
        callback=checked_seconds,
        help="The most audio that goes through the network at once, padding included; 0 for one "
        "recording at a time. Results do not depend on it. [default: on a GPU what its memory "
        "has room for, on a processor 4]",
        rich_help_panel=SPEED_GROUP,
    ),
]

Quantize = Annotated[
    Literal["int8"] | None,
    typer.Option(
        "--quantize",
        help="int8: on a processor, calculate in whole numbers of 8 bits, which is about twice as "
        "fast and changes results little. A folder by w2v quantize has them already.",
        rich_help_panel=SPEED_GROUP,
    ),
]
LoadIn8Bit = Annotated[
    bool,
    typer.Option(
        "--load-in-8bit",
        help="Keep the encoder's linear layers in 8 bits with bitsandbytes, to save memory on a "
        "GPU; slower than without on a processor. --verbose tells how much is saved.",
        rich_help_panel=SPEED_GROUP,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Have PyTorch compile parts of the network: on a GPU, or beside --quantize int8, "
        "where it gains little. It takes half a minute the first time, later a few seconds.",
        rich_help_panel=SPEED_GROUP,
    ),
]


def runtime_choice(options: Mapping[str, Any]) -> Runtime:
    """Return how the network is to run, of a command's options by their names.

    Raises:
        UsageError: Two of them contradict each other.
    """
    from w2v_cli.inference.runtime import Runtime

    return Runtime(**{item.name: options[item.name] for item in fields(Runtime)})
