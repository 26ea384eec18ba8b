"""The arguments of a processor's call, sorted by which of its two halves they are for."""

import copy
import logging
from collections.abc import Mapping
from typing import Any, TypedDict

logger = logging.getLogger(__name__)


class AudioKwargs(TypedDict, total=False):
    """What the feature extractor's call takes."""

    sampling_rate: int | None
    padding: Any
    max_length: int | None
    truncation: Any
    pad_to_multiple_of: int | None
    return_attention_mask: bool | None
    return_tensors: Any


class TextKwargs(TypedDict, total=False):
    """What the tokenizer's call takes."""

    text_pair: Any
    text_target: Any
    text_pair_target: Any
    add_special_tokens: bool | None
    padding: Any
    truncation: Any
    max_length: int | None
    stride: int | None
    is_split_into_words: bool | None
    pad_to_multiple_of: int | None
    return_token_type_ids: bool | None
    return_attention_mask: bool | None
    return_overflowing_tokens: bool | None
    return_special_tokens_mask: bool | None
    return_offsets_mapping: bool | None
    return_length: bool | None
    verbose: bool | None
    padding_side: str | None
    return_tensors: Any


class Wav2Vec2ProcessorKwargs(TypedDict, total=False):
    """The arguments for each half, as dictionaries."""

    text_kwargs: TextKwargs
    audio_kwargs: AudioKwargs


# Dictionaries of processors that also see. Accepted, because code that is written for several
# kinds passes them, and empty here.
_NOT_HERE = ("images_kwargs", "videos_kwargs")

_NAMES = {
    "text_kwargs": TextKwargs.__annotations__.keys(),
    "audio_kwargs": AudioKwargs.__annotations__.keys(),
}


def sort_kwargs(
    given: Mapping[str, Any],
    *,
    defaults: Mapping[str, Mapping[str, Any]],
    tokenizer_settings: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return ``text_kwargs`` and ``audio_kwargs``, the arguments of each half.

    What is said later in this list wins: the processor's defaults; what the tokenizer was made
    with (`padding`, `max_length` ...), for both halves; ``common_kwargs``; an argument by its
    name, for every half that has it, or in the dictionary of one half.

    Args:
        given: The keyword arguments of the processor's call.
        defaults: Arguments by half, of the processor's class.
        tokenizer_settings: What the tokenizer was made with.

    Raises:
        ValueError: An argument is given by its name and in a dictionary.
    """
    arguments = copy.deepcopy(dict(given))
    common = arguments.pop("common_kwargs", {})
    halves: dict[str, dict[str, Any]] = {}
    for half, names in _NAMES.items():
        made_with = {name: tokenizer_settings[name] for name in names if name in tokenizer_settings}
        halves[half] = {**defaults.get(half, {}), **made_with, **common}
    for key, value in arguments.items():
        if key in _NAMES:
            twice = [name for name in value if name in arguments and name in _NAMES[key]]
            if twice:
                raise ValueError(
                    f"Keyword argument {twice[0]} was passed two times: in {key} and by its name"
                )
            halves[key].update(value)
        elif any(key in names for names in _NAMES.values()):
            for half, names in _NAMES.items():
                if key in names:
                    halves[half][key] = value
        elif key not in _NOT_HERE:
            logger.warning("%s is not an argument of this processor and is ignored", key)
    return {**halves, **{name: {} for name in _NOT_HERE}}
