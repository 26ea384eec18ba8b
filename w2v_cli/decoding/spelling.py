"""A known text in the letters of a model: what each of its words sounds like to the alphabet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from w2v_cli.decoding.alphabet import Alphabet

APOSTROPHES = "'’‘ʼʻ`´＇"
"""Typists mean the same letter by all of them, vocabularies have one of them or none."""

# Letters, numbers and currencies are read aloud, and of the other signs these. An asterisk
# stands for any speech, by choice. Notes and emoji, which subtitles have, are not read.
_SPOKEN_CATEGORIES = ("L", "N", "Sc")
_SPOKEN_SIGNS = "&%‰@#§°+=±×÷*"
_SILENT_SIGNS = "™℠ـ"  # the last is Arabic tatweel, which makes words longer on paper only
# It keeps parts of a word apart, in Persian for one; other invisible characters do not.
_NON_JOINER = "\u200c"

_OPENING, _CLOSING = "'‘`", "'’´"
_TURNED = "‘ʻ`"  # letters of their own, in Uzbek and Hawaiian
_ENDS_SPEECH = frozenset(".,;:!?…—–-")
_AROUND = '()[]{}"“”„«»'


@dataclass(frozen=True)
class Piece:
    """A part of a word that has a sound of its own.

    Attributes:
        text: What the word has there.
        token_id: The output that writes it; None where the vocabulary lacks it.
    """

    text: str
    token_id: int | None


@dataclass(frozen=True)
class Spelling:
    """A word in the letters of an alphabet.

    Attributes:
        pieces: What is said; nothing for a dash or other punctuation that stands alone.
        gaps: The pieces that a pause or a word delimiter may come before, by their index: those
            after a hyphen that the vocabulary lacks.
    """

    pieces: tuple[Piece, ...]
    gaps: frozenset[int] = frozenset()


class Speller:
    """Spells words in the letters of an alphabet.

    Each character is looked for as it is, in lower and in upper case, as another apostrophe, in
    full case folding (ß, ss) and without the accents that the alphabet lacks (é, e). What is not
    found and would be read aloud (digits, signs, letters of other scripts) becomes a wildcard,
    one for as many as stand together. What would not (commas, quotes, hyphens) is left out.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        silent = {alphabet.blank_id, alphabet.word_delimiter_id, *alphabet.ignored_ids}
        self._ids = {
            token: index
            for index, token in reversed(list(enumerate(alphabet.tokens)))
            if index not in silent and token
        }
        for token, index in list(self._ids.items()):  # some letters are two characters in NFC
            self._ids.setdefault(unicodedata.normalize("NFC", token), index)
        self._opening = _OPENING if self._ids.keys().isdisjoint(_TURNED) else "'"
        self._longest = max(map(len, self._ids), default=0)

    def spell(self, word: str) -> Spelling:
        """Return a word's spelling.

        >>> speller = Speller(Alphabet(("_", "|", "D", "O", "N", "T", "'"), 0, 1))
        >>> [piece.text for piece in speller.spell("don’t!").pieces]
        ['d', 'o', 'n', '’', 't']
        >>> speller.spell("no7734").pieces[-1]
        Piece(text='7734', token_id=None)
        """
        pieces: list[Piece] = []
        gaps: set[int] = set()
        # Accents that are typed as characters of their own belong to their letter.
        for text, ids in self._parts(unicodedata.normalize("NFC", word)):
            if ids is None and pieces and pieces[-1].token_id is None:
                pieces[-1] = Piece(pieces[-1].text + text, None)
            elif ids is None:
                pieces.append(Piece(text, None))
            elif ids:
                # ß is two letters of the alphabet, and one of the text's.
                pieces += [Piece(text if i == 0 else "", index) for i, index in enumerate(ids)]
            elif _parts_a_word(text):
                gaps.add(len(pieces))
        return Spelling(tuple(pieces), frozenset(gaps) & frozenset(range(1, len(pieces))))

    def _parts(self, word: str) -> Iterator[tuple[str, list[int] | None]]:
        """Yield the parts of a word with their outputs: none for silence, None if unknown."""
        place = 0
        while place < len(word):
            for length in range(min(self._longest, len(word) - place), 0, -1):
                text = word[place : place + length]
                index = self._known(text)
                if index is not None:
                    yield text, [index]
                    break
            else:
                length, text = 1, word[place]
                yield text, self._paraphrased(text)
            place += length

    def _known(self, text: str) -> int | None:
        """Return the output that writes a text, whatever its case."""
        for variant in (text, text.lower(), text.upper()):
            if variant in self._ids:
                return self._ids[variant]
        return None

    def _paraphrased(self, character: str) -> list[int] | None:
        """Return the outputs of a character that the vocabulary writes otherwise, if at all."""
        if character in APOSTROPHES:
            found = [self._ids[other] for other in APOSTROPHES if other in self._ids]
            return found[:1]
        if character in _SILENT_SIGNS:
            return []
        compatible = unicodedata.normalize("NFKD", character)
        for variant in (*_less_composed(character), character.casefold(), compatible):
            ids = [(letter, self._known(letter)) for letter in variant]
            known = [index for _, index in ids if index is not None]
            lacking = [letter for letter, index in ids if index is None]
            if known and all(map(_is_mark, lacking)):
                return known
        return None if _is_spoken(character) else []

    def unquoted(self, words: Sequence[str]) -> list[str]:
        """Return the words of a text without single quotation marks, which look like apostrophes.

        A mark at a word's beginning is one if another closes it: at the same word's end, after
        punctuation, or anywhere at a word's end if the first is none but that (‘). An apostrophe
        stands at a word's beginning or end, too ('tis, dogs'). A mark that stands alone is no word.

        >>> speller = Speller(Alphabet(("_", "|", "D", "O", "G", "S", "'"), 0, 1))
        >>> speller.unquoted("'Go,' he said. 'The dogs' dinner.' ‘’Tis so’".split())
        ['Go,', 'he', 'said.', 'The', "dogs'", 'dinner.', '’Tis', 'so']
        """
        unquoted = list(words)
        opened: tuple[int, int] | None = None  # the word and the place of the last one that opens
        for index, word in enumerate(words):
            if not any(mark in word for mark in APOSTROPHES):
                continue
            if word in APOSTROPHES:
                unquoted[index] = ""
                continue
            begin = len(word) - len(word.lstrip(_AROUND))
            end = len(word.rstrip(_AROUND + "".join(_ENDS_SPEECH))) - 1
            if begin < end and word[begin] in self._opening:
                opened = index, begin
            if opened is None or end <= begin or word[end] not in _CLOSING:
                continue
            mark = words[opened[0]][opened[1]]
            if opened[0] == index or mark == "‘" or word[end - 1] in _ENDS_SPEECH:
                unquoted[index] = word[:end] + word[end + 1 :]
                first, place = opened
                unquoted[first] = unquoted[first][:place] + unquoted[first][place + 1 :]
                opened = None
        return unquoted


def _less_composed(character: str) -> Iterator[str]:
    """Yield a letter's ways to be written with fewer of its accents in it, most of them first.

    Those that are taken out follow it: ế is ê and an acute, é and a circumflex, or e and both.
    """
    decomposed = unicodedata.normalize("NFD", character)
    base, marks = decomposed[0], decomposed[1:]
    for n_kept in range(len(marks), -1, -1):
        for kept in combinations(range(len(marks)), n_kept):
            letter = unicodedata.normalize("NFC", base + "".join(marks[i] for i in kept))
            if len(letter) == 1:
                yield letter + "".join(m for i, m in enumerate(marks) if i not in kept)


def _is_mark(character: str) -> bool:
    """Return whether a character belongs to the letter before it, as accents do."""
    return unicodedata.category(character).startswith("M")


def _parts_a_word(character: str) -> bool:
    """Return whether what comes after a silent character may be a word of its own."""
    is_invisible = unicodedata.category(character) == "Cf" and character != _NON_JOINER
    is_within = is_invisible or _is_mark(character) or character in _SILENT_SIGNS
    return character not in APOSTROPHES and not is_within


def _is_spoken(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith(_SPOKEN_CATEGORIES) or character in _SPOKEN_SIGNS
