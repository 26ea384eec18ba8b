"""What the fields of a configuration can be: kinds of values, and convolutions that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

_CONV_FIELDS = ("conv_dim", "conv_stride", "conv_kernel")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _are_whole(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_whole, value))


# By the annotation of a field, which is text; other annotations are not checked.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("true or false", lambda value: isinstance(value, Integral) and value in (0, 1)),
    "int": ("a whole number", _is_whole),
    "int | None": ("a whole number or none", lambda value: value is None or _is_whole(value)),
    "int | list[int] | None": (
        "a whole number, several or none",
        lambda value: value is None or _is_whole(value) or _are_whole(value),
    ),
    "float": ("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "Ints": ("a list of whole numbers", _are_whole),
}


def check_fields(config: Any) -> None:
    """Refuse a value that is not of its field's kind.

    Args:
        config: A configuration, a dataclass.

    Raises:
        ValueError: A field has a value of another kind; the message names it.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        needed, fits = _KINDS.get(str(field.type), ("", None))
        if fits is not None and not fits(value):
            raise ValueError(f"{field.name}: needs {needed}, not {value!r}")


def check_convolutions(config: Any) -> None:
    """Refuse lists of convolutions of different lengths, or with numbers that cannot be.

    Raises:
        ValueError: They don't describe the same layers, or a number is below 1.
    """
    lengths = {name: len(getattr(config, name)) for name in _CONV_FIELDS}
    lengths["num_feat_extract_layers"] = config.num_feat_extract_layers
    if len(set(lengths.values())) != 1:
        raise ValueError(
            "conv_dim, conv_stride and conv_kernel describe the same layers and must be of "
            "one length, that of num_feat_extract_layers, but have "
            + ", ".join(
                f"len({name}) = {n}" if name in _CONV_FIELDS else f"{name} = {n}"
                for name, n in lengths.items()
            )
        )
    for name in _CONV_FIELDS:
        if not all(number > 0 for number in getattr(config, name)):
            raise ValueError(f"{name}: needs numbers from 1 on: {getattr(config, name)}")
