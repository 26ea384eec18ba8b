"""Files made of chunks, each with a name and a size: RIFF (WAV, AVI), AIFF, Wave64, CAF."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from w2v_cli.audio.sources import ByteSource


@dataclass(frozen=True)
class ChunkFamily:
    """A file made of chunks, each with a name and a size.

    Attributes:
        first: Where the first chunk starts, in bytes.
        name_bytes: The length of a chunk's name.
        size: The struct format of a chunk's size.
        size_counts_header: The size includes name and size themselves.
        alignment: Chunks start at multiples of this.
        data: How the name of the sound data's chunk starts.
    """

    first: int
    name_bytes: int
    size: str
    size_counts_header: bool
    alignment: int
    data: tuple[bytes, ...]


# The sizes that stand for "not known yet" in headers written into a pipe: 0xFFFFFFFF
# (FFmpeg), 0x7FFFF000 (SoX), 0x7FFFFFFF and 0x80000000 (arecord), rounded to whole frames.
_UNKNOWN_SIZES_32 = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, 0x1_0000_0000))
_LARGEST_SIZE_64 = 2**62  # W64 and CAF write all ones


def is_known(size: int) -> bool:
    """Whether a chunk's size is one, and does not say that the chunk was still being written."""
    if size == 0 or size >= _LARGEST_SIZE_64:
        return False
    return not any(size in sizes for sizes in _UNKNOWN_SIZES_32)


FAMILIES = {
    b"RIFF": ChunkFamily(12, 4, "<I", False, 2, (b"data",)),
    b"RIFX": ChunkFamily(12, 4, ">I", False, 2, (b"data",)),
    b"RF64": ChunkFamily(12, 4, "<I", False, 2, (b"data",)),
    b"FORM": ChunkFamily(12, 4, ">I", False, 2, (b"SSND", b"BODY")),
    b"riff": ChunkFamily(40, 16, "<Q", True, 8, (b"data",)),  # Sony Wave64
    b"caff": ChunkFamily(8, 4, ">Q", False, 1, (b"data",)),
}

RF64_SIZE = 28  # where it is, in the chunk ds64, which comes first; the number of samples follows

# No real file has as many chunks before its sound.
_MAX_CHUNKS = 10_000


def find_data(source: ByteSource, family: ChunkFamily) -> tuple[int, int] | None:
    """Return where the sound data starts and how many bytes it should have."""
    position, header = family.first, family.name_bytes + struct.calcsize(family.size)
    for _ in range(_MAX_CHUNKS):
        name, size = _chunk(source, position, family)
        if name is None:
            return None
        if name.startswith(family.data):
            return position + header, size
        position += header + size
        position += -position % family.alignment
    return None


def _chunk(
    source: ByteSource, position: int, family: ChunkFamily
) -> tuple[bytes, int] | tuple[None, int]:
    """Return a chunk's name and the size of what follows its header; None past the end."""
    header = family.name_bytes + struct.calcsize(family.size)
    piece = source.read_at(position, header)
    if len(piece) < header:
        return None, 0
    (size,) = struct.unpack(family.size, piece[family.name_bytes :])
    if family.size_counts_header:
        size = max(size - header, 0)
    return piece[: family.name_bytes], size


def holds_chunks(source: ByteSource, position: int, family: ChunkFamily) -> bool:
    """Return whether the rest of a file is nothing but whole chunks, or nothing at all."""
    header = family.name_bytes + struct.calcsize(family.size)
    for _ in range(_MAX_CHUNKS):
        if position >= source.size:
            return True
        name, size = _chunk(source, position, family)
        if name is None or not name.isascii() or not name.decode("ascii").isprintable():
            return False
        position += header + size
        if position > source.size:
            return False
        position += -position % family.alignment
    return False


def rf64_data_size(source: ByteSource) -> int:
    """Return the size of the sound data of an RF64 file, which has its own chunk for it."""
    piece = source.read_at(RF64_SIZE, 8)
    if source.read_at(12, 4) != b"ds64" or len(piece) < 8:
        return 0
    size: int = struct.unpack("<Q", piece)[0]
    return size
