"""Normalisers: which differences between two texts do not count, each with a name.

none      all of them count but the kind and amount of white space
basic     upper and lower case, punctuation and [remarks] do not, in any language
english   besides, numbers in digits, contractions, titles, spellings and uh do not
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from w2v_cli.scoring.spoken_english import (
    CONTRACTIONS,
    FILLERS,
    SPELLINGS,
    TITLES,
    spoken_numbers,
    spoken_signs,
)

_APOSTROPHES = re.compile("[’‘ʼʻ`´＇]")
# What captioners put in brackets was not said: [laughter], <noise>. In round ones it may have been.
_REMARKS = re.compile(r"\[[^\]]*\]|<[^>]*>")
# Letters, their marks and digits stay, and an apostrophe or a middle dot inside of a word.
_INSIDE_WORDS = re.compile(r"(?<=\w)['·](?=\w)")
_KEPT_CATEGORIES = ("L", "M", "N")
_DOTTED_I = "i\N{COMBINING DOT ABOVE}"


def no_normalizer(text: str) -> str:
    """Return the text with single spaces.

    >>> no_normalizer(" Go  left!\\n")
    'Go left!'
    """
    return " ".join(text.split())


def basic_normalizer(text: str, *, folds: bool = True) -> str:
    """Return the text in lower case, without punctuation, signs and [remarks].

    Letters that differ in some other writing of a word alone are one where the text is folded, as
    is right where two are compared: ß is ss, which is how STRASSE may be meant, and ς is σ. What
    a network is to write is not.

    Apostrophes inside of words stay, so that "we're" is not "were". Accents stay: they make
    other words in most languages. A hyphen parts words. Unicode's compatible forms are one
    (NFKC): ﬁ and fi.

    >>> basic_normalizer("“We’re well-known, [laughs] Zoë!”")
    "we're well known zoë"
    >>> basic_normalizer("Große Straße"), basic_normalizer("Große Straße", folds=False)
    ('grosse strasse', 'große straße')
    """
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", _REMARKS.sub(" ", text)))
    # Lower case may take another form: İ becomes an i with a dot of its own.
    text = text.casefold() if folds else text.lower().replace(_DOTTED_I, "i")
    text = unicodedata.normalize("NFC", text)
    inside = {match.start() for match in _INSIDE_WORDS.finditer(text)}
    kept = (
        c if i in inside or unicodedata.category(c).startswith(_KEPT_CATEGORIES) else " "
        for i, c in enumerate(text)
    )
    return no_normalizer("".join(kept))


def english_normalizer(text: str) -> str:
    """Return an English text as it would be read aloud, in plain words.

    After Whisper's English normaliser (Radford et al. 2022, appendix C), with one turn:
    numbers become words instead of digits, as letter models write them. Besides what
    `basic_normalizer` does, contractions (don't, we'll), titles (Mr.) and British spellings
    are written one way, and uh, um and hmm are left out.

    >>> english_normalizer("Dr. Gray won't pay $1,250 – uh, she's 42.")
    'doctor gray will not pay one thousand two hundred fifty dollars she is forty two'
    """
    text = unicodedata.normalize("NFKC", spoken_signs(_REMARKS.sub(" ", text)))
    text = basic_normalizer(spoken_numbers(_APOSTROPHES.sub("'", text)))
    text = " ".join(TITLES.get(word, word) for word in text.split())
    for pattern, written in CONTRACTIONS:
        text = pattern.sub(written, text)
    words = (SPELLINGS.get(word, word) for word in text.split() if word not in FILLERS)
    return " ".join(words)


NORMALIZERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"none": no_normalizer, "basic": basic_normalizer, "english": english_normalizer}
)
"""The normalisers by their names."""


def normalize(text: str, name: str) -> str:
    """Return a text as the normaliser of that name writes it.

    Raises:
        ValueError: There is no such normaliser.
    """
    if name not in NORMALIZERS:
        raise ValueError(f"no normaliser {name!r}; choose one of {', '.join(NORMALIZERS)}")
    return NORMALIZERS[name](text)
