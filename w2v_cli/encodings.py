"""Texts that people give us: UTF-8, or what says at its beginning that it is UTF-16."""

from __future__ import annotations

import codecs
import re
import shlex

from w2v_cli.errors import UsageError

_PACKED = (
    (re.compile(rb"\xfd7zXZ\0"), "unxz"),
    (re.compile(rb"BZh[1-9]1A"), "bunzip2"),
    (re.compile(rb"PK\x03\x04"), "unzip"),
    (re.compile(rb"\x1f\x8b"), "gunzip"),
)
START_BYTES = 6
"""How much of a file tells its encoding."""


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text that begins like this.

    >>> encoding_of("é".encode("utf-16")), encoding_of("é".encode())
    ('utf-16', 'utf-8-sig')
    """
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if start.startswith(marks) else "utf-8-sig"  # with its mark or without


def is_wide(text: str) -> bool:
    """Return whether a text has a NUL for every other letter or so, as UTF-16 read otherwise has.

    >>> is_wide("g\\0o\\0"), is_wide("to be\\0 or not to be")
    (True, False)
    """
    return text.count("\0") * 3 > len(text)


def undecodable(shown: str, start: bytes) -> UsageError:
    """Return the error that says what to do about a file that is no text as we know it."""
    for magic, program in _PACKED:
        if magic.match(start):
            return UsageError(f"{shown}: packed; unpack it with {program} before")
    if encoding_of(start) == "utf-16":
        return UsageError(f"{shown}: the text is cut off, or no UTF-16 after all; save it as UTF-8")
    other = "utf-16" if is_wide(start.decode("latin1")) else "latin1"
    return UsageError(
        f"{shown}: the text is not in UTF-8; convert it, for instance: "
        f"iconv -f {other} -t utf-8 {shlex.quote(shown)}"
    )


def decoded_text(content: bytes, shown: str) -> str:
    """Return what a file holds as text.

    Raises:
        UsageError: It is no text in an encoding that we know.
    """
    try:
        text = content.decode(encoding_of(content[:START_BYTES]))
    except UnicodeDecodeError as error:
        raise undecodable(shown, content[:START_BYTES]) from error
    if is_wide(text[:1000]) or any(magic.match(content) for magic, _ in _PACKED):
        raise undecodable(shown, content[:START_BYTES])
    return text
