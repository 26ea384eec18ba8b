"""The inputs of a command, one after the other: a bad one is a line on stderr, the rest go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, Protocol, TypeVar

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
Awaited = TypeVar("Awaited", covariant=True)


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
    return InputRun(write, fail, console, progress).run(inputs, lambda source: _Done(work(source)))


class Pending(Protocol[Awaited]):
    """A result that was begun."""

    @property
    def ready(self) -> bool:
        """Whether it need not be waited for."""
        ...

    def result(self) -> Awaited:
        """Wait for it, and return it or raise what is wrong with the input."""
        ...


@dataclass(frozen=True)
class _Done(Generic[Result]):
    value: Result
    ready: bool = True

    def result(self) -> Result:
        return self.value


@dataclass(frozen=True)
class _Failed:
    error: W2VError
    ready: bool = True

    def result(self) -> NoReturn:
        raise self.error


class InputRun(Generic[Result]):
    """A run over inputs whose results may take longer than the next input's beginning.

    Args:
        write: Writes a result where it belongs.
        fail: Writes that an input has no result, beside the line on stderr that says why.
        console: Where errors are told.
        progress: What is shown meanwhile.
        ahead: How many inputs may have begun before the first of them is waited for.
    """

    def __init__(
        self,
        write: Callable[[Result], None],
        fail: Callable[[str, W2VError], None] | None,
        console: Console,
        progress: ProgressDisplay,
        *,
        ahead: int = 0,
    ) -> None:
        self._write, self._fail = write, fail
        self._console, self._progress = console, progress
        self._ahead = ahead
        self._n_done = 0
        self._exit_codes: list[int] = []

    def run(self, inputs: Sequence[str], begin: Callable[[str], Pending[Result]]) -> int:
        """Return the exit code after every input was begun, waited for and written, in order.

        What is ready is written before the next input begins, and before Ctrl-C ends the run.

        Args:
            inputs: Paths, or "-" for standard input.
            begin: Begins with an input, or raises what is wrong with it.
        """
        begun: deque[tuple[str, Pending[Result]]] = deque()
        try:
            for source in inputs:
                self._progress.begin(Path(source).name)
                try:
                    begun.append((source, begin(source)))
                except (AudioError, MissingDependencyError) as error:
                    begun.append((source, _Failed(error)))
                while begun and (begun[0][1].ready or len(begun) > self._ahead):
                    self._finish(*begun.popleft())
            while begun:
                self._finish(*begun.popleft())
        except KeyboardInterrupt:
            while begun and begun[0][1].ready:
                self._finish(*begun.popleft())
            n, are = len(inputs), "is" if self._n_done == 1 else "are"
            kept = f"; {self._n_done} of {n} results {are} kept" if n > 1 else ""
            with self._progress.hidden():
                self._console.error(f"interrupted{kept}")
            raise
        if self._n_done and self._exit_codes:
            return SOME_INPUTS_FAILED
        return min(self._exit_codes, default=0)

    def _finish(self, source: str, pending: Pending[Result]) -> None:
        """Wait for an input's result and write it, or tell why there is none."""
        try:
            result = pending.result()
        except (AudioError, MissingDependencyError) as error:
            with self._progress.hidden():
                self._console.error(error)
                if self._fail is not None:
                    self._fail(source, error)
            self._exit_codes.append(error.exit_code)
        else:
            with self._progress.hidden():
                self._write(result)
            self._n_done += 1
        self._progress.input_done()
