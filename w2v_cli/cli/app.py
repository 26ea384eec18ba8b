"""The commands of `w2v`, and how a run ends."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import errno
import gc
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from w2v_cli import __version__
from w2v_cli.cli.console import print_error
from w2v_cli.cli.grouped_help import GroupedCommand
from w2v_cli.errors import UsageError, W2VError
from w2v_cli.stderr import leave_stderr

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "transcribe": "Write down what is said in recordings.",
        "classify": "Label recordings: words, languages, emotions.",
        "align": "Find when each word of a known text is said.",
        "diarize-frames": "Tell who speaks when, and who says what.",
        "embed": "Turn recordings into vectors, and compare voices.",
        "score": "Count what is wrong in a transcript or in turns.",
        "lm": "Build, attach and tune language models.",
        "finetune": "Train a model on recordings.",
        "evaluate": "Measure a model on recordings.",
        "quantize": "Save a model in whole numbers of 8 bits.",
        "bench": "Measure how fast a model runs here.",
        "models": "List the models on this machine.",
    }
)
"""What each command does, in a line: to show it none has to be imported.

Each is a function or a group of commands, in the module of its name, with _ for -.
"""

SETTINGS: dict[str, Any] = {
    # A bug keeps Python's own traceback, which fits into a report.
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class CommandsOnDemand(Mapping[str, Any]):
    """The commands by their names, each imported when it is asked for.

    One has as many options as five others, and to read them takes time.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        noun = name.replace("-", "_")
        declared = getattr(import_module(f"w2v_cli.cli.{noun}"), noun)
        if not isinstance(declared, typer.Typer):
            single = typer.Typer(add_completion=False, **SETTINGS)
            single.command(name, cls=GroupedCommand)(declared)
            declared = single
        return typer.main.get_command(declared)


class AllCommands(TyperGroup):
    """What `w2v` alone is."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(Any, CommandsOnDemand())  # a dict to Typer, which only reads it

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(name="w2v", cls=AllCommands, no_args_is_help=True, **SETTINGS)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"w2v {__version__}")
        raise typer.Exit


@app.callback()
def w2v(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Work with speech and Wav2Vec2 models: transcribe, label, diarize, embed, fine-tune."""


def _fill_in_closed_streams() -> None:
    """Put /dev/null where a caller closed stdin or stderr (`2>&-`); Python leaves None there.

    Otherwise the next file to be opened would take the place of the closed one. Who closed
    stdout is told so when there is something to write.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stdout is None:
        os.open(os.devnull, os.O_WRONLY)
    if sys.stderr is None:
        leave_stderr()


def _wait_for_streams() -> None:
    """Have standard streams wait, which another program that has them may have told not to.

    Where nothing has come yet, a stream that does not wait looks as if it had ended.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or a stand-in
            os.set_blocking(stream.fileno(), True)


# What a write to a full disk fails with.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Between two searches for what nobody refers to. Imports make as many objects, and let go of none:
# with Python's own number, 700, searches are a tenth of what they take.
_NEW_OBJECTS = 20_000


# Until Ctrl-C is tried again: longer than a decoder needs to come back from Python.
_COME_BACK_SECONDS = 0.01


def _keep_interrupts(unraisable: Any) -> None:
    """Have Ctrl-C end the run although it came where no exception can be raised.

    That is when a decoder written in C was reading: opening thousands of recordings, a program
    spends most of its time there, and Python would print the exception and forget it.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(_COME_BACK_SECONDS, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _explain(error: OSError) -> W2VError | None:
    """Return what to say about a failure that any command can have; None for any other."""
    if error.errno == errno.ENAMETOOLONG:
        name = textwrap.shorten(os.fsdecode(error.filename or ""), 60, placeholder="...")
        return UsageError(f"{name[:60]}: too long for the name of a file; give a file's name")
    if error.filename is None and error.errno in _NO_ROOM:  # files are written with care
        from w2v_cli.cli.output import STDOUT, cannot_write, drop_stdout

        drop_stdout()
        return cannot_write(STDOUT, error)
    return None


def main() -> None:
    """Run `w2v` on the command line's arguments and end with the exit code that fits."""
    _fill_in_closed_streams()
    _wait_for_streams()
    # What a batch system sends before it kills ends a run as Ctrl-C does: results are kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _keep_interrupts
    gc.set_threshold(_NEW_OBJECTS)
    # At its end Python would look through everything once more: through all of torch for 0.4 s.
    atexit.register(gc.freeze)
    try:
        app(prog_name="w2v")
    except W2VError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except OSError as error:
        said = _explain(error)
        if said is None:
            raise
        print_error(said)
        sys.exit(said.exit_code)
