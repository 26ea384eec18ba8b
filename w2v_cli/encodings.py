"""Texts that people give us: UTF-8, or what says at its beginning that it is UTF-16."""

from __future__ import annotations

import codecs
import shlex

from w2v_cli.errors import UsageError

_PACKED = {b"\xfd7zXZ": "unxz", b"BZh": "bunzip2", b"PK\x03\x04": "unzip", b"\x1f\x8b": "gunzip"}
START_BYTES = 6
"""How much of a file tells its encoding."""


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text that begins like this.

    >>> encoding_of("é".encode("utf-16")), encoding_of("é".encode())
    ('utf-16', 'utf-8-sig')
    """
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if start.startswith(marks) else "utf-8-sig"  # with its mark or without


def undecodable(shown: str, start: bytes) -> UsageError:
    """Return the error that says what to do about a file that is no text as we know it."""
    for magic, program in _PACKED.items():
        if start.startswith(magic):
            return UsageError(f"{shown}: packed; unpack it with {program} before")
    other = "utf-16" if b"\0" in start else "latin1"
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
    if "\0" in text:
        raise undecodable(shown, content[:START_BYTES])
    return text
