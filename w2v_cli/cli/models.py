"""`w2v models`: the models that are on this machine."""

from __future__ import annotations

import typer


def models() -> None:
    """List the models on this machine: embedded in w2v, or downloaded before."""
    from w2v_cli.checkpoint.hub import cached_models
    from w2v_cli.checkpoint.resolve import EMBEDDED_KNOWLEDGE, embedded_models

    rows = [(name, f"embedded: {EMBEDDED_KNOWLEDGE[name]}") for name in embedded_models()]
    rows += [(name, "downloaded") for name in cached_models()]
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        typer.echo(f"{name:{width}}  {what}")
