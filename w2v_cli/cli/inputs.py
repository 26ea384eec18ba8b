"""The inputs of a command, one after the other: a bad one is a line on stderr, the rest go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from w2v_cli.cli.console import Console, ProgressDisplay
from w2v_cli.errors import (
    SOME_INPUTS_FAILED,
    AudioError,
    MissingDependencyError,
    UsageError,
    W2VError,
)

STDIN = "-"

Result = TypeVar("Result")


def check_inputs(inputs: Sequence[str]) -> None:
    """Refuse names that can only be a mistake.

    Raises:
        UsageError: Standard input is named more than once, or a name is empty.
    """
    if "" in inputs:
        raise UsageError("an input has an empty name; name a recording, or - for standard input")
    if inputs.count(STDIN) > 1:
        raise UsageError("- stands for standard input, which can be read only once; name it once")


def for_each_input(
    inputs: Sequence[str],
    work: Callable[[str], Result],
    write: Callable[[Result], None],
    *,
    fail: Callable[[str, W2VError], None] | None = None,
    console: Console,
    progress: ProgressDisplay,
) -> int:
    """Return the exit code after `work` and `write` were done for every input, in order.

    Args:
        inputs: Paths, or "-" for standard input.
        work: Gives an input's result, or raises what is wrong with that input.
        write: Writes a result where it belongs.
        fail: Writes that an input has no result, beside the line on stderr that says why.
        console: Where errors are told.
        progress: What is shown meanwhile.
    """
    exit_codes = []
    n_done = 0
    try:
        for source in inputs:
            progress.begin(Path(source).name)
            try:
                result = work(source)
            except (AudioError, MissingDependencyError) as error:
                with progress.hidden():
                    console.error(error)
                    if fail is not None:
                        fail(source, error)
                exit_codes.append(error.exit_code)
            else:
                with progress.hidden():
                    write(result)
                n_done += 1
            progress.input_done()
    except KeyboardInterrupt:
        kept = f"; {n_done} of {len(inputs)} results are kept" if len(inputs) > 1 else ""
        with progress.hidden():
            console.error(f"interrupted{kept}")
        raise
    if n_done and exit_codes:
        return SOME_INPUTS_FAILED
    return min(exit_codes, default=0)
