"""A token that was added to a vocabulary, and how it is found in a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AddedToken:
    """A token with the rules for finding it: whole words only, blanks beside it, normalising.

    Equal to another library's token of this name with the same text and rules.

    >>> AddedToken("<s>", special=True)
    AddedToken("<s>", rstrip=False, lstrip=False, single_word=False, normalized=False, special=True)
    """

    __slots__ = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")

    def __init__(
        self,
        content: str = "",
        single_word: bool = False,
        lstrip: bool = False,
        rstrip: bool = False,
        normalized: bool | None = None,
        special: bool = False,
    ) -> None:
        """Keep the rules.

        Args:
            content: The token's text.
            single_word: Whether it is only found as a word of its own.
            lstrip: Whether blanks before it are taken away.
            rstrip: Whether blanks after it are taken away.
            normalized: Whether lower-casing applies to it; None for all but special tokens.
            special: Whether it is left out of text decoded with ``skip_special_tokens``.
        """
        self.content = content
        self.single_word = single_word
        self.lstrip = lstrip
        self.rstrip = rstrip
        self.normalized = not special if normalized is None else normalized
        self.special = special

    @classmethod
    def copy_of(cls, token: str | AddedToken | Any, **changes: Any) -> AddedToken:
        """Return a token with the rules of `token`, which may be another library's, and changes.

        Raises:
            TypeError: `token` is neither a string nor an added token.
        """
        if isinstance(token, str):
            return cls(**{"content": token, **changes})
        if not is_added_token(token):
            raise TypeError(f"Token {token} is not a string but a {type(token)}.")
        rules = {name: getattr(token, name) for name in cls.__slots__}
        return cls(**{**rules, **changes})

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return self.content

    def __repr__(self) -> str:
        return (
            f'AddedToken("{self.content}", rstrip={self.rstrip}, lstrip={self.lstrip}, '
            f"single_word={self.single_word}, normalized={self.normalized}, "
            f"special={self.special})"
        )

    def __eq__(self, other: object) -> bool:
        if not is_added_token(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(self.content)


def is_added_token(value: object) -> bool:
    """Return whether `value` is an added token, of this class or of another library."""
    return isinstance(value, AddedToken) or (
        type(value).__name__ == "AddedToken" and hasattr(value, "content")
    )


def is_token(value: object) -> bool:
    """Return whether `value` is a token: a string or an added token."""
    return isinstance(value, str) or is_added_token(value)
