"""The tensors of a checkpoint, read without copying where the format allows it.

safetensors are mapped into memory. pytorch_model.bin is a pickle, read only by torch's
restricted reader (`weights_only=True`), which runs no code of the file. Either may be split
into shards that an index lists.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.checkpoint.lexicons import LEXICON_FILE
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import COMPANIONS, RULES_FILE, resolve_file
from w2v_cli.errors import CheckpointError, ModelNotFoundError

logger = logging.getLogger(__name__)

SAFETENSORS_FILE = "model.safetensors"
SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLE_FILE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"

_WEIGHTS_NAME = re.compile(
    r"(model|pytorch_model|int8)([-.].+)?\.(safetensors|bin)(\.index\.json)?"
)
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth")

# Ours, beside the published ones.
_OWN_FILES = (LEXICON_FILE, RULES_FILE)
# What every model brings, and what people read.
_NOT_LEFT = ("config.json", "README.md")


@dataclass(frozen=True)
class WeightFiles:
    """Where a checkpoint's tensors are: one file, or the shards that an index lists."""

    paths: tuple[Path, ...]
    shard_of: dict[str, str] = field(default_factory=dict)  # key -> file name; empty: one file


def find_weights(
    name: str | os.PathLike[str],
    options: HubOptions,
    *,
    use_safetensors: bool | None = None,
    variant: str | None = None,
) -> WeightFiles:
    """Return the files with the weights of a checkpoint; what is needed is downloaded.

    Args:
        name: A folder, an embedded model or a model id.
        options: Where to look.
        use_safetensors: True: nothing else; False: only a pickle; None: whichever is there,
            safetensors first.
        variant: The middle of the name, as in model.fp16.safetensors.

    Raises:
        ModelNotFoundError: There are no weights, or a shard is missing.
        CheckpointError: The index cannot be read.
    """
    families = []
    if use_safetensors is not False:
        families.append((SAFETENSORS_FILE, SAFETENSORS_INDEX))
    if not use_safetensors:
        families.append((PICKLE_FILE, PICKLE_INDEX))
    for single, index in families:
        path = resolve_file(name, with_variant(single, variant), options)
        if path is not None:
            return WeightFiles((path,))
        path = resolve_file(name, with_variant(index, variant), options)
        if path is not None:
            return _find_shards(name, path, options)
    wanted = " or ".join(with_variant(single, variant) for single, _ in families)
    raise ModelNotFoundError(
        f"{name}: there are no weights ({wanted}); "
        + (
            "fetch the model completely, once without --offline"
            if options.local_files_only
            else "save or fetch the model completely"
        )
    )


def read_weights(files: WeightFiles) -> dict[str, torch.Tensor]:
    """Return the tensors by key, on the CPU; those of safetensors are mapped, not copied.

    Raises:
        CheckpointError: A file is damaged, or holds something else than tensors, or a shard
            lacks what the index says it has.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in files.paths:
        shard = read_weight_file(path)
        promised = {key for key, shard_name in files.shard_of.items() if shard_name == path.name}
        absent = promised - shard.keys()
        if absent:
            raise CheckpointError(
                f"{path}: the index promises {', '.join(sorted(absent))} in this shard, and it "
                f"isn't there; fetch or save the model again"
            )
        weights.update(shard)
    return weights


def read_weight_file(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of one file, safetensors or a pickle by its name's end.

    Raises:
        CheckpointError: The file is damaged, or holds something else than tensors.
    """
    if path.suffix in _PICKLE_SUFFIXES:
        return _read_pickle(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: damaged ({error}); delete it and fetch or save the model again"
        ) from error


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    logger.warning(
        "%s is a pickle; only tensors are read from it (weights_only=True). Safetensors are "
        "safer and load faster: save_pretrained writes them",
        path,
    )
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        if not _starts_like_pickle(path):
            raise CheckpointError(
                f"{path}: no weights, but something else, such as a page or a pointer of Git LFS; "
                f"fetch the model again"
            ) from error
        raise CheckpointError(
            f"{path}: refused, it holds Python objects that are not tensors and could run code; "
            f"use a checkpoint with {SAFETENSORS_FILE}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "it is empty"
        raise CheckpointError(
            f"{path}: damaged ({reason}); delete it and fetch or save the model again"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    ):
        raise CheckpointError(
            f"{path}: not a model's weights, which are tensors by name; convert it first"
        )
    return dict(content)


def _starts_like_pickle(path: Path) -> bool:
    """Whether a file is a pickle (of protocol 2 or later) or a zip file that holds one."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _find_shards(name: str | os.PathLike[str], index: Path, options: HubOptions) -> WeightFiles:
    """Return the shards that an index lists, each of them found."""
    shard_of = read_json_object(index).get("weight_map")
    if not isinstance(shard_of, dict) or not all(
        isinstance(shard, str) and Path(shard).name == shard for shard in shard_of.values()
    ):
        raise CheckpointError(
            f"{index}: weight_map must name a file of this folder for every tensor; fetch or "
            f"save the model again"
        )
    paths = []
    for shard in sorted(set(shard_of.values())):
        path = resolve_file(name, shard, options)
        if path is None:
            raise ModelNotFoundError(
                f"{name}: the shard {shard} is missing, {index.name} lists it; fetch or save the "
                f"model completely"
            )
        paths.append(path)
    return WeightFiles(tuple(paths), shard_of)


def with_variant(filename: str, variant: str | None) -> str:
    """Return a weights file's name with a variant in it: model.fp16.safetensors."""
    if variant is None:
        return filename
    stem, suffix = filename.rsplit(".", 1)
    return f"{stem}.{variant}.{suffix}"


def remove_weights_but(folder: Path, kept: Collection[str]) -> None:
    """Remove weights that an earlier model has left in a folder: its loader might prefer them.

    Args:
        folder: Where another model was written.
        kept: The names of its files.
    """
    for path in folder.iterdir():
        if path.is_file() and _WEIGHTS_NAME.fullmatch(path.name) and path.name not in kept:
            path.unlink()


def remove_model_but(folder: Path, kept: Collection[str]) -> None:
    """Remove weights that an earlier model has left, and what says how it hears and writes.

    Args:
        folder: Where another model was written.
        kept: The names of its files.
    """
    remove_weights_but(folder, kept)
    for name in (*COMPANIONS, *_OWN_FILES):
        if name not in kept and name not in _NOT_LEFT:
            (folder / name).unlink(missing_ok=True)
