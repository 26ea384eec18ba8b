"""What does not count, by the name of the normaliser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from w2v_cli.scoring import NORMALIZERS, normalize


@pytest.mark.parametrize("name", NORMALIZERS)
@given(text=st.text(max_size=40))
def test_words_are_parted_by_single_spaces_and_once_is_enough(name, text):
    normal = normalize(text, name)
    assert normal == " ".join(normal.split())
    assert normalize(normal, name) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Hello, World!", "hello world"),
        ("well-known – facts…", "well known facts"),
        ("don’t 'quote' rock'n'roll o'clock", "don't quote rock'n'roll o'clock"),
        ("[noise] go <unk> left (quietly)", "go left quietly"),
        ("STRASSE Straße", "strasse strasse"),
        ("Cafe\u0301 Café", "café café"),
        ("ﬁne ½", "fine 1 2"),
        ("paral·lel · punt", "paral·lel punt"),
        ("हिन्दी में", "हिन्दी में"),
        ("你好，世界。", "你好 世界"),
        ("50% of $3.50 & more_or_less", "50 of 3 50 more or less"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_basic(text, normal):
    assert normalize(text, "basic") == normal


@given(st.text("abcÄÖé ,.!?-;:", max_size=30))
def test_basic_is_whisper_s_where_there_is_no_apostrophe(text):
    assert normalize(text, "basic") == BasicTextNormalizer()(text).strip()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I can't, won't and don't.", "i cannot will not and do not"),
        ("Mr. and Mrs. Gray", "mister and missus grey"),
        ("um, the colour, uh, is fine", "the color is fine"),
        ("We organised it", "we organized it"),
        ("It’s okay", "it is OK"),
        ("chapter 21", "chapter twenty one"),
        ("twenty-one", "21"),
        ("on May 3rd, 1920", "on may third nineteen twenty"),
        ("in the 1960s", "in the nineteen sixties"),
        ("two 6s", "two sixes"),
        ("1,250,000", "one million two hundred fifty thousand"),
        ("12.5%", "twelve point five percent"),
        ("$1 and $20", "one dollar and twenty dollars"),
        ("£5 & 5km", "five pounds and five km"),
        ("$5 million, £3.2bn", "five million dollars three point two billion pounds"),
        ("5 million or $1 more", "five million or one dollar more"),
        ("5½ of ¾, 10²", "five and a half of three quarters ten squared"),
        ("1½% of $1½ million", "one point five percent of one point five million dollars"),
        ("$20 m away", "twenty dollars m away"),
        ("agent 007", "agent zero zero seven"),
        ("the 12th and 30th, 112th", "the twelfth and thirtieth one hundred twelfth"),
        ("1000", "one thousand"),
        ("1500", "fifteen hundred"),
        ("1906", "nineteen oh six"),
    ],
)
def test_english_writes_both_alike(one, other):
    assert normalize(one, "english") == normalize(other, "english")


@pytest.mark.parametrize(
    ("one", "other"), [("go left", "go right"), ("21", "22"), ("we're", "were"), ("can", "can't")]
)
def test_english_keeps_words_apart(one, other):
    assert normalize(one, "english") != normalize(other, "english")


def test_numbers_too_long_to_calculate_with():
    assert normalize("9" * 5000, "english").split()[:2] == ["nine", "nine"]
