"""`w2v evaluate`: figures are those of `w2v transcribe` and `w2v score`, with intervals."""

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"
WORDS = ("happy", "stop", "sheila", "three", "seven")


@pytest.fixture
def manifest(tmp_path):
    rows = [
        {"audio_filepath": str(DATA / f"{word}.opus"), "text": said, "speaker": word}
        for word, said in zip(
            WORDS, ("Happy.", "stop it", "sheila", "three", "heaven"), strict=True
        )
    ]
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_error_rate_is_that_of_transcribe_and_score(w2v, manifest, tmp_path):
    run = w2v("evaluate", "mini", manifest, "--format", "json")
    assert run.exit_code == 0, run.stderr
    measured = json.loads(run.stdout)
    recordings = [DATA / f"{word}.opus" for word in WORDS]
    heard = tmp_path / "heard.jsonl"
    w2v("transcribe", "--model", "mini", "-f", "jsonl", "-o", heard, *recordings)
    scored = json.loads(w2v("score", "-f", "json", "--normalizer", "basic", manifest, heard).stdout)
    for name in ("wer", "cer"):
        assert measured["figures"][name]["value"] == scored[name]
        low, high = measured["figures"][name]["interval"]
        assert 0 <= low < scored[name] < high
    assert measured["results"][0]["reference"] == "happy"
    assert measured["speakers"] == 5


def test_the_table(w2v, manifest):
    run = w2v("evaluate", "mini", manifest)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("5 recordings, ")
    assert [line.split()[0] for line in lines[2:]] == ["wer", "cer", "exact"]
    assert " to " in lines[2]
    assert " to " not in w2v("evaluate", "mini", manifest, "--bootstrap", 0).stdout


def test_rows_of_a_split_are_measured(w2v, manifest):
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row, split in zip(rows, ("train", "dev", "dev", "test", "test"), strict=True):
        row["split"] = split
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for arguments, count in (([], 2), (["--split", "train"], 1), (["--split", "test"], 2)):
        run = w2v("evaluate", "mini", manifest, *arguments)
        assert run.stdout.startswith(f"{count} recordings")


def test_what_cannot_be_read_is_named(w2v, manifest):
    with open(manifest, "a") as rows:
        rows.write('{"audio_filepath": "missing.wav", "text": "go"}\n')
    run = w2v("evaluate", "mini", manifest)
    assert run.exit_code == 3
    assert "missing.wav: no such file" in run.stderr
    assert run.stdout.startswith("5 recordings")


def test_nothing_to_measure_on(w2v, manifest):
    run = w2v("evaluate", "mini", manifest, "--split", "test")
    assert run.exit_code == 2
    assert "no recording here can be measured on" in run.stderr


@pytest.mark.parametrize("arguments", [("--other-label", "x"), ("--empty-label", "_silence_")])
def test_options_for_classifiers_are_refused_for_texts(w2v, manifest, arguments):
    run = w2v("evaluate", "mini", manifest, *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr == f"w2v: {arguments[0]} is for classifiers, and mini is none; leave it out\n"
