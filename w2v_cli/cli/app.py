"""The commands of `w2v`, and how a run ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from w2v_cli import __version__
from w2v_cli.cli.console import print_error
from w2v_cli.cli.grouped_help import GroupedCommand
from w2v_cli.cli.models import models
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


def main() -> None:
    """Run `w2v` on the command line's arguments and end with the exit code that fits."""
    try:
        app(prog_name="w2v")
    except W2VError as error:
        print_error(error)
        sys.exit(error.exit_code)
