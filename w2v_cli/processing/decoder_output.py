"""What the processor with a language model returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from w2v_cli.named_output import NamedOutput


@dataclass
class Wav2Vec2DecoderWithLMOutput(NamedOutput):
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
