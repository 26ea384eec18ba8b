"""How texts are written, and what a vocabulary makes of them."""

import pytest
import transformers

from w2v_cli import Wav2Vec2CTCTokenizer
from w2v_cli.training.texts import (
    TextRules,
    build_vocabulary,
    case_of,
    characters_outside,
    letter_tokens,
    make_tokenizer,
    saved_rules,
)


@pytest.mark.parametrize(
    ("rules", "written"),
    [
        (TextRules("none"), "Dr. Gray's 2 Dogs!"),
        (TextRules("basic"), "dr gray's 2 dogs"),
        (TextRules("english"), "doctor gray is two dogs"),
        (TextRules("basic", "upper"), "DR GRAY'S 2 DOGS"),
        (TextRules("none", "lower", "'!."), "dr grays 2 dogs"),
    ],
)
def test_rules(rules, written):
    assert rules("Dr.  Gray's 2 Dogs!") == written


@pytest.mark.parametrize("word", ["straße", "λόγος", "istanbul"])
def test_letters_that_are_one_when_compared_are_learnt_as_they_are(word):
    assert TextRules("basic")(word.title() if word != "istanbul" else "İstanbul") == word


def test_rules_are_saved(tmp_path):
    assert saved_rules(tmp_path) is None
    rules = TextRules("english", "upper", "ß")
    rules.save(tmp_path)
    assert saved_rules(tmp_path) == rules


def test_a_built_vocabulary_writes_its_texts(tmp_path):
    texts = ["go on", "naïve 日本"]
    tokenizer = make_tokenizer(build_vocabulary(texts), tmp_path)
    assert tokenizer.pad_token_id == 0
    for text in texts:
        ids = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, group_tokens=False) == text
    assert characters_outside([*texts, "gun gun"], tokenizer) == {"u": 2}


def test_tokens_of_the_usual_examples_are_no_letters(tmp_path):
    vocabulary = {"a": 0, "b": 1, "|": 2, "[UNK]": 3, "[PAD]": 4}
    tokenizer = make_tokenizer(vocabulary, tmp_path)
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id) == (4, 3)
    assert letter_tokens(tokenizer) == {"a", "b"}
    assert case_of(tokenizer) == "lower"
    published = transformers.Wav2Vec2CTCTokenizer(
        str(tmp_path / "vocab.json"), pad_token="[PAD]", unk_token="[UNK]"
    )
    assert len(tokenizer) == len(published)


@pytest.mark.parametrize(("letters", "case"), [("ab'", "lower"), ("AB", "upper"), ("aB", "keep")])
def test_the_case_of_a_vocabulary(letters, case, tmp_path):
    assert case_of(make_tokenizer(build_vocabulary([letters]), tmp_path)) == case


def test_the_case_of_an_embedded_model():
    assert case_of(Wav2Vec2CTCTokenizer.from_pretrained("mini")) == "lower"
