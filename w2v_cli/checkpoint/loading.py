"""From a checkpoint to a model: built without drawing weights, filled by mapping the file."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from w2v_cli.checkpoint.adapters import load_adapter
from w2v_cli.checkpoint.configs import load_config
from w2v_cli.checkpoint.eight_bit import EightBitOptions, check_bitsandbytes, put_into_8_bits
from w2v_cli.checkpoint.fresh_weights import draw
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.quantized import refuse_whole_numbers
from w2v_cli.checkpoint.renames import (
    MASK_VECTOR,
    abbreviate,
    absent_parts,
    is_foreign,
    match_keys,
    older_weight_norm,
)
from w2v_cli.checkpoint.resolve import pin
from w2v_cli.checkpoint.weights import find_weights, read_weights
from w2v_cli.errors import CheckpointError
from w2v_cli.model.base import skip_init
from w2v_cli.model.config import Wav2Vec2Config

logger = logging.getLogger(__name__)

# Arguments of the published from_pretrained that have nothing to change here: models are
# always built without drawing weights, and no other framework's files are read.
_WITHOUT_EFFECT = (
    *("low_cpu_mem_usage", "_fast_init", "offload_state_dict", "from_tf", "from_flax"),
    *("offload_folder", "offload_buffers", "max_memory", "disable_mmap", "use_kernels"),
    *("generation_config", "experts_implementation", "adapter_name"),
)
_NOT_HERE = (
    *("adapter_kwargs", "tp_plan", "tp_size", "device_mesh", "distributed_config"),
    *("fusion_config", "gguf_file", "allow_all_kernels"),
)

_BEST_DEVICE = ("auto", "balanced", "balanced_low_0", "sequential")


@dataclass
class LoadingReport:
    """What did not fit between a checkpoint and a model."""

    missing: list[str]  # in the model, not in the checkpoint
    unexpected: list[str]  # in the checkpoint, not in the model
    mismatched: list[tuple[str, tuple[int, ...], tuple[int, ...]]]  # key, checkpoint, model

    def as_published(self) -> dict[str, Any]:
        """Return the dictionary of `output_loading_info=True`."""
        return {
            "missing_keys": set(self.missing),
            "unexpected_keys": set(self.unexpected),
            "mismatched_keys": set(self.mismatched),
            "error_msgs": [],
        }


def load_model(
    cls: Any,
    name: str | os.PathLike[str] | None,
    *model_args: Any,
    config: Wav2Vec2Config | str | os.PathLike[str] | None = None,
    state_dict: dict[str, torch.Tensor] | None = None,
    dtype: torch.dtype | str | dict[str, Any] | None = None,
    device: torch.device | str | int | None = None,
    device_map: Any = None,
    ignore_mismatched_sizes: bool = False,
    output_loading_info: bool = False,
    strict: bool | None = None,
    use_safetensors: bool | None = None,
    variant: str | None = None,
    weights_only: bool = True,
    key_mapping: dict[str, str] | None = None,
    **kwargs: Any,
) -> Any:
    """Return a model with the weights of a checkpoint, in evaluation mode.

    Every weight of the model must be in the checkpoint, and every one of the checkpoint in
    the model, after the known renames. Except: a part that is missing as a whole (a head, an
    adapter) is drawn afresh, as by the class itself, and a warning lists it; a head of
    another task is left out.

    Args:
        cls: The model's class.
        name: A folder, an embedded model or a model id; None with `state_dict`.
        *model_args: Passed to the class after the configuration.
        config: The configuration, or where to load it from instead of `name`.
        state_dict: Weights to use instead of a file.
        dtype: A type or its name, or {"": type}. None and "auto": what config.json says, else
            the type the weights are stored in. `torch_dtype` is its older name.
        device: Where the weights go; the CPU by default.
        device_map: The same in the published form: a device, {"": device}, or "auto" for the
            best one there is.
        ignore_mismatched_sizes: Whether weights of another shape are drawn afresh.
        output_loading_info: Whether to return a pair of the model and what didn't fit:
            missing_keys, unexpected_keys, mismatched_keys, error_msgs.
        strict: Whether missing and unexpected weights are errors. None: as published where the
            caller sees or made what is missing (`output_loading_info`, `state_dict`), they are
            not; otherwise they are.
        use_safetensors: True: no pickle; False: no safetensors; None: what is there.
        variant: The middle of the weights' file name, as in model.fp16.safetensors.
        weights_only: Must be true: a pickle is never allowed to run code.
        key_mapping: Other names of weights: regular expressions, and what takes the place of
            what they match in the checkpoint's names.
        **kwargs: `load_in_8bit=True`, or a `quantization_config` that says so: the encoder's
            linear layers in 8 bits (see `put_into_8_bits`). Where to look (see HubOptions);
            fields of the configuration to replace, such as vocab_size or attn_implementation;
            arguments of the class, such as target_lang.

    Raises:
        ModelNotFoundError: There is no such model, or it has no weights.
        CheckpointError: The weights don't fit; the message names every one.
        HubError: The Hub cannot be reached or refuses.
        MissingDependencyError: 8 bits without bitsandbytes.
        ValueError: Arguments that contradict each other.
        RuntimeError: Called where torch's default device is the meta device.
    """
    if not weights_only:
        raise ValueError("weights_only=False would let a file run code; it is always True here")
    if (state_dict is None) == (name is None):
        raise ValueError("give either a name or, with name None, a state_dict (and a config)")
    if torch.get_default_device().type == "meta":
        raise RuntimeError(
            "You are using `from_pretrained` with a meta device context manager, which has no room "
            "for weights; leave the context, or make a model without weights: cls(config)"
        )
    if strict is None:
        strict = not output_loading_info and state_dict is None
    for unused in _WITHOUT_EFFECT:
        kwargs.pop(unused, None)
    for unknown in _NOT_HERE:
        if kwargs.pop(unknown, None):
            raise ValueError(f"{unknown}=...: there is no such thing here; leave it out")
    older_dtype = kwargs.pop("torch_dtype", None)
    eight_bit = EightBitOptions.take_from(kwargs)
    if eight_bit is not None:
        check_bitsandbytes()
    target_device = _choose_device(device, device_map)
    options = HubOptions.take_from(kwargs)
    if name is not None:
        options = pin(name, options)

    settings, kwargs = _choose_config(cls, name, config, options, kwargs)
    if state_dict is None:
        assert name is not None
        refuse_whole_numbers(name, settings, cls.__name__)
        files = find_weights(name, options, use_safetensors=use_safetensors, variant=variant)
        weights = read_weights(files)
    else:
        weights = state_dict
    for pattern, replacement in (key_mapping or {}).items():
        weights = {re.sub(pattern, replacement, key): value for key, value in weights.items()}
    settings.dtype = _choose_dtype(dtype if dtype is not None else older_dtype, settings, weights)

    def make() -> Any:
        return cls(settings, *model_args, **kwargs)

    with skip_init(), torch.device("meta"):
        model = make()
    report = _fill(
        model,
        weights,
        make=make,
        device=target_device if eight_bit is None else torch.device("cpu"),
        dtype=settings.dtype,
        ignore_mismatched_sizes=ignore_mismatched_sizes,
        strict=strict,
    )
    if getattr(model, "target_lang", None) is not None:
        load_adapter(model, model.target_lang, use_safetensors=use_safetensors, options=options)
    if eight_bit is not None:
        put_into_8_bits(model, eight_bit, target_device)
    model.eval()
    return (model, report.as_published()) if output_loading_info else model


def _choose_config(
    cls: Any,
    name: str | os.PathLike[str] | None,
    config: Wav2Vec2Config | str | os.PathLike[str] | None,
    options: HubOptions,
    kwargs: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Return the configuration, and the arguments that are none of its fields."""
    settings: Any
    if isinstance(config, Wav2Vec2Config):
        settings = copy.deepcopy(config)
        attn_implementation = kwargs.pop("attn_implementation", None)
        if attn_implementation is not None:
            settings._attn_implementation = attn_implementation
    else:
        source = name if config is None else config
        if source is None:
            raise ValueError(
                "a state_dict does not say what the network looks like; give config as well"
            )
        where = vars(options) if config is None else {**vars(options), "revision": None}
        settings, kwargs = load_config(
            cls.config_class, source, return_unused_kwargs=True, **where, **kwargs
        )
    if name is not None:
        settings.name_or_path = os.fspath(name)
    return settings, kwargs


def _choose_device(device: torch.device | str | int | None, device_map: Any) -> torch.device:
    """Return the one device that `device` or the published `device_map` names."""
    if device is not None and device_map is not None:
        raise ValueError("device and device_map say the same; give one of them")
    if isinstance(device_map, dict):
        if len({str(place) for place in device_map.values()}) != 1:
            raise ValueError(
                "device_map puts a model on one device here: {'': 'cuda:0'}, 'cuda:0' or 'auto'"
            )
        device_map = next(iter(device_map.values()))
    chosen = device if device is not None else device_map
    if chosen in _BEST_DEVICE:
        if torch.cuda.is_available():
            chosen = "cuda"
        else:
            chosen = "mps" if torch.backends.mps.is_available() else "cpu"
    return torch.device("cpu" if chosen is None else chosen)


def _choose_dtype(
    dtype: torch.dtype | str | dict[str, Any] | None, config: Any, weights: dict[str, torch.Tensor]
) -> torch.dtype:
    """Return the type the floating-point weights will have."""
    if isinstance(dtype, dict) and set(dtype) == {""}:
        dtype = dtype[""]
    if dtype is None or dtype == "auto":
        stored = (tensor.dtype for tensor in weights.values() if tensor.is_floating_point())
        dtype = config.dtype or next(stored, torch.get_default_dtype())
    named = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if not isinstance(named, torch.dtype):
        raise ValueError(f"dtype={dtype!r}: give 'auto', a torch.dtype or its name, 'float16'")
    if not named.is_floating_point:
        raise ValueError(f"dtype={dtype!r}: a network computes in a floating-point type: float16")
    return named


def _fill(
    model: Any,
    weights: dict[str, torch.Tensor],
    *,
    make: Callable[[], Any],
    device: torch.device,
    dtype: torch.dtype,
    ignore_mismatched_sizes: bool,
    strict: bool,
) -> LoadingReport:
    """Give a model on the meta device its weights, and return what did not fit."""
    expected = model.state_dict()
    prefix = model.base_model_prefix
    match = match_keys(expected, weights, prefix=prefix)
    mismatched = [
        (key, tuple(weights[source].shape), tuple(expected[key].shape))
        for key, source in match.source_of.items()
        if weights[source].shape != expected[key].shape
    ]
    missing = _unless(model._keys_to_ignore_on_load_missing, match.missing)
    unexpected = _unless(model._keys_to_ignore_on_load_unexpected, match.unexpected)
    report = LoadingReport(missing, unexpected, mismatched)
    replaced = {key for key, _, _ in mismatched if ignore_mismatched_sizes}
    absent = absent_parts(expected, missing, replaced, prefix=prefix) if strict else missing
    _refuse_misfits(
        model,
        missing=[key for key in missing if key not in absent],
        unexpected=[key for key in unexpected if strict and not is_foreign(key, prefix=prefix)],
        mismatched=[] if ignore_mismatched_sizes else mismatched,
    )
    to_draw = {*match.missing, *replaced}
    fresh = [key for key in expected if key in to_draw]
    draw(model, fresh, make, device=device, dtype=dtype)
    taken = {
        key: _placed(weights[source], expected[key], device=device, dtype=dtype)
        for key, source in match.source_of.items()
        if key not in fresh
    }
    model.load_state_dict(taken, strict=False, assign=True)
    model._older_weight_norm = older_weight_norm(match.source_of.values())
    to_tell = {*missing, *replaced}
    _tell(model, [key for key in fresh if key in to_tell], unexpected)
    return report


def _unless(patterns: Sequence[str] | None, keys: list[str]) -> list[str]:
    """Return the keys without those that a class says may be missing, or too many."""
    return [key for key in keys if not any(re.search(pattern, key) for pattern in patterns or ())]


def _placed(
    tensor: torch.Tensor, like: torch.Tensor, *, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """Return a tensor on the device, a number in the type `dtype` and a count in that of `like`.

    A copy is made only where something changes.
    """
    return tensor.to(device=device, dtype=dtype if like.is_floating_point() else like.dtype)


def _refuse_misfits(
    model: Any,
    *,
    missing: Collection[str],
    unexpected: Collection[str],
    mismatched: Collection[tuple[str, tuple[int, ...], tuple[int, ...]]],
) -> None:
    """Raise one CheckpointError that names every key, if there is any."""
    findings = []
    if missing:
        findings.append(f"missing: {abbreviate(missing)}")
    if unexpected:
        findings.append(f"unexpected: {abbreviate(unexpected)}")
    if mismatched:
        shapes = ", ".join(
            f"{key} {list(there)} instead of {list(wanted)}" for key, there, wanted in mismatched
        )
        findings.append(f"wrong shape: {shapes} (ignore_mismatched_sizes=True draws these afresh)")
    if findings:
        raise CheckpointError(
            f"{model.config.name_or_path}: the weights do not fit {type(model).__name__}: "
            f"{'; '.join(findings)}; check that config.json belongs to these weights"
        )


def _tell(model: Any, fresh: Collection[str], unexpected: Collection[str]) -> None:
    """Log which weights are fresh, and which of the checkpoint's were not needed."""
    name, kind = model.config.name_or_path or "state_dict", type(model).__name__
    untrained = [key for key in fresh if key.rpartition(".")[2] != MASK_VECTOR]
    if untrained:
        logger.warning(
            "%s: drawn at random, because the checkpoint does not have them for %s: %s; train "
            "the model before you use it",
            name,
            kind,
            abbreviate(untrained),
        )
    elif fresh:  # counts in training alone
        logger.info("%s: %s was drawn at random", name, abbreviate(fresh))
    if unexpected:
        logger.info("%s: %s has no use for %s", name, kind, abbreviate(unexpected))
