"""From a checkpoint's keys to a model's: known renames, absent parts, heads of other tasks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

# (older, newer) ends of the same key. Weight norm changed its spelling in torch 2; gamma and
# beta are a layer norm's names in checkpoints that came from TensorFlow.
WEIGHT_NORM_SPELLINGS = (
    (".weight_g", ".parametrizations.weight.original0"),
    (".weight_v", ".parametrizations.weight.original1"),
)
_SPELLINGS = (*WEIGHT_NORM_SPELLINGS, (".gamma", ".weight"), (".beta", ".bias"))

# What the published heads call their modules. "feature_extractor" is the speaker head's last
# layer, and in a model without head the convolutions, whose keys go deeper.
_HEAD_KEY = re.compile(
    r"(lm_head|project_hid|project_q|quantizer|projector|classifier|tdnn|objective)\."
    r"|layer_weights$|feature_extractor\.(weight|bias)$"
)

MASK_VECTOR = "masked_spec_embed"


@dataclass(frozen=True)
class KeyMatch:
    """Which tensor of a checkpoint fills which weight of a model."""

    source_of: dict[str, str]  # model key -> checkpoint key
    missing: list[str]  # model keys that nothing fills, in the model's order
    unexpected: list[str]  # checkpoint keys that fill nothing, in the model's spelling


def match_keys(
    model_keys: Collection[str], checkpoint_keys: Collection[str], *, prefix: str
) -> KeyMatch:
    """Return how a checkpoint's keys fill a model's.

    Args:
        model_keys: The keys of the model to fill.
        checkpoint_keys: The keys that are there.
        prefix: What a model with a head calls the model without, "wav2vec2".
    """
    source_of = {key: key for key in checkpoint_keys if key in model_keys}
    unexpected = []
    for key in checkpoint_keys:
        if key in model_keys:
            continue
        target = next((name for name in _names_of(key, prefix) if name in model_keys), None)
        if target is None or target in source_of:
            unexpected.append(_newer_spelling(key))
        else:
            source_of[target] = key
    missing = [key for key in model_keys if key not in source_of]
    return KeyMatch(source_of, missing, unexpected)


def _names_of(key: str, prefix: str) -> Iterator[str]:
    """Yield every name that the weight of a checkpoint key may have in a model."""
    for spelled in (key, *_respelled(key)):
        yield spelled
        yield f"{prefix}.{spelled}"
        if spelled.startswith(f"{prefix}."):
            yield spelled.removeprefix(f"{prefix}.")


def _respelled(key: str) -> Iterator[str]:
    for older, newer in _SPELLINGS:
        if key.endswith(older):
            yield key.removesuffix(older) + newer
        if key.endswith(newer):
            yield key.removesuffix(newer) + older


def _newer_spelling(key: str) -> str:
    for older, newer in WEIGHT_NORM_SPELLINGS:
        if key.endswith(older):
            return key.removesuffix(older) + newer
    return key


def older_weight_norm(keys: Iterable[str]) -> bool:
    """Return whether a checkpoint spells weight norm as torch did before version 2."""
    return any(key.endswith(older) for key in keys for older, _ in WEIGHT_NORM_SPELLINGS)


def with_older_weight_norm(key: str) -> str:
    """Return `key` in the spelling of torch before version 2."""
    for older, newer in WEIGHT_NORM_SPELLINGS:
        if key.endswith(newer):
            return key.removesuffix(newer) + older
    return key


def absent_parts(
    model_keys: Collection[str],
    missing: Collection[str],
    replaced: Collection[str] = (),
    *,
    prefix: str,
) -> list[str]:
    """Return those missing keys whose whole part is missing, in the order of `missing`.

    A part is what one adds to a pretrained network: the head, the weights of the layer sum,
    the adapters behind the encoder, those inside its layers, the vector for masked frames, and
    each module beside them that a class of the caller's own has.
    Such a part starts with fresh weights. A weight missing from anywhere else is damage.

    Args:
        model_keys: All keys of the model.
        missing: Those that the checkpoint lacks.
        replaced: Those that it has in another shape, to be drawn afresh. The part of such a
            key is another task's, of the same name, and counts as missing.
        prefix: What a model with a head calls the model without, "wav2vec2".
    """
    has_head = any(key.startswith(f"{prefix}.") for key in model_keys)
    part_of = {key: _part_of(key, prefix, has_head=has_head) for key in model_keys}
    present = {part_of[key] for key in model_keys if key not in missing}
    present -= {part_of[key] for key in replaced}
    return [key for key in missing if part_of[key] is not None and part_of[key] not in present]


def is_of_the_network(key: str, *, prefix: str) -> bool:
    """Return whether a model key belongs to no part that one adds to a pretrained network.

    >>> is_of_the_network("wav2vec2.encoder.layer_norm.weight", prefix="wav2vec2")
    True
    >>> is_of_the_network("lm_head.weight", prefix="wav2vec2")
    False
    """
    return _part_of(key, prefix, has_head=True) is None


def _part_of(key: str, prefix: str, *, has_head: bool) -> str | None:
    """Return the name of the optional part a model key belongs to, or None."""
    inner = key.removeprefix(f"{prefix}.")
    if has_head and inner == key:
        if _HEAD_KEY.match(key) is None:
            return key.partition(".")[0]
        return "layer sum" if key == "layer_weights" else "head"
    if inner == MASK_VECTOR:
        return "mask vector"
    if inner.startswith("adapter."):
        return "adapter"
    return "attention adapters" if ".adapter_layer." in inner else None


def is_foreign(key: str, *, prefix: str) -> bool:
    """Return whether an unexpected checkpoint key is one that a model may do without.

    That is a head of another task, and the vector for masked frames, which a model has only
    if its configuration masks.
    """
    return key.removeprefix(f"{prefix}.") == MASK_VECTOR or _HEAD_KEY.match(key) is not None


def abbreviate(keys: Iterable[str]) -> str:
    """Return keys as a list in words, layers that differ by one number alone drawn together.

    >>> abbreviate(["layers.0.bias", "layers.1.bias", "layers.2.bias", "lm_head.bias"])
    'layers.{0-2}.bias, lm_head.bias'
    """
    groups: dict[tuple[str, str], list[int]] = {}
    names: list[str | tuple[str, str]] = []
    for key in keys:
        split = re.search(r"\.(\d+)\.", key)
        if split is None:
            names.append(key)
            continue
        around = (key[: split.start()], key[split.end() :])
        if around not in groups:
            names.append(around)
        groups.setdefault(around, []).append(int(split.group(1)))
    return ", ".join(
        name if isinstance(name, str) else f"{name[0]}.{_ranges(groups[name])}.{name[1]}"
        for name in names
    )


def _ranges(numbers: list[int]) -> str:
    """Return "3", or "{0-5,7}" for several numbers."""
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = (str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return "{" + ",".join(parts) + "}"
