"""A language's adapter: small layers and a head that make a multilingual model speak it.

As published for MMS (Pratap et al. 2023, 4.3): `adapter.fra.safetensors` beside the model
holds the attention adapters of every layer and the CTC head over that language's characters.
"""

from __future__ import annotations

import difflib
import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from w2v_cli.checkpoint.atomic import write_tensors
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.renames import abbreviate
from w2v_cli.checkpoint.resolve import locate, resolve_file
from w2v_cli.checkpoint.weights import read_weight_file
from w2v_cli.errors import CheckpointError, ModelNotFoundError

logger = logging.getLogger(__name__)

WAV2VEC2_ADAPTER_SAFE_FILE = "adapter.{}.safetensors"
WAV2VEC2_ADAPTER_PT_FILE = "adapter.{}.bin"

_LANGUAGE = re.compile(r"[A-Za-z0-9_-]+")
_ADAPTER_FILE = re.compile(r"adapter\.([A-Za-z0-9_-]+)\.(safetensors|bin)")


class AdapterError(CheckpointError, ValueError):
    """An adapter that does not fit the model; published as a ValueError."""


def load_adapter(
    model: Any,
    target_lang: str,
    *,
    force_load: bool = True,
    use_safetensors: bool | None = None,
    options: HubOptions | None = None,
    **kwargs: Any,
) -> None:
    """Load a language's adapter from where the model came from into the model.

    A head of another size than the model's replaces it.

    Args:
        model: A model with attention adapters (config.adapter_attn_dim).
        target_lang: The language, such as "fra".
        force_load: False: do nothing when the model has this language already.
        use_safetensors: True: no pickle; False: no safetensors; None: what is there.
        options: Where to look.
        **kwargs: The fields of `options` by name, instead of it.

    Raises:
        ValueError: The model has no adapters, or the file's weights are not these.
        ModelNotFoundError: There is no adapter for this language.
        HubError: The Hub cannot be reached or refuses.
    """
    if model.config.adapter_attn_dim is None:
        raise ValueError(
            f"Cannot load_adapter for {target_lang} if `config.adapter_attn_dim` is not defined."
        )
    if target_lang == getattr(model, "target_lang", None) and not force_load:
        logger.warning("Adapter weights are already set to %s.", target_lang)
        return
    options = options or HubOptions.take_from(kwargs)
    if kwargs:
        raise TypeError(f"load_adapter takes no argument {', '.join(sorted(kwargs))}")
    path = _find(model.config.name_or_path, target_lang, use_safetensors, options)
    weights = read_weight_file(path)
    _check(model, weights, path)
    _resize_head(model, weights)
    places = model._get_adapters()
    with torch.no_grad():
        for key, tensor in weights.items():
            places[key].copy_(tensor)
    model.target_lang = target_lang


def save_adapter(model: Any, folder: Path, target_lang: str) -> Path:
    """Return the file with a model's adapters and head that it wrote into `folder`.

    Args:
        model: A model with attention adapters (config.adapter_attn_dim).
        folder: Where the model lies; `load_adapter` looks there.
        target_lang: The language, such as "fra".

    Raises:
        ValueError: The model has no adapters, or the name is no language's.
        WriteError: The disk is full, or the folder cannot be written.
    """
    if not _LANGUAGE.fullmatch(target_lang):
        raise ValueError(f"{target_lang!r}: a language's name has letters, digits, - and _ alone")
    weights = {key: weight.detach().contiguous() for key, weight in model._get_adapters().items()}
    path = folder / WAV2VEC2_ADAPTER_SAFE_FILE.format(target_lang)
    write_tensors(path, weights)
    return path


def _find(name: str, target_lang: str, use_safetensors: bool | None, options: HubOptions) -> Path:
    """Return the adapter's file.

    Raises:
        ModelNotFoundError: There is none.
    """
    patterns = []
    if use_safetensors is not False:
        patterns.append(WAV2VEC2_ADAPTER_SAFE_FILE)
    if not use_safetensors:
        patterns.append(WAV2VEC2_ADAPTER_PT_FILE)
    filenames = [pattern.format(target_lang) for pattern in patterns]
    if _LANGUAGE.fullmatch(target_lang):
        for filename in filenames:
            path = resolve_file(name, filename, options)
            if path is not None:
                return path
    raise ModelNotFoundError(
        f"{name}: no adapter for the language {target_lang} ({' or '.join(filenames)}); "
        f"{_languages_hint(name, target_lang, options)}"
    )


def _languages_hint(name: str, target_lang: str, options: HubOptions) -> str:
    folder = locate(name)
    if folder is None:
        return f"the model's page lists its languages: https://huggingface.co/{name}"
    files = (_ADAPTER_FILE.fullmatch(path.name) for path in (folder / options.subfolder).iterdir())
    languages = sorted({file.group(1) for file in files if file})
    near = difflib.get_close_matches(target_lang, languages, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}there: {', '.join(languages)}" if languages else "there is none at all"


def _check(model: Any, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Raise AdapterError unless the weights are those of the model's adapters and head."""
    places = model._get_adapters()
    unexpected = sorted(weights.keys() - places.keys())
    if unexpected:
        raise AdapterError(
            f"The adapter weights {path} has unexpected keys: {abbreviate(unexpected)}."
        )
    missing = sorted(places.keys() - weights.keys())
    if missing:
        raise AdapterError(f"The adapter weights {path} has missing keys: {abbreviate(missing)}.")
    mismatched = [
        f"{key} {list(tensor.shape)} instead of {list(places[key].shape)}"
        for key, tensor in weights.items()
        if tensor.shape != places[key].shape and not key.startswith("lm_head.")
    ]
    if mismatched:
        raise AdapterError(
            f"{path}: the adapter does not fit the model: {', '.join(mismatched)}; take one that "
            f"was trained with it"
        )


def _resize_head(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Give the model a head of the language's vocabulary, if it is of another size."""
    head_weight = weights.get("lm_head.weight")
    if head_weight is None:
        return
    vocab_size, hidden_size = head_weight.shape
    if hidden_size != model.lm_head.in_features:
        raise AdapterError(
            f"the adapter's head reads {hidden_size} channels and the model has "
            f"{model.lm_head.in_features}; take an adapter that was trained with this model"
        )
    if weights["lm_head.bias"].shape != (vocab_size,):
        raise AdapterError(
            f"the adapter's head has {vocab_size} outputs, and its bias another number; take "
            f"another adapter"
        )
    if head_weight.shape == model.lm_head.weight.shape:
        return
    model.lm_head = nn.Linear(
        hidden_size, vocab_size, device=model.device, dtype=model.dtype
    ).requires_grad_(model.lm_head.weight.requires_grad)
    model.config.vocab_size = vocab_size
