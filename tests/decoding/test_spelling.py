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
        ("zusammen\u00adarbeiten", "ZUSAMMENARBEITEN"),
        ("zero\u200bwidth", "ZEROWIDTH"),
        ("cola™", "COLA"),
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


@pytest.mark.parametrize(
    ("word", "letters", "said"),
    [
        ("tiếng", "tiêng", "tiêng"),
        ("được", "đươc", "đươc"),
        ("tiế", "tiê\u0301", "tiê\u0301"),
        ("lǜ", "lüu", "lü"),
        ("Μαΐου", "μαιϊου", "μαϊου"),
        ("각", "가ㄱ", "*"),
    ],
)
def test_a_letter_loses_only_the_accents_that_the_vocabulary_lacks(word, letters, said):
    assert spelled(word, letters) == said


def test_letters_that_are_two_characters_when_composed():
    for word in ("স\u09df", "স\u09af\u09bc"):
        assert spelled(word, "সয\u09df") == "স\u09df"


def test_marks_that_the_vocabulary_lacks_part_no_word():
    assert spelled("आँख", "आख") == "आख"
    assert spelled("محمـــد", "محد") == "محمد"
    assert spelled("می\u200cخواهم", "میخواهم") == "می خواهم"


@pytest.mark.parametrize("typed", "'’‘ʼʻ")
@pytest.mark.parametrize("letter", "'ʻ")
def test_any_apostrophe_is_the_vocabulary_s(typed, letter):
    assert spelled(f"o{typed}zbek", "ozbek" + letter) == f"o{letter}zbek"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("‘Stop,’ he said. ‘I won’t go.’", "Stop, he said. I won’t go."),
        ("'Stop,' he said. 'I won't go.'", "Stop, he said. I won't go."),
        ("`Stop´ (‘the end’)", "Stop (the end)"),
        ("'tis the dogs' dinner", "'tis the dogs' dinner"),
        ("’Tis ‘Tis", "’Tis ‘Tis"),
        ("'tis so, he said, 'go.'", "'tis so, he said, go."),
        ("\"'yes'\", 'no'.", '"yes", no.'),
        ("' x '", " x "),
    ],
)
def test_quotation_marks_are_no_apostrophes(text, said):
    assert " ".join(Speller(alphabet()).unquoted(text.split(" "))) == said


def test_a_turned_comma_of_the_vocabulary_is_a_letter():
    assert Speller(alphabet("okinaʻ")).unquoted(["‘okina’"]) == ["‘okina’"]


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
