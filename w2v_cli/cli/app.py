"""The commands of `w2v`, and how a run ends."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from w2v_cli import __version__
from w2v_cli.cli.align import align
from w2v_cli.cli.console import print_error
from w2v_cli.cli.evaluate import evaluate
from w2v_cli.cli.grouped_help import GroupedCommand
from w2v_cli.cli.lm import lm
from w2v_cli.cli.models import models
from w2v_cli.cli.score import score
from w2v_cli.cli.transcribe import transcribe
from w2v_cli.errors import W2VError

app = typer.Typer(
    name="w2v",
    no_args_is_help=True,
    # A bug keeps Python's own traceback, which fits into a report.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("transcribe", cls=GroupedCommand)(transcribe)
app.command("align", cls=GroupedCommand)(align)
app.command("score", cls=GroupedCommand)(score)
app.add_typer(lm)
# Reading the options of its five commands takes as long as those of all others together.
if sys.argv[1:2] != ["transcribe"]:
    from w2v_cli.cli.finetune import finetune

    app.add_typer(finetune)
app.command("evaluate", cls=GroupedCommand)(evaluate)
app.command("models", cls=GroupedCommand)(models)


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
    """Turn speech into text with Wav2Vec2 models."""


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
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def main() -> None:
    """Run `w2v` on the command line's arguments and end with the exit code that fits."""
    _fill_in_closed_streams()
    # What a batch system sends before it kills ends a run as Ctrl-C does: results are kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="w2v")
    except W2VError as error:
        print_error(error)
        sys.exit(error.exit_code)
