"""Parts of a network that PyTorch's compiler makes one of: for all lengths, and kept between runs.

In the form for inference products are oneDNN's and gain nothing by it. What gains is what comes
between whole numbers and float32, and on a GPU, or in half precision, each layer as it was trained.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from w2v_cli.errors import UsageError
from w2v_cli.inference.form import has_form
from w2v_cli.inference.int8 import Int8Product, rounded
from w2v_cli.model.base import Wav2Vec2PreTrainedModel

logger = logging.getLogger(__name__)

# What is heard to have it compiled, two seconds of most models.
_SAMPLES = 32_000
_ENVIRONMENT = "TORCHINDUCTOR_CACHE_DIR"


def check_compilable(device: torch.device, dtype: torch.dtype, *, whole_numbers: bool) -> None:
    """Refuse to compile what gains nothing by it, or where nothing is there to compile with.

    Raises:
        UsageError: The message says what to do instead.
    """
    _choose_cache()
    if device.type == "cpu":
        if has_form(device, dtype) and not whole_numbers:
            raise UsageError(
                f"--compile: in {str(dtype).removeprefix('torch.')} this processor has nothing "
                f"left that would gain; leave it out, or add --quantize int8"
            )
        _check_compiler()
    elif device.type == "cuda":
        _check_triton()
    else:
        raise UsageError(f"--compile: for CUDA and the CPU, not for {device}; leave it out")


def compile_network(model: Wav2Vec2PreTrainedModel) -> None:
    """Have parts of a network compiled, now: it hears noise, and is changed in place.

    What it gives changes by rounding alone. Compiled code lies in `cache_folder()`.

    Args:
        model: In evaluation mode, on its device, and in its form for inference where it has one.

    Raises:
        UsageError: The compiler of the system does not work.
    """
    where = _choose_cache()
    from torch._inductor.exc import InductorError

    logger.info("compiling; what comes of it is kept in %s", where)
    products = [module for module in model.modules() if isinstance(module, Int8Product)]
    if products:
        _compile_rounding(products)
    else:
        _compile_layers(model)
    noise = torch.randn(1, _SAMPLES, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            model(noise.to(model.device, model.dtype))
    except InductorError as error:
        raise UsageError(
            f"--compile: PyTorch could not compile the network ({_first_line(error)}); "
            f"leave it out, or see that the system's C++ compiler works"
        ) from error


def cache_folder() -> Path:
    """Return where compiled code is kept, as the XDG Base Directory Specification has it.

    By it a relative path is none.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "w2v" / "compiled"


def is_compiled(model: Wav2Vec2PreTrainedModel) -> bool:
    """Return whether `compile_network` has changed a model."""
    return any(
        module._compiled_call_impl is not None
        or (isinstance(module, Int8Product) and module.steps.rounded is not rounded)
        for module in model.modules()
    )


def _choose_cache() -> str:
    """Say where compiled code is kept, unless the environment does, and return it.

    It has to be said before anything of `torch._inductor` is imported.

    Raises:
        UsageError: The folder cannot be written to.
    """
    folder = Path(os.environ.setdefault(_ENVIRONMENT, str(cache_folder())))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError as error:
        raise UsageError(
            f"--compile: {folder}: compiled code cannot be kept there ({error.strerror or error}); "
            f"name another folder in the environment variable {_ENVIRONMENT}"
        ) from error


def _compile_layers(model: Wav2Vec2PreTrainedModel) -> None:
    """Compile each kind of layer once: all layers of a kind share the code."""
    base: Any = model.base_model
    for layer in (*base.feature_extractor.conv_layers, *base.encoder.layers):
        layer.compile(dynamic=True)


def _compile_rounding(products: list[Int8Product]) -> None:
    for product in products:
        product.steps = copy.copy(product.steps)
        product.steps.rounded = _compiled_rounding()


@functools.cache
def _compiled_rounding() -> Callable[..., torch.Tensor]:
    compiled: Callable[..., torch.Tensor] = torch.compile(_rounded, dynamic=True, fullgraph=True)
    return compiled


def _rounded(
    rows: torch.Tensor, steps: torch.Tensor, added: torch.Tensor | None, zero: int
) -> torch.Tensor:
    """Return what `w2v_cli.inference.int8.rounded` does, for the compiler to read: in one pass."""
    exact = rows * steps
    if added is not None:
        exact = exact + added
    return (exact.round().to(torch.int32) + zero).to(torch.uint8)


def _check_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError) as error:
        raise UsageError(
            "--compile: PyTorch finds no C++ compiler; install one, such as g++, name it in the "
            "environment variable CXX, or leave --compile out"
        ) from error


def _check_triton() -> None:
    from torch.utils._triton import has_triton

    if not has_triton():
        raise UsageError(
            "--compile: PyTorch finds no Triton that works with this GPU; pip install triton, or "
            "leave --compile out"
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
