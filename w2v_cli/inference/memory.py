"""How much audio goes through a network at once: what is fastest, and what memory has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from w2v_cli.model.base import Wav2Vec2PreTrainedModel
    from w2v_cli.model.config import Wav2Vec2Config

# The first convolutions hold the most: as many copies of the widest layer's output lie in memory
# at once, among them those that a masked group norm makes (docs/batch-speed.md).
_COPIES = 6
# The rest is for what fragments, and for other programs.
_SHARE_OF_FREE = 0.6
# On a processor the second recording takes as long as the first, and padding is work: only
# recordings of a second or so gain by company (docs/batch-speed.md).
_CPU_BATCH_SECONDS = 4.0
# Several batches wait in the machine's own memory; of this size they are 58 MB each.
_MOST_BATCH_SECONDS = 900.0


def batch_seconds(model: Wav2Vec2PreTrainedModel, sample_rate: int) -> float:
    """Return how many seconds of audio, padding included, one batch of a model should hold.

    Args:
        model: The network, on its device and in its precision.
        sample_rate: Samples a second of what it hears.
    """
    free = free_bytes(model.device)
    if free is None:
        return _CPU_BATCH_SECONDS
    needed = bytes_per_second(model.config, model.dtype, sample_rate)
    return min(_SHARE_OF_FREE * free / needed, _MOST_BATCH_SECONDS)


def bytes_per_second(config: Wav2Vec2Config, dtype: torch.dtype, sample_rate: int) -> float:
    """Return about how much memory a network takes for each second of audio that it hears."""
    rate = float(sample_rate)
    widest = 0.0
    for channels, stride in zip(config.conv_dim, config.conv_stride, strict=True):
        rate /= stride
        widest = max(widest, rate * channels)
    # A masked group norm calculates in float32, whatever the model's precision.
    itemsize = 4 if config.feat_extract_norm == "group" else dtype.itemsize
    return _COPIES * widest * itemsize


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory a GPU has left for this process; None for a processor."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    if device.type == "mps":
        most = torch.mps.recommended_max_memory()
        return max(0, int(most) - int(torch.mps.driver_allocated_memory()))
    return None
