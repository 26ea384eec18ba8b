"""How each kind of `w2v finetune` gets the options that all share, and what these do together."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import typer

from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.cli.partners import IdleBeside, Needs, check_partners

_PARTNERS = (
    Needs("filter_bank", "from_scratch"),  # a trained first layer stays
    IdleBeside("filter_bank", "bands"),
    Needs("hold_ratio", "lr_scheduler_type", "tri_stage"),
    Needs("final_scale", "lr_scheduler_type", "tri_stage"),
    Needs("early_stopping_threshold", "early_stopping_patience"),
    Needs("noise_dir", "noise"),
    Needs("room_dir", "reverb"),
    Needs("join_seconds", "join"),
    Needs("mwer_samples", "mwer_weight"),
    Needs("other_label", "labels"),
    Needs("teacher_weight", "teacher"),
    IdleBeside("num_train_epochs", "max_steps"),
    IdleBeside("freeze_base_steps", "freeze_base_model"),
    IdleBeside("logging_dir", "report_to", "none"),
)


def with_shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for Typer that has the shared options besides its own.

    Args:
        command: Takes them as its keyword argument `shared`, whose annotation says which class
            they make: `SharedOptions`, or one with further options, which come before these.
    """
    own = inspect.signature(command, eval_str=True).parameters
    options_class = own["shared"].annotation
    hints = get_type_hints(options_class, include_extras=True)
    shared_names = {item.name for item in fields(SharedOptions)}
    ordered = sorted(fields(options_class), key=lambda item: item.name in shared_names)
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(
            item.name,
            keyword,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=hints[item.name],
        )
        for item in ordered
    ]
    particular = [p.replace(kind=keyword) for name, p in own.items() if name != "shared"]
    line = inspect.Parameter("context", keyword, annotation=typer.Context)

    @functools.wraps(command)
    def run(context: typer.Context, **arguments: Any) -> None:
        check_partners(context, _PARTNERS)
        chosen = {item.name: arguments.pop(item.name) for item in ordered}
        command(shared=options_class(**chosen), **arguments)

    signature = inspect.Signature([*particular, *shared, line])
    run.__signature__ = signature  # type: ignore[attr-defined]  # what Typer looks at
    return run
