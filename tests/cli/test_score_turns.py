"""`w2v score --rttm` from the command line to what is printed."""

import json

import pytest

LINE = "SPEAKER {} 1 {} {} <NA> <NA> {} <NA> <NA>\n"


@pytest.fixture
def files(tmp_path):
    said, heard = tmp_path / "said.rttm", tmp_path / "heard.rttm"
    said.write_text(LINE.format("talk", 0, 2, "anna") + LINE.format("talk", 1.5, 2.5, "ben"))
    heard.write_text(
        LINE.format("talk", 0.5, 2, "x")
        + LINE.format("talk", 2.5, 2.5, "y")
        + LINE.format("talk", 6, 1, "z")
    )
    return said, heard


def test_a_table(w2v, files):
    run = w2v("score", "--rttm", *files)
    assert (run.exit_code, run.stderr) == (0, "")
    head, row = run.stdout.splitlines()
    assert head.split() == ["speech", "missed", "false", "confused", "DER", "JER"]
    cells = row.replace(" s", "").replace(" %", "").split()
    assert cells == ["talk", "4.5", "22.22", "44.44", "11.11", "77.78", "48.57"]


def test_json(w2v, files):
    found = json.loads(w2v("score", "--rttm", *files, "-f", "json", "--collar", "0.25").stdout)
    assert (found["collar"], found["skip_overlap"]) == (0.25, False)
    assert found["der"] == round((0.25 + 1.75 + 0.25) / 2.5, 6)
    assert found["recordings"][0]["missed"] == 0.25
    assert found["speakers"] == 2


def test_regions(w2v, files, tmp_path):
    uem = tmp_path / "a.uem"
    uem.write_text("talk 1 0 1\n")
    found = json.loads(w2v("score", "--rttm", *files, "--uem", uem, "-f", "json").stdout)
    assert (found["speech"], found["missed"], found["false_alarm"]) == (1, 0.5, 0)


def test_what_has_no_partner_is_named(w2v, files):
    said, heard = files
    said.write_text(said.read_text() + LINE.format("quiet", 0, 1, "anna"))
    heard.write_text(heard.read_text() + LINE.format("other", 0, 1, "x"))
    run = w2v("score", "--rttm", said, heard)
    assert run.exit_code == 3
    assert "nobody was found to speak in quiet" in run.stderr
    assert "not in the reference, and not counted: other" in run.stderr
    assert run.stdout.splitlines()[-1].startswith("all 2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--collar", "0.5"], "add --rttm"),
        (["--rttm", "--by-line"], "--by-line is about texts"),
        (["--rttm", "--errors"], "--errors is about texts"),
        (["--rttm", "-n", "basic"], "--normalizer is about texts"),
        (["--rttm", "--collar", "-1"], "0 or more"),
        (["--rttm", "--uem", "none.uem"], "none.uem"),
        (["--rttm", "--uem", __file__, "-o", __file__], "this is an input too"),
    ],
)
def test_command_lines_that_are_wrong(w2v, files, arguments, said):
    run = w2v("score", *arguments, *files)
    assert run.exit_code == 2
    assert said in run.stderr


def test_nothing_in_common(w2v, files, tmp_path):
    other = tmp_path / "other.rttm"
    other.write_text(LINE.format("other", 0, 1, "x"))
    assert w2v("score", "--rttm", files[0], other).exit_code == 2
    other.write_text("")
    run = w2v("score", "--rttm", files[0], other)
    assert (run.exit_code, "100.00 %" in run.stdout) == (0, True)
    assert w2v("score", "--rttm", other, files[0]).exit_code == 2
