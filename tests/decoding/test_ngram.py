"""Language models as they lie on disk, in every layout that users have."""

from __future__ import annotations

import gzip
import json
import shutil

import pytest

from w2v_cli.decoding.ngram import NGram, arpa_words
from w2v_cli.errors import CheckpointError, ModelNotFoundError
from w2v_cli.language_model.kenlm_tools import write_binary

ATTRS = {"alpha": 0.7, "beta": 2.0, "unk_score_offset": -5.0, "score_boundary": False}


@pytest.fixture
def folder(tmp_path, trigram_arpa):
    inside = tmp_path / "language_model"
    inside.mkdir()
    shutil.copy(trigram_arpa, inside / "lm.arpa")
    (inside / "attrs.json").write_text(json.dumps(ATTRS))
    (inside / "unigrams.txt").write_text("THE\nSEA\n")
    (tmp_path / "alphabet.json").write_text('{"labels": ["", " ", "T"], "is_bpe": false}')
    return tmp_path


@pytest.mark.parametrize("inside", ["", "language_model"])
def test_a_published_folder_and_its_inside_are_the_same(folder, inside):
    ngram = NGram.load(folder / inside)
    assert ngram.path == folder / "language_model" / "lm.arpa"
    assert ngram.unigrams == ("THE", "SEA")
    assert ngram.labels == ("", " ", "T")
    assert ngram.own_options() == {
        "alpha": 0.7,
        "beta": 2.0,
        "unk_score_offset": -5.0,
        "lm_score_boundary": False,
    }


def test_a_binary_goes_before_the_arpa_beside_it(folder):
    (folder / "language_model" / "lm.bin").write_bytes(b"mmap lm http://kheafield.com/code")
    assert NGram.load(folder).path.name == "lm.bin"


def test_what_pyctcdecode_saves_is_read(tmp_path, trigram_arpa, lm_alphabet):
    pyctcdecode = pytest.importorskip("pyctcdecode")
    decoder = pyctcdecode.build_ctcdecoder(list(lm_alphabet), str(trigram_arpa), alpha=0.3)
    decoder.save_to_dir(str(tmp_path))
    ngram = NGram.load(tmp_path)
    assert ngram.alpha == 0.3
    assert set(ngram.unigrams) == decoder._language_model._unigram_set
    assert list(ngram.labels) == decoder._alphabet.labels


def test_the_words_of_an_arpa_file_are_its_unigrams(tmp_path, trigram_arpa):
    from pyctcdecode.language_model import load_unigram_set_from_arpa

    packed = tmp_path / "lm.arpa.gz"
    packed.write_bytes(gzip.compress(trigram_arpa.read_bytes()))
    expected = load_unigram_set_from_arpa(str(trigram_arpa)) - {"<s>", "</s>", "<unk>"}
    assert set(NGram.load(trigram_arpa).unigrams) == expected
    assert NGram.load(packed).unigrams == NGram.load(trigram_arpa).unigrams
    assert NGram.load(packed).own_options() == {}


def test_a_binary_takes_its_words_from_the_file_beside_it(tmp_path):
    (tmp_path / "lm.bin").write_bytes(b"mmap lm http://kheafield.com/code")
    assert NGram.load(tmp_path / "lm.bin").unigrams is None
    (tmp_path / "unigrams.txt").write_text("")
    assert NGram.load(tmp_path / "lm.bin").unigrams == ()
    (tmp_path / "unigrams.txt").write_bytes("GRÖSSE\n".encode("latin-1"))
    assert NGram.load(tmp_path / "lm.bin", encoding="latin-1").unigrams == ("GRÖSSE",)
    with pytest.raises(CheckpointError, match="utf-8"):
        NGram.load(tmp_path / "lm.bin")


@pytest.mark.parametrize("kind", ["trie", "probing"])
def test_a_binary_alone_knows_its_words(tmp_path, trigram_arpa, kind):
    binary = tmp_path / "lm.bin"
    if not write_binary(trigram_arpa, binary, kind=kind):
        pytest.skip("neither build_binary nor KenLM's library")
    assert sorted(NGram.load(binary).unigrams) == sorted(arpa_words(trigram_arpa))
    content = binary.read_bytes()
    binary.write_bytes(content[: content.rindex(b"<unk>\0")])  # made without words
    assert NGram.load(binary).unigrams is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_arpa_file_may_have_any_name(tmp_path, trigram_arpa, pack):
    path = tmp_path / "trigrams.lm"
    path.write_bytes(pack(b"\n" + trigram_arpa.read_bytes()))
    assert NGram.load(path).unigrams == tuple(arpa_words(trigram_arpa))


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no such language model"):
        NGram.load(tmp_path / "nothing.arpa")
    with pytest.raises(ModelNotFoundError, match="no language model there"):
        NGram.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"Dear diary,\n", "no words"),
        (b"\\data\\\n\\1-grams:\n-1\t\xff\xfe\t0\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content, said):
    path = tmp_path / "lm.arpa"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        NGram.load(path)


def test_a_truncated_archive_is_refused(tmp_path, trigram_arpa):
    path = tmp_path / "lm.arpa.gz"
    path.write_bytes(gzip.compress(trigram_arpa.read_bytes())[:200])
    with pytest.raises(CheckpointError, match="cannot be read"):
        list(arpa_words(path))


@pytest.mark.parametrize("content", ["{", "[]"])
def test_attributes_that_are_no_json_object_are_refused(folder, content):
    (folder / "language_model" / "attrs.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"attrs\.json"):
        NGram.load(folder)
