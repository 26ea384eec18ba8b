"""Texts in the encodings that people have."""

import pytest

from w2v_cli.encodings import decoded_text
from w2v_cli.errors import UsageError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_utf_8_and_what_is_marked_as_utf_16(encoding):
    assert decoded_text("Zoë 🎤\n".encode(encoding), "a.txt") == "Zoë 🎤\n"


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"Zo\xeb", "a b.txt: the text is not in UTF-8; .*iconv -f latin1 -t utf-8 'a b.txt'"),
        ("go".encode("utf-16-be"), "iconv -f utf-16 -t utf-8"),
        (b"BZh91AY&SY\x00\xff", "packed; unpack it with bunzip2"),
        (b"PK\x03\x04\x14\x00\x00", "packed; unpack it with unzip"),
    ],
)
def test_anything_else_is_told(content, advice):
    with pytest.raises(UsageError, match=advice):
        decoded_text(content, "a b.txt")
