"""Text files to sentences in a model's letters, as numbers.

A line is a sentence. Words are written as the model writes them: in its case, its apostrophe,
without accents it has no letter for, without punctuation. A word with something in it that the
model cannot write and people read aloud (digits, signs, other scripts) is left out.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from w2v_cli.audio.sources import STDIN, STDIN_LABEL
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.spelling import APOSTROPHES, Speller
from w2v_cli.encodings import START_BYTES, encoding_of, is_wide, undecodable
from w2v_cli.errors import UsageError
from w2v_cli.language_model.ngram_counts import BEGIN_ID, END_ID, IdArray

MARKS = ("<unk>", "<s>", "</s>")

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_IDS = 1 << 20

Tell = Callable[[int], None]


class WordSpeller:
    """Writes words in a model's letters."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._speller = Speller(alphabet)
        self.unquoted = self._speller.unquoted
        self._tokens = alphabet.tokens
        self._lower_case = alphabet.lower_case

    def words(self, word: str) -> tuple[str, ...] | None:
        """Return what a word becomes: one word, several at a hyphen, none; None if unwritable.

        >>> speller = WordSpeller(Alphabet(("_", "|", "D", "O", "N", "T", "'"), 0, 1))
        >>> [speller.words(word) for word in ("don’t!", "to-do", "no7", "-")]
        [("DON'T",), ('TO', 'DO'), None, ()]
        """
        spelling = self._speller.spell(word)
        written = [""]
        for index, piece in enumerate(spelling.pieces):
            if piece.token_id is None:
                return None
            if index in spelling.gaps:
                written.append("")
            written[-1] += self._tokens[piece.token_id]
        if self._lower_case:
            written = [text.lower() for text in written]
        return tuple(text for text in written if text)


@dataclass
class Corpus:
    """Sentences in ids, and the words that they stand for.

    Attributes:
        vocabulary: The word of each id, the marks first, then in the order they came up.
        sentences: Pieces of whole sentences, each sentence with </s> at its end.
        n_sentences: How many there are.
        n_words: How many words they have together.
        n_left_out: How many words were left out, for letters that the model lacks.
        left_out: The first of these, to show.
    """

    vocabulary: list[str] = field(default_factory=lambda: list(MARKS))
    sentences: list[IdArray] = field(default_factory=list)
    n_sentences: int = 0
    n_words: int = 0
    n_left_out: int = 0
    left_out: list[str] = field(default_factory=list)

    def padded(self, order: int) -> Iterator[IdArray]:
        """Yield the pieces with order - 1 marks <s> before each sentence."""
        for piece in self.sentences:
            ends = np.flatnonzero(piece == END_ID)
            begins = np.append(0, ends[:-1] + 1)
            yield np.insert(piece, np.repeat(begins, order - 1), BEGIN_ID)

    def lines(self) -> Iterator[str]:
        """Yield the sentences as text, each with a line break."""
        words = [*self.vocabulary]
        words[END_ID] = "\n"
        for piece in self.sentences:
            text = " ".join([words[index] for index in piece.tolist()])
            yield text.replace(" \n ", "\n").replace(" \n", "\n")


def read_corpus(
    sources: Sequence[str | os.PathLike[str]], alphabet: Alphabet, tell: Tell = lambda n_bytes: None
) -> Corpus:
    """Return the sentences of text files in the letters of an alphabet.

    Args:
        sources: UTF-8 files, plain or compressed with gzip; "-" is standard input.
        alphabet: What the model writes.
        tell: Called with the number of bytes read so far, compressed ones as they lie on disk.

    Raises:
        UsageError: A file cannot be read or is no text, or there are no words at all.
    """
    corpus = Corpus()
    speller = WordSpeller(alphabet)
    ids = _Ids(speller, corpus)
    piece: list[int] = []
    for line in _all_lines(sources, tell):
        words = line.split()
        if any(mark in line for mark in APOSTROPHES):
            words = speller.unquoted(words)
        sentence = [index for word in words for index in ids[word]]
        if not sentence:
            continue
        corpus.n_sentences += 1
        corpus.n_words += len(sentence)
        piece += sentence
        piece.append(END_ID)
        if len(piece) >= _PIECE_IDS:
            corpus.sentences.append(np.array(piece, np.uint32))
            piece = []
    if piece:
        corpus.sentences.append(np.array(piece, np.uint32))
    if not corpus.sentences:
        raise UsageError(
            f"{', '.join(map(_shown, sources))}: no words in letters that the model writes; "
            f"check the text, and choose its model with --model"
        )
    return corpus


class _Ids(dict[str, tuple[int, ...]]):
    """The ids that a word of the text becomes; a word's spelling is found out once."""

    def __init__(self, speller: WordSpeller, corpus: Corpus) -> None:
        super().__init__()
        self._speller = speller
        self._corpus = corpus
        self._known = {word: index for index, word in enumerate(corpus.vocabulary)}

    def __missing__(self, word: str) -> tuple[int, ...]:
        if word in (MARKS[BEGIN_ID], MARKS[END_ID]):  # of a text that was made for another tool
            return ()
        written = None if word == MARKS[0] else self._speller.words(word)
        if written is None or not {*written}.isdisjoint(MARKS):
            # Not remembered, so that the next one is counted, too.
            self._corpus.n_left_out += 1
            if len(self._corpus.left_out) < 10 and word not in self._corpus.left_out:
                self._corpus.left_out.append(word)
            return ()
        for text in written:
            if text not in self._known:
                self._known[text] = len(self._known)
                self._corpus.vocabulary.append(text)
        self[word] = ids = tuple(self._known[text] for text in written)
        return ids


def _all_lines(sources: Iterable[str | os.PathLike[str]], tell: Tell) -> Iterator[str]:
    n_bytes = 0
    for source in sources:
        shown = _shown(source)
        try:
            with _opened(source) as file:
                unpacked = _unpacked(file)
                start = unpacked.peek(START_BYTES)[:START_BYTES]
                text = io.TextIOWrapper(unpacked, encoding=encoding_of(start))
                for number, line in enumerate(text):
                    if number % 4096 == 0:
                        tell(n_bytes + (file.tell() if file.seekable() else 0))
                    if number == 0 and is_wide(line):
                        raise undecodable(shown, start)
                    yield line
                n_bytes += file.tell() if file.seekable() else 0
                text.detach()
        except UnicodeDecodeError as error:
            raise undecodable(shown, start) from error
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{shown}: the text cannot be read: {reason}") from error


def _opened(source: str | os.PathLike[str]) -> io.BufferedReader:
    if source == STDIN:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return Path(source).open("rb")


def _unpacked(file: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """Return the file's content, unpacked if it starts as gzip's files do."""
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP_MAGIC else file


def _shown(source: str | os.PathLike[str]) -> str:
    return STDIN_LABEL if source == STDIN else os.fspath(source)
