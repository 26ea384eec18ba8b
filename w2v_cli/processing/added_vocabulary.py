"""A vocabulary with tokens added to it: ids from tokens, and tokens from ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from w2v_cli.processing.added_token import AddedToken, is_token
from w2v_cli.processing.special_tokens import SpecialTokens
from w2v_cli.processing.token_trie import TokenTrie


class AddedVocabulary(SpecialTokens):
    """The checkpoint's vocabulary (`encoder`, `decoder`) and what was added on top of it.

    An added token may also be one of the vocabulary: then it only says how that is found in a
    text. Where both claim an id, the vocabulary has it.
    """

    encoder: dict[str, int]
    decoder: dict[int, str]

    def __init__(
        self, *, added_tokens_decoder: Mapping[int, Any] | None = None, **kwargs: Any
    ) -> None:
        """Hold the vocabulary with `added_tokens_decoder`, and every special token."""
        self.tokens_trie = TokenTrie()
        self._added_tokens_decoder: dict[int, AddedToken] = {}
        self._added_tokens_encoder: dict[str, int] = {}
        self.added_tokens_decoder = added_tokens_decoder or {}
        super().__init__(**kwargs)
        held = self._added_tokens_encoder
        self._add_tokens([token for token in self.all_special_tokens if token not in held], True)

    @property
    def is_fast(self) -> bool:
        """False: this tokenizer is written in Python."""
        return False

    @property
    def vocab_size(self) -> int:
        """The number of tokens without the added ones."""
        return len(self.decoder)

    def __len__(self) -> int:
        return len(self.get_vocab())

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token, those of the added tokens included."""
        return {**self.encoder, **self.added_tokens_encoder}

    def get_added_vocab(self) -> dict[str, int]:
        """Return the id of every added token, in the order in which they were added."""
        return self._added_tokens_encoder

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """The id of every added token, in the order of the ids."""
        return {token.content: index for index, token in self.added_tokens_decoder.items()}

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The added token of every id, in the order of the ids."""
        return dict(sorted(self._added_tokens_decoder.items()))

    @added_tokens_decoder.setter
    def added_tokens_decoder(self, value: Mapping[int, Any]) -> None:
        for index, token in value.items():
            if not is_token(token) or not isinstance(index, int):
                raise TypeError(f"added_tokens_decoder maps ids to tokens, not {index} to {token}")
        self._place([(index, AddedToken.copy_of(token)) for index, token in value.items()])

    def _place(self, tokens: Sequence[tuple[int, AddedToken]]) -> None:
        """Put added tokens at their ids."""
        for index, token in tokens:
            self._added_tokens_decoder[index] = token
            self._added_tokens_encoder[token.content] = index
        # Only now: where ids have holes, one of these may have taken the place of another.
        for index, _ in tokens:
            self.tokens_trie.add(self._added_tokens_decoder[index].content)

    def _add_tokens(self, new_tokens: Sequence[Any], special_tokens: bool = False) -> int:
        vocab = self.get_vocab()
        n_before = len(vocab)
        placed: list[tuple[int, AddedToken]] = []
        for new_token in new_tokens:
            token = AddedToken.copy_of(new_token)
            if isinstance(new_token, str):
                token.normalized = False  # it is looked for as it is written
            if token.content == "":
                continue
            token.special = token.special or special_tokens
            if token.normalized and not token.special and getattr(self, "do_lower_case", False):
                token.content = token.content.lower()
            index = vocab.setdefault(token.content, len(vocab))
            if token.special and token.content not in self.all_special_tokens:
                self._extra_special_tokens.append(token)
            placed.append((index, token))
        self._place(placed)
        return len(vocab) - n_before

    def _keep_together(self, ids: Mapping[str, int]) -> None:
        """See to it that tokens of several characters are not taken apart in a text."""
        for token, index in ids.items():
            if len(token) < 2:
                continue
            # Where it was added it stays, unless one of those before it has taken its place.
            added = self._added_tokens_encoder.get(token, index)
            there = self._added_tokens_decoder.get(added)
            place = index if there is None or there.content != token else added
            self._place([(place, AddedToken(token, lstrip=True, rstrip=True, normalized=False))])

    def _release_ids(self, ids: Iterable[int]) -> None:
        """Forget the added tokens that have one of these ids."""
        for index in ids:
            token = self._added_tokens_decoder.pop(index, None)
            if token is not None:
                self._added_tokens_encoder.pop(token.content, None)

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Return the id of a token, or the ids of a list of tokens.

        A token that is not there has the id of `unk_token`, or None without one in the
        vocabulary.
        """
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        if tokens in self._added_tokens_encoder:
            return self._added_tokens_encoder[tokens]
        return self._convert_token_to_id(tokens)

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or the tokens of a list of ids; `unk_token` for no token.

        Args:
            ids: An id, or a list, array or tensor of ids.
            skip_special_tokens: Whether special tokens are left out of a list.
        """
        if isinstance(ids, int):
            return self._token_of(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._token_of(index) for index in map(int, ids) if index not in skipped]

    def _token_of(self, index: int) -> str | None:
        if index in self.decoder:
            return self.decoder[index]
        added = self._added_tokens_decoder.get(index)
        unknown: str | None = self.unk_token
        return unknown if added is None else added.content

    def _convert_token_to_id(self, token: str) -> int | None:
        return self.encoder.get(token, self.encoder.get(self.unk_token))

    def _convert_id_to_token(self, index: int) -> str | None:
        unknown: str | None = self.unk_token
        return self.decoder.get(index, unknown)
