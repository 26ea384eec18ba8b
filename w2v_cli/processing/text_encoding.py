"""From text to token ids: one text or many, pairs, labels, with masks and as tensors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from w2v_cli.processing.batch import BatchEncoding
from w2v_cli.processing.options import PaddingStrategy, TensorType, TruncationStrategy
from w2v_cli.processing.text_padding import Lengths, TextPadding

# Code and tests that look for this warning do so under the published logger's name.
published_logger = logging.getLogger("transformers.tokenization_utils_base")

_TOO_LONG = "sequence-length-is-longer-than-the-specified-maximum"


@dataclass(frozen=True)
class EncodingOptions:
    """What the published arguments of `__call__` and `encode` ask for, under their names."""

    lengths: Lengths
    add_special_tokens: bool = True
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: str | TensorType | None = None
    return_token_type_ids: bool | None = None
    return_attention_mask: bool | None = None
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_length: bool = False
    split_special_tokens: bool = False
    verbose: bool = True

    def for_one_of_many(self) -> EncodingOptions:
        """Return the options for one text of a batch, which is padded as a whole later."""
        return replace(
            self,
            lengths=replace(self.lengths, padding=PaddingStrategy.DO_NOT_PAD),
            pad_to_multiple_of=None,
            padding_side=None,
            return_tensors=None,
            return_attention_mask=False,
        )


class TextEncoding(TextPadding):
    """The part of the tokenizer that turns text into ids."""

    token_type_ids_pattern = "bert_style"

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | TensorType | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> BatchEncoding:
        """Return `input_ids` of one text or several, `attention_mask`, and what else is asked for.

        Args:
            text: A text, a list of texts, or (with `is_split_into_words`) lists of words.
            text_pair: A second text for each, encoded behind the first.
            text_target: Texts whose ids are returned as ``labels``.
            text_pair_target: A second text for each of those.
            add_special_tokens: The published argument; CTC texts have none added.
            padding: True or ``longest``; ``max_length``; False or ``do_not_pad``.
            truncation: True or ``longest_first``; ``only_first``; ``only_second``; False.
            max_length: Tokens to cut and to pad to.
            stride: Tokens kept that are repeated in ``overflowing_tokens``.
            is_split_into_words: Whether each text is a list of words.
            pad_to_multiple_of: Padded lengths are rounded up to a multiple of this.
            padding_side: ``right`` or ``left``; None for the tokenizer's own.
            return_tensors: ``np`` or ``pt``; None for lists.
            return_token_type_ids: Whether to return 0 for the first text, 1 for the second.
            return_attention_mask: Whether to return 1 for a token and 0 for padding.
            return_overflowing_tokens: Whether to return what was cut.
            return_special_tokens_mask: Whether to return 1 for padding.
            return_offsets_mapping: The published argument; only tokenizers in Rust have them.
            return_length: Whether to return the number of ids.
            verbose: Whether to warn of texts longer than `model_max_length`.
            tokenizer_kwargs: More of these arguments, as a dictionary.
            kwargs: ``split_special_tokens``, ``max_target_length``.

        Raises:
            ValueError: There is no text, or texts and pairs do not match.
        """
        if text is None and text_target is None:
            raise ValueError("You need to specify either `text` or `text_target`.")
        given: dict[str, Any] = {
            "add_special_tokens": add_special_tokens,
            "padding": padding,
            "truncation": truncation,
            "max_length": max_length,
            "stride": stride,
            "is_split_into_words": is_split_into_words,
            "pad_to_multiple_of": pad_to_multiple_of,
            "padding_side": padding_side,
            "return_tensors": return_tensors,
            "return_token_type_ids": return_token_type_ids,
            "return_attention_mask": return_attention_mask,
            "return_overflowing_tokens": return_overflowing_tokens,
            "return_special_tokens_mask": return_special_tokens_mask,
            "return_length": return_length,
            "verbose": verbose,
            **(tokenizer_kwargs or {}),
            **kwargs,
        }
        longest_target = given.pop("max_target_length", None)
        options = self._options(**given)
        encoded = None if text is None else self._encode_plus(text, text_pair, options)
        if text_target is None:
            assert encoded is not None
            return encoded
        if longest_target is not None:
            options = replace(options, lengths=replace(options.lengths, max_length=longest_target))
        target = self._encode_plus(text_target, text_pair_target, options)
        if encoded is None:
            return target
        encoded["labels"] = target["input_ids"]
        return encoded

    def encode(
        self,
        text: Any,
        text_pair: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        stride: int = 0,
        padding_side: str | None = None,
        return_tensors: str | TensorType | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the ids of a text: `input_ids` of `__call__`, whose arguments it takes."""
        options = self._options(
            add_special_tokens=add_special_tokens,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            stride=stride,
            padding_side=padding_side,
            return_tensors=return_tensors,
            **kwargs,
        )
        return self._encode_plus(text, text_pair, options)["input_ids"]

    def _options(
        self,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        **given: Any,
    ) -> EncodingOptions:
        lengths = self._lengths(
            padding,
            truncation,
            max_length,
            given.get("pad_to_multiple_of"),
            given.get("verbose", True),
        )
        given.setdefault("split_special_tokens", self.split_special_tokens)
        # Processors pass what their other half understands; that is no concern of a text.
        known = {
            name: given[name] for name in EncodingOptions.__dataclass_fields__ if name in given
        }
        return EncodingOptions(lengths=lengths, **known)

    def _encode_plus(self, text: Any, text_pair: Any, options: EncodingOptions) -> BatchEncoding:
        if _is_batch(text, options.is_split_into_words):
            return self._encode_batch(text, text_pair, options)
        pair_ids = None if text_pair is None else self._ids_of(text_pair, options)
        return self._prepare(self._ids_of(text, options), pair_ids, options, batch_axis=True)

    def _encode_batch(self, texts: Any, pairs: Any, options: EncodingOptions) -> BatchEncoding:
        if pairs is None:
            pairs = [None] * len(texts)
        elif not isinstance(pairs, (list, tuple)) or len(pairs) != len(texts):
            raise ValueError("a batch of texts needs a batch of as many pairs")
        columns: dict[str, list[Any]] = {}
        for text, pair in zip(texts, pairs, strict=True):
            if pair is None:
                text, pair = _unpaired(text, options.is_split_into_words)
            for key, value in self._encode_plus(text, pair, options.for_one_of_many()).items():
                columns.setdefault(key, []).append(value)
        if options.return_tensors:  # what was cut differs in length, which no tensor can hold
            columns.pop("overflowing_tokens", None)
            columns.pop("num_truncated_tokens", None)
        padded = self.pad(
            columns,
            padding=options.lengths.padding,
            max_length=options.lengths.max_length,
            pad_to_multiple_of=options.pad_to_multiple_of,
            padding_side=options.padding_side,
            return_attention_mask=options.return_attention_mask,
        )
        return padded.convert_to_tensors(options.return_tensors)

    def _ids_of(self, text: Any, options: EncodingOptions) -> list[int]:
        split = options.split_special_tokens
        listed = list(text) if isinstance(text, (list, tuple)) else []
        if isinstance(text, str):
            tokens = self.tokenize(text, split_special_tokens=split)
        elif listed and isinstance(listed[0], int):
            return listed
        elif listed and isinstance(listed[0], str):
            tokens = listed
            if options.is_split_into_words:
                words = [self.tokenize(word, split_special_tokens=split) for word in listed]
                tokens = [token for word in words for token in word]
        else:
            raise ValueError(f"a text is a string, or a list of tokens or ids, not {text!r}")
        ids: list[int] = self.convert_tokens_to_ids(tokens)
        return ids

    def prepare_for_model(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy = False,
        max_length: int | None = None,
        prepend_batch_axis: bool = False,
        **kwargs: Any,
    ) -> BatchEncoding:
        """Return the ids of one or two texts, cut and padded; the arguments of `__call__`.

        Args:
            ids: The first text's ids.
            pair_ids: The second text's.
            add_special_tokens: The published argument; CTC texts have none added.
            padding: As for `__call__`.
            truncation: As for `__call__`.
            max_length: As for `__call__`.
            prepend_batch_axis: Whether tensors get a first axis of length 1.
            kwargs: The other arguments of `__call__`.

        Raises:
            ValueError: The tokens cut from a pair are wanted, with ``longest_first``.
        """
        options = self._options(
            padding, truncation, max_length, add_special_tokens=add_special_tokens, **kwargs
        )
        return self._prepare(ids, pair_ids, options, batch_axis=prepend_batch_axis)

    def _prepare(
        self,
        ids: list[int],
        pair_ids: list[int] | None,
        options: EncodingOptions,
        *,
        batch_axis: bool,
    ) -> BatchEncoding:
        lengths = options.lengths
        if (
            options.return_overflowing_tokens
            and lengths.truncation is TruncationStrategy.LONGEST_FIRST
            and pair_ids is not None
        ):
            raise ValueError(
                "Not possible to return overflowing tokens for pair of sequences with the "
                "`longest_first`. Please select another truncation strategy than "
                "`longest_first`, for instance `only_second` or `only_first`."
            )
        excess = self._excess(ids, pair_ids, options)
        cut: list[int] = []
        if excess > 0 and lengths.truncation is not TruncationStrategy.DO_NOT_TRUNCATE:
            ids, pair_ids, cut = self.truncate_sequences(
                ids, pair_ids, excess, lengths.truncation, options.stride
            )
        encoded = self._columns(ids, pair_ids, options)
        if options.return_overflowing_tokens and not options.return_tensors and cut:
            encoded["overflowing_tokens"] = cut
            encoded["num_truncated_tokens"] = excess
        self._warn_if_too_long(len(encoded["input_ids"]), options)
        with_mask = self._returns_mask(options.return_attention_mask)
        if lengths.padding is not PaddingStrategy.DO_NOT_PAD or with_mask:
            encoded = self.pad(
                encoded,
                padding=lengths.padding,
                max_length=lengths.max_length,
                pad_to_multiple_of=options.pad_to_multiple_of,
                padding_side=options.padding_side,
                return_attention_mask=with_mask,
            ).data
        if options.return_length:
            encoded["length"] = len(encoded["input_ids"])
        return BatchEncoding(
            encoded, tensor_type=options.return_tensors, prepend_batch_axis=batch_axis
        )

    def _excess(self, ids: list[int], pair_ids: list[int] | None, options: EncodingOptions) -> int:
        """Return how many ids are too many, special tokens included."""
        if not options.lengths.max_length:
            return 0
        special = self.num_special_tokens_to_add(pair=pair_ids is not None)
        total = len(ids) + len(pair_ids or []) + (special if options.add_special_tokens else 0)
        return total - options.lengths.max_length

    def _columns(
        self, ids: list[int], pair_ids: list[int] | None, options: EncodingOptions
    ) -> dict[str, Any]:
        """Return the ids in one row, and the masks that are asked for."""
        with_types = options.return_token_type_ids
        if with_types is None:
            with_types = "token_type_ids" in self.model_input_names
        row = self.build_inputs_with_special_tokens(ids, pair_ids)
        columns: dict[str, Any] = {"input_ids": row}
        if with_types:
            columns["token_type_ids"] = (
                self.create_token_type_ids_from_sequences(ids, pair_ids)
                if options.add_special_tokens
                else [0] * len(row)
            )
        if options.return_special_tokens_mask:
            columns["special_tokens_mask"] = self.get_special_tokens_mask(ids, pair_ids)
        return columns

    def _warn_if_too_long(self, length: int, options: EncodingOptions) -> None:
        limit = self.model_max_length
        if options.lengths.max_length is not None or not options.verbose:
            return
        if limit != 0 and length > limit:
            if not self.deprecation_warnings.get(_TOO_LONG, False):
                published_logger.warning(
                    "Token indices sequence length is longer than the specified maximum sequence "
                    "length for this model (%d > %d): the text will have to be cut",
                    length,
                    limit,
                )
            self.deprecation_warnings[_TOO_LONG] = True

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        raise NotImplementedError

    # A CTC text is its characters: nothing is put around or between texts.

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return 0, the number of tokens that are put around a text or a pair."""
        return len(self.build_inputs_with_special_tokens([], [] if pair else None))

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return the ids of one text, or of both, one behind the other."""
        return token_ids_0 if token_ids_1 is None else token_ids_0 + token_ids_1

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 0 for every id; or, of ids that have special tokens already, 1 for those.

        Raises:
            ValueError: `already_has_special_tokens`, and there are two texts.
        """
        if not already_has_special_tokens:
            return [0] * (len(token_ids_0) + len(token_ids_1 or ()))
        if token_ids_1 is not None:
            raise ValueError("ids that have their special tokens already come as one sequence")
        special = set(self.all_special_ids)
        return [int(int(index) in special) for index in token_ids_0]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """Return 0 for every id of the first text and 1 for every id of the second."""
        second = 1 if self.token_type_ids_pattern == "bert_style" else 0
        return [0] * len(token_ids_0) + [second] * len(token_ids_1 or ())

    @property
    def max_len_single_sentence(self) -> int:
        """How many tokens a text may have."""
        return int(self.model_max_length) - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """How many tokens a pair of texts may have together."""
        return int(self.model_max_length) - self.num_special_tokens_to_add(pair=True)


def _is_batch(text: Any, is_split_into_words: bool) -> bool:
    if not isinstance(text, (list, tuple)):
        return False
    if len(text) == 0:
        return not is_split_into_words
    kinds = (list, tuple) if is_split_into_words else (str, list, tuple)
    return isinstance(text[0], kinds)


def _unpaired(text: Any, is_split_into_words: bool) -> tuple[Any, Any]:
    """Return the two texts of an item of a batch that is a pair, else the item and None."""
    if not isinstance(text, (list, tuple)) or len(text) == 0 or isinstance(text[0], int):
        return text, None
    may_be_pair = not is_split_into_words or isinstance(text, tuple)
    if len(text) == 2 and may_be_pair and all(isinstance(t, (str, list, tuple)) for t in text):
        return text[0], text[1]
    if len(text) == 1:
        return text[0], None
    if not is_split_into_words:
        raise ValueError(f"Expected a pair of sequences, got {len(text)} sequences.")
    return text, None
