"""Texts as a network is to write them: normalised by name, in a case, with a vocabulary.

Which rules were used is saved beside the weights, so that an evaluation can use the same.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from w2v_cli.checkpoint.atomic import write_text
from w2v_cli.checkpoint.resolve import RULES_FILE
from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer
from w2v_cli.scoring import basic_normalizer, normalize

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>")
WORD_DELIMITER = "|"
_OTHER_NAMES = {"pad_token": "[PAD]", "unk_token": "[UNK]"}

CaseName = Literal["keep", "lower", "upper"]


def frames_needed(letters: Sequence[Hashable]) -> int:
    """Return how many frames CTC needs for letters at least: equal ones have a blank between them.

    >>> frames_needed("tree")
    5
    """
    return len(letters) + sum(one == other for one, other in itertools.pairwise(letters))


@dataclass(frozen=True)
class TextRules:
    """How texts are written before anything is learnt from them.

    Attributes:
        normalizer: One of `w2v_cli.scoring.NORMALIZERS`.
        case: lower or upper, or keep for what the normaliser leaves.
        ignored: Characters that are left out.
    """

    normalizer: str = "basic"
    case: CaseName = "keep"
    ignored: str = ""

    def __call__(self, text: str) -> str:
        """Return the text as it is to be written, with single spaces.

        >>> TextRules("basic", "upper")("Go,  left!")
        'GO LEFT'
        """
        if self.normalizer == "basic":
            written = basic_normalizer(text, folds=False)
        else:
            written = normalize(text, self.normalizer)
        written = written.translate({ord(character): None for character in self.ignored})
        if self.case == "lower":
            written = written.lower()
        elif self.case == "upper":
            written = written.upper()
        return " ".join(written.split())

    def save(self, folder: Path) -> None:
        """Write the rules into a model's folder.

        Raises:
            WriteError: The disk is full, or the folder cannot be written.
        """
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        write_text(folder / RULES_FILE, text)


def saved_rules(folder: Path) -> TextRules | None:
    """Return the rules that a model's folder holds; None where it holds none."""
    path = folder / RULES_FILE
    if not path.is_file():
        return None
    return TextRules(**json.loads(path.read_text(encoding="utf-8")))


def case_of(tokenizer: Wav2Vec2CTCTokenizer) -> CaseName:
    """Return the case that a vocabulary writes in; keep where it knows both, or none."""
    letters = "".join(letter_tokens(tokenizer))
    if letters.upper() == letters.lower():
        return "keep"
    if letters.upper() == letters:
        return "upper"
    return "lower" if letters.lower() == letters else "keep"


def letter_tokens(tokenizer: Wav2Vec2CTCTokenizer) -> set[str]:
    """Return what a vocabulary can write, without the word delimiter and special tokens."""
    return set(tokenizer.encoder) - set(tokenizer.all_special_tokens) - set(SPECIAL_TOKENS)


def characters_outside(texts: Iterable[str], tokenizer: Wav2Vec2CTCTokenizer) -> Counter[str]:
    """Return the characters that a vocabulary cannot write, with how often they occur."""
    known = {c for token in letter_tokens(tokenizer) for c in token}
    counts = Counter(character for text in texts for character in text)
    return Counter({c: n for c, n in counts.items() if c != " " and c not in known})


def build_vocabulary(texts: Iterable[str]) -> dict[str, int]:
    """Return a vocabulary of all characters in the texts, the blank first.

    >>> build_vocabulary(["go on"])
    {'<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3, '|': 4, 'g': 5, 'n': 6, 'o': 7}
    """
    characters = {character for text in texts for character in text} - {" ", WORD_DELIMITER}
    tokens = [*SPECIAL_TOKENS, WORD_DELIMITER, *sorted(characters)]
    return {token: index for index, token in enumerate(tokens)}


def make_tokenizer(vocabulary: dict[str, Any], folder: Path) -> Wav2Vec2CTCTokenizer:
    """Return a tokenizer with a vocabulary, which it reads from a file in `folder`.

    Its blank and its unknown token may be called [PAD] and [UNK], too, as the usual examples have
    them.
    """
    path = folder / "vocab.json"
    write_text(path, json.dumps(vocabulary, ensure_ascii=False, indent=2) + "\n")
    named: dict[str, Any] = {
        name: token for name, token in _OTHER_NAMES.items() if token in vocabulary
    }
    return Wav2Vec2CTCTokenizer(str(path), **named)
