"""The words that padding, truncation and return_tensors accept, each also as an enum."""

from __future__ import annotations

from enum import Enum


class _Choice(str, Enum):
    """An enum whose members are found by their word, and by another enum's same word."""

    @classmethod
    def _missing_(cls, value: object) -> _Choice | None:
        # A member of someone else's str enum hashes by its own name, not by its word.
        word = getattr(value, "value", None)
        for member in cls:
            if member.value == word:
                return member
        words = ", ".join(repr(member.value) for member in cls)
        raise ValueError(f"{value!r} is not a valid {cls.__name__}; choose one of {words}")


class PaddingStrategy(_Choice):
    """To what length a batch is padded."""

    LONGEST = "longest"
    MAX_LENGTH = "max_length"
    DO_NOT_PAD = "do_not_pad"

    @classmethod
    def parse(cls, padding: bool | str | PaddingStrategy) -> PaddingStrategy:
        """Return the strategy that `padding` stands for; True is the longest, False is none."""
        if padding is True:
            return cls.LONGEST
        return cls.DO_NOT_PAD if padding is False else cls(padding)


class TruncationStrategy(_Choice):
    """Which of one or two texts gives up its tokens when they are too many."""

    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    LONGEST_FIRST = "longest_first"
    DO_NOT_TRUNCATE = "do_not_truncate"

    @classmethod
    def parse(cls, truncation: bool | str | TruncationStrategy | None) -> TruncationStrategy:
        """Return the strategy that `truncation` stands for; None and False are none."""
        if truncation is True:
            return cls.LONGEST_FIRST
        return cls.DO_NOT_TRUNCATE if truncation in (None, False) else cls(truncation)


class TensorType(_Choice):
    """The arrays that `return_tensors` can ask for."""

    PYTORCH = "pt"
    NUMPY = "np"


def round_up(length: int, multiple: int | None) -> int:
    """Return the smallest multiple of `multiple` that holds `length`; `length` without one."""
    return length if multiple is None else -(-length // multiple) * multiple
