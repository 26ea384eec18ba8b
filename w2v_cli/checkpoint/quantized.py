"""Folders whose weights are whole numbers: how config.json says so, and who refuses them.

`w2v quantize` writes them. The mark is a `quantization_config`. Other programs pass over a method
that they don't know and would take whole numbers for weights; so the file has a name of its own,
and they find no weights at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from w2v_cli.checkpoint.atomic import make_folder, write_tensors
from w2v_cli.checkpoint.configs import save_config
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.checkpoint.weights import read_weight_file
from w2v_cli.errors import CheckpointError, ModelNotFoundError

METHOD = "w2v_int8"
QUANTIZED_FILE = "int8.safetensors"
VERSION = 1
"""Counts up when folders are written that earlier versions would misread."""


def has_whole_numbers(name: str | os.PathLike[str], config: Any) -> bool:
    """Return whether a configuration is that of a folder by `w2v quantize`.

    Args:
        name: The folder, for errors.
        config: Its configuration.

    Raises:
        CheckpointError: It is, by a later version of it; or its weights are of another method.
    """
    mark = getattr(config, "quantization_config", None)
    if not mark:
        return False
    method = mark.get("quant_method") if isinstance(mark, dict) else None
    if method != METHOD:
        raise CheckpointError(
            f"{os.fspath(name)}: its weights are quantized by {method or 'another program'}, "
            f"which is not read; use the model that it was made from, with --load-in-8bit or "
            f"--quantize int8"
        )
    if mark.get("version") != VERSION:
        raise CheckpointError(
            f"{os.fspath(name)}: quantized by another version of w2v (layout "
            f"{mark.get('version')}, this is {VERSION}); quantize the model again"
        )
    return True


def refuse_whole_numbers(name: str | os.PathLike[str], config: Any, kind: str) -> None:
    """Refuse a folder whose weights are whole numbers where a trained network is wanted.

    Args:
        name: The folder.
        config: Its configuration.
        kind: What wants one.

    Raises:
        CheckpointError: It is one.
    """
    if has_whole_numbers(name, config):
        raise CheckpointError(
            f"{os.fspath(name)}: its weights are whole numbers by w2v quantize, which {kind} "
            f"cannot hold; give the folder to w2v transcribe and the like as --model, or load the "
            f"model that it was made from"
        )


def read_quantized(name: str | os.PathLike[str], options: HubOptions) -> dict[str, torch.Tensor]:
    """Return the tensors of a folder by `w2v quantize`, mapped; those of 16 bits come as float32.

    Raises:
        ModelNotFoundError: The file is not there.
        CheckpointError: It is damaged.
    """
    path = resolve_file(name, QUANTIZED_FILE, options)
    if path is None:
        raise ModelNotFoundError(f"{name}: there is no {QUANTIZED_FILE}; quantize the model again")
    return {
        key: tensor.float() if tensor.dtype == torch.float16 else tensor
        for key, tensor in read_weight_file(path).items()
    }


def save_quantized(model: Any, folder: str | os.PathLike[str]) -> Path:
    """Write a model with whole numbers into a folder, and return the file of its weights.

    What is no whole number, such as convolutions, is written in 16 bits where these hold it
    exactly, as in a model whose weights had 16.

    Args:
        model: What `inference.quantization.quantize` made.
        folder: Where to write; it is made when it isn't there.

    Raises:
        WriteError: The folder cannot be written, or the disk is full.
    """
    path = make_folder(folder)
    weights = {key: _shortest(tensor.detach()) for key, tensor in model.state_dict().items()}
    write_tensors(path / QUANTIZED_FILE, weights)
    model.config.architectures = [type(model).__name__]
    model.config.dtype = torch.float32
    model.config.quantization_config = {"quant_method": METHOD, "version": VERSION}
    save_config(model.config, path)
    return path / QUANTIZED_FILE


def _shortest(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in 16 bits, if it is float32 and nothing of it is lost.

    Vectors, such as biases and scales, stay as they are: they are small.
    """
    if tensor.dtype == torch.float32 and tensor.ndim > 1:
        halved = tensor.half()
        if torch.equal(halved.float(), tensor):
            return halved.contiguous()
    return tensor.contiguous()
