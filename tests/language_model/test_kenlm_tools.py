"""KenLM's binary gives the scores of the ARPA file, or there is none."""

import stat

import pytest

from w2v_cli.language_model import kenlm_tools

ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>\t0
0\t<s>\t-0.3
-0.7\t</s>\t0
-0.5\tgo\t-0.2
-0.6\tleft\t-0.1

\\2-grams:
-0.1\t<s> go
-0.2\tgo left
-0.15\tleft </s>

\\end\\
"""


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA)
    return path


def score(path, text):
    kenlm = pytest.importorskip("kenlm")
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    return kenlm.Model(str(path), config).score(text)


@pytest.mark.parametrize("kind", ["trie", "probing"])
def test_the_binary_scores_as_the_arpa_file(arpa, tmp_path, kind):
    binary = tmp_path / "lm.bin"
    if not kenlm_tools.write_binary(arpa, binary, kind=kind):
        pytest.skip("no build_binary, and the package kenlm has no library here")
    assert binary.read_bytes().startswith(b"mmap lm")
    for text, expected in (("go left", -0.45), ("left", -0.3 - 0.6 - 0.15)):
        assert score(binary, text) == pytest.approx(expected, abs=1e-5)
        assert score(arpa, text) == pytest.approx(expected, abs=1e-5)


def test_what_kenlm_refuses_leaves_no_binary(tmp_path):
    arpa, binary = tmp_path / "lm.arpa", tmp_path / "lm.bin"
    arpa.write_text(ARPA.replace("ngram 2=3", "ngram 2=4"))
    assert not kenlm_tools.write_binary(arpa, binary)
    assert list(tmp_path.iterdir()) == [arpa]


def test_without_program_and_library_there_is_no_binary(arpa, tmp_path, monkeypatch):
    monkeypatch.setattr(kenlm_tools, "has_program", lambda name: False)
    monkeypatch.setattr(kenlm_tools, "library", lambda: None)
    assert not kenlm_tools.write_binary(arpa, tmp_path / "lm.bin")


@pytest.fixture
def fake_lmplz(tmp_path, monkeypatch):
    """Return a function that puts a script in the place of lmplz."""

    def install(body):
        program = tmp_path / "lmplz"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_lmplz_gets_the_sentences_and_the_options(tmp_path, fake_lmplz):
    fake_lmplz(f'echo "$@" >&2; cat > {tmp_path}/heard')
    said = kenlm_tools.run_lmplz(
        ["go left\n", "stop\n"], tmp_path / "lm.arpa", order=3, prune=(0, 1), fallback=(0.5, 1, 1)
    )
    assert (tmp_path / "heard").read_text() == "go left\nstop\n"
    assert "--order 3" in said
    assert "--prune 0 1 --discount_fallback 0.5 1 1" in said


def test_lmplz_that_fails_says_why(tmp_path, fake_lmplz):
    fake_lmplz("echo no room >&2; exit 1")
    with pytest.raises(kenlm_tools.BuildError, match=r"no room; leave it out with --estimator own"):
        kenlm_tools.run_lmplz(["go\n"] * 99_999, tmp_path / "lm.arpa", order=3)
