"""Options that do nothing without another one, or beside it: who gives them learns so at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from w2v_cli.errors import UsageError


@dataclass(frozen=True)
class Needs:
    """An option that does nothing unless another one is on.

    Attributes:
        option: Its name among the command's parameters, as is the next.
        partner: The other.
        value: What the other has to be; None for anything but off.
    """

    option: str
    partner: str
    value: str | None = None


@dataclass(frozen=True)
class IdleBeside:
    """An option that does nothing when another one is on.

    Attributes:
        option: Its name among the command's parameters, as is the next.
        other: The other.
        value: What the other has to be for that; None for anything but off.
    """

    option: str
    other: str
    value: str | None = None


def was_given(context: typer.Context, parameter: str) -> bool:
    """Say whether somebody typed an option, by the name of the command's parameter."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def check_partners(context: typer.Context, rules: Sequence[Needs | IdleBeside]) -> None:
    """Refuse options that were given and would do nothing.

    Args:
        context: The command line. Rules about options that the command lacks are passed over.
        rules: Which options these are.

    Raises:
        UsageError: There is one.
    """
    parameters = {parameter.name: parameter for parameter in context.command.params}
    for rule in rules:
        if rule.option not in parameters or not was_given(context, rule.option):
            continue
        name = parameters[rule.option].opts[0]
        if isinstance(rule, Needs):
            if not _is_on(context, rule.partner, rule.value):
                partner = parameters[rule.partner]
                value = rule.value or getattr(partner, "metavar", None) or ""
                addition = f"{partner.opts[0]} {value}".strip()
                raise UsageError(
                    f"{name}: does nothing without {partner.opts[0]}; add {addition}, or leave it "
                    f"out"
                )
        elif _is_on(context, rule.other, rule.value):
            other = " ".join(filter(None, (parameters[rule.other].opts[0], rule.value)))
            raise UsageError(f"{name}: does nothing beside {other}; leave one of them out")


def _is_on(context: typer.Context, name: str, value: str | None) -> bool:
    given = context.params[name]
    return bool(given) if value is None else given == value
