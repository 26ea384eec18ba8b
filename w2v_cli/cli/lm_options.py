"""What the commands of `w2v lm` share: options, and how their numbers are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from w2v_cli.cli import options
from w2v_cli.errors import UsageError

LM_GROUP = "Language model"

Folder = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="The folder to write.",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Write into a folder that has files in it, too.",
        rich_help_panel=options.OUTPUT_GROUP,
    ),
]
ModelArgument = Annotated[
    str,
    options.model_argument("A folder, a model id of the Hugging Face Hub, or an embedded model."),
]


def parse_numbers(option: str, text: str, kind: Any) -> tuple[Any, ...]:
    """Return the numbers of ``0,0.5,1``.

    Raises:
        UsageError: One of them is no number.
    """
    try:
        numbers = tuple(kind(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: write numbers with commas between: 0,1,2") from error
    if not all(math.isfinite(number) for number in numbers):
        raise UsageError(f"{option} {text!r}: each number must be finite")
    return numbers


def parse_fallback(text: str) -> tuple[float, float, float] | None:
    """Return the three discounts of ``0.5,1,1.5``, or None for none.

    Raises:
        UsageError: They are not three, or one is larger than the count it is taken from.
    """
    if text.strip().lower() == "none":
        return None
    numbers = parse_numbers("--discount-fallback", text, float)
    if len(numbers) != 3 or not all(0 <= d <= j for j, d in enumerate(numbers, start=1)):
        raise UsageError(
            f"--discount-fallback {text!r}: three numbers for the counts 1, 2 and more, from 0 "
            f"up to 1, 2 and 3: 0.5,1,1.5"
        )
    first, second, third = numbers
    return first, second, third


def check_prune(thresholds: Sequence[int], order: int) -> None:
    """Refuse thresholds that would drop what longer n-grams are made of.

    Raises:
        UsageError: There are too many, or they fall.
    """
    if len(thresholds) > order or list(thresholds) != sorted(thresholds) or thresholds[0] < 0:
        raise UsageError(
            f"--prune {','.join(map(str, thresholds))}: up to {order} numbers from 0 that do "
            f"not fall, one for each order: 0,0,1"
        )
