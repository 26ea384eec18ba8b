"""The tokens with a meaning of their own: padding (the CTC blank), unknown, start, end ..."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from w2v_cli.processing.added_token import AddedToken, is_added_token, is_token

logger = logging.getLogger(__name__)

# Stands for "no limit" in model_max_length, as in the published files.
UNLIMITED_LENGTH = int(1e30)


class SpecialTokens:
    """The settings of a tokenizer, and its special tokens by name.

    Every name in `SPECIAL_TOKENS_ATTRIBUTES` is an attribute (`pad_token`) and has a second
    one with its id (`pad_token_id`); both can be read and set. `extra_special_tokens` and
    `extra_special_tokens_ids` hold those without a name.
    """

    # Lists, as they are published; every tokenizer that changes them gets its own.
    SPECIAL_TOKENS_ATTRIBUTES = [  # noqa: RUF012
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    ]
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012  # as above
    padding_side = "right"
    truncation_side = "right"
    verbose = False

    _special_tokens_map: dict[str, Any]
    _extra_special_tokens: list[Any]

    def __init__(self, **kwargs: Any) -> None:
        """Keep every setting in `init_kwargs`, and those that are known as attributes.

        Raises:
            AttributeError: A setting has the name of a method.
            TypeError: A special token is no token.
            ValueError: A side is neither ``left`` nor ``right``.
        """
        for name in kwargs:
            if callable(getattr(self, name, None)):
                raise AttributeError(
                    f"{name} conflicts with the method {name} in {type(self).__name__}"
                )
        if "additional_special_tokens" in kwargs and "extra_special_tokens" not in kwargs:
            kwargs["extra_special_tokens"] = kwargs.pop("additional_special_tokens")
        self.init_inputs: tuple[Any, ...] = ()
        self.init_kwargs = copy.deepcopy(kwargs)
        self.name_or_path = kwargs.get("name_or_path", "")
        self.verbose = kwargs.get("verbose", False)
        self.backend = kwargs.get("backend")
        self.clean_up_tokenization_spaces = kwargs.get("clean_up_tokenization_spaces", False)
        self.split_special_tokens = kwargs.get("split_special_tokens", False)
        self.deprecation_warnings: dict[str, bool] = {}
        self._processor_class = kwargs.get("processor_class")
        self._set_limits(kwargs)
        self._set_tokens(kwargs)

    def _set_limits(self, kwargs: Mapping[str, Any]) -> None:
        limit = kwargs.get("model_max_length", kwargs.get("max_len"))
        self.model_max_length = UNLIMITED_LENGTH if limit is None else limit
        self.model_input_names = list(kwargs.get("model_input_names", self.model_input_names))
        for name in ("padding_side", "truncation_side"):
            side = kwargs.get(name, getattr(self, name))
            if side not in ("left", "right"):
                raise ValueError(f"{name} is 'left' or 'right', not {side!r}")
            setattr(self, name, side)

    def _set_tokens(self, kwargs: Mapping[str, Any]) -> None:
        self._special_tokens_map = dict.fromkeys(self.SPECIAL_TOKENS_ATTRIBUTES)
        self._extra_special_tokens = []
        own_names: dict[str, Any] = {}
        for name, value in kwargs.items():
            if value is None:
                continue
            if name in self.SPECIAL_TOKENS_ATTRIBUTES:
                self._special_tokens_map[name] = _checked(name, value)
            elif name == "extra_special_tokens":
                if isinstance(value, Mapping):
                    self._name_special_tokens(value)
                elif isinstance(value, (list, tuple)):
                    self._extra_special_tokens = list(value)
                else:
                    raise TypeError("extra_special_tokens is a list of tokens, or tokens by name")
            elif name.endswith("_token") and is_token(value):
                own_names[name] = value
        explicit = kwargs.get("model_specific_special_tokens") or {}
        if not isinstance(explicit, Mapping):
            raise TypeError("model_specific_special_tokens is a dictionary of tokens by name")
        self._name_special_tokens({**own_names, **explicit})

    def _name_special_tokens(self, tokens: Mapping[str, Any]) -> None:
        """Give this tokenizer special tokens beyond the usual names."""
        new = [name for name in tokens if name not in self.SPECIAL_TOKENS_ATTRIBUTES]
        # A new list: the one of the class belongs to every tokenizer.
        self.SPECIAL_TOKENS_ATTRIBUTES = [*self.SPECIAL_TOKENS_ATTRIBUTES, *new]
        for name, value in tokens.items():
            self._special_tokens_map[name] = _checked(name, value)

    def _set_processor_class(self, processor_class: str) -> None:
        self._processor_class = processor_class

    def __setattr__(self, name: str, value: Any) -> None:
        token_name = _without_id(name)
        by_id = token_name != name
        if token_name in self.SPECIAL_TOKENS_ATTRIBUTES:
            token = self.convert_ids_to_tokens(value) if by_id and value is not None else value
            if token is not None and not is_token(token):
                raise ValueError(f"{token_name} must be a token, not {token!r}")
            self._special_tokens_map[token_name] = token
        elif token_name == "extra_special_tokens":
            tokens = [] if value is None else value
            if not isinstance(tokens, (list, tuple)):
                raise ValueError(f"{name} must be a list, not {value!r}")
            self._extra_special_tokens = [
                self.convert_ids_to_tokens(token) if by_id else token for token in tokens
            ]
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        # Through __dict__, because this is also asked for while an object is being unpickled.
        token_name = _without_id(name)
        by_id = token_name != name
        if token_name in type(self).SPECIAL_TOKENS_ATTRIBUTES or token_name in self.__dict__.get(
            "SPECIAL_TOKENS_ATTRIBUTES", ()
        ):
            token = self.__dict__.get("_special_tokens_map", {}).get(token_name)
            if token is None:
                if self.verbose:
                    logger.error("Using %s, but it is not set yet.", name)
                return None
            return self.convert_tokens_to_ids(str(token)) if by_id else str(token)
        if token_name == "extra_special_tokens":
            tokens = [str(token) for token in self.__dict__.get("_extra_special_tokens", [])]
            return self.convert_tokens_to_ids(tokens) if by_id else tokens
        raise AttributeError(f"{type(self).__name__} has no attribute {name}")

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The special tokens that have a name, by their name."""
        named = {
            name: self._special_tokens_map.get(name) for name in self.SPECIAL_TOKENS_ATTRIBUTES
        }
        return {name: str(token) for name, token in named.items() if token is not None}

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once, those with a name first."""
        extra = [str(token) for token in self._extra_special_tokens]
        return list(dict.fromkeys([*self.special_tokens_map.values(), *extra]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`, in that order."""
        ids: list[int] = self.convert_tokens_to_ids(self.all_special_tokens)
        return ids

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, Any],
        replace_extra_special_tokens: bool = True,
    ) -> int:
        """Return how many of these special tokens were new to the vocabulary.

        Args:
            special_tokens_dict: Tokens by their name, such as ``cls_token``; and a list of
                tokens under ``extra_special_tokens`` (or ``additional_special_tokens``).
            replace_extra_special_tokens: Whether that list replaces the present one. Tokens
                that leave it stay in the vocabulary.

        Raises:
            ValueError: A name is no special token's, or a value is no token.
        """
        tokens = dict(special_tokens_dict)
        if "additional_special_tokens" in tokens and not tokens.get("extra_special_tokens"):
            tokens["extra_special_tokens"] = tokens.pop("additional_special_tokens")
        added: list[Any] = []
        for name, value in tokens.items():
            if name == "extra_special_tokens":
                added += self._set_extra_special_tokens(value, replace_extra_special_tokens)
            elif name not in self.SPECIAL_TOKENS_ATTRIBUTES:
                valid = [*self.SPECIAL_TOKENS_ATTRIBUTES, "extra_special_tokens"]
                raise ValueError(f"{name} is not a valid special token; choose from {valid}")
            elif not is_token(value):
                raise ValueError(f"{name} must be a token, not {value!r}")
            else:
                token = _special(value)
                setattr(self, name, token)
                added.append(token)
        return self.add_tokens(added, special_tokens=True)

    def _set_extra_special_tokens(self, tokens: Any, replace: bool) -> list[Any]:
        if not isinstance(tokens, (list, tuple)) or not all(is_token(token) for token in tokens):
            raise ValueError(f"extra_special_tokens must be a list of tokens, not {tokens!r}")
        present = self.extra_special_tokens
        new = [_special(token) for token in tokens if replace or str(token) not in present]
        if replace and new:
            self._extra_special_tokens = list(new)
        else:
            self._extra_special_tokens.extend(new)
        return new

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Return how many of these tokens were new to the vocabulary; they get the next ids.

        Args:
            new_tokens: A token or a list of tokens, each a string or an `AddedToken`.
            special_tokens: Whether they are left out of text with ``skip_special_tokens``.

        Raises:
            TypeError: One of them is no token.
        """
        if not new_tokens:
            return 0
        several = isinstance(new_tokens, (list, tuple))
        return self._add_tokens(new_tokens if several else [new_tokens], special_tokens)

    # The vocabulary that the tokens are part of.

    def _add_tokens(self, new_tokens: Sequence[Any], special_tokens: bool = False) -> int:
        raise NotImplementedError

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        raise NotImplementedError

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        raise NotImplementedError


def _without_id(name: str) -> str:
    """Return the token's attribute that `name` is the id of, or `name`.

    >>> _without_id("pad_token_id"), _without_id("extra_special_tokens_ids")
    ('pad_token', 'extra_special_tokens')
    """
    return name.removesuffix("_ids").removesuffix("_id")


def _special(token: Any) -> Any:
    if is_added_token(token):
        return token
    return AddedToken(token, normalized=False, special=True)


def _checked(name: str, token: Any) -> Any:
    if not is_token(token):
        raise TypeError(f"special token {name} must be a string or an AddedToken, not {token!r}")
    return token
