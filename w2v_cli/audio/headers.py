"""What the first and last bytes of a file say: its kind, its size, whether it is whole.

libsndfile reads a file that was cut short as if it were a shorter one, and a WAV file of
length zero, as a recorder writes into a pipe, as an empty one. So the sizes that headers
promise are compared with the bytes there are before anything is decoded.
"""

from __future__ import annotations

import logging
import re
import shlex
import struct
from dataclasses import dataclass

from w2v_cli.audio.sources import ByteSource

log = logging.getLogger(__name__)

# Bytes. Less is a tag that some program has appended, or padding.
_MUCH_BEHIND = 2**14


@dataclass(frozen=True)
class Extent:
    """How much of a file is there.

    Attributes:
        present: The part of the promised sound data that is there, 0 to 1; 1 where the
            file promises nothing, as a stream's header does.
        breaks_off: The file ends inside a block, whose size nobody knows.
        is_joined: Several recordings lie in it one after another.
    """

    present: float = 1.0
    breaks_off: bool = False
    is_joined: bool = False


@dataclass(frozen=True)
class _ChunkFamily:
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


_FAMILIES = {
    b"RIFF": _ChunkFamily(12, 4, "<I", False, 2, (b"data",)),
    b"RIFX": _ChunkFamily(12, 4, ">I", False, 2, (b"data",)),
    b"RF64": _ChunkFamily(12, 4, "<I", False, 2, (b"data",)),
    b"FORM": _ChunkFamily(12, 4, ">I", False, 2, (b"SSND", b"BODY")),
    b"riff": _ChunkFamily(40, 16, "<Q", True, 8, (b"data",)),  # Sony Wave64
    b"caff": _ChunkFamily(8, 4, ">Q", False, 1, (b"data",)),
}

# The sizes that stand for "not known yet" in headers written into a pipe: 0xFFFFFFFF
# (FFmpeg), 0x7FFFF000 (SoX), 0x7FFFFFFF and 0x80000000 (arecord), rounded to whole frames.
_UNKNOWN_SIZES_32 = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, 0x1_0000_0000))
_LARGEST_SIZE_64 = 2**62  # W64 and CAF write all ones
_RF64_SIZE = 28  # where it is, in the chunk ds64, which comes first; the number of samples follows

# No real file has as many chunks before its sound.
_MAX_CHUNKS = 10_000

_OGG_PAGE_HEADER = 27
_OGG_LARGEST_PAGE = 65_307
_OGG_FIRST_PAGE = re.compile(rb"OggS\x00[\x02\x03\x06\x07]")

# How recordings start that FFmpeg reads and libsndfile does not, or not always. Playlists
# and other text are left out on purpose: they may name files and addresses to open.
_CONTAINER_STARTS = re.compile(
    rb"....(?:ftyp|moov|mdat|wide|free|skip)"  # MP4, M4A, MOV
    rb"|\x1a\x45\xdf\xa3"  # Matroska, WebM
    rb"|\xff[\xf0\xf1\xf8\xf9]|ADIF|ID3"  # AAC, and MP3 behind a tag
    rb"|\x30\x26\xb2\x75|FLV\x01|#!AMR|OggS|fLaC|caff|riff|FORM|RIFF|RIFX|RF64|BW64|\.snd"
    rb"|wvpk|MAC |TTA1|MP\+|MPCK|DSD |FRM8|\x0b\x77|\x7f\xfe\x80\x01"
    rb"|\x00\x00\x01\xba|\x47.{187}\x47|.{4}\x47.{191}\x47",  # MPEG program, transport streams
    re.DOTALL,
)

_MP3_SYNCS = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")
_XING_HAS_FRAMES, _XING_HAS_BYTES = 1, 2
_MP3_KILOBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KILOBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# No tag or picture looks like so many, and decoders leave fewer out at the end.
_FRAMES_IN_A_ROW = 9

# Bytes. How far to look for more sound: behind tags, pictures among them.
_LONGEST_LOOK = 2**20

_TEXT_CONTROLS = frozenset(b"\t\n\f\r\x1b")


def examine(source: ByteSource) -> Extent:
    """Return how much of the file is there, and mend sizes that would mislead libsndfile.

    A WAV header that says "no data" in front of data was written into a pipe. It is
    patched to say "until the end", which libsndfile understands.
    """
    start = source.read_at(0, 12)
    if start[:4] == b"OggS":
        return Extent(breaks_off=_ogg_breaks_off(source), is_joined=_ogg_is_joined(source))
    if start[:4] == b".snd":
        offset, size = struct.unpack(">II", start[4:12].ljust(8, b"\0"))
        n_behind = source.size - offset - size
        if size == 0 and n_behind > 0:
            source.patch(8, b"\xff\xff\xff\xff")
        elif n_behind >= _MUCH_BEHIND:
            _tell_what_is_behind(source, n_behind)
        return _extent(size, source.size - offset)
    if start[:3] == b"ID3" or start[:2] in _MP3_SYNCS:
        is_joined = _mp3_is_joined(source)
        _mend_mp3_size(source)
        return Extent(is_joined=is_joined)
    family = _FAMILIES.get(start[:4])
    if family is None or len(start) < 12:
        return Extent()
    chunk = _find_data(source, family)
    if chunk is None and start[:4] == b"RIFF":  # AVI has its sound in a list
        return _extent(struct.unpack("<I", start[4:8])[0], source.size - 8)
    if chunk is None:
        return Extent()
    offset, size = chunk
    if start[:4] == b"RF64" and size == 0xFFFF_FFFF:
        size = _rf64_data_size(source)
        if size == 0 and not _holds_chunks(source, offset, family):
            # An RF64 file says its size elsewhere, and there how many samples it has.
            source.patch(_RF64_SIZE, struct.pack("<QQ", source.size - offset, 0))
    if size == 0 and start[:4] == b"RIFF" and not _holds_chunks(source, offset, family):
        source.patch(offset - 4, b"\xff\xff\xff\xff")
    end = offset + size
    n_behind = source.size - end
    # Of a Wave64 file libsndfile hears everything.
    is_much = size > 0 and n_behind >= _MUCH_BEHIND and start[:4] != b"riff"
    if is_much and not _holds_chunks(source, end + -end % family.alignment, family):
        _tell_what_is_behind(source, n_behind)
    return _extent(size, source.size - offset)


def _tell_what_is_behind(source: ByteSource, n_bytes: int) -> None:
    """Warn of sound that a header doesn't know of: a recorder that crashed, or counted to 4 GB."""
    log.warning(
        "%s: the file goes on for %d bytes after what its header calls its end, and they are "
        "not heard; if they are sound, mend it: ffmpeg -ignore_length 1 -i %s mended.wav",
        source.label,
        n_bytes,
        shlex.quote(source.label),
    )


def starts_like_container(head: bytes) -> bool:
    """Return whether FFmpeg should be asked to read a file that starts with `head`."""
    return _CONTAINER_STARTS.match(head) is not None


def starts_like_text(head: bytes) -> bool:
    """Return whether a file that starts with `head`, some kilobytes, holds text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut in two
    return True


def mp3_states_length(source: ByteSource) -> bool:
    """Return whether an MP3 file says how long it is; if not, its length is a guess."""
    found = _find_mp3_tag(source)
    return found is not None and _mp3_counts(source, found[1])[0] > 0


def goes_on(source: ByteSource) -> bool:
    """Return whether more than a little sound lies behind what a decoder of MP3 or Ogg has read.

    They stop at the end of the first of several recordings, at some damages, and at a length that
    was guessed, as if that were the end of the file. What is behind the end of others are tags.
    """
    rest = source.read_at(source.tell(), _LONGEST_LOOK)
    if source.read_at(0, 4) == b"OggS":
        return b"OggS" in rest
    return _holds_mp3_frames(rest)


def _holds_mp3_frames(piece: bytes) -> bool:
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


def _mp3_is_joined(source: ByteSource) -> bool:
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
    return _holds_mp3_frames(source.read_at(end, _LONGEST_LOOK))


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


def _mend_mp3_size(source: ByteSource) -> None:
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


def _extent(size: int, present: int) -> Extent:
    """Return the extent of a file that promises `size` bytes of sound and has `present`."""
    unknown = size >= _LARGEST_SIZE_64 or any(size in sizes for sizes in _UNKNOWN_SIZES_32)
    if unknown or size <= present or size == 0:
        return Extent()
    return Extent(present=max(present, 0) / size)


def _find_data(source: ByteSource, family: _ChunkFamily) -> tuple[int, int] | None:
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
    source: ByteSource, position: int, family: _ChunkFamily
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


def _holds_chunks(source: ByteSource, position: int, family: _ChunkFamily) -> bool:
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


def _rf64_data_size(source: ByteSource) -> int:
    """Return the size of the sound data of an RF64 file, which has its own chunk for it."""
    piece = source.read_at(_RF64_SIZE, 8)
    if source.read_at(12, 4) != b"ds64" or len(piece) < 8:
        return 0
    size: int = struct.unpack("<Q", piece)[0]
    return size


def _ogg_is_joined(source: ByteSource) -> bool:
    """Return whether streams start in an Ogg file behind those that it starts with.

    All streams that are heard at once have their first pages at the beginning of a file.
    """
    start = source.read_at(0, _LONGEST_LOOK)
    serials, place = set(), 0
    while _OGG_FIRST_PAGE.match(start, place):
        serials.add(_ogg_serial(start, place))
        place += _ogg_page_bytes(start[place:]) or len(start)
    tail = _ogg_tail(source)
    is_other = _ogg_serial(tail, max(tail.rfind(b"OggS"), 0)) not in serials
    return is_other or _OGG_FIRST_PAGE.search(start, place) is not None


def _ogg_serial(piece: bytes, place: int) -> bytes:
    """Return which stream the page at a place belongs to."""
    return piece[place + 14 : place + 18]


def _ogg_page_bytes(page: bytes) -> int | None:
    """Return the size of a page, None where its header is not whole."""
    if len(page) < _OGG_PAGE_HEADER or len(page) < _OGG_PAGE_HEADER + page[26]:
        return None
    return _OGG_PAGE_HEADER + page[26] + sum(page[_OGG_PAGE_HEADER : _OGG_PAGE_HEADER + page[26]])


def _ogg_tail(source: ByteSource) -> bytes:
    """Return so much of the end of an Ogg file that a page begins in it."""
    start = max(source.size - 2 * _OGG_LARGEST_PAGE, 0)
    return source.read_at(start, source.size - start)


def _ogg_breaks_off(source: ByteSource) -> bool:
    """Return whether an Ogg file ends inside a page.

    One that ends after a whole page without the end mark is a live stream that somebody
    stopped recording, and complete in every sense that matters here.
    """
    tail = _ogg_tail(source)
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    n_bytes = _ogg_page_bytes(page)
    return n_bytes is None or len(page) < n_bytes
