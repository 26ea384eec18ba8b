"""Where and how a network runs: device, precision, threads and attention."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    import torch

DtypeName = Literal["auto", "float32", "float16", "bfloat16"]
AttnName = Literal["eager", "sdpa", "flash_attention_2"]
QuantizeName = Literal["int8"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Runtime:
    """How to run a network. Every field has a default that works on any machine."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N or mps; auto takes the fastest there is
    dtype: DtypeName = "auto"  # auto: float32, and float16 on CUDA
    threads: int | None = None  # None: as many as PyTorch takes, the processor's cores
    attn: AttnName = "sdpa"  # the same numbers from each; sdpa is the fastest everywhere
    quantize: QuantizeName | None = None  # int8: products of whole numbers, on a processor
    load_in_8bit: bool = False  # the encoder's linear layers through bitsandbytes
    compiled: bool = False  # parts of it by PyTorch's compiler

    def __post_init__(self) -> None:
        """Check the fields one by one, and that they go together.

        Raises:
            ValueError: One has a value that there is not.
            UsageError: Two contradict each other.
        """
        check_device_name(self.device)
        if self.dtype not in get_args(DtypeName):
            raise ValueError(f"dtype={self.dtype!r}; use one of {', '.join(get_args(DtypeName))}")
        if self.attn not in get_args(AttnName):
            raise ValueError(f"attn={self.attn!r}; use one of {', '.join(get_args(AttnName))}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads}; use 1 or more")
        if self.quantize is not None and self.quantize not in get_args(QuantizeName):
            raise ValueError(f"quantize={self.quantize!r}; use int8, or None")
        if self.quantize is not None and self.load_in_8bit:
            raise UsageError(
                f"--quantize {self.quantize} and --load-in-8bit are two ways to do the same; "
                f"choose --quantize on a processor, --load-in-8bit on a GPU"
            )
        if self.quantize is not None:
            self.check_whole_numbers(f"--quantize {self.quantize}")
        if self.compiled and self.load_in_8bit:
            raise UsageError(
                "--compile: linear layers by bitsandbytes are compiled already; leave one out"
            )
        if self.load_in_8bit and self.device == "mps":
            raise UsageError("--load-in-8bit: runs on CUDA and on the CPU; leave out --device mps")

    def check_whole_numbers(self, what: str) -> None:
        """Refuse what does not go together with weights that are whole numbers.

        Args:
            what: What they come from, for the message.

        Raises:
            UsageError: Another device than the CPU, another precision, or bitsandbytes.
        """
        if self.device not in ("auto", "cpu"):
            raise UsageError(f"{what}: runs on the CPU only; leave out --device {self.device}")
        if self.dtype not in ("auto", "float32"):
            raise UsageError(
                f"{what}: what is no whole number is float32; leave out --dtype {self.dtype}"
            )
        if self.load_in_8bit:
            raise UsageError(f"{what}: its weights are small already; leave out --load-in-8bit")


def check_device_name(name: str) -> None:
    """Refuse what is no device's name, without asking whether the machine has it.

    Raises:
        ValueError: `name` is not auto, cpu, cuda, cuda:N or mps.
    """
    if not _DEVICE.fullmatch(name):
        raise ValueError(f"{name!r} is no device; use auto, cpu, cuda, cuda:N or mps")


def choose_device(name: str) -> torch.device:
    """Return the device that `name` stands for on this machine.

    Raises:
        UsageError: The machine has no such device; the message names one that it has.
    """
    import torch

    check_device_name(name)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if n_devices == 0:
            raise UsageError(f"--device {name}: no CUDA device here; use --device cpu or auto")
        if device.index is not None and device.index >= n_devices:
            known = ", ".join(f"cuda:{index}" for index in range(n_devices))
            raise UsageError(f"--device {name}: no such CUDA device; this machine has {known}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {name}: no Apple GPU here; use --device cpu or auto")
    return device


def choose_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """Return the precision that `name` stands for on `device`."""
    import torch

    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def check_attention(name: AttnName, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse an attention that can't run as asked; the message names one that can.

    Raises:
        UsageError: flash_attention_2 without its package, off CUDA, or in float32.
    """
    import torch

    from w2v_cli.model.attention import check_attn_implementation

    if name != "flash_attention_2":
        return
    if device.type != "cuda":
        raise UsageError(f"--attn {name}: runs on CUDA only, not on {device}; use --attn sdpa")
    if dtype == torch.float32:
        raise UsageError(f"--attn {name}: needs --dtype float16 or bfloat16; or use --attn sdpa")
    try:
        check_attn_implementation(name)
    except ImportError as error:
        raise UsageError(f"--attn {name}: {error}") from error


def set_threads(threads: int | None) -> None:
    """Have PyTorch calculate with `threads` threads; None leaves its own choice."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def keep_memory_together() -> None:
    """Have a process not grow with the number of different chunks that it hears.

    Left to itself glibc gives threads heaps of their own, where arrays of many sizes leave holes,
    and oneDNN keeps what it has prepared for the last thousand shapes.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, _PREPARED_SHAPES)
    _tell_malloc(_M_ARENA_MAX, 1)


def return_large_arrays() -> None:
    """Have glibc give large arrays back to the system when they are freed.

    Left to itself it keeps those of up to 32 MB in its heap, where the network's arrays of many
    sizes leave holes: the memory of a process grows by half. Other C libraries do without.
    """
    _tell_malloc(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def keep_large_arrays() -> None:
    """Have glibc keep the room of large arrays that are freed, for the next ones.

    The form for inference has smaller arrays than the trained one, and would spend a fifth of its
    time to fetch them anew. It is what glibc does by itself, too, if nobody told it otherwise.
    """
    _tell_malloc(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    _tell_malloc(_M_TRIM_THRESHOLD, 2 * _KEPT_BYTES)


def _tell_malloc(parameter: int, value: int) -> None:
    import ctypes
    import sys

    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(parameter, value)


_M_ARENA_MAX = -8  # malloc.h
_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_LARGE_BYTES = 2**20
_KEPT_BYTES = 2**25  # the most that glibc takes
_PREPARED_SHAPES = "16"  # about what a network has of one length; each may hold megabytes
