"""The options of decoding: what they come to, and that the command obeys each of them."""

import json
import math
import shutil

import pytest

from w2v_cli.checkpoint.resolve import embedded_folder
from w2v_cli.cli.decoding_options import (
    check_n_best_is_shown,
    decoding_choice,
    parse_hotword,
)
from w2v_cli.decoding.options import Hotword
from w2v_cli.errors import UsageError

STOP = "tests/data/stop.opus"
DEMO = "tests/data/demo.opus"


def choice(n_inputs=1, **changes):
    asked = {
        "lm": None,
        "lexicon": None,
        "decoder": "auto",
        "beam_width": None,
        "alpha": None,
        "beta": None,
        "hotword": None,
        "hotwords": None,
        "n_best": 1,
        "workers": None,
        "case": None,
    }
    return decoding_choice({**asked, **changes}, n_inputs=n_inputs)


@pytest.mark.parametrize(
    ("text", "hotword"),
    [
        ("marvin", Hotword("marvin")),
        ("marvin:12", Hotword("marvin", 12.0)),
        ("New  York:1.5", Hotword("New York", 1.5)),
    ],
)
def test_hotwords(text, hotword):
    assert parse_hotword(text) == hotword


@pytest.mark.parametrize("text", ["", ":3", "word:", "word:much", "word:nan", "word:inf"])
def test_what_is_no_hotword(text):
    with pytest.raises(UsageError, match="--hotword"):
        parse_hotword(text)


def test_a_file_of_hotwords(tmp_path):
    path = tmp_path / "words.txt"
    text = "Marvin\r\n# names\r\n\r\nSheila:15  # louder\r\n"
    path.write_text(text, encoding="utf-8-sig")  # as Windows writes it
    chosen = choice(hotword=["up"], hotwords=str(path))
    assert chosen.hotwords == (Hotword("up"), Hotword("Marvin"), Hotword("Sheila", 15.0))
    for missing in (str(tmp_path / "none.txt"), ""):
        with pytest.raises(UsageError, match="No such file"):
            choice(hotwords=missing)


@pytest.mark.parametrize("option", ["alpha", "beta"])
def test_weights_are_finite(option):
    for number in (math.nan, math.inf):
        with pytest.raises(UsageError, match=f"--{option} "):
            choice(**{option: number})


@pytest.mark.parametrize(
    ("changes", "search"),
    [
        ({}, False),
        ({"beam_width": 10}, True),
        ({"hotword": ["up"]}, True),
        ({"n_best": 3}, True),
        ({"decoder": "beam"}, True),
        ({"decoder": "greedy"}, False),
    ],
)
def test_when_a_beam_is_searched(changes, search):
    assert choice(**changes).search is search


def test_greedy_and_a_language_model_contradict_each_other():
    with pytest.raises(UsageError, match="--lm needs a beam search"):
        choice(decoder="greedy", lm="lm")


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({"lm": "lm"}, "--lm"),
        ({"hotword": ["up"]}, "--hotword"),
        ({"decoder": "greedy"}, "--decoder greedy"),
        ({"workers": 2}, "--workers"),
    ],
)
def test_a_lexicon_is_a_decoder_of_its_own(changes, other, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("turn on\nstop # at once\n")
    assert choice(lexicon=str(words)).lexicon == ("turn on", "stop")
    with pytest.raises(UsageError, match=f"leave out {other}"):
        choice(lexicon=str(words), **changes)


def test_a_lexicon_has_words(tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("# none yet\n")
    with pytest.raises(UsageError, match="no word in it"):
        choice(lexicon=str(empty))


def test_a_lexicon_is_all_that_is_written(w2v, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("seven\nstep\n")
    run = w2v("transcribe", "--model", "mini", "--lexicon", words, STOP)
    assert (run.exit_code, run.stdout) == (0, "step\n")
    words.write_text("2nd\n")
    run = w2v("transcribe", "--model", "mini", "--lexicon", words, STOP)
    assert run.exit_code == 2
    assert run.stderr == (
        "w2v: the lexicon's '2nd': the model's vocabulary lacks 2; write it as it is spoken, in "
        "the model's letters\n"
    )


def test_a_model_uses_the_lexicon_that_lies_in_it(w2v, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(embedded_folder("mini"), model)
    lexicon = model / "lexicon.json"
    lexicon.write_text('{"words": ["step"]}')
    heard = ("transcribe", "--model", model, STOP)
    assert w2v(*heard).stdout == "step\n"
    for arguments in (("--decoder", "greedy"), ("--decoder", "beam")):
        assert w2v(*heard, *arguments).stdout == "stop\n"
    lexicon.write_text('{"words": "step"}')
    run = w2v(*heard)
    assert run.exit_code == 4
    assert "needs a list of words" in run.stderr
    lexicon.unlink()
    assert w2v(*heard).stdout == "stop\n"


def test_greedy_has_no_use_for_workers():
    with pytest.raises(UsageError, match="--workers needs a beam search"):
        choice(decoder="greedy", workers=2)
    assert choice(decoder="greedy", workers=0).workers == 0


@pytest.mark.parametrize("option", ["--alpha", "--beta"])
def test_weights_need_a_language_model(w2v, option):
    run = w2v("transcribe", "--model", "mini", option, "0.5", STOP)
    assert run.exit_code == 2
    assert run.stdout == ""
    assert run.stderr == (
        f"w2v: {option} weighs a language model, and there is none; name one with --lm\n"
    )


def test_several_readings_need_a_format_that_shows_them():
    for formats in (["txt"], ["srt", "ctm"]):
        with pytest.raises(UsageError, match="--n-best 2: only json"):
            check_n_best_is_shown(2, formats)
        check_n_best_is_shown(1, formats)
    for formats in (["json"], ["txt", "jsonl"], ["all"]):
        check_n_best_is_shown(2, formats)


def test_workers_begin_with_the_second_recording():
    assert choice().workers == 0
    assert choice(n_inputs=2).workers == 1
    assert choice(n_inputs=2, workers=0).workers == 0


ARPA = """\\data\\
ngram 1=6
ngram 2=4

\\1-grams:
-1.5\t<unk>\t0
0\t<s>\t-0.3
-0.8\t</s>\t0
-0.8\tstop\t-0.3
-0.8\tup\t-0.3
-0.8\tsop\t-0.3

\\2-grams:
-0.2\t<s> up
-0.3\tup </s>
-0.1\tup stop
-0.2\tstop </s>

\\end\\
"""


@pytest.fixture
def lm(tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA, encoding="utf-8")
    return path


def read(w2v, *arguments, recording=STOP):
    run = w2v("transcribe", "--model", "mini", recording, "-f", "json", *arguments)
    assert run.exit_code == 0, run.stderr
    return json.loads(run.stdout)


def test_a_language_model_ranks_the_readings(w2v, lm):
    heard = read(w2v, "--lm", lm, "--n-best", "3", recording=DEMO)
    scores = [reading["lm_score"] for reading in heard["n_best"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 1
    assert read(w2v, "--lm", lm)["text"] == "stop"
    unweighted = read(w2v, "--lm", lm, "--n-best", "1", "--alpha", "0", "--beta", "0")
    [best] = unweighted["n_best"]
    assert math.isclose(best["lm_score"], best["logit_score"], abs_tol=1e-3)


def test_beta_is_added_for_every_word(w2v, lm):
    scores = [
        read(w2v, "--lm", lm, "--alpha", "0.5", "--beta", beta)["n_best"][0]["lm_score"]
        for beta in ("0", "2")
    ]
    assert math.isclose(scores[1] - scores[0], 2, abs_tol=1e-3)


def test_workers_change_nothing(w2v, lm):
    paths = ["tests/data/stop.opus", "tests/data/happy.opus", "tests/data/seven.opus"]
    texts = {
        w2v("transcribe", "--model", "mini", "--lm", lm, "--workers", n, *paths).stdout
        for n in (0, 1, 2)
    }
    assert len(texts) == 1


def test_a_language_model_that_is_not_there(w2v, tmp_path):
    run = w2v("transcribe", "--model", "mini", "--lm", tmp_path / "none", "tests/data/stop.opus")
    assert run.exit_code == 4
    assert "no such language model" in run.stderr


@pytest.mark.parametrize(
    "how", [(), ("--decoder", "greedy"), ("--decoder", "beam", "--n-best", "2")]
)
def test_letters_are_written_in_the_case_that_is_asked_for(w2v, how):
    command = ("transcribe", "--model", "mini", DEMO, "--format", "json", *how)
    own, upper, lower = (
        w2v(*command, *case).stdout for case in ((), ("--case", "upper"), ("--case", "lower"))
    )
    assert lower == own
    small, capital = json.loads(own), json.loads(upper)
    assert capital["text"] == small["text"].upper() != small["text"]
    (first, *_), (same, *_) = capital["segments"][0]["words"], small["segments"][0]["words"]
    spelled = "".join(character["character"] for character in first["characters"])
    assert first["word"] == spelled == same["word"].upper()
    assert first["start"] == same["start"]
    readings = [reading["text"] for reading in capital.get("n_best", ())]
    assert readings == [reading["text"].upper() for reading in small.get("n_best", ())]
