"""What an MP3 file says of its length, and the frames that lie in it."""

from __future__ import annotations

import struct

from w2v_cli.audio.sources import LONGEST_LOOK, ByteSource

MP3_SYNCS = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")
_XING_HAS_FRAMES, _XING_HAS_BYTES = 1, 2
_MP3_KILOBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KILOBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# No tag or picture looks like so many, and decoders leave fewer out at the end.
_FRAMES_IN_A_ROW = 9


def mp3_states_length(source: ByteSource) -> bool:
    """Return whether an MP3 file says how long it is; if not, its length is a guess."""
    found = _find_mp3_tag(source)
    return found is not None and _mp3_counts(source, found[1])[0] > 0


def holds_mp3_frames(piece: bytes) -> bool:
    """Return whether frames of MPEG audio lie somewhere in a piece of a file."""
    place = piece.find(b"\xff")
    while place >= 0:
        if _starts_mp3_frames(piece, place):
            return True
        place = piece.find(b"\xff", place + 1)
    return False


def _starts_mp3_frames(piece: bytes, place: int) -> bool:
    """Return whether several whole frames of MPEG audio, layer 3, follow each other at a place."""
    for _ in range(_FRAMES_IN_A_ROW):
        size = _mp3_frame_bytes(piece[place : place + 4])
        if size is None:
            return False
        place += size
    return place <= len(piece)


def _mp3_frame_bytes(header: bytes) -> int | None:
    """Return the size of the frame with this header, None if it is no header of layer 3."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, padding = header[1] >> 3 & 3, header[2] >> 1 & 1
    bit_rate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bit_rate in (0, 15) or rate == 3:
        return None
    is_first = version == 3  # MPEG 1; 2 and 2.5 have half the samples, and a half or a quarter
    kilobits = (_MP3_KILOBITS_1 if is_first else _MP3_KILOBITS_2)[bit_rate]
    sample_rate = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return (144_000 if is_first else 72_000) * kilobits // sample_rate + padding


def mp3_is_joined(source: ByteSource) -> bool:
    """Return whether more frames follow where an MP3 file's tag says that it ends."""
    found = _find_mp3_tag(source)
    if found is None:
        return False
    first_frame, tag = found
    n_bytes = _mp3_counts(source, tag)[1]
    end = first_frame + n_bytes
    if not 0 < n_bytes < source.size - first_frame:
        return False
    # A tag counts with the frame that it is in, or without; some count wrong by a few bytes.
    return holds_mp3_frames(source.read_at(end, LONGEST_LOOK))


def _mp3_counts(source: ByteSource, tag: int) -> tuple[int, int]:
    """Return the frames and the bytes that an MP3 file's tag counts, 0 for what it doesn't."""
    piece = source.read_at(tag, 18).ljust(18, b"\0")
    if piece[:4] == b"VBRI":
        n_bytes, n_frames = struct.unpack(">II", piece[10:18])
        return n_frames, n_bytes
    flags, first, second = struct.unpack(">III", piece[4:16])
    n_frames = first if flags & _XING_HAS_FRAMES else 0
    n_bytes = second if flags & _XING_HAS_FRAMES else first
    return n_frames, n_bytes if flags & _XING_HAS_BYTES else 0


def _find_mp3_tag(source: ByteSource) -> tuple[int, int] | None:
    """Return where the first frame of an MP3 file starts, and the tag in it that counts frames.

    The first frame of most files holds no sound but such a tag: Xing, Info or VBRI.
    """
    start = source.read_at(0, 10)
    first_frame = 0
    if start[:3] == b"ID3" and len(start) == 10:
        sizes = zip(start[6:], (21, 14, 7, 0), strict=True)
        first_frame = 10 + sum(byte << shift for byte, shift in sizes)
    frame = source.read_at(first_frame, 256)
    places = [frame.find(name) for name in (b"Xing", b"Info", b"VBRI")]
    place = max(places)
    return None if place < 0 else (first_frame, first_frame + place)


def mend_mp3_size(source: ByteSource) -> None:
    """Let an MP3 file's tag say how many bytes there are.

    The decoder prints a warning on stderr if it says otherwise. Cut or edited files do, and
    what they lack is found by counting frames.
    """
    found = _find_mp3_tag(source)
    if found is None:
        return
    first_frame, tag = found
    name, flags = struct.unpack(">4sI", source.read_at(tag, 8).ljust(8, b"\0"))
    if name != b"VBRI" and flags & _XING_HAS_BYTES:
        offset = tag + 8 + (4 if flags & _XING_HAS_FRAMES else 0)
        source.patch(offset, struct.pack(">I", (source.size - first_frame) & 0xFFFF_FFFF))
