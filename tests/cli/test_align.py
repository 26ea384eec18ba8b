"""`w2v align` from the command line to what is printed, and how it ends."""

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def text_file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "text.txt"
        path.write_text(text, encoding=encoding)
        return path

    return write


def words_of(run):
    return [w for segment in json.loads(run.stdout)["segments"] for w in segment["words"]]


def test_a_text_gets_times(w2v, recording, text_file):
    run = w2v("align", recording(seconds=2), text_file("Heat on,\nTina's  shoe"))
    assert (run.exit_code, run.stderr) == (0, "")
    assert [s["text"] for s in json.loads(run.stdout)["segments"]] == ["Heat on,", "Tina's shoe"]
    words = words_of(run)
    assert [word["word"] for word in words] == ["Heat", "on,", "Tina's", "shoe"]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= 2


def test_the_text_is_not_written_over(w2v, recording, tmp_path):
    text = tmp_path / "take.txt"
    text.write_text("heat on\n")
    run = w2v("align", recording(seconds=2), text, "-f", "all", "-o", tmp_path / "take")
    assert run.exit_code == 2
    assert "take.txt: this is an input too, and would be overwritten" in run.stderr
    assert text.read_text() == "heat on\n"


@pytest.mark.parametrize(
    ("name", "text"), [("seven", "seven"), ("happy", "happy"), ("stop", "Stop!")]
)
def test_the_embedded_model_finds_a_word(w2v, name, text):
    (word,) = words_of(w2v("align", "-m", "mini", DATA / f"{name}.opus", "--text", text))
    assert word["word"] == text
    assert word["probability"] > 0.3
    assert 0.1 < word["end"] - word["start"] < 0.9


def test_wildcards_cover_what_is_said_and_leave_the_rest_in_place(w2v):
    demo = ("align", "-m", "mini", DATA / "demo.opus", "--text")
    written = words_of(w2v(*demo, "yes no up down on off stop go one two three"))
    stop, go, three = written[6], written[7], written[10]
    star, found_stop, dash, found_go, _, digit = words_of(w2v(*demo, "* Stop — go, * 3"))
    for found, known in ((found_stop, stop), (found_go, go), (digit, three)):
        assert (found["start"], found["end"]) == (known["start"], known["end"])
    assert (star["start"], star["end"]) == (written[0]["start"], written[5]["end"])
    assert (dash["start"], dash["end"]) == (found_stop["end"], found_go["start"])


def test_a_literal_text_and_a_format(w2v, recording):
    path = recording(seconds=2)
    run = w2v("align", path, "--text", "no tea", "--format", "ctm")
    assert [line.split()[4] for line in run.stdout.splitlines() if line[0] != ";"] == ["no", "tea"]
    assert w2v("align", path, "--text", "no tea", "-f", "txt").stdout == "no tea\n"


def test_a_text_on_standard_input(w2v_process, recording):
    run = w2v_process("align", recording(), "-", "-f", "txt", stdin="\ufeffno té\n".encode())
    assert (run.exit_code, run.stdout) == (0, "no té\n")


def test_a_part_of_the_recording(w2v, recording):
    run = w2v("align", recording(seconds=3), "--text", "tea", "--start", "1", "--end", "2")
    (word,) = words_of(run)
    assert 1 <= word["start"] < word["end"] <= 2


def test_a_text_that_does_not_fit(w2v, recording):
    path = recording(seconds=0.5)
    run = w2v("align", path, "--text", "no tea " * 20)
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.startswith(f"w2v: {path}: the text is too long for the recording")
    run = w2v("align", path, "--text", "привет")
    assert run.exit_code == 1
    assert "no letter of the text ('привет')" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["talk.wav"], "the text is missing, or there are two"),
        (["talk.wav", "talk.txt", "--text", "go"], "the text is missing, or there are two"),
        (["-", "-"], "can be read only once"),
        (["talk.wav", "missing.txt"], "missing.txt: the text cannot be read"),
        (["talk.wav", "--text", " "], "--text: it has no words"),
        (["talk.wav", "--text", "caf\udce9"], "--text: it is not in UTF-8"),
        (["talk.wav", "--text", "go", "--channel", "all"], "--channel all"),
        (["talk.wav", "--text", "go", "--start", "5", "--end", "4"], "--end 4 s is not after"),
    ],
)
def test_what_contradicts_itself(w2v, arguments, message):
    run = w2v("align", *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_texts_that_are_none(w2v, recording, text_file):
    run = w2v("align", recording(), text_file(" \n"))
    assert run.exit_code == 2
    assert "text.txt: the text has no words" in run.stderr
    run = w2v("align", recording(), text_file("grün", "latin1"))
    assert run.exit_code == 2
    assert "text.txt: the text is not in UTF-8" in run.stderr


def test_a_model_of_another_kind_is_refused(w2v, recording, label_folder):
    run = w2v("align", recording(), "--text", "go", "-m", label_folder)
    assert run.exit_code == 4
    assert run.stderr == (
        f"w2v: {label_folder}: this model (Wav2Vec2ForSequenceClassification) labels whole "
        f"recordings and writes no text; align needs a Wav2Vec2ForCTC model, for instance --model "
        f"mini\n"
    )
