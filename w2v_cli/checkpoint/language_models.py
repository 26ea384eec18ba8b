"""The language model that lies inside a checkpoint, in the published layout.

alphabet.json
language_model/attrs.json, unigrams.txt, and one ARPA or KenLM binary file
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

from w2v_cli.checkpoint.atomic import replacing
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import locate, pin, resolve_file
from w2v_cli.decoding.ngram import ALPHABET_FILE, LANGUAGE_MODEL_FOLDER

# What pyctcdecode takes for a language model, and the name that a KenLM binary gets here.
_PUBLISHED_ENDINGS = (".arpa", ".bin", ".binary")
_BINARY_ENDING = ".bin"


def language_model_folder(
    name: str | os.PathLike[str], options: HubOptions | None = None
) -> Path | None:
    """Return the folder with a checkpoint's alphabet and language model, or None without one.

    The files of a model id are downloaded unless the cache has them.

    Args:
        name: A folder, the name of an embedded model, or a model id of the Hub.
        options: Revision, cache, token and the like; None for the defaults.

    Returns:
        The folder that holds alphabet.json, and language_model/ if the decoder has one.

    Raises:
        ModelNotFoundError: There is no such model or revision.
        HubError: The Hub cannot be reached or refuses.
    """
    options = pin(name, options)  # alphabet and language model of one commit
    alphabet = resolve_file(name, ALPHABET_FILE, options)
    if alphabet is None:
        return None
    if locate(name) is None:
        # Local checkpoints must not wait for the network library to be imported.
        from w2v_cli.checkpoint import hub

        model_id = os.fspath(name)
        for filename in hub.list_folder(model_id, LANGUAGE_MODEL_FOLDER, options):
            hub.fetch_file(model_id, f"{LANGUAGE_MODEL_FOLDER}/{filename}", options)
    return alphabet.parent


def copy_language_model(source: Path, folder: Path) -> Path:
    """Return KenLM's file in `folder`, unpacked, under a name that pyctcdecode takes.

    Args:
        source: The file that is copied, unless it is the one that lies there.
        folder: Where to write.

    Raises:
        WriteError: It cannot be written.
    """
    name = source.name.removesuffix(".gz")
    target = folder / (name if name.endswith(_PUBLISHED_ENDINGS) else name + _BINARY_ENDING)
    if target.exists() and target.samefile(source):
        return target
    with replacing(target) as partial:
        if source.name.endswith(".gz"):
            with gzip.open(source, "rb") as packed, partial.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
        else:
            shutil.copyfile(source, partial)
    return target
