"""Texts become sentences in a model's letters, whatever they come in."""

import gzip

import pytest

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.errors import UsageError
from w2v_cli.language_model.ngram_counts import count_ngrams
from w2v_cli.language_model.text import read_corpus

ALPHABET = Alphabet(("_", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 0, 1)

TEXT = "Don’t stop!\n\nA well-known café, no. 5\n...\nStop\n"
LINES = ["DON'T STOP\n", "A WELL KNOWN CAFE NO\n", "STOP\n"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_words_are_written_as_the_model_does(tmp_path, pack, encoding):
    path = tmp_path / "text"
    path.write_bytes(pack(TEXT.encode(encoding)))
    corpus = read_corpus([path], ALPHABET)
    assert list("".join(corpus.lines()).splitlines(keepends=True)) == LINES
    assert corpus.n_sentences == 3
    assert corpus.n_words == 8
    assert (corpus.n_left_out, corpus.left_out) == (1, ["5"])


def test_quotation_marks_and_marks_of_sentences_are_no_words(tmp_path):
    path = tmp_path / "text"
    path.write_text("<s> 'Stop,' he said. ' </s>\n‘I won’t’ <unk>\n")
    corpus = read_corpus([path], ALPHABET)
    assert list(corpus.lines()) == ["STOP HE SAID\nI WON'T\n"]
    assert (corpus.n_left_out, corpus.left_out) == (1, ["<unk>"])


def test_a_nul_or_two_do_no_harm(tmp_path):
    path = tmp_path / "text"
    path.write_text("Go on\nit is \0 fine\n")
    assert list(read_corpus([path], ALPHABET).lines()) == ["GO ON\nIT IS FINE\n"]


def test_a_lower_case_alphabet_gives_lower_case(tmp_path):
    path = tmp_path / "text"
    path.write_text("Go ON\n")
    lower = Alphabet(ALPHABET.tokens, 0, 1, lower_case=True)
    assert list(read_corpus([path], lower).lines()) == ["go on\n"]


def test_each_sentence_begins_anew(tmp_path):
    path = tmp_path / "text"
    path.write_text("a b\na\n")
    corpus = read_corpus([path], ALPHABET)
    [piece] = corpus.padded(3)
    assert piece.tolist() == [1, 1, 3, 4, 2, 1, 1, 3, 2]
    counts = count_ngrams([piece], order=3, n_words=5)
    found = dict(zip(map(tuple, counts.words.tolist()), counts.counts.tolist(), strict=True))
    assert found == {(1, 1, 3): 2, (1, 3, 4): 1, (3, 4, 2): 1, (1, 3, 2): 1}


def test_several_files_are_one_text(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name}\n")
    told = []
    corpus = read_corpus([tmp_path / "one", tmp_path / "two"], ALPHABET, told.append)
    assert corpus.vocabulary[3:] == ["ONE", "TWO"]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"\xe9t\xe9\n", "iconv -f latin1"),
        ("Go\n".encode("utf-16-le"), "iconv -f utf-16 "),
        (b"\xfd7zXZ\x00\x00\x04\xe6", "packed; unpack it with unxz before"),
        (b"12 34\n", "no words in letters"),
        (gzip.compress(b"a b c\n" * 999)[:-9], "cannot be read"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, said):
    path = tmp_path / "text"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_corpus([path], ALPHABET)
