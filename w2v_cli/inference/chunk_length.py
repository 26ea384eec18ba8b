"""How long a chunk may be: what memory has room for, and no more than is of use."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from w2v_cli.inference.memory import bytes_per_second
from w2v_cli.model.base import Wav2Vec2PreTrainedModel

# The longer a chunk, the smaller the part of it that its neighbours hear as well. But what the
# network leaves behind in the heap grows with it, and a minute is hardly faster than half of one
# (docs/long-recordings.md).
LENGTHS_SECONDS = (30.0, 20.0, 15.0)

# Of the whole memory, whatever is free now: two runs on one machine cut alike. The rest is for
# the weights, for batches of several chunks, and for other programs.
_SHARE_OF_MEMORY = 0.125

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
# Of a computer that does not say.
_UNKNOWN_BYTES = 4 * 2**30


def longest_chunk_seconds(model: Wav2Vec2PreTrainedModel, sample_rate: int) -> float:
    """Return the longest of `LENGTHS_SECONDS` that memory has room for, or else the shortest.

    Args:
        model: The network, on its device and in its precision.
        sample_rate: Samples a second of what it hears.
    """
    room = _SHARE_OF_MEMORY * memory_bytes(model.device)
    seconds = room / bytes_per_second(model.config, model.dtype, sample_rate)
    return next((length for length in LENGTHS_SECONDS if length <= seconds), LENGTHS_SECONDS[-1])


def memory_bytes(device: torch.device) -> int:
    """Return how much memory a device has, used or not."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if _has_sysconf() else 0
    try:
        limit = int(_CONTAINER_LIMIT.read_text())  # "max" where there is none
    except (OSError, ValueError):
        limit = 0
    known = [number for number in (installed, limit) if number > 0]
    return min(known, default=_UNKNOWN_BYTES)


def _has_sysconf() -> bool:
    return hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
