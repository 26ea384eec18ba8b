"""Counts as a person writes them."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return how many there are of something.

    Args:
        count: How many.
        one: What one of it is called.
        several: What several are called; None for `one` with an s.

    >>> counted(1, "recording"), counted(1200, "recording"), counted(0, "batch", "batches")
    ('1 recording', '1,200 recordings', '0 batches')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"
