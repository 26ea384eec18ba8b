"""From a folder by `w2v quantize` to a model with whole numbers, and from a model to a folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from w2v_cli.checkpoint.adapters import load_adapter
from w2v_cli.checkpoint.architectures import explaining_networks, published_class
from w2v_cli.checkpoint.atomic import make_folder, replacing
from w2v_cli.checkpoint.configs import CONFIG_FILE
from w2v_cli.checkpoint.language_models import language_model_folder
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.quantized import read_quantized, refuse_whole_numbers, save_quantized
from w2v_cli.checkpoint.renames import abbreviate, is_foreign, match_keys
from w2v_cli.checkpoint.resolve import COMPANIONS, pin, resolve_file
from w2v_cli.checkpoint.weights import SAFETENSORS_INDEX, find_weights, remove_model_but
from w2v_cli.decoding.ngram import ALPHABET_FILE, LANGUAGE_MODEL_FOLDER
from w2v_cli.errors import CheckpointError
from w2v_cli.inference.quantization import make_room, quantize
from w2v_cli.model.base import Wav2Vec2PreTrainedModel, skip_init
from w2v_cli.model.config import Wav2Vec2Config

Model = TypeVar("Model", bound=Wav2Vec2PreTrainedModel)

# As many weights are named where none fit.
_MOST_NAMED = 4

# Weights, and what says how to read them, which the folder has of its own; programs.
_LEFT_BEHIND = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".index.json", ".py")
_ADAPTER = "adapter."

# Of `w2v finetune` and of Python. The Trainer of transformers names checkpoints so, too.
_FOLDERS_LEFT_BEHIND = re.compile(r"checkpoint-\d+|runs|__pycache__")


def load_quantized(
    model_class: type[Model],
    name: str | os.PathLike[str],
    config: Wav2Vec2Config,
    where: dict[str, Any],
    *,
    attn: str,
    target_lang: str | None = None,
) -> Model:
    """Return the model of a folder by `w2v quantize`; its whole numbers are mapped, not copied.

    It can't be run as it is; `int8_form` makes of it what can.

    Args:
        model_class: The published class of its head.
        name: The folder.
        config: Its configuration.
        where: Arguments for looking up its files; see HubOptions.
        attn: How attention is calculated.
        target_lang: The language whose adapter is loaded.

    Raises:
        ModelError: The weights are not there, or do not fit the class.
    """
    options = HubOptions(**where)
    config._attn_implementation = attn
    config.name_or_path = os.fspath(name)
    with skip_init(), torch.device("meta"):
        model = model_class(config, **({} if target_lang is None else {"target_lang": target_lang}))
        make_room(model)
    weights = read_quantized(name, options)
    expected = model.state_dict()
    prefix = model_class.base_model_prefix
    match = match_keys(expected, weights, prefix=prefix)
    unlike = [
        key
        for key, source in match.source_of.items()
        if (expected[key].shape, expected[key].dtype)
        != (weights[source].shape, weights[source].dtype)
    ]
    unlike += [key for key in match.unexpected if not is_foreign(key, prefix=prefix)]
    if unlike or match.missing:
        raise CheckpointError(
            f"{name}: its whole numbers do not fit {model_class.__name__}: "
            f"{_some([*match.missing, *unlike])}; quantize the model again"
        )
    model.load_state_dict(
        {key: weights[source] for key, source in match.source_of.items()}, assign=True
    )
    if target_lang is not None:
        load_adapter(model, target_lang, options=options)
    return model.eval()


def _some(keys: Sequence[str]) -> str:
    """Return the first of several keys, and how many others there are."""
    rest = f" and {len(keys) - _MOST_NAMED} others" if len(keys) > _MOST_NAMED else ""
    return abbreviate(keys[:_MOST_NAMED]) + rest


def quantize_folder(
    name: str | os.PathLike[str], folder: str | os.PathLike[str], hub: HubOptions | None = None
) -> tuple[int, int]:
    """Write a model with whole numbers into a folder, beside all else that it consists of.

    Args:
        name: A folder, an embedded model or a model id.
        folder: Where to write; it is made when it isn't there.
        hub: Where to look for the model; None for the defaults.

    Returns:
        The bytes of the weights, as they were and as they are.

    Raises:
        ModelError: The model is not there, of no published class, or quantized already.
        WriteError: The folder cannot be written.
    """
    options = pin(name, hub)
    model, n_bytes = _load(name, options)
    quantize(model)
    kept = _copy_others(_with_companions(name, options), make_folder(folder))
    written = save_quantized(model, folder)  # last: without them it is no model
    _remove_others(Path(folder), {*kept, Path(written.name)})
    return n_bytes, written.stat().st_size


def halve_folder(
    name: str | os.PathLike[str], folder: str | os.PathLike[str], hub: HubOptions | None = None
) -> tuple[int, int]:
    """Write a model with weights of 16 bits into a folder, beside all else that it consists of.

    It is a published folder like any other, and its config.json says float32: it is loaded, and
    calculates, in that.

    Args:
        name: As `quantize_folder` has it, as is the rest.
        folder: Likewise.
        hub: Likewise.

    Returns:
        The bytes of the weights, as they were and as they are.

    Raises:
        ModelError: The model is not there, of no published class, quantized already, or has a
            weight too large for 16 bits.
        WriteError: The folder cannot be written.
    """
    options = pin(name, hub)
    model, n_bytes = _load(name, options)
    halved = {key: tensor.half() for key, tensor in model.state_dict().items()}
    infinite = [key for key, tensor in halved.items() if not tensor.isfinite().all()]
    if infinite:
        raise CheckpointError(
            f"{name}: has weights beyond 65504, or that are no numbers, which 16 bits cannot "
            f"hold: {abbreviate(infinite)}"
        )
    kept = _copy_others(_with_companions(name, options), make_folder(folder))
    model.save_pretrained(folder, state_dict=halved)
    files = find_weights(folder, HubOptions())
    written = {Path(path.name) for path in files.paths}
    _remove_others(Path(folder), {*kept, *written, Path(SAFETENSORS_INDEX)})
    return n_bytes, sum(path.stat().st_size for path in files.paths)


def _load(name: str | os.PathLike[str], options: HubOptions) -> tuple[Any, int]:
    """Return a model of the class that its folder names, in float32, and the bytes of its files."""
    config = Wav2Vec2Config.from_pretrained(name, **options.arguments())
    refuse_whole_numbers(name, config, "w2v quantize")
    model_class = published_class(str(name), config)
    files = find_weights(name, options)
    with explaining_networks(name, config, model_class):
        model, found = model_class.from_pretrained(
            name, dtype=torch.float32, strict=True, output_loading_info=True, **options.arguments()
        )
    missing = [key for key in found["missing_keys"] if not key.endswith("masked_spec_embed")]
    if missing:
        raise CheckpointError(
            f"{name}: the checkpoint has no weights for {abbreviate(sorted(missing))}, which would "
            f"be random numbers; fine-tune it first"
        )
    return model, sum(path.stat().st_size for path in files.paths)


def _with_companions(name: str | os.PathLike[str], options: HubOptions) -> Path:
    """Return the folder of a model; from the Hub come all its files but weights and adapters.

    Raises:
        ModelError: The Hub cannot be reached.
    """
    places = [resolve_file(name, filename, options) for filename in COMPANIONS]
    language_model_folder(name, options)
    return next(place for place in places if place is not None).parent


def _copy_others(source: Path, target: Path) -> set[Path]:
    """Copy what a checkpoint has besides its weights: tokenizer, adapters, language model, card.

    Returns the places of the copies in the folder.

    A target within the source is not copied into itself.

    Raises:
        WriteError: The folder cannot be written.
    """
    copied = set()
    for path in sorted(source.rglob("*")):
        if path.resolve().is_relative_to(target.resolve()):
            continue
        place = path.relative_to(source)
        if path.is_file() and _is_of_the_model(place):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            with replacing(target / place) as partial:
                shutil.copyfile(path, partial)
            copied.add(place)
    return copied


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove weights, adapters and a language model that an earlier model has left in a folder."""
    remove_model_but(folder, {str(place) for place in kept})
    for path in folder.glob(f"{_ADAPTER}*"):
        if path.relative_to(folder) not in kept:
            path.unlink()
    for path in (folder / ALPHABET_FILE, *(folder / LANGUAGE_MODEL_FOLDER).glob("*")):
        if path.is_file() and path.relative_to(folder) not in kept:
            path.unlink()
    if (folder / LANGUAGE_MODEL_FOLDER).is_dir() and not any(
        (folder / LANGUAGE_MODEL_FOLDER).iterdir()
    ):
        (folder / LANGUAGE_MODEL_FOLDER).rmdir()


def _is_of_the_model(place: Path) -> bool:
    """Tell what is copied from what is written anew, or is of a run or a program.

    Args:
        place: Within the model's folder.
    """
    top = place.parts[0]
    if place == Path(CONFIG_FILE) or top.startswith(".") or _FOLDERS_LEFT_BEHIND.fullmatch(top):
        return False
    if top == LANGUAGE_MODEL_FOLDER:  # whose n-grams may be a .bin
        return True
    return place.name.startswith(_ADAPTER) or not place.name.endswith(_LEFT_BEHIND)
