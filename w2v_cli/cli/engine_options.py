"""The options of how much goes through the network at once."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from w2v_cli.cli.options import SPEED_GROUP


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
        "recording at a time. The text does not depend on it. [default: on a GPU what its memory "
        "has room for, on a processor 4]",
        show_default=False,
        rich_help_panel=SPEED_GROUP,
    ),
]
