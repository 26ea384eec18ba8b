"""What the processor with a language model returns."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any


@dataclass
class Wav2Vec2DecoderWithLMOutput(OrderedDict[str, Any]):
    """Decoded text with its scores and offsets; fields that are None are no keys.

    Attributes:
        text: The text; of a batch a list; of the n best a list of them for each recording.
        logit_score: Natural logarithm of what the network gives each text.
        lm_score: The same with the language model's share, which ranks the texts.
        word_offsets: For each text its words, with ``word``, ``start_offset`` and
            ``end_offset`` in output frames, the end exclusive.

    >>> output = Wav2Vec2DecoderWithLMOutput("HI", -1.0, -2.0)
    >>> output.text, output["lm_score"], output[1], list(output)
    ('HI', -2.0, -1.0, ['text', 'logit_score', 'lm_score'])
    """

    text: Any
    logit_score: Any = None
    lm_score: Any = None
    word_offsets: Any = None

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in _FIELDS}
        self.clear()
        for name, value in values.items():
            setattr(self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIELDS and value is not None:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in _FIELDS)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields that are not None, in their order."""
        return tuple(self[name] for name in self)


_FIELDS = ("text", "logit_score", "lm_score", "word_offsets")
