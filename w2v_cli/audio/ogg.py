"""The pages of an Ogg file: whether the last is whole, and whether other streams follow."""

from __future__ import annotations

import re

from w2v_cli.audio.sources import LONGEST_LOOK, ByteSource

_OGG_PAGE_HEADER = 27
_OGG_LARGEST_PAGE = 65_307
_OGG_FIRST_PAGE = re.compile(rb"OggS\x00[\x02\x03\x06\x07]")


def ogg_is_joined(source: ByteSource) -> bool:
    """Return whether streams start in an Ogg file behind those that it starts with.

    All streams that are heard at once have their first pages at the beginning of a file.
    """
    start = source.read_at(0, LONGEST_LOOK)
    serials, place = set(), 0
    while _OGG_FIRST_PAGE.match(start, place):
        serials.add(_ogg_serial(start, place))
        place += _ogg_page_bytes(start[place:]) or len(start)
    tail = _ogg_tail(source)
    is_other = _ogg_serial(tail, max(tail.rfind(b"OggS"), 0)) not in serials
    return is_other or _OGG_FIRST_PAGE.search(start, place) is not None


def ogg_breaks_off(source: ByteSource) -> bool:
    """Return whether an Ogg file ends inside a page.

    One that ends after a whole page without the end mark is a live stream that somebody
    stopped recording, and complete in every sense that matters here.
    """
    tail = _ogg_tail(source)
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    n_bytes = _ogg_page_bytes(page)
    return n_bytes is None or len(page) < n_bytes


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
