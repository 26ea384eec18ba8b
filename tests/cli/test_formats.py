"""`w2v transcribe --format`: from the command line to files that are there."""

import json

import pysubs2
import pytest

from w2v_cli.cli import options, subtitle_options
from w2v_cli.errors import UsageError
from w2v_cli.formats import FORMATS


def test_all_formats_beside_each_other(w2v, recording, tmp_path):
    path = recording(seconds=3)
    run = w2v("transcribe", path, "--format", "all", "-o", tmp_path / "out")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    written = {file.name for file in tmp_path.glob("out*")}
    assert written == {f"out{form.suffix}" for form in FORMATS.values()}
    text = " ".join((tmp_path / "out.txt").read_text().split())
    assert text
    assert json.loads((tmp_path / "out.json").read_text())["text"] == text
    subtitles = pysubs2.load(str(tmp_path / "out.srt"))
    assert " ".join(event.plaintext.replace("\n", " ") for event in subtitles) == text


def test_a_folder_of_subtitles(w2v, recording, tmp_path):
    paths = [recording("a.wav"), recording("b.wav", seed=3)]
    bad = tmp_path / "bad.wav"
    bad.write_text("this is no sound")
    folder = f"{tmp_path}/subtitles/"
    run = w2v("transcribe", *paths, bad, "-f", "SRT", "-f", "vtt", "-o", folder)
    assert run.exit_code == 3
    written = {file.name for file in (tmp_path / "subtitles").glob("[!.]*")}
    assert written == {"a.srt", "a.vtt", "b.srt", "b.vtt"}


def test_errors_are_records_of_jsonl(w2v, recording, tmp_path):
    good, missing = recording(), tmp_path / "missing.wav"
    run = w2v("transcribe", missing, good, "--format", "jsonl")
    assert run.exit_code == 3
    error, heard = map(json.loads, run.stdout.splitlines())
    assert error["source"] == str(missing)
    assert f"w2v: {error['error']}\n" == run.stderr
    assert heard["source"] == str(good)


def test_subtitle_options(w2v, recording):
    path = recording(seconds=3)
    narrow = ["--max-line-width", "1", "--max-line-count", "1", "--min-gap", "0"]
    one_word_each = w2v("transcribe", path, "-f", "srt", *narrow).stdout
    read = pysubs2.SSAFile.from_string(one_word_each, format_="srt")
    words = w2v("transcribe", path).stdout.split()
    assert [event.plaintext for event in read] == words
    assert "<u>" in w2v("transcribe", path, "-f", "srt", "--highlight-words").stdout
    assert "><" in w2v("transcribe", path, "-f", "lrc", "--word-timestamps").stdout.replace(
        "]", ">"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "doc"], "'doc' is no format; choose from txt, json, jsonl"),
        (["-f", "srt", "--max-line-width", "0"], "--max-line-width"),
        (["-f", "srt", "--max-cps", "inf"], "--max-cps is inf; it must be more than 0"),
        (
            ["--max-line-width", "9"],
            "--max-line-width: makes no difference in txt; leave it",
        ),
        (["-f", "srt", "--word-timestamps"], "in srt; leave it out, or add --format vtt"),
        (["-f", "lrc", "-f", "txt", "--highlight-words", "-o", "x"], "in lrc and txt; leave it"),
        (["-o", ""], "--output: an empty name; name a file"),
        (["-f", "srt", "-f", "vtt"], "several formats don't fit on stdout"),
    ],
)
def test_usage_errors(w2v, arguments, message):
    run = w2v("transcribe", "talk.wav", *arguments)
    assert run.exit_code == 2
    assert message in run.stderr


def test_completion_and_names():
    complete, parse = options.format_completer(FORMATS), options.format_parser(FORMATS)
    assert complete("js") == ["json", "jsonl"]
    assert complete("") == [*FORMATS, "all"]
    assert parse(" TextGrid ") == "textgrid"
    with pytest.raises(UsageError, match="--min-gap is -1"):
        subtitle_options.subtitle_options(min_gap_seconds=-1)
