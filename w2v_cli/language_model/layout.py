"""The published layout of a language model's folder, written.

alphabet.json
language_model/attrs.json, unigrams.txt, and one ARPA or KenLM binary file: exactly these three,
or pyctcdecode refuses the folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.resolve import EMBEDDED_KNOWLEDGE
from w2v_cli.decoding.ngram import (
    ALPHABET_FILE,
    ATTRS_FILE,
    LANGUAGE_MODEL_FOLDER,
    UNIGRAMS_FILE,
    NGram,
)
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.errors import UsageError

# pyctcdecode's way to write the unknown token; names as its own patterns find them.
_WRITTEN_UNKNOWN = "⁇"
_UNKNOWN = re.compile(r"^[<\[]unk[>\]]$", flags=re.IGNORECASE)


def alphabet_json(tokenizer: Any) -> str:
    """Return alphabet.json for a tokenizer: what each output writes, as pyctcdecode has it."""
    labels = []
    vocab = tokenizer.get_vocab()
    for token in tokenizer.convert_ids_to_tokens(list(range(max(vocab.values()) + 1))):
        if token == tokenizer.pad_token:
            labels.append("")
        elif token == tokenizer.word_delimiter_token:
            labels.append(" ")
        else:
            labels.append(_WRITTEN_UNKNOWN if _UNKNOWN.match(token) else token)
    return json.dumps({"labels": labels, "is_bpe": False}, ensure_ascii=False) + "\n"


def attrs_json(ngram: NGram | None = None, **chosen: float) -> str:
    """Return attrs.json: the weights chosen, else the language model's own, else the defaults."""
    own = {} if ngram is None else ngram.own_options()
    options = BeamOptions(**{**own, **chosen})
    attrs = {
        "alpha": options.alpha,
        "beta": options.beta,
        "unk_score_offset": options.unk_score_offset,
        "score_boundary": options.lm_score_boundary,
    }
    return json.dumps(attrs) + "\n"


def write_layout(folder: Path, *, alphabet: str, attrs: str, unigrams: Iterable[str]) -> Path:
    """Write all but KenLM's file, and return the folder that it belongs into, empty of others.

    Raises:
        WriteError: It cannot be written.
    """
    inside = make_folder(folder / LANGUAGE_MODEL_FOLDER)
    for path in inside.iterdir():
        if path.is_file() and path.name not in (ATTRS_FILE, UNIGRAMS_FILE):
            path.unlink()
    write_text(folder / ALPHABET_FILE, alphabet)
    write_text(inside / ATTRS_FILE, attrs)
    write_text(inside / UNIGRAMS_FILE, "".join(f"{word}\n" for word in unigrams))
    return inside


def check_unused(folder: Path, *, force: bool) -> None:
    """Refuse a folder with something in it, unless `force`, and what is no folder.

    Raises:
        UsageError: There is something in it, it is a file, or it has an embedded model's name.
    """
    if str(folder) in EMBEDDED_KNOWLEDGE:
        raise UsageError(
            f"--output {folder}: here it would hide the embedded model of that name; name another"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: a file, not a folder; name another")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder}: there are files in this folder; choose another with -o, or replace "
            f"them with --force"
        )
