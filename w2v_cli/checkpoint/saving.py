"""From a model to a folder that this package and the published classes read alike."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch

from w2v_cli.checkpoint.atomic import make_folder, write_tensors, write_text
from w2v_cli.checkpoint.configs import save_config
from w2v_cli.checkpoint.renames import with_older_weight_norm
from w2v_cli.checkpoint.weights import SAFETENSORS_FILE, SAFETENSORS_INDEX, with_variant
from w2v_cli.uploads import refuse_upload

# Arguments that mean nothing here: safetensors are written in one way, and nothing is uploaded.
_WITHOUT_EFFECT = (
    *("save_function", "token", "save_peft_format", "repo_id", "commit_message"),
    *("commit_description", "private", "revision", "create_pr", "tags", "use_temp_dir"),
)

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]B)", re.IGNORECASE)
_BYTES_PER_UNIT = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def save_model(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    is_main_process: bool = True,
    state_dict: dict[str, torch.Tensor] | None = None,
    push_to_hub: bool = False,
    max_shard_size: int | str = "50GB",
    safe_serialization: bool = True,
    variant: str | None = None,
    save_original_format: bool = True,
    **kwargs: Any,
) -> None:
    """Write a model's configuration and weights into `folder`, made when it isn't there.

    Each file appears whole or not at all. Weights of an earlier model in the folder, in
    another number of files, are removed.

    Args:
        model: The model.
        folder: Where to write.
        is_main_process: False: write nothing, another process does.
        state_dict: Weights to write instead of the model's.
        push_to_hub: Must be false: nothing is uploaded from here.
        max_shard_size: The largest file, in bytes or as "5GB"; a model larger than that is
            split into shards and an index. A single weight is never split.
        safe_serialization: Must be true: safetensors are the only format written.
        variant: The middle of the weights' file name, as in model.fp16.safetensors.
        save_original_format: Whether weight norm's keys are spelled as in the checkpoint the
            model was loaded from. False: as torch spells them today.
        **kwargs: What published code passes and means nothing here, such as `save_function`
            of accelerate, and what is about an upload.

    Raises:
        WriteError: The folder cannot be written, or the disk is full.
        ValueError: An argument has a value that is not possible here, or the model is in 8 bits.
    """
    refuse_upload(push_to_hub)
    for unused in _WITHOUT_EFFECT:
        kwargs.pop(unused, None)
    if kwargs.pop("distributed_checkpoint", None):
        raise ValueError("distributed_checkpoint=True: only safetensors are written; leave it out")
    if kwargs:
        raise TypeError(f"save_pretrained() has no argument {', '.join(kwargs)}")
    if getattr(model, "is_loaded_in_8bit", False):
        raise ValueError(
            "this model was loaded in 8 bits, which are not saved; load it without load_in_8bit "
            "to save it, or use `w2v quantize` for a smaller folder"
        )
    if not safe_serialization:
        raise ValueError("safe_serialization=False: only safetensors are written, never a pickle")
    limit_bytes = _parse_size(max_shard_size)
    if not is_main_process:
        return
    path = make_folder(folder)
    weights = _without_shared_memory(model.state_dict() if state_dict is None else state_dict)
    if save_original_format and hasattr(model, "_older_weight_norm"):  # it was loaded
        weights = dict(sorted(weights.items(), key=_natural_order))  # which decides over shards
    if save_original_format and getattr(model, "_older_weight_norm", False):
        weights = {with_older_weight_norm(key): tensor for key, tensor in weights.items()}
    shards = _split(weights, limit_bytes)
    filenames = _shard_names(with_variant(SAFETENSORS_FILE, variant), len(shards))
    for filename, shard in zip(filenames, shards, strict=True):
        write_tensors(path / filename, shard)
    index = with_variant(SAFETENSORS_INDEX, variant)
    if len(shards) > 1:
        _write_index(path / index, model, filenames, shards)
        filenames.append(index)
    _remove_other_weights(path, filenames, variant)
    model.config.architectures = [type(model).__name__]
    model.config.dtype = model.dtype
    save_config(model.config, path)


def _natural_order(item: tuple[str, torch.Tensor]) -> list[tuple[int, str, int]]:
    """Return what the names of weights are sorted by, as the reference sorts those of a checkpoint.

    >>> weights = dict.fromkeys(["a.10.b", "a.b2", "a.9.b", "a.b"])
    >>> [name for name, _ in sorted(weights.items(), key=_natural_order)]
    ['a.9.b', 'a.10.b', 'a.b', 'a.b2']
    """
    parts = []
    for part in item[0].split("."):
        letters = part.rstrip("0123456789")
        digits = part[len(letters) :]
        parts.append((int(bool(letters)), letters, int(digits) if digits else -1))
    return parts


def _without_shared_memory(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights, each with memory of its own; safetensors has no other kind."""
    seen: dict[tuple[torch.device, int, int], str] = {}
    separate = {}
    for key, tensor in weights.items():
        place = (tensor.device, tensor.data_ptr(), tensor.numel())
        if tensor.numel() and place in seen:
            tensor = tensor.clone()
        seen[place] = key
        separate[key] = tensor.detach().contiguous()
    return separate


def _split(weights: dict[str, torch.Tensor], limit_bytes: int) -> list[dict[str, torch.Tensor]]:
    """Return the weights in their order, cut into shards of at most `limit_bytes`.

    A weight larger than that gets a shard of its own, and those around it share one.
    """
    shards: list[dict[str, torch.Tensor]] = []
    shard: dict[str, torch.Tensor] = {}
    size_bytes = 0
    for key, tensor in weights.items():
        if tensor.nbytes > limit_bytes:
            shards.append({key: tensor})
            continue
        if size_bytes + tensor.nbytes > limit_bytes:
            shards.append(shard)
            shard, size_bytes = {}, 0
        shard[key] = tensor
        size_bytes += tensor.nbytes
    if shard or not shards:
        shards.append(shard)
    return shards


def _shard_names(filename: str, n_shards: int) -> list[str]:
    if n_shards == 1:
        return [filename]
    stem, _, suffix = filename.rpartition(".")
    return [f"{stem}-{i + 1:05d}-of-{n_shards:05d}.{suffix}" for i in range(n_shards)]


def _write_index(
    path: Path, model: Any, filenames: list[str], shards: list[dict[str, torch.Tensor]]
) -> None:
    content = {
        "metadata": {
            "total_parameters": model.num_parameters(),
            "total_size": sum(tensor.nbytes for shard in shards for tensor in shard.values()),
        },
        "weight_map": {
            key: name for name, shard in zip(filenames, shards, strict=True) for key in shard
        },
    }
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _remove_other_weights(folder: Path, written: list[str], variant: str | None) -> None:
    """Remove what a save with another number of shards left; the loader might prefer it."""
    single = with_variant(SAFETENSORS_FILE, variant)
    stem = re.escape(single.removesuffix(".safetensors"))
    shard = re.compile(stem + r"-\d{5}-of-\d{5}\.safetensors")
    for path in folder.iterdir():
        is_weights = path.name in (single, with_variant(SAFETENSORS_INDEX, variant))
        if (is_weights or shard.fullmatch(path.name)) and path.name not in written:
            path.unlink()


def _parse_size(size: int | str) -> int:
    """Return a size in bytes.

    >>> _parse_size("5MB")
    5000000
    """
    if isinstance(size, int):
        return size
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise ValueError(f"max_shard_size={size!r}: give bytes, or a size such as '500MB' or '5GB'")
    return int(float(match.group(1)) * _BYTES_PER_UNIT[match.group(2).upper()])
