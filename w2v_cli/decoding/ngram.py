"""An n-gram language model on disk: KenLM's file, the words it knows, and how to weigh it.

The published layout, as pyctcdecode and Wav2Vec2ProcessorWithLM write it:

    alphabet.json                  {"labels": [...], "is_bpe": false}
    language_model/attrs.json      alpha, beta, unk_score_offset, score_boundary
    language_model/unigrams.txt    one word a line; may be empty
    language_model/*.arpa|.bin     what KenLM reads
"""

from __future__ import annotations

import gzip
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from w2v_cli.errors import CheckpointError, ModelNotFoundError

ALPHABET_FILE = "alphabet.json"
LANGUAGE_MODEL_FOLDER = "language_model"
ATTRS_FILE = "attrs.json"
UNIGRAMS_FILE = "unigrams.txt"

# KenLM's readers go by what is in a file; these are the names that the layout knows it by.
MODEL_ENDINGS = (".arpa", ".arpa.gz", ".bin", ".binary", ".klm", ".trie", ".probing")
_ARPA_ENDINGS = (".arpa", ".arpa.gz")
_GZIP_MAGIC = b"\x1f\x8b"
# A binary begins with this and the numbers of its n-grams (lm/binary_format.hh), and ends with its
# words, by their ids, each with a NUL behind it.
_BINARY_MAGIC = b"mmap lm http://kheafield.com/code format version 5\n\x00"
_COUNTS_PLACE = 108
_FIRST_WORD = b"<unk>\x00"
_NO_WORDS = frozenset({"<s>", "</s>", "<unk>", "<UNK>"})


@dataclass(frozen=True)
class NGram:
    """An n-gram language model's file, and what was found beside it.

    Attributes:
        path: An ARPA file, also one compressed with gzip, or a KenLM binary.
        unigrams: The words it knows; None where nothing says so. Without them every beginning
            of a word counts as unknown.
        alpha: Its weight, None where nothing says so, like the three below.
        beta: Score added for each word.
        unk_score_offset: Score added for each unknown word.
        lm_score_boundary: Whether it hears that the text starts and ends.
        labels: What each output of the network writes, "" for the blank and " " between
            words, as alphabet.json says; None without one.
    """

    path: Path
    unigrams: tuple[str, ...] | None = None
    alpha: float | None = None
    beta: float | None = None
    unk_score_offset: float | None = None
    lm_score_boundary: bool | None = None
    labels: tuple[str, ...] | None = None

    @classmethod
    def load(cls, folder_or_file: str | os.PathLike[str], *, encoding: str = "utf-8") -> NGram:
        """Return the language model of a folder in the published layout, or of a file.

        Args:
            folder_or_file: The folder with language_model/ in it, that folder itself, an ARPA
                file (its words become the unigrams), or a KenLM binary (the words are taken
                from a unigrams.txt beside it, or else are those that it holds).
            encoding: Of unigrams.txt.

        Raises:
            ModelNotFoundError: There is no such file, or the folder holds no language model.
            CheckpointError: A file is there and cannot be understood.
        """
        given = Path(folder_or_file)
        if given.is_dir():
            return _from_folder(given, encoding)
        if not given.is_file():
            raise ModelNotFoundError(
                f"{given}: no such language model; give an ARPA file, a KenLM binary, or a "
                f"folder that 'w2v lm build' wrote"
            )
        _check_is_model(given)
        if _is_arpa(given):
            return cls(given, unigrams=tuple(arpa_words(given)))
        beside = given.parent / UNIGRAMS_FILE
        words = _read_unigrams(beside, encoding) if beside.is_file() else binary_words(given)
        return cls(given, unigrams=words)

    def own_options(self) -> dict[str, Any]:
        """Return those of `BeamOptions` that were found beside the file, by name."""
        names = ("alpha", "beta", "unk_score_offset", "lm_score_boundary")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _from_folder(given: Path, encoding: str) -> NGram:
    folder = given / LANGUAGE_MODEL_FOLDER if (given / LANGUAGE_MODEL_FOLDER).is_dir() else given
    models = sorted(
        path for path in folder.iterdir() if path.is_file() and path.name.endswith(MODEL_ENDINGS)
    )
    if not models:
        raise ModelNotFoundError(
            f"{folder}: no language model there; it would be a file that ends in "
            f"{', '.join(MODEL_ENDINGS)}"
        )
    # A binary needs no parsing and is mapped into memory: it goes before its own ARPA.
    path = min(models, key=_is_arpa)
    _check_is_model(path)
    unigrams = folder / UNIGRAMS_FILE
    words: tuple[str, ...] | None = None
    if unigrams.is_file():
        words = _read_unigrams(unigrams, encoding)
    elif _is_arpa(path):
        words = tuple(arpa_words(path))
    else:
        words = binary_words(path)
    attrs = _read_json(folder / ATTRS_FILE)
    for name in ("alpha", "beta", "unk_score_offset"):
        if not isinstance(attrs.get(name, 0.0), int | float):
            raise CheckpointError(
                f"{folder / ATTRS_FILE}: {name} is {attrs[name]!r}; it has to be a number"
            )
    labels_file = (given if folder != given else given.parent) / ALPHABET_FILE
    alphabet = _read_json(labels_file)
    labels = alphabet.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise CheckpointError(f"{labels_file}: labels have to be a list of texts")
    return NGram(
        path,
        unigrams=words,
        alpha=attrs.get("alpha"),
        beta=attrs.get("beta"),
        unk_score_offset=attrs.get("unk_score_offset"),
        lm_score_boundary=attrs.get("score_boundary"),
        labels=tuple(alphabet["labels"]) if "labels" in alphabet else None,
    )


def arpa_words(path: Path) -> Iterator[str]:
    """Yield the words of an ARPA file, also a compressed one, without its marks.

    Raises:
        CheckpointError: It has no words, or is not text.
    """
    found = False
    try:
        with _open_arpa(path) as file:
            started = False
            for line in file:
                line = line.strip()
                if line == "\\1-grams:":
                    started = True
                elif started and line.startswith("\\"):
                    break
                fields = line.split("\t")
                if started and len(fields) > 1 and fields[1] not in _NO_WORDS:
                    found = True
                    yield fields[1]
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise CheckpointError(f"{path}: cannot be read as an ARPA file: {error}") from error
    if not found:
        raise CheckpointError(f"{path}: no words there; is it an ARPA file?")


def binary_words(path: Path) -> tuple[str, ...] | None:
    """Return the words of a KenLM binary, without its marks; None where it does not hold them."""
    if path.stat().st_size <= _COUNTS_PLACE + 8:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[: len(_BINARY_MAGIC)] != _BINARY_MAGIC:
            return None
        (n_words,) = struct.unpack_from("<Q", content, _COUNTS_PLACE)
        begin = content.rfind(_FIRST_WORD)
        *words, rest = content[begin:].split(b"\x00") if begin >= 0 else [b""]
    if rest or len(words) != n_words:
        return None
    try:
        return tuple(text for word in words if (text := word.decode()) not in _NO_WORDS)
    except UnicodeDecodeError:
        return None


def _open_arpa(path: Path) -> IO[str]:
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP_MAGIC
    if is_packed:
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _is_arpa(path: Path) -> bool:
    """Return whether a file is called an ARPA file, or begins as one, whatever it is called."""
    if path.name.endswith(_ARPA_ENDINGS):
        return True
    try:
        with _open_arpa(path) as file:
            return file.read(1000).lstrip().startswith("\\data\\")
    except (UnicodeDecodeError, OSError, EOFError, zlib.error):
        return False


def _check_is_model(path: Path) -> None:
    """Refuse what KenLM would refuse with a message about bytes, or read as noise."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a pointer of Git LFS, not the model; fetch it with git lfs")
    if not start:
        raise CheckpointError(f"{path}: the file is empty")
    is_binary = start.startswith(_BINARY_MAGIC[:33])  # of any version: KenLM says which it reads
    if not is_binary and not _is_arpa(path):
        raise CheckpointError(
            f"{path}: neither an ARPA file nor a KenLM binary; 'w2v lm build' makes a language "
            f"model of texts"
        )


def _read_unigrams(path: Path, encoding: str) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding=encoding).splitlines())
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not in {encoding}: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds no JSON object")
    return found
