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

from w2v_cli.audio.mp3 import (
    MP3_SYNCS,
    holds_mp3_frames,
    mend_mp3_size,
    mp3_is_joined,
)
from w2v_cli.audio.ogg import ogg_breaks_off, ogg_is_joined
from w2v_cli.audio.riff import (
    FAMILIES,
    RF64_SIZE,
    find_data,
    holds_chunks,
    is_known,
    rf64_data_size,
)
from w2v_cli.audio.sources import LONGEST_LOOK, ByteSource

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

_TEXT_CONTROLS = frozenset(b"\t\n\f\r\x1b")


def examine(source: ByteSource) -> Extent:
    """Return how much of the file is there, and mend sizes that would mislead libsndfile.

    A WAV header that says "no data" in front of data was written into a pipe. It is
    patched to say "until the end", which libsndfile understands.
    """
    start = source.read_at(0, 12)
    if start[:4] == b"OggS":
        return Extent(breaks_off=ogg_breaks_off(source), is_joined=ogg_is_joined(source))
    if start[:4] == b".snd":
        offset, size = struct.unpack(">II", start[4:12].ljust(8, b"\0"))
        n_behind = source.size - offset - size
        if size == 0 and n_behind > 0:
            source.patch(8, b"\xff\xff\xff\xff")
        elif n_behind >= _MUCH_BEHIND:
            _tell_what_is_behind(source, n_behind)
        return _extent(size, source.size - offset)
    if start[:3] == b"ID3" or start[:2] in MP3_SYNCS:
        is_joined = mp3_is_joined(source)
        mend_mp3_size(source)
        return Extent(is_joined=is_joined)
    family = FAMILIES.get(start[:4])
    if family is None or len(start) < 12:
        return Extent()
    chunk = find_data(source, family)
    if chunk is None and start[:4] == b"RIFF":  # AVI has its sound in a list
        return _extent(struct.unpack("<I", start[4:8])[0], source.size - 8)
    if chunk is None:
        return Extent()
    offset, size = chunk
    if start[:4] == b"RF64" and size == 0xFFFF_FFFF:
        size = rf64_data_size(source)
        if size == 0 and not holds_chunks(source, offset, family):
            # An RF64 file says its size elsewhere, and there how many samples it has.
            source.patch(RF64_SIZE, struct.pack("<QQ", source.size - offset, 0))
    if size == 0 and start[:4] == b"RIFF" and not holds_chunks(source, offset, family):
        source.patch(offset - 4, b"\xff\xff\xff\xff")
    end = offset + size
    n_behind = source.size - end
    # Of a Wave64 file libsndfile hears everything.
    is_much = size > 0 and n_behind >= _MUCH_BEHIND and start[:4] != b"riff"
    if is_much and not holds_chunks(source, end + -end % family.alignment, family):
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


def goes_on(source: ByteSource) -> bool:
    """Return whether more than a little sound lies behind what a decoder of MP3 or Ogg has read.

    They stop at the end of the first of several recordings, at some damages, and at a length that
    was guessed, as if that were the end of the file. What is behind the end of others are tags.
    """
    rest = source.read_at(source.tell(), LONGEST_LOOK)
    if source.read_at(0, 4) == b"OggS":
        return b"OggS" in rest
    return holds_mp3_frames(rest)


def _extent(size: int, present: int) -> Extent:
    """Return the extent of a file that promises `size` bytes of sound and has `present`."""
    if not is_known(size) or size <= present:
        return Extent()
    return Extent(present=max(present, 0) / size)
