"""Labels as they are named on a command line, of those that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from w2v_cli.errors import UsageError


def named_labels(values: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the labels that are named, in their order, whether they are known or not.

    A value that is one of the known labels is taken whole. Any other is a list, with commas
    between.

    Args:
        values: What was given as --labels, each time.
        known: The labels that there are.

    Raises:
        UsageError: A name is empty.

    >>> named_labels(["yes, no", "well, then"], {"yes", "no", "well, then"})
    ('yes', 'no', 'well, then')
    """
    names: list[str] = []
    for value in values:
        listed = [value] if value in known else [name.strip() for name in value.split(",")]
        if "" in listed:
            raise UsageError(
                f"--labels {value!r}: an empty name; write labels with commas between them: yes,no"
            )
        names += listed
    return tuple(names)


def comma_hint(known: Iterable[str]) -> str:
    """Return what to add to an error about a label that is not known, if that may help.

    >>> comma_hint(["yes", "no"]), comma_hint(["well, then"])
    ('', '; one with a comma in it has a --labels of its own')
    """
    if any("," in label for label in known):
        return "; one with a comma in it has a --labels of its own"
    return ""
