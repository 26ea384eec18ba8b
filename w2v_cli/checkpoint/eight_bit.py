"""Linear layers in 8 bits through bitsandbytes (Dettmers et al. 2022), put into a loaded model.

The published loader replaces every linear layer but the last. Here those of the encoder's layers
are replaced, which have nearly all the weights: attention and feed-forward. Biases, norms,
convolutions, the feature projection, adapters and heads stay as they are.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from w2v_cli.errors import MissingDependencyError
from w2v_cli.model.attention import Wav2Vec2Attention
from w2v_cli.model.encoder import Wav2Vec2FeedForward

logger = logging.getLogger(__name__)

# Inputs beyond this are multiplied in half precision, as in the published loader.
_THRESHOLD = 6.0

_FIELDS = ("load_in_8bit", "llm_int8_threshold", "llm_int8_skip_modules")


@dataclass(frozen=True)
class EightBitOptions:
    """How linear layers are put into 8 bits; the names are those of BitsAndBytesConfig."""

    llm_int8_threshold: float = _THRESHOLD  # beyond it, inputs are multiplied in half precision
    llm_int8_skip_modules: tuple[str, ...] = ()  # layers to leave alone, by parts of their paths

    @classmethod
    def take_from(cls, kwargs: dict[str, Any]) -> EightBitOptions | None:
        """Return what arguments of the published from_pretrained ask for, and remove them.

        None where they ask for nothing. A `quantization_config` is a dictionary, or any object
        with such attributes.

        Raises:
            ValueError: They ask for something else than 8 bits of bitsandbytes.
        """
        wanted = bool(kwargs.pop("load_in_8bit", False))
        given = kwargs.pop("quantization_config", None)
        if given is None:
            return cls() if wanted else None
        fields = given if isinstance(given, dict) else vars(given)
        settings = {name: fields.get(name, fields.get(f"_{name}")) for name in _FIELDS}
        if not (wanted or settings["load_in_8bit"]):
            raise ValueError(
                "quantization_config: only load_in_8bit=True of bitsandbytes is known here; "
                "`w2v quantize` makes whole numbers for a processor"
            )
        threshold = settings["llm_int8_threshold"]
        return cls(
            _THRESHOLD if threshold is None else float(threshold),
            tuple(settings["llm_int8_skip_modules"] or ()),
        )


@dataclass(frozen=True)
class EightBitReport:
    """What became of a model."""

    n_layers: int  # that are in 8 bits
    bytes_before: int  # of all weights
    bytes_after: int

    def __str__(self) -> str:
        before, after = self.bytes_before / 1e6, self.bytes_after / 1e6
        return f"{self.n_layers} linear layers in 8 bits: {before:.1f} MB became {after:.1f} MB"


def check_bitsandbytes() -> None:
    """Refuse to go on without bitsandbytes.

    Raises:
        MissingDependencyError: It is not installed.
    """
    _bitsandbytes()


@torch.no_grad()
def put_into_8_bits(model: Any, options: EightBitOptions, device: torch.device) -> EightBitReport:
    """Replace the linear layers of a model's encoder, and put all of it on `device`.

    It can't be trained or saved any more. `model.is_loaded_in_8bit` says so from then on, and
    `model.eight_bit` is the report.

    Args:
        model: On the CPU, so that no more than 8 bits of a weight go to the device.
        options: How.
        device: Where it is to run.

    Raises:
        MissingDependencyError: bitsandbytes is not installed.
    """
    bitsandbytes = _bitsandbytes()
    before = _n_bytes(model)
    paths = [path for path in encoder_linears(model) if not _is_skipped(path, options)]
    for path in paths:
        layer = model.get_submodule(path)
        model.set_submodule(path, _replacement(bitsandbytes, layer, options, device))
    model.to(device)
    model.requires_grad_(False)
    model.is_loaded_in_8bit = True
    report = EightBitReport(len(paths), before, _n_bytes(model))
    model.eight_bit = report
    logger.info("%s: %s", model.config.name_or_path, report)
    return report


def encoder_linears(model: nn.Module) -> list[str]:
    """Return the paths of the linear layers of a model's attention and feed-forward layers."""
    paths = []
    for path, module in model.named_modules():
        if isinstance(module, Wav2Vec2Attention | Wav2Vec2FeedForward):
            paths += [
                f"{path}.{name}"
                for name, layer in module.named_children()
                if isinstance(layer, nn.Linear)
            ]
    return paths


def _replacement(
    bitsandbytes: Any, layer: Any, options: EightBitOptions, device: torch.device
) -> nn.Module:
    with torch.device("meta"):
        eight_bit: Any = bitsandbytes.nn.Linear8bitLt(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            has_fp16_weights=False,
            threshold=options.llm_int8_threshold,
        )
    weight = bitsandbytes.nn.Int8Params(layer.weight.data, requires_grad=False)
    eight_bit.weight = weight.to(device)  # this is where it becomes 8 bits
    eight_bit.bias = layer.bias
    eight_bit.eval()
    replacement: nn.Module = eight_bit
    return replacement


def _is_skipped(path: str, options: EightBitOptions) -> bool:
    """Return whether a skipped name is all of a path, or parts of it that belong together."""
    return any(f".{name}." in f".{path}." for name in options.llm_int8_skip_modules)


def _bitsandbytes() -> Any:
    # It tells of every cast to half precision, which is how it works.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        return importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise MissingDependencyError(
            "bitsandbytes", extra="8bit", purpose="Loading a model in 8 bits"
        ) from error


def _n_bytes(model: nn.Module) -> int:
    weights = [*model.parameters(), *model.buffers()]
    scales = [getattr(weight, "SCB", None) for weight in weights]
    return sum(tensor.nbytes for tensor in [*weights, *scales] if tensor is not None)
