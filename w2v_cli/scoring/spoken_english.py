"""English as it is said: numbers in words, and one way to write what has several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

FILLERS = frozenset({"uh", "um", "er", "erm", "hm", "hmm", "mm", "mmm", "mhm"})
"""Sounds of hesitation: some transcribers write them, some don't."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "mr": "mister",
        "mrs": "missus",
        "dr": "doctor",
        "prof": "professor",
        "capt": "captain",
        "lt": "lieutenant",
        "jr": "junior",
        "sr": "senior",
        "vs": "versus",
        "etc": "et cetera",
        "ok": "okay",
        "ma'am": "madam",
    }
)
"""Short forms that nobody says as they are written."""

CONTRACTIONS = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"\bwon't\b", "will not"),
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bshan't\b", "shall not"),
        (r"\blet's\b", "let us"),
        (r"\by'all\b", "you all"),
        (r"\bgonna\b", "going to"),
        (r"\bwanna\b", "want to"),
        (r"\bgotta\b", "got to"),
        (r"\b(w|c|sh)oulda\b", r"\1ould have"),
        (r"n't\b", " not"),
        (r"'re\b", " are"),
        (r"'ll\b", " will"),
        (r"'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        # Also where it is a genitive: both sides are written alike, which is all that counts.
        (r"'s\b", " is"),
        (r"'d\b", " would"),
    )
)
"""Contractions and what they are short for, in the order they are tried."""

_BRITISH = (
    "armour:armor behaviour:behavior colour:color favour:favor favourite:favorite "
    "flavour:flavor harbour:harbor honour:honor humour:humor labour:labor "
    "neighbour:neighbor neighbourhood:neighborhood odour:odor parlour:parlor rumour:rumor "
    "saviour:savior vapour:vapor vigour:vigor centre:center fibre:fiber litre:liter "
    "metre:meter theatre:theater defence:defense licence:license offence:offense "
    "analyse:analyze apologise:apologize criticise:criticize organise:organize "
    "realise:realize recognise:recognize travelled:traveled travelling:traveling "
    "traveller:traveler cancelled:canceled grey:gray jewellery:jewelry plough:plow "
    "programme:program storey:story tyre:tire cheque:check aeroplane:airplane "
    "catalogue:catalog dialogue:dialog mould:mold moustache:mustache pyjamas:pajamas "
    "sceptical:skeptical"
)
SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        british + ending: american + ending
        for british, american in (entry.split(":") for entry in _BRITISH.split())
        for ending in ("", "s", "d" if british.endswith("e") else "ed")
    }
)
"""British spellings and the American ones."""

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
    (100, "hundred"),
)
_MOST_DIGITS = 15
_ORDINALS = MappingProxyType(
    {
        "one": "first",
        "two": "second",
        "three": "third",
        "five": "fifth",
        "eight": "eighth",
        "nine": "ninth",
        "twelve": "twelfth",
    }
)
_CURRENCIES = MappingProxyType({"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen"})

_SHORT_SCALES = MappingProxyType(
    {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion"}
)

# What normal forms would join with the digits before it: 5½ to 51/2, 10² to 102.
_FRACTIONS = MappingProxyType(
    {
        "½": "half",
        "¼": "quarter",
        "¾": "three quarters",
        "⅓": "third",
        "⅔": "two thirds",
        "⅛": "eighth",
        "⅜": "three eighths",
        "⅝": "five eighths",
        "⅞": "seven eighths",
    }
)
# Of money and of hundreds a fraction is read as a decimal.
_DECIMALS = MappingProxyType({"½": ".5", "¼": ".25", "¾": ".75"})
_AMOUNT = re.compile(r"([$€£¥]\s?[\d,]+)\s?([½¼¾])|(\d)\s?([½¼¾])(?=\s?%)")
_POWERS = MappingProxyType({"²": "squared", "³": "cubed"})
_SIGN = re.compile(f"(\\d\\s?)?([{''.join(_FRACTIONS)}])|([{''.join(_POWERS)}])")

_NUMBER = re.compile(
    r"(?P<currency>[$€£¥])?(?<!\d)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<fraction>\d+))?"
    r"(?P<ordinal>st|nd|rd|th)?(?P<plural>'?s\b)?(?P<percent>\s?%)?"
    r"(?(currency)(?:\s?(?P<scale>thousand|million|billion|trillion)\b|(?P<short>k|mn?|bn?)\b)?)",
    re.IGNORECASE,
)


def spoken_numbers(text: str) -> str:
    """Return a text with its digits in words, as they are read aloud.

    Four digits from 1100 to 1999 are read as a year; & is and.

    >>> spoken_numbers("3rd of 1,000 & 12.5% in 1906")
    'third of one thousand  and  twelve point five percent in nineteen oh six'
    """
    return _NUMBER.sub(_in_words, text.replace("&", " and "))


def spoken_signs(text: str) -> str:
    """Return a text with fractions and powers that are one character in words.

    >>> spoken_signs("5½ cups, ¾ of 10²")
    '5 and a half  cups,  three quarters  of 10 squared '
    """
    amounts = _AMOUNT.sub(lambda a: (a[1] or a[3]) + _DECIMALS[a[2] or a[4]], text)
    return _SIGN.sub(_sign_in_words, amounts)


def _sign_in_words(match: re.Match[str]) -> str:
    number, fraction, power = match.groups()
    if power:
        return f" {_POWERS[power]} "
    words = _FRACTIONS[fraction]
    if number is None:
        return f" {words} "
    article = "" if " " in words else "a "
    return f"{number.strip()} and {article}{words} "


def _in_words(match: re.Match[str]) -> str:
    digits = match["whole"].replace(",", "")
    plain = not (match["currency"] or match["fraction"] or match["percent"] or match["ordinal"])
    if plain and len(match["whole"]) == 4 and 1100 <= int(digits) <= 1999:
        words = _year(int(digits))
    elif len(digits) > _MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        words = " ".join(_ONES[int(digit)] for digit in digits)  # 007: a code, not an amount
    else:
        words = cardinal(int(digits))
    if match["fraction"]:
        words += " point " + " ".join(_ONES[int(digit)] for digit in match["fraction"])
    if match["ordinal"]:
        words = _ordinal(words)
    if match["plural"]:
        stem = words[:-1] + "i" if words.endswith("y") else words
        words = stem + ("es" if words.endswith(("x", "y")) else "s")
    if match["percent"]:
        words += " percent"
    if match["scale"]:
        words += f" {match['scale'].lower()}"
    elif match["short"]:
        words += f" {_SHORT_SCALES[match['short'].lower()]}"
    if match["currency"]:
        one = words == "one" and match["currency"] != "¥"
        words += " " + _CURRENCIES[match["currency"]].removesuffix("s" if one else "")
    # Letters may stand right beside it: 5km.
    before = " " if match.start() and match.string[match.start() - 1].isalnum() else ""
    after = " " if match.end() < len(match.string) and match.string[match.end()].isalnum() else ""
    return before + words + after


def cardinal(number: int) -> str:
    """Return a number in words, in the American way without "and".

    >>> cardinal(1_000_215)
    'one million two hundred fifteen'
    """
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _joined(_TENS[number // 10 - 2], number % 10)
    size, name = next(scale for scale in _SCALES if scale[0] <= number)
    return _joined(f"{cardinal(number // size)} {name}", number % size)


def _joined(words: str, rest: int) -> str:
    return f"{words} {cardinal(rest)}" if rest else words


def _year(number: int) -> str:
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def _ordinal(words: str) -> str:
    *before, last = words.split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, _ORDINALS.get(last, regular)])
