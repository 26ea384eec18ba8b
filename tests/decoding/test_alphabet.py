"""What a tokenizer's ids write, ours and the published one's."""

import json

import pytest
import transformers

import w2v_cli
from w2v_cli.decoding import Alphabet

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "ch"]


@pytest.fixture(params=[w2v_cli, transformers], ids=["ours", "published"])
def make(request, tmp_path):
    """Makes a tokenizer of a vocabulary with some settings."""

    def tokenizer(vocab=LETTERS, **settings):
        if not isinstance(vocab, dict):
            vocab = {token: index for index, token in enumerate(vocab)}
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps(vocab))
        return request.param.Wav2Vec2CTCTokenizer(path, **settings)

    return tokenizer


def test_special_tokens_write_nothing(make):
    alphabet = Alphabet.from_tokenizer(make())
    assert alphabet.tokens == ("<pad>", "", "", "", "|", "E", "T", "ch")
    assert alphabet.blank_id == 0
    assert alphabet.word_delimiter_id == 4
    assert alphabet.ignored_ids == {1, 2, 3}
    assert [alphabet.written(index) for index in (4, 5, 7)] == [" ", "E", "ch"]
    assert not alphabet.lower_case


def test_tokens_that_the_vocabulary_lacks_come_after_it(make):
    alphabet = Alphabet.from_tokenizer(make(["<pad>", "|", "A"]))
    assert alphabet.tokens[:3] == ("<pad>", "|", "A")
    assert set(alphabet.tokens[3:]) == {""}
    assert alphabet.ignored_ids == {3, 4, 5}


def test_tokens_beyond_the_outputs_are_left_out(make):
    alphabet = Alphabet.from_tokenizer(make(["<pad>", "|", "A"]), 3)
    assert alphabet == Alphabet(("<pad>", "|", "A"), blank_id=0, word_delimiter_id=1)


def test_a_space_stands_in_for_a_word_delimiter_beyond_the_outputs(make):
    tokenizer = make(["<pad>", " ", "A"])
    assert Alphabet.from_tokenizer(tokenizer, 3).word_delimiter_id == 1
    assert Alphabet.from_tokenizer(make(["<pad>", "B", "A"]), 3).word_delimiter_id is None


def test_ids_that_the_vocabulary_leaves_out_write_nothing(make):
    vocab = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 7}
    alphabet = Alphabet.from_tokenizer(make(vocab))
    assert alphabet.tokens == ("<pad>", "", "", "", "|", "", "", "E")
    assert alphabet.ignored_ids == {1, 2, 3, 5, 6}


def test_settings(make):
    tokenizer = make(replace_word_delimiter_char="_", do_lower_case=True)
    alphabet = Alphabet.from_tokenizer(tokenizer)
    assert alphabet.written(4) == alphabet.word_separator == "_"
    assert alphabet.lower_case


def test_other_names(make):
    vocab = ["[PAD]", "[UNK]", " ", "a"]
    tokenizer = make(
        vocab,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token=None,
        eos_token=None,
        word_delimiter_token=" ",
    )
    alphabet = Alphabet.from_tokenizer(tokenizer)
    assert (alphabet.blank_id, alphabet.word_delimiter_id) == (0, 2)
    assert alphabet.ignored_ids == {1}


def test_each_language_has_its_own(make):
    vocab = {
        "eng": {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "a": 5},
        "rus": {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "б": 5, "в": 6},
    }
    tokenizer = make(vocab, target_lang="eng")
    assert Alphabet.from_tokenizer(tokenizer).tokens[5:] == ("a",)
    tokenizer.set_target_lang("rus")
    assert Alphabet.from_tokenizer(tokenizer).tokens[5:] == ("б", "в")


def test_without_a_blank_there_is_no_ctc(make):
    tokenizer = make()
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match="no pad token, and CTC needs it as blank"):
        Alphabet.from_tokenizer(tokenizer)


def test_ids_must_be_of_the_alphabet():
    with pytest.raises(ValueError, match=r"an alphabet of 2 tokens has no ids \[2, 9\]"):
        Alphabet(("_", "a"), blank_id=0, word_delimiter_id=2, ignored_ids=frozenset({9}))
