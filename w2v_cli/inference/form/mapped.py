"""Weights that lie in a mapped file, and are needed no more once they are packed."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path

import torch

# Below this a page more or less does not matter.
_SMALL_BYTES = 2**18


def forget(tensor: torch.Tensor) -> None:
    """Have the system drop a tensor's pages from this process's memory, if they are a file's.

    For a tensor that nobody reads again. Were it read, the file would be, too; what was written
    into the tensor would be lost. Elsewhere than on Linux nothing is done.
    """
    if sys.platform != "linux" or tensor.nbytes < _SMALL_BYTES or not tensor.is_contiguous():
        return
    page = mmap.PAGESIZE
    begin = -(-tensor.data_ptr() // page) * page
    end = (tensor.data_ptr() + tensor.nbytes) // page * page
    if _is_of_a_file(begin, end):
        ctypes.CDLL(None).madvise(
            ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED
        )


def _is_of_a_file(begin: int, end: int) -> bool:
    """Return whether all addresses from begin to end are one mapping of a file."""
    mapping = ""
    with Path("/proc/self/maps").open(encoding="utf-8") as lines:
        for line in lines:  # by rising addresses
            if int(line[: line.index("-")], 16) > begin:
                break
            mapping = line
    if not mapping:
        return False
    addresses, _, _, _, inode, *_ = mapping.split()
    return end <= int(addresses.partition("-")[2], 16) and inode != "0"
