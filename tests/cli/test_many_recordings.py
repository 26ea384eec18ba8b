"""Batches as they are: bad recordings of ten kinds, and runs that are killed at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import many
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.formats import format_transcript
from w2v_cli.tasks.classify import Classifier
from w2v_cli.tasks.transcribe import Transcriber

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX permissions and signals"),
]


@pytest.fixture(scope="module")
def transcriber(ctc_folder):
    return Transcriber.load(ctc_folder)


@pytest.fixture
def start(tmp_path, ctc_folder):
    """Return a function that starts a command in the folder of the recordings."""

    def begin(*arguments, command="transcribe"):
        return subprocess.Popen(
            [sys.executable, "-m", "w2v_cli", command, *map(str, arguments)],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"W2V_MODEL": str(ctc_folder), "OMP_NUM_THREADS": "1"},
            preexec_fn=many.without_privileges,
        )

    return begin


def names(folder, paths):
    return [path.relative_to(folder).as_posix() for path in sorted(paths)]


def expected_text(transcriber, folder, name):
    transcript = transcriber.transcribe(read_waveforms(folder / name), source=name)
    return format_transcript(transcript, "txt")


def records(journal):
    """Return how often each input has a record."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return Counter(line["source"] for line in lines if "source" in line)


def expected_labels(classifier, folder, name):
    result = classifier.classify(read_waveforms(folder / name), source=name)
    return [label.text for label in result.labels]


@pytest.mark.parametrize("command", ["transcribe", "classify"])
def test_a_hundred_bad_ones_among_five_thousand(
    tmp_path, start, transcriber, ctc_folder, label_folder, command
):
    good, bad = many.write_many(tmp_path / "in", 4900, 10)
    everything = names(tmp_path, [*good, *bad])
    model = ctc_folder if command == "transcribe" else label_folder
    arguments = ("-m", model, "--files-from", "-", "-0", "-f", "jsonl", "-f", "txt", "-o", "out/")
    with start(*arguments, command=command) as w2v:
        _, stderr = w2v.communicate(b"\0".join(map(os.fsencode, everything)))
    lines = stderr.decode().splitlines()
    assert w2v.returncode == 3
    for path, kind in bad.items():
        name = path.relative_to(tmp_path).as_posix()
        (line,) = [line for line in lines if line.startswith(f"w2v: {name}: ")]
        assert many.BAD_KINDS[kind] in line
        record = json.loads((tmp_path / "out" / name).with_suffix(".jsonl").read_text())
        assert (f"w2v: {record['error']}", record["exit_code"]) == (line, 1)
    errors = [line for line in lines if line.startswith("w2v: ")]
    assert len(errors) == 100
    summary = [line.split() for line in lines[len(errors) :]]
    assert summary[0][:2] == ["done", "4,900"]
    assert summary[1] == ["failed", "100"]
    assert [row[0] for row in summary[2:]] == ["10"] * 10
    texts = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.txt")}
    assert texts == {path.relative_to(tmp_path).with_suffix(".txt") for path in good}
    classifier = Classifier.load(label_folder)
    for path in random.Random(5).sample(good, 50):
        name = path.relative_to(tmp_path).as_posix()
        text = (tmp_path / "out" / name).with_suffix(".txt").read_text()
        if command == "transcribe":
            assert text == expected_text(transcriber, tmp_path, name)
        else:  # scores differ in their last digits
            labels = [line.split("  ")[1] for line in text.splitlines()]
            assert labels == expected_labels(classifier, tmp_path, name)[:5]


def same(one, other):
    """Whether two files hold the same, up to the last digits of scores.

    What is heard together depends on where a run began, and with it how numbers are rounded.
    """
    if one.suffix != ".jsonl":
        return one.read_bytes() == other.read_bytes()
    parsed = [[json.loads(line) for line in p.read_text().splitlines()] for p in (one, other)]
    return without_scores(parsed[0]) == without_scores(parsed[1])


def without_scores(value):
    if isinstance(value, dict):
        return {key: without_scores(v) for key, v in value.items() if key != "probability"}
    return [without_scores(v) for v in value] if isinstance(value, list) else value


def progress_of(journal):
    return journal.stat().st_size if journal.exists() else 0


def kill_at_a_random_moment(w2v, journal, rng):
    """Kill a run between its first results, and say whether it was still running."""
    began = progress_of(journal)
    more = rng.choice([0, 0, 1, 500, 2000, 5000])  # bytes of the journal, some lines or none
    deadline = time.monotonic() + 120
    while w2v.poll() is None and progress_of(journal) < began + more:
        assert time.monotonic() < deadline, "it stands still"
        time.sleep(0.0005)
    if w2v.poll() is None:
        time.sleep(rng.uniform(0, 0.05) if more else rng.uniform(0, 5))
    w2v.send_signal(signal.SIGKILL)
    w2v.communicate()
    return w2v.returncode == -signal.SIGKILL


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_killed_at_twenty_random_moments(tmp_path, start, output):
    good, bad = many.write_many(tmp_path / "in", 600, 2)
    arguments = ["-r", "in", "-f", "jsonl", *(["-f", "srt"] if output == "out/" else [])]
    arguments += ["-q", "-o"]
    with start(*arguments, f"straight-{output}") as w2v:
        w2v.communicate()
    assert w2v.returncode == 3
    journal = tmp_path / ("out/.w2v-journal" if output == "out/" else ".out.jsonl.w2v-journal")
    rng = random.Random(11)
    n_killed = 0
    seen = Counter()
    while n_killed < 20:
        n_killed += kill_at_a_random_moment(start(*arguments, output), journal, rng)
        if journal.exists():
            now = Counter(journal.read_bytes().splitlines(keepends=True))
            finished = Counter({line: n for line, n in seen.items() if line.endswith(b"\n")})
            assert finished <= now, "something that was finished is lost"
            seen = now
    with start(*arguments, output) as w2v:
        w2v.communicate()
    assert w2v.returncode == 3
    unreadable = [p for p, k in bad.items() if k in (many.no_permission, many.broken_link)]
    counts = records(journal)
    for name in names(tmp_path, unreadable):  # without content to tell it by, it is tried again
        counts.pop(name, None)
    assert set(counts.values()) == {1}, "something was done twice"
    assert len(counts) == len(good) + len(bad) - len(unreadable) - 2  # folders are looked into
    assert not list(tmp_path.rglob("*.w2v-part"))
    for straight in tmp_path.glob(f"straight-{output}"):
        files = [straight] if straight.is_file() else sorted(straight.rglob("[!.]*.*"))
        assert len(files) > 600 or straight.is_file()
        for file in files:
            relative = file.relative_to(tmp_path).as_posix().removeprefix("straight-")
            assert same(tmp_path / relative, file)
