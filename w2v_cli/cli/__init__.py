"""What a person types and reads: the only room that knows Typer, and the only one that prints.

Reading order: `app` (the commands, and how a run ends), `options` and `grouped_help` (what
can be asked for), `transcribe`, `destinations` and `output` (where results go), `console` (what
goes to stderr).

Nothing here imports torch, numpy or a decoder at its top: `w2v --help` and a usage error
must not wait for them.
"""

from w2v_cli.cli.app import main

__all__ = ["main"]
