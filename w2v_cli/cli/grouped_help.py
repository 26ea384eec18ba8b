"""Help in plain text with the options in groups.

Typer draws groups only through rich, which would make up half of the time that `w2v --help`
takes, and whose frames are hard to search and to copy from.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

ARGUMENTS_GROUP = "Arguments"
GENERAL_GROUP = "Other options"


class GroupedCommand(TyperCommand):
    """A command whose help lists each option under its `rich_help_panel`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands after the command's name in the usage line: INPUT... as usual."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(_argument_name(argument) for argument in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for the arguments and one for each group of options."""
        sections: dict[str, list[tuple[str, str]]] = {ARGUMENTS_GROUP: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                # Neither its type nor that it is required says more than the usage line does.
                group, record = ARGUMENTS_GROUP, (_argument_name(param), getattr(param, "help", ""))
            else:
                group = getattr(param, "rich_help_panel", None) or GENERAL_GROUP
            sections.setdefault(group, []).append(record)
        for group, records in sections.items():
            if records:
                with formatter.section(group):
                    formatter.write_dl(records)


def _argument_name(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return f"{name}..." if argument.nargs == -1 else f"{name}"
