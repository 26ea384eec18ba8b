"""Beam search against all paths there are, and the engines against each other."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from w2v_cli.decoding import Alphabet, greedy_decode
from w2v_cli.decoding.beam import choose_engine, make_decoder
from w2v_cli.decoding.labels import Labels
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions, Hotword
from w2v_cli.errors import CheckpointError, MissingDependencyError, UsageError

pytest.importorskip("pyctcdecode")
pytest.importorskip("ctc_beam_decoder")
kenlm = pytest.importorskip("kenlm")

ENGINES = ("native", "pyctcdecode")
SMALL = Alphabet(("_", "|", "A", "B"), blank_id=0, word_delimiter_id=1)
# Nothing is pruned.
WIDE = BeamOptions(beam_width=100_000, beam_prune_logp=-1000.0, token_min_logp=-1000.0, n_best=999)


def log_softmax(x):
    return (x - np.logaddexp.reduce(x, axis=1, keepdims=True)).astype(np.float32)


def random_emissions(rng, n_frames, n_tokens=4, scale=2.0):
    return log_softmax(rng.normal(0, scale, (n_frames, n_tokens)))


def all_texts(emissions, alphabet):
    """Return the log probability of every text: the sum over all paths that say it."""
    totals = defaultdict(lambda: -math.inf)
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        collapsed = [index for index, _ in itertools.groupby(path) if index != alphabet.blank_id]
        text = " ".join("".join(map(alphabet.written, collapsed)).split())
        score = sum(float(emissions[frame, index]) for frame, index in enumerate(path))
        totals[text] = np.logaddexp(totals[text], score)
    return totals


def lm_share(text, model, options):
    """Return what a language model adds to a text, from KenLM's own full scores."""
    words = text.split()
    scores = list(model.full_scores(text, bos=options.lm_score_boundary, eos=True))
    if not options.lm_score_boundary:
        scores = scores[:-1]
    share = options.alpha * math.log(10) * sum(score for score, _, _ in scores)
    unknown = sum(word not in model for word in words)
    offset = options.alpha * math.log(10) * options.unk_score_offset
    return share + options.beta * len(words) + offset * unknown


@pytest.fixture(scope="module")
def small_lm(tmp_path_factory):
    """A bigram model of four words of two letters."""
    path = tmp_path_factory.mktemp("small") / "small.arpa"
    path.write_text(
        "\\data\\\nngram 1=7\nngram 2=5\n\n\\1-grams:\n-2\t<unk>\t0\n-99\t<s>\t-0.3\n"
        "-0.8\t</s>\t0\n-0.9\tA\t-0.2\n-1.1\tB\t-0.2\n-1.3\tAB\t-0.1\n-1.4\tBAA\t-0.1\n\n"
        "\\2-grams:\n-0.3\t<s> A\n-0.4\tA B\n-0.5\tB </s>\n-0.2\tA AB\n-0.9\t<s> BAA\n\n\\end\\\n"
    )
    return path


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5])
def test_every_text_has_the_sum_of_all_its_paths(engine, n_frames):
    decoder = make_decoder(SMALL, None, WIDE, engine)
    rng = np.random.default_rng(n_frames)
    for _ in range(6):
        emissions = random_emissions(rng, n_frames)
        expected = all_texts(emissions, SMALL)
        found = decoder.decode(emissions)
        assert len({h.text for h in found}) == len(found)
        assert {h.text for h in found} == set(expected)
        for hypothesis in found:
            assert hypothesis.logit_score == pytest.approx(expected[hypothesis.text], abs=1e-4)
            assert hypothesis.lm_score == hypothesis.logit_score
        assert found[0].logit_score == pytest.approx(max(expected.values()), abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("boundary", [True, False])
def test_the_language_model_ranks_all_texts(engine, boundary, small_lm):
    options = replace(WIDE, alpha=0.8, beta=0.7, unk_score_offset=-2.0, lm_score_boundary=boundary)
    decoder = make_decoder(SMALL, NGram.load(small_lm), options, engine)
    model = kenlm.Model(str(small_lm))
    rng = np.random.default_rng(5)
    for n_frames in (2, 3, 4, 5):
        emissions = random_emissions(rng, n_frames)
        acoustic = all_texts(emissions, SMALL)
        scores = {h.text: h.lm_score for h in decoder.decode(emissions)}
        assert set(scores) == set(acoustic)
        for text, found in scores.items():
            # Where a reading's best path ends with a word delimiter, pyctcdecode scores an
            # empty word after it, which no model knows. See docs/decoding.md.
            allowed = [
                acoustic[text] + lm_share(said, model, options) for said in (text, f"{text} ZZ")
            ]
            assert min(abs(found - score) for score in allowed) < 1e-3, text
        assert list(scores.values()) == sorted(scores.values(), reverse=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hotword_adds_its_weight_to_each_time_it_is_said(engine):
    options = replace(WIDE, hotwords=(Hotword("ab"), Hotword("B")), hotword_weight=3.0)
    rng = np.random.default_rng(6)
    emissions = random_emissions(rng, 5)
    acoustic = all_texts(emissions, SMALL)
    for hypothesis in make_decoder(SMALL, None, options, engine).decode(emissions):
        said = sum(word in ("AB", "B") for word in hypothesis.text.split())
        expected = acoustic[hypothesis.text] + 3.0 * said
        assert hypothesis.lm_score == pytest.approx(expected, abs=1e-4)


def test_hotwords_can_have_weights_of_their_own():
    options = replace(WIDE, hotwords=(Hotword("AB", 3.0), Hotword("B", -2.0), Hotword("A")))
    emissions = random_emissions(np.random.default_rng(7), 5)
    acoustic = all_texts(emissions, SMALL)
    weights = {"AB": 3.0, "B": -2.0, "A": 10.0}
    decoder = make_decoder(SMALL, None, options)
    assert decoder.name == "pyctcdecode"
    for hypothesis in decoder.decode(emissions):
        gained = sum(weights.get(word, 0.0) for word in hypothesis.text.split())
        expected = acoustic[hypothesis.text] + gained
        assert hypothesis.lm_score == pytest.approx(expected, abs=1e-4)
    with pytest.raises(UsageError, match="one weight"):
        make_decoder(SMALL, None, options, "native")


def test_hotwords_score_as_pyctcdecode_scores_them():
    from pyctcdecode.language_model import HotwordScorer as Published

    from w2v_cli.decoding.pyctc import HotwordScorer

    words = ["SEA", "SEASIDE", "SO", "A", "SOUTH", "TOO"]
    ours, theirs = HotwordScorer(dict.fromkeys(words, 7.5)), Published.build_scorer(words, 7.5)
    for text in ("", "SEA", "A SEA SEA SEASIDES", "SOUTH", "S", "SEAS", "TO TOO A", "X"):
        assert ours.score(text) == theirs.score(text)
        for token in text.split():
            assert (token in ours) == (token in theirs)
            assert ours.score_partial_token(token) == theirs.score_partial_token(token)


CASES = {
    "plain": {},
    "narrow": {"beam_width": 8},
    "hotwords": {"hotwords": (Hotword("SEA"), Hotword("know no"))},
    "history": {"prune_history": True},
    "pruned": {"beam_prune_logp": -4.0, "token_min_logp": -3.0},
    "weights": {"alpha": 1.2, "beta": -0.5, "unk_score_offset": -4.0, "lm_score_boundary": False},
    "best": {"n_best": 8},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lm", ["none", "unigrams", "no unigrams", "strangers"])
def test_the_engines_agree(case, lm, trigram_arpa, heard_sentences, lm_alphabet):
    ngram = None if lm == "none" else NGram.load(trigram_arpa)
    if lm == "no unigrams":
        ngram = replace(ngram, unigrams=None)
    if lm == "strangers":  # words that the model's file does not know
        ngram = replace(ngram, unigrams=(*ngram.unigrams[::2], "SEAT", "NORTH", "TOOT"))
    alphabet = alphabet_of(lm_alphabet)
    options = BeamOptions(**CASES[case])
    native, python = (make_decoder(alphabet, ngram, options, engine) for engine in ENGINES)
    for _, matrix in heard_sentences(8, seed=11, most_words=4):
        ours, theirs = native.decode(log_softmax(matrix)), python.decode(log_softmax(matrix))
        assert [h.text for h in ours] == [h.text for h in theirs]
        assert [h.words for h in ours] == [h.words for h in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.logit_score == pytest.approx(other.logit_score, abs=1e-4)
            assert one.lm_score == pytest.approx(other.lm_score, abs=1e-4)


def alphabet_of(tokens, **more):
    return Alphabet(tuple(tokens), 0, 4, frozenset({1, 2, 3}), **more)


def test_options_of_a_call_are_for_that_call(trigram_arpa, heard_sentences, lm_alphabet):
    [(_, matrix)] = heard_sentences(1, seed=12)
    for engine in ENGINES:
        decoder = make_decoder(
            alphabet_of(lm_alphabet), NGram.load(trigram_arpa), BeamOptions(), engine
        )
        plain = decoder.decode(matrix)
        other = decoder.decode(matrix, BeamOptions(alpha=2.0, beta=-3.0, n_best=4))
        assert len(other) == 4
        assert other[0].lm_score != plain[0].lm_score
        assert decoder.decode(matrix) == plain


def test_the_language_model_helps(trigram_arpa, heard_sentences, lm_alphabet):
    alphabet = alphabet_of(lm_alphabet)
    decoder = make_decoder(alphabet, NGram.load(trigram_arpa), BeamOptions())
    right = {"greedy": 0, "lm": 0}
    for words, matrix in heard_sentences(30, seed=13, most_words=4):
        emissions = log_softmax(matrix)
        right["greedy"] += greedy_decode(emissions, alphabet).text == " ".join(words)
        right["lm"] += decoder.decode(emissions)[0].text == " ".join(words)
    assert right["lm"] > right["greedy"] + 5, right


@pytest.mark.parametrize("engine", ENGINES)
def test_no_frames_and_silence_say_nothing(engine, trigram_arpa, lm_alphabet):
    for ngram in (None, NGram.load(trigram_arpa)):
        decoder = make_decoder(alphabet_of(lm_alphabet), ngram, BeamOptions(), engine)
        n_tokens = len(lm_alphabet)
        [nothing] = decoder.decode(np.zeros((0, n_tokens), np.float32))
        assert (nothing.text, nothing.words) == ("", ())
        silence = np.full((20, n_tokens), -20.0, np.float32)
        silence[:, 0] = 0
        assert decoder.decode(silence)[0].text == ""
        impossible = np.full((20, n_tokens), -np.inf, np.float32)
        impossible[:, 0] = 0
        assert decoder.decode(impossible)[0].text == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_emissions_that_make_no_sense_are_refused(engine):
    decoder = make_decoder(SMALL, None, BeamOptions(), engine)
    with pytest.raises(ValueError, match="NaN"):
        decoder.decode(np.full((3, 4), np.nan, np.float32))
    for number in (-np.inf, np.inf):
        senseless = np.zeros((3, 4), np.float32)
        senseless[1] = number
        with pytest.raises(ValueError, match=r"emissions of frame 1 add up to (0|inf)"):
            decoder.decode(senseless)
    for shape in ((3, 3), (4,), (1, 3, 4)):
        with pytest.raises(ValueError, match="must be"):
            decoder.decode(np.zeros(shape, np.float32))


def test_ignored_outputs_write_nothing(lm_alphabet, heard_sentences):
    [(_, matrix)] = heard_sentences(1, seed=14)
    decoder = make_decoder(alphabet_of(lm_alphabet), None, BeamOptions())
    said = decoder.decode(matrix)[0]
    louder = np.concatenate([matrix, np.full((len(matrix), 2), -30.0, np.float32)], axis=1)
    assert decoder.decode(louder)[0].text == said.text  # a vocabulary padded by the network
    pauses = {}
    for output in (0, 1):  # every other frame is the blank, or <s>
        pauses[output] = np.full((2 * len(matrix), matrix.shape[1]), -30.0, np.float32)
        pauses[output][::2] = matrix
        pauses[output][1::2, output] = 0.0
    assert decoder.decode(pauses[1]) == decoder.decode(pauses[0])


def test_outputs_that_write_the_same_are_one():
    alphabet = Alphabet(("_", "|", "a", "A"), 0, 1, lower_case=True)
    labels = Labels.of(alphabet, lower_case=True)
    assert labels.texts == ("", " ", "a")
    columns = labels.columns(np.log([[0.1, 0.1, 0.3, 0.5]]))
    assert np.allclose(np.exp(columns), [[0.1, 0.1, 0.8]])


def test_a_lower_case_alphabet_meets_a_language_model_of_either_case(
    tmp_path, trigram_arpa, heard_sentences, lm_alphabet
):
    lower = tmp_path / "lower.arpa"
    text = trigram_arpa.read_text().lower()
    lower.write_text(text)
    upper_alphabet = alphabet_of(lm_alphabet)
    alphabet = alphabet_of(lm_alphabet, lower_case=True)
    [(_, matrix)] = heard_sentences(1, seed=15)
    expected = make_decoder(upper_alphabet, NGram.load(trigram_arpa)).decode(matrix)[0]
    for path in (trigram_arpa, lower):
        found = make_decoder(alphabet, NGram.load(path)).decode(matrix)[0]
        assert found.text == expected.text.lower()
        assert found.lm_score == pytest.approx(expected.lm_score, abs=1e-5)
        assert [word.start_frame for word in found.words] == [
            word.start_frame for word in expected.words
        ]


def test_a_language_model_in_other_letters_is_refused(tmp_path, trigram_arpa):
    cyrillic = tmp_path / "other.arpa"
    cyrillic.write_text(trigram_arpa.read_text().replace("E", "Э").replace("O", "Ю"))
    with pytest.raises(CheckpointError, match="letters that the model does not write"):
        make_decoder(SMALL, NGram.load(cyrillic))


def test_an_alphabet_that_lacks_a_letter_is_named(small_lm):
    ngram = replace(NGram.load(small_lm), labels=("", " ", "A"))
    with pytest.raises(CheckpointError, match=r"alphabet\.json lacks 'B'"):
        make_decoder(SMALL, ngram)


def test_a_hotword_that_cannot_be_written_is_named():
    with pytest.raises(UsageError, match="lacks Z"):
        make_decoder(SMALL, None, BeamOptions(hotwords=(Hotword("aZ"),)))


@pytest.mark.parametrize(
    ("hotword", "written"),
    [
        ("IT'S", "IT'S"),
        ("it's", "IT'S"),
        ("it’s", "IT'S"),
        ("Café", "CAFE"),
        ("cafe\u0301", "CAFE"),
    ],
)
def test_hotwords_are_spelled_as_texts_to_align_are(hotword, written):
    labels = Labels.of(Alphabet(("_", "|", *"ACEFIST'"), 0, 1))
    assert labels.spell(hotword) == written


@pytest.mark.parametrize(
    ("hotword", "lacking"), [("it’s7", "7"), ("it-is", "-"), ("...", r"\."), ("Ж’", "Ж")]
)
def test_hotwords_that_would_lose_what_is_said_are_refused(hotword, lacking):
    labels = Labels.of(Alphabet(("_", "|", *"ACEFIST'"), 0, 1))
    with pytest.raises(UsageError, match=f"vocabulary lacks {lacking};"):
        labels.spell(hotword)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_kenlm_cannot_read_is_told(engine, tmp_path):
    path = tmp_path / "broken.bin"
    path.write_bytes(b"mmap lm http://kheafield.com/code" + b"\x00\x01not a model" * 20)
    with pytest.raises(CheckpointError, match="KenLM cannot read it"):
        make_decoder(SMALL, NGram.load(path), BeamOptions(), engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_kenlm_s_own_reason_is_told_and_not_where_its_source_lay(engine, tmp_path):
    path = tmp_path / "order1.arpa"
    path.write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\tA\n\n\\end\\\n")
    with pytest.raises(CheckpointError, match=f"{path.name}: KenLM cannot read it: This ngram imp"):
        make_decoder(SMALL, NGram.load(path), BeamOptions(), engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_arpa_file_without_the_unknown_word_is_read_silently(engine, tmp_path, capfd):
    path = tmp_path / "no-unk.arpa"
    grams = "\\1-grams:\n-1\t<s>\t0\n-1\t</s>\n-1\tA\t0\n\n\\2-grams:\n-0.5\tA A\n\n\\end\\\n"
    path.write_text("\\data\\\nngram 1=3\nngram 2=1\n\n" + grams)
    make_decoder(SMALL, NGram.load(path), BeamOptions(), engine)
    assert capfd.readouterr() == ("", "")


def test_loading_an_arpa_file_is_silent(capfd, trigram_arpa, lm_alphabet):
    for engine in ENGINES:
        make_decoder(alphabet_of(lm_alphabet), NGram.load(trigram_arpa), BeamOptions(), engine)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_auto_is_the_fastest_that_is_installed(monkeypatch):
    assert choose_engine("auto", BeamOptions()) == "native"
    assert choose_engine("pyctcdecode", BeamOptions()) == "pyctcdecode"
    monkeypatch.setattr(
        "w2v_cli.decoding.beam.find_spec", lambda name: name if name == "pyctcdecode" else None
    )
    assert choose_engine("auto", BeamOptions()) == "pyctcdecode"
    with pytest.raises(MissingDependencyError, match=r"ctc-beam-decoder.*w2v\[lm\]"):
        choose_engine("native", BeamOptions())
    with pytest.raises(ValueError, match="no engine 'fast'"):
        choose_engine("fast", BeamOptions())
