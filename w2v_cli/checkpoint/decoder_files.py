"""The files of pyctcdecode's decoder, read and written in the published layout.

| file | what it holds |
|---|---|
| alphabet.json | what each output writes |
| language_model/attrs.json | alpha, beta, unk_score_offset, score_boundary |
| language_model/unigrams.txt | the words, one a line |
| language_model/*.arpa, *.bin | KenLM's model |
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.checkpoint.language_models import copy_language_model, language_model_folder
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.decoding.ngram import (
    ALPHABET_FILE,
    ATTRS_FILE,
    LANGUAGE_MODEL_FOLDER,
    MODEL_ENDINGS,
    UNIGRAMS_FILE,
    NGram,
)
from w2v_cli.decoding.pyctc import import_pyctcdecode, load_language_model
from w2v_cli.errors import CheckpointError, ModelNotFoundError
from w2v_cli.uploads import refuse_upload


def load_decoder(
    name: str | os.PathLike[str], options: HubOptions | None = None, *, encoding: str = "utf-8"
) -> Any:
    """Return the `pyctcdecode.BeamSearchDecoderCTC` of a checkpoint.

    Args:
        name: A folder, an embedded name or a model id.
        options: Where to look for it; None for the defaults.
        encoding: Of unigrams.txt.

    Raises:
        ModelNotFoundError: It has no alphabet.json.
        CheckpointError: A file cannot be understood.
        MissingDependencyError: pyctcdecode or kenlm is not installed.
    """
    folder = language_model_folder(name, options)
    if folder is None:
        raise ModelNotFoundError(
            f"{name}: no {ALPHABET_FILE} there, so it has no language model; add one with "
            f"'w2v lm attach', or use Wav2Vec2Processor"
        )
    pyctcdecode = import_pyctcdecode()
    found = read_json_object(folder / ALPHABET_FILE)
    if set(found) != {"labels", "is_bpe"}:
        raise CheckpointError(
            f"{folder / ALPHABET_FILE}: needs labels and is_bpe, not {', '.join(found)}"
        )
    lm = None
    if (folder / LANGUAGE_MODEL_FOLDER).is_dir():
        lm = load_language_model(NGram.load(folder, encoding=encoding))
    alphabet = pyctcdecode.Alphabet(found["labels"], found["is_bpe"])
    return pyctcdecode.BeamSearchDecoderCTC(alphabet, lm)


def save_processor_with_lm(
    processor: Any, folder: str | os.PathLike[str], *, push_to_hub: bool = False
) -> list[str]:
    """Return the paths of the files that it wrote beside the tokenizer's, the processor's first."""
    from w2v_cli.checkpoint import processors

    refuse_upload(push_to_hub)
    return [*processors.save_processor(processor, folder), *save_decoder(processor.decoder, folder)]


def save_decoder(decoder: Any, folder: str | os.PathLike[str]) -> list[str]:
    """Return the paths of the files that it wrote into `folder`; older ones are replaced."""
    alphabet = make_folder(folder) / ALPHABET_FILE
    write_text(alphabet, decoder._alphabet.dumps())
    lm = decoder._language_model
    if lm is None:
        return [str(alphabet)]
    inside = make_folder(Path(folder) / LANGUAGE_MODEL_FOLDER)
    attrs, unigrams = inside / ATTRS_FILE, inside / UNIGRAMS_FILE
    write_text(attrs, json.dumps(lm.serializable_attrs))
    write_text(unigrams, "".join(f"{word}\n" for word in sorted(lm._unigram_set)))
    model = copy_language_model(Path(lm._kenlm_model.path.decode("utf-8")), inside)
    # pyctcdecode reads a folder with exactly one model in it.
    for other in inside.iterdir():
        if other.name.endswith(MODEL_ENDINGS) and other != model:
            other.unlink()
    return [str(path) for path in (alphabet, attrs, unigrams, model)]
