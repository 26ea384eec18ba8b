"""CTC output put into words: repeated tokens merged, blanks dropped, with frame offsets.

Every frame of the network's output has one token. A run of the same token is one character; a
blank between two runs keeps them apart (Graves et al. 2006, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from w2v_cli.named_output import NamedOutput

# What the word offsets and the character offsets of one text look like to the caller:
# {"char": "A", "start_offset": 3, "end_offset": 5}, in output frames, the end exclusive.
Offsets = list[dict[str, Any]]


@dataclass
class Wav2Vec2CTCTokenizerOutput(NamedOutput):
    """Decoded text with its offsets; fields that are None are no keys.

    Attributes:
        text: The text, or the texts of a batch.
        char_offsets: For each text its characters, with ``char``, ``start_offset`` and
            ``end_offset`` in output frames.
        word_offsets: The same for words, with ``word``.

    >>> output = Wav2Vec2CTCTokenizerOutput("HI", word_offsets=[])
    >>> output.text, output["text"], output[1], list(output)
    ('HI', 'HI', [], ['text', 'word_offsets'])
    """

    text: Any
    char_offsets: Any = None
    word_offsets: Any = None

    def __post_init__(self) -> None:
        given = self.text
        if self.char_offsets is None and self.word_offsets is None and isinstance(given, Mapping):
            self.text = given.get("text")
            self.char_offsets = given.get("char_offsets")
            self.word_offsets = given.get("word_offsets")
        super().__post_init__()


@dataclass(frozen=True)
class CTCRules:
    """Which tokens mean something else than their own text."""

    blank: str | None
    word_delimiter: str | None
    written_delimiter: str  # what a word delimiter is written as
    group_tokens: bool = True  # False: every frame is a character of its own


def character_offsets(tokens: Sequence[str], rules: CTCRules) -> Offsets:
    """Return the characters of `tokens`, one token a frame, each with its frames.

    >>> rules = CTCRules(blank="_", word_delimiter="|", written_delimiter=" ")
    >>> [offset["char"] for offset in character_offsets("HH_EL_LLO|", rules)]
    ['H', 'E', 'L', 'L', 'O', ' ']
    """
    runs: Iterable[tuple[str, int]] = (
        ((token, sum(1 for _ in run)) for token, run in groupby(tokens))
        if rules.group_tokens
        else ((token, 1) for token in tokens)
    )
    offsets = []
    frame = 0
    for token, length in runs:
        if token != rules.blank:
            character = rules.written_delimiter if token == rules.word_delimiter else token
            offsets.append({"char": character, "start_offset": frame, "end_offset": frame + length})
        frame += length
    return offsets


def word_offsets(characters: Offsets, delimiter: str = " ") -> Offsets:
    """Return the words that `delimiter` separates, each with its frames.

    Args:
        characters: What `character_offsets` returned.
        delimiter: The character between words; several in a row are one.
    """
    words = []
    for is_delimiter, run in groupby(characters, key=lambda offset: offset["char"] == delimiter):
        if not is_delimiter:
            letters = list(run)
            words.append(
                {
                    "word": "".join(letter["char"] for letter in letters),
                    "start_offset": letters[0]["start_offset"],
                    "end_offset": letters[-1]["end_offset"],
                }
            )
    return words


# What comes before a mark in written English and not in a decoded text with spaces.
_SPACED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


def clean_up_spaces(text: str) -> str:
    """Return `text` without the blanks before marks and English contractions.

    >>> clean_up_spaces("I 'm here .")
    "I'm here."
    """
    for spaced in _SPACED:
        text = text.replace(spaced, spaced.strip())
    return text
