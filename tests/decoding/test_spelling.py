"""Words in the letters of an alphabet: case, apostrophes, accents, and what is not there."""

import pytest

from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.spelling import Piece, Speller

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def alphabet(letters=LETTERS + "'", **changes):
    tokens = ("<pad>", "", "|", *letters)
    return Alphabet(**{"tokens": tokens, "blank_id": 0, "word_delimiter_id": 2} | changes)


def spelled(word, letters=LETTERS + "'"):
    """Return what a word says in the alphabet's letters, * for a wildcard, space for a gap."""
    model = alphabet(letters)
    spelling = Speller(model).spell(word)
    said = ["*" if p.token_id is None else model.tokens[p.token_id] for p in spelling.pieces]
    return "".join(" " * (i in spelling.gaps) + letter for i, letter in enumerate(said))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("STOP", "STOP"),
        ("Stop", "STOP"),
        ("don't", "DON'T"),
        ("don’t", "DON'T"),
        ("“Stop!”", "STOP"),
        ("stop,", "STOP"),
        ("café", "CAFE"),
        ("cafe\u0301", "CAFE"),
        ("naïve", "NAIVE"),
        ("straße", "STRASSE"),
        ("oﬃce", "OFFICE"),
        ("smørbrød", "SM*RBR*D"),
        ("1920", "*"),
        ("1920s", "*S"),
        ("1,920", "*"),
        ("3.5", "*"),
        ("R2D2", "R*D*"),
        ("AT&T", "AT*T"),
        ("&", "*"),
        ("€5", "*"),
        ("привет", "*"),
        ("*", "*"),
        ("well-known", "WELL KNOWN"),
        ("-known", "KNOWN"),
        ("known-", "KNOWN"),
        ("...", ""),
        ("–", ""),
        ("", ""),
        ("<pad>", "PAD"),
        ("|", ""),
        ("♪", ""),
        ("1+1=2", "*"),
    ],
)
def test_what_a_word_says(word, said):
    assert spelled(word) == said


def test_apostrophes_of_other_vocabularies():
    assert spelled("don't", LETTERS) == "DONT"
    assert spelled("don't", LETTERS + "’") == "DON’T"


def test_the_vocabulary_s_own_signs_are_letters():
    assert spelled("well-known", LETTERS + "-") == "WELL-KNOWN"
    assert spelled("1920", "0129") == "1920"
    assert spelled("Stop", "Stop") == "Stop"
    assert spelled("привет", "приветПРИВЕТ") == "привет"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ké", "KE\u0301"),
        ("ke\u0301", "KE\u0301"),
        ("KÉ", "KE\u0301"),
        ("kè", "KE"),
        ("ế", "E\u0301"),
        ("m\u0301", "M\u0301"),
        ("\u0301", "\u0301"),
    ],
)
def test_accents_that_the_vocabulary_has_are_kept(word, said):
    assert spelled(word, LETTERS + "\u0301") == said
    assert spelled("ké", LETTERS + "\u0301É") == "KÉ"


def test_pieces_of_several_letters_are_preferred():
    model = Alphabet(("_", "a", "c", "h", "ch"), 0)
    assert [p.text for p in Speller(model).spell("ACH").pieces] == ["A", "CH"]


def test_what_writes_nothing_is_never_said():
    model = Alphabet(("x", "y", "z"), 0, 1, frozenset({2}))
    assert Speller(model).spell("xyz").pieces == (Piece("xyz", None),)


def test_each_piece_keeps_the_text_s_own_letters():
    assert [p.text for p in Speller(alphabet()).spell("Façade’s").pieces] == list("Façade’s")
    assert [p.text for p in Speller(alphabet()).spell("ß").pieces] == ["ß", ""]
    decomposed = Speller(alphabet(LETTERS + "\u0301"))
    assert [p.text for p in decomposed.spell("é").pieces] == ["é", ""]
