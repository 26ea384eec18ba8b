"""The names of inputs, and what is wrong with some."""

from __future__ import annotations

from collections.abc import Sequence

from w2v_cli.audio.sources import STDIN
from w2v_cli.errors import UsageError


def check_inputs(inputs: Sequence[str]) -> None:
    """Refuse names that can only be a mistake.

    Raises:
        UsageError: Standard input is named more than once, or a name is empty.
    """
    if "" in inputs:
        raise UsageError("an input has an empty name; name a recording, or - for standard input")
    if inputs.count(STDIN) > 1:
        raise UsageError("- stands for standard input, which can be read only once; name it once")
