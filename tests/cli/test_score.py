"""`w2v score` from the command line to what is printed, and how it ends."""

import json
import os
import pty
import subprocess
import sys

import pytest


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def texts(write):
    return write("said.txt", "Go left now.\nStop"), write("heard.txt", "go right now please\nstop")


def manifest(**texts):
    rows = ({"audio_filepath": f"{name}.wav", "text": text} for name, text in texts.items())
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_two_texts(w2v, texts):
    run = w2v("score", *texts, "--normalizer", "basic")
    assert (run.exit_code, run.stderr) == (0, "")
    head, row = run.stdout.splitlines()
    assert head.split() == ["words", "sub", "del", "ins", "WER", "CER"]
    assert row.split()[-8:-2] == ["4", "1", "0", "1", "50.00", "%"]


def test_the_default_counts_everything(w2v, texts):
    assert json.loads(w2v("score", *texts, "-f", "json").stdout)["wer"] == 1.25


def test_errors_one_above_the_other(w2v, texts):
    run = w2v("score", *texts, "-n", "basic", "--errors")
    name, *view = run.stdout.splitlines()[:4]
    assert name == str(texts[0])
    assert view == [
        "  ref go left  now ****** stop",
        "  hyp go right now please stop",
        "         S         I",
    ]


def test_lines_without_errors_are_left_out(w2v, write):
    same = " ".join(f"word{n}" for n in range(40))
    said, heard = write("a.txt", f"{same} left {same}"), write("b.txt", f"{same} right {same}")
    view = w2v("score", said, heard, "-e").stdout.split("\n\n")[0].splitlines()
    assert len(view) == 4
    assert "left" in view[1]
    assert "right" in view[2]
    assert max(map(len, view)) <= 80 or len(str(said)) > 80
    assert w2v("score", said, said, "-e").stdout.count("\n") == 2


def test_colour_on_a_terminal_alone(texts):
    def on_a_terminal(**environment):
        command = [sys.executable, "-m", "w2v_cli", "score", "-e", *map(str, texts)]
        ours, theirs = pty.openpty()
        subprocess.run(command, stdout=theirs, check=True, env=os.environ | environment)
        os.close(theirs)
        drawn = os.read(ours, 100_000)
        os.close(ours)
        return drawn

    assert b"\x1b[" in on_a_terminal(TERM="xterm", NO_COLOR="")
    assert b"\x1b[" not in on_a_terminal(TERM="xterm", NO_COLOR="1")


def test_manifests_and_a_row_for_all(w2v, write):
    said = write("manifest.jsonl", manifest(a="go left", b="stop", c=""))
    rows = [
        {"source": "/x/c.wav", "text": ""},
        {"source": "/x/b.wav", "text": "shop"},
        {"source": "/x/a.wav", "text": "go left"},
    ]
    heard = write("heard.json", json.dumps(rows))
    run = w2v("score", said, heard)
    assert (run.exit_code, run.stderr) == (0, "")
    lines = [line.split() for line in run.stdout.splitlines()[1:]]
    assert [line[0] for line in lines] == ["a.wav", "b.wav", "c.wav", "all"]
    assert lines[-1][2:6] == ["3", "1", "0", "0"]
    assert "33.33 %" in run.stdout
    result = json.loads(w2v("score", said, heard, "-f", "json").stdout)
    assert result["words"] == {
        "reference": 3,
        "hits": 2,
        "substitutions": 1,
        "deletions": 0,
        "insertions": 0,
    }
    assert result["files"][1]["alignment"] == [
        {"type": "substitute", "reference": "stop", "hypothesis": "shop"}
    ]


def test_words_where_none_were_said(w2v, write):
    said, heard = write("a.txt", ""), write("b.txt", "go")
    run = w2v("score", said, heard)
    assert run.exit_code == 0
    assert run.stdout.splitlines()[1].split()[-2:] == ["-", "-"]
    assert json.loads(w2v("score", said, heard, "-f", "json").stdout)["wer"] is None


def test_large_rates_stand_apart(w2v, write):
    run = w2v("score", write("a.txt", "go"), write("b.txt", "left " * 2000))
    assert run.stdout.split()[-4:] == ["200000.00", "%", "499950.00", "%"]


def test_folders_that_do_not_match_are_named(w2v, write, tmp_path):
    for name in ("said/a.txt", "said/b.txt", "heard/b.txt", "heard/c.json"):
        write(name, '{"text": "go"}' if name.endswith("json") else "go")
    run = w2v("score", tmp_path / "said", tmp_path / "heard")
    assert run.exit_code == 3
    assert run.stdout.splitlines()[1].split()[:2] == ["b.txt", "1"]
    assert run.stderr.splitlines() == [
        "w2v: without a hypothesis, and not counted: a.txt",
        "w2v: without a reference, and not counted: c.json",
    ]


def test_line_by_line(w2v, write):
    said, heard = write("a.txt", "go\nleft\n"), write("b.txt", "go\nright\n")
    run = w2v("score", said, heard, "--by-line")
    assert [line.split()[0] for line in run.stdout.splitlines()[1:]] == ["1", "2", "all"]


def test_a_transcript_from_a_pipe(w2v_process, write):
    said = write("manifest.jsonl", manifest(a="go", b="stop"))
    run = w2v_process("score", said, "-", stdin=manifest(b="stop", a="go").encode())
    assert (run.exit_code, run.stderr) == (0, "")
    assert "0.00 %" in run.stdout


def test_a_file_of_scores(w2v, texts, tmp_path):
    target = tmp_path / "score.json"
    run = w2v("score", *texts, "-f", "json", "-o", target)
    assert (run.exit_code, run.stdout) == (0, "")
    assert json.loads(target.read_text())["normalizer"] == "none"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-"], "can be read only once"),
        (["missing.txt", "-"], "missing.txt: cannot be read"),
        (["a.txt", "b.txt", "-e", "-f", "json"], "--errors: json has them already"),
        ([__file__, "b.txt", "-o", __file__], "this is an input too"),
    ],
)
def test_what_is_refused(w2v, arguments, message):
    run = w2v("score", *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert message in run.stderr


def test_nothing_in_common(w2v, write):
    said = write("a.jsonl", manifest(a="go", b="stop"))
    run = w2v("score", said, write("b.jsonl", manifest(c="go", d="stop")))
    assert run.exit_code == 2
    assert "no name in common: a.wav, b.wav, c.wav, d.wav" in run.stderr


def test_a_text_in_a_folder_is_not_written_over(w2v, write, tmp_path):
    for folder in ("said", "heard"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("go")
    run = w2v("score", tmp_path / "said", tmp_path / "heard", "-o", tmp_path / "said" / "a.txt")
    assert run.exit_code == 2
    assert "this is an input too" in run.stderr
    assert (tmp_path / "said" / "a.txt").read_text() == "go"
