"""A model and a language model in one folder, which needs no further option."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import make_folder, replacing, write_text
from w2v_cli.checkpoint.language_models import copy_language_model
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.quantized import QUANTIZED_FILE
from w2v_cli.checkpoint.resolve import COMPANIONS, locate, pin, resolve_file
from w2v_cli.checkpoint.weights import remove_model_but
from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.kenlm_files import check_readable
from w2v_cli.decoding.labels import fitting_labels
from w2v_cli.decoding.ngram import ALPHABET_FILE, LANGUAGE_MODEL_FOLDER, NGram
from w2v_cli.errors import ModelNotFoundError, UsageError
from w2v_cli.language_model.layout import alphabet_json, attrs_json, check_unused, write_layout

PROCESSOR_CLASS = "Wav2Vec2ProcessorWithLM"

# Of a folder all of a model's files are taken, but no programs.
_WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
_NAMING_CLASS = ("preprocessor_config.json", "processor_config.json", "tokenizer_config.json")
_LEFT_OUT = (".py", ".pyc", ".partial")


def attach(
    model: str,
    language_model: str | os.PathLike[str],
    folder: Path,
    tokenizer: Any,
    hub: HubOptions,
    *,
    force: bool = False,
) -> NGram:
    """Return the language model that now lies in `folder` beside a copy of the model.

    Args:
        model: A folder, an embedded model or a model id.
        language_model: A folder of the published layout, an ARPA file or a KenLM binary.
        folder: Where to write.
        tokenizer: The model's.
        hub: Where to look for the model.
        force: Whether the folder may have something in it.

    Raises:
        ModelError: One of them cannot be loaded, or they don't fit each other.
        UsageError: The folder is in use, or one of them lies there.
        WriteError: It cannot be written.
    """
    ngram = NGram.load(language_model)
    check_readable(ngram)
    fitting_labels(Alphabet.from_tokenizer(tokenizer), ngram)
    files = _model_files(model, hub)
    if folder.resolve() in {path.resolve().parent for path in files.values()}:
        raise UsageError(f"-o {folder}: the model lies there itself; choose another folder")
    places = (folder / LANGUAGE_MODEL_FOLDER, folder)
    if ngram.path.resolve().parent in [place.resolve() for place in places]:
        raise UsageError(
            f"-o {folder}: the language model lies there itself; choose another folder"
        )
    check_unused(folder, force=force)
    make_folder(folder)
    for name, path in files.items():
        _copy(path, folder / name)
    remove_model_but(folder, files)
    _name_the_class(folder)
    inside = write_layout(
        folder,
        alphabet=alphabet_json(tokenizer),
        attrs=attrs_json(ngram),
        unigrams=ngram.unigrams or (),
    )
    copy_language_model(ngram.path, inside)
    return NGram.load(folder)


def _model_files(model: str, hub: HubOptions) -> dict[str, Path]:
    """Return a model's files by name.

    Raises:
        ModelNotFoundError: It has no configuration or no weights.
    """
    folder = locate(model)
    if folder is not None:
        files = {
            path.name: path
            for path in sorted(folder.iterdir())
            if path.is_file()
            and path.name != ALPHABET_FILE
            and not path.name.startswith(".")
            and path.suffix not in _LEFT_OUT
        }
    else:
        files = _hub_files(model, pin(model, hub))
    if QUANTIZED_FILE in files:
        raise ModelNotFoundError(
            f"{model}: has whole numbers by w2v quantize; attach the language model to the model "
            f"as it was, and quantize that"
        )
    for kind, names in (
        ("configuration", ("config.json",)),
        ("weights", tuple(name for pair in _WEIGHTS for name in pair)),
    ):
        if not {*names} & {*files}:
            raise ModelNotFoundError(
                f"{model}: no {kind} there ({' or '.join(names)}); is it a model's folder?"
            )
    return files


def _hub_files(model: str, hub: HubOptions) -> dict[str, Path]:
    found = {name: resolve_file(model, name, hub) for name in COMPANIONS}
    for whole, index in _WEIGHTS:
        found[whole] = resolve_file(model, whole, hub)
        if found[whole] is None and (listed := resolve_file(model, index, hub)) is not None:
            found[index] = listed
            shards = set(json.loads(listed.read_text(encoding="utf-8"))["weight_map"].values())
            found |= {shard: resolve_file(model, shard, hub) for shard in sorted(shards)}
        if found[whole] is not None or found.get(index) is not None:
            break
    return {name: path for name, path in found.items() if path is not None}


def _name_the_class(folder: Path) -> None:
    """Let the published AutoProcessor and pipelines find the processor with language model."""
    for name in _NAMING_CLASS:
        path = folder / name
        if not path.is_file():
            continue
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings["processor_class"] = PROCESSOR_CLASS
        write_text(path, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as partial:
        shutil.copyfile(source, partial)
