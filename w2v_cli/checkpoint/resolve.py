"""From the name of a model to the files it consists of.

A name is looked for in this order, and the first that fits is taken:

1. a folder on this machine;
2. a model embedded in the package (`mini`);
3. a model id on the Hugging Face Hub, or in the local cache of what came from there.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path

from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.errors import ModelNotFoundError

COMPANIONS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "README.md",
)
"""The published files of a model besides its weights, adapters and language model."""

RULES_FILE = "text_rules.json"
"""Ours: how the texts that a model has learnt from were written."""

EMBEDDED_FOLDER = Path(__file__).resolve().parent.parent / "models"

# What each embedded model knows, in the words an error message needs.
EMBEDDED_KNOWLEDGE = {
    "mini": "35 command words and digits",
    "mini-keywords": "which of ten command words, for classify",
    "mini-speakers": "vectors of voices, for embed",
    "mini-turns": "who of two speaks when, for diarize-frames",
}

# Those that write what is said, as the models that a run may lack without the Hub mostly do.
_WRITING = ("mini",)

# "name" or "owner/name", as the Hub allows them.
_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?")


def embedded_models() -> list[str]:
    """Return the names of the models inside the package, sorted; empty if it has none."""
    return sorted(config.parent.name for config in EMBEDDED_FOLDER.glob("*/config.json"))


def embedded_folder(name: str) -> Path | None:
    """Return the folder of the embedded model `name`, or None if there is no such model."""
    return EMBEDDED_FOLDER / name if name in embedded_models() else None


def suggest_embedded(name: str) -> str:
    """Return the offer of the embedded model that `name` may have meant, or an empty string."""
    near = difflib.get_close_matches(name, embedded_models(), n=1)
    return _offer(near[0]) if near else ""


def offline_suggestion() -> str:
    """Return the offers of the embedded models that write, or an empty string if there are none.

    Another job's model is embedded from the start, unless another one is asked for.
    """
    return " or ".join(_offer(name) for name in embedded_models() if name in _WRITING)


def _offer(name: str) -> str:
    """Return how to choose an embedded model, and what it knows."""
    knowledge = EMBEDDED_KNOWLEDGE.get(name)
    return f"--model {name}, embedded in w2v" + (f" ({knowledge})" if knowledge else "")


def locate(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder that `name` stands for, or None if it is a model id of the Hub.

    Raises:
        ModelNotFoundError: `name` is a file, or no folder, no embedded model and no
            possible model id either.
    """
    text = os.fspath(name)
    path = Path(os.path.expanduser(text))  # noqa: PTH111  # Path raises for ~nobody
    if text and os.path.isdir(path):  # noqa: PTH112  # Path raises for long names
        return path
    if os.path.isfile(path):  # noqa: PTH113  # Path raises for long names
        raise ModelNotFoundError(
            f"{text}: a model is a folder with config.json and its weights, and this is a file; "
            f"give the folder it lies in"
        )
    embedded = embedded_folder(text)
    if embedded is not None:
        return embedded
    if not isinstance(name, str) or not _MODEL_ID.fullmatch(text):
        known = ", ".join(embedded_models()) or "none"
        raise ModelNotFoundError(
            f"{text or '(empty name)'}: no such folder, and it cannot be a model id "
            f"(owner/name) either; check the path (embedded models: {known}; w2v models says "
            f"what each is for)"
        )
    return None


def resolve_file(
    name: str | os.PathLike[str], filename: str, options: HubOptions | None = None
) -> Path | None:
    """Return the path of one file of a checkpoint, or None if the checkpoint has no such file.

    A file of a model id is downloaded unless the cache has it.

    Args:
        name: A folder, the name of an embedded model, or a model id of the Hub.
        filename: The file's name inside the checkpoint, for instance ``config.json``.
        options: Revision, cache, token and the like; None for the defaults.

    Raises:
        ModelNotFoundError: There is no such model or revision.
        HubError: The Hub cannot be reached or refuses.
    """
    options = options or HubOptions()
    folder = locate(name)
    if folder is None:
        # Local checkpoints must not wait for the network library to be imported.
        from w2v_cli.checkpoint import hub

        return hub.fetch_file(os.fspath(name), filename, options)
    path = folder / options.subfolder / filename
    return path if path.is_file() else None


def pin(name: str | os.PathLike[str], options: HubOptions | None = None) -> HubOptions:
    """Return `options` with the revision narrowed down to one commit, where there is one.

    All files read with the result are of one state of the model, and those already in the
    cache are found without asking the Hub again.
    """
    options = options or HubOptions()
    if locate(name) is not None:
        return options
    config = resolve_file(name, "config.json", options)
    if config is None:
        return options
    for parent in config.parents:  # .../snapshots/<commit>/[subfolder/]config.json
        if parent.parent.name == "snapshots":
            return replace(options, revision=parent.name)
    return options
