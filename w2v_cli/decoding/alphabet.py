"""What each output of a CTC network writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from w2v_cli.errors import CheckpointError


class AlphabetError(CheckpointError, ValueError):
    """A tokenizer of which no alphabet of CTC can be made."""


class CTCTokenizer(Protocol):
    """What `Alphabet.from_tokenizer` asks of a tokenizer; ours and the published one have it."""

    @property
    def pad_token(self) -> str | None: ...

    @property
    def word_delimiter_token(self) -> str | None: ...

    @property
    def all_special_tokens(self) -> Sequence[str]: ...

    @property
    def replace_word_delimiter_char(self) -> str: ...

    @property
    def do_lower_case(self) -> bool: ...

    def get_vocab(self) -> Mapping[str, int]: ...

    def convert_ids_to_tokens(self, ids: list[int]) -> Sequence[str]: ...


@dataclass(frozen=True)
class Alphabet:
    """What each output of a CTC network writes.

    Attributes:
        tokens: The text of each output, by its id; most have one letter, some have more.
        blank_id: The output that writes nothing and keeps two equal letters apart.
        word_delimiter_id: The output that stands between words; None where there is none.
        ignored_ids: Outputs that are dropped before equal ones are merged, as if their
            frames were not there: <s>, </s>, <unk>. Ids beyond `tokens` are ignored too.
        word_separator: What the word delimiter is written as.
        lower_case: The text is written in lower case.
    """

    tokens: tuple[str, ...]
    blank_id: int
    word_delimiter_id: int | None = None
    ignored_ids: frozenset[int] = frozenset()
    word_separator: str = " "
    lower_case: bool = False

    def __post_init__(self) -> None:
        ids = {self.blank_id, *self.ignored_ids}
        if self.word_delimiter_id is not None:
            ids.add(self.word_delimiter_id)
        outside = sorted(ids - set(range(len(self.tokens))))
        if outside:
            raise ValueError(f"an alphabet of {len(self.tokens)} tokens has no ids {outside}")

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: CTCTokenizer,
        n_outputs: int | None = None,
        *,
        word_separator: str | None = None,
    ) -> Alphabet:
        """Return the alphabet of a tokenizer, in its current language.

        Its text is what the tokenizer's `decode` makes of the same ids when all special
        tokens but the blank are left out.

        Args:
            tokenizer: A Wav2Vec2CTCTokenizer.
            n_outputs: How many outputs the network has, if that is known. Tokens beyond them, which
                tokenizers add (<s>, </s>, a word delimiter), are never written, and left out.
            word_separator: What the word delimiter is written as; None for what the tokenizer
                makes of it.

        Raises:
            AlphabetError: It has no pad token, which CTC models use as blank, or not among the
                outputs.
        """
        if tokenizer.pad_token is None:
            raise AlphabetError("the tokenizer has no pad token, and CTC needs it as blank")
        n_tokens = max(tokenizer.get_vocab().values()) + 1
        n_tokens = n_tokens if n_outputs is None else min(n_tokens, n_outputs)
        tokens = list(tokenizer.convert_ids_to_tokens(list(range(n_tokens))))
        if tokenizer.pad_token not in tokens:
            raise AlphabetError(
                f"the vocabulary has no {tokenizer.pad_token!r} with a number of its own, and CTC "
                f"needs it as blank"
            )
        delimiter = tokenizer.word_delimiter_token
        if delimiter not in tokens and " " in tokens:
            delimiter = " "  # of a vocabulary that has the space itself
        spoken = {tokenizer.pad_token, delimiter}
        # An id that a vocabulary leaves out comes back as the unknown token, or as None.
        silent = {*tokenizer.all_special_tokens, None} - spoken
        return cls(
            tokens=tuple("" if token in silent else token for token in tokens),
            blank_id=tokens.index(tokenizer.pad_token),
            word_delimiter_id=tokens.index(delimiter) if delimiter in tokens else None,
            ignored_ids=frozenset(i for i, token in enumerate(tokens) if token in silent),
            word_separator=(
                tokenizer.replace_word_delimiter_char if word_separator is None else word_separator
            ),
            lower_case=tokenizer.do_lower_case,
        )

    def written(self, index: int) -> str:
        """Return what an output writes, a space for the word delimiter."""
        return self.word_separator if index == self.word_delimiter_id else self.tokens[index]
