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
import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.formats import format_transcript
from w2v_cli.inference.embedder import load_embedder
from w2v_cli.tasks.classify import Classifier
from w2v_cli.tasks.diarize import load_diarizer
from w2v_cli.tasks.embed import Vectorizer
from w2v_cli.tasks.transcribe import Transcriber

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX permissions and signals"),
]


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


UNREADABLE = (many.no_permission, many.broken_link, many.directory)


def check_nothing_was_done_twice(counts, folder, bad):
    """Return how many there are that cannot be read, and are no longer counted."""
    unreadable = [p for p, k in bad.items() if k in UNREADABLE]
    for name in names(folder, unreadable):  # without content to tell it by, it is tried again
        counts.pop(name, None)
    assert set(counts.values()) == {1}, "something was done twice"
    return len(unreadable)


def expected_labels(classifier, folder, name):
    result = classifier.classify(read_waveforms(folder / name), source=name)
    return [label.text for label in result.labels][:5]


# What a command writes beside jsonl, and how to compare that with what it gives one by one.
FORMATS = {"transcribe": "txt", "classify": "txt", "diarize-frames": "npz", "embed": "npy"}


def check_results(command, model, folder, names):
    """See that results of a batch are what each recording gives alone."""
    files = {name: (folder / "out" / name).with_suffix(f".{FORMATS[command]}") for name in names}
    if command == "transcribe":
        transcriber = Transcriber.load(model)
        for name, file in files.items():
            assert file.read_text() == expected_text(transcriber, folder, name)
    elif command == "classify":  # scores differ in their last digits
        classifier = Classifier.load(model)
        for name, file in files.items():
            labels = [line.split("  ")[1] for line in file.read_text().splitlines()]
            assert labels == expected_labels(classifier, folder, name)
    elif command == "diarize-frames":
        diarizer = load_diarizer(model)
        for name, file in files.items():
            expected = diarizer.diarize(read_waveforms(folder / name), source=name).frames
            found = np.load(file)["probabilities"]
            np.testing.assert_allclose(found, expected.probabilities, atol=1e-5)
    else:
        vectorizer = Vectorizer(load_embedder(model))
        for name, file in files.items():
            expected = vectorizer.embed(read_waveforms(folder / name), source=name).vectors
            np.testing.assert_allclose(np.load(file), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("command", FORMATS)
def test_a_hundred_bad_ones_among_five_thousand(tmp_path, start, folders, command):
    """The run is killed among them, and the next one goes on."""
    good, bad = many.write_many(tmp_path / "in", 4900, 10)
    everything = names(tmp_path, [*good, *bad])
    suffix = FORMATS[command]
    arguments = ["-m", folders[command], "--files-from", "list", "-0"]
    arguments += ["-f", "jsonl", "-f", suffix, "-o", "out/"]
    (tmp_path / "list").write_bytes(b"\0".join(map(os.fsencode, everything)))
    journal = tmp_path / "out" / ".w2v-journal"
    with start(*arguments, command=command) as w2v:
        kill_at(w2v, journal, lambda: journal.exists() and len(journal.read_bytes()) > 250_000)
    n_finished = len(records(journal))
    assert 100 < n_finished < 4900
    with start(*arguments, command=command) as w2v:
        _, stderr = w2v.communicate()
    lines = stderr.decode().splitlines()
    assert w2v.returncode == 3
    for path, kind in bad.items():
        name = path.relative_to(tmp_path).as_posix()
        (line,) = [line for line in lines if line.startswith(f"w2v: {name}: ")]
        line = line.removesuffix(" (failed before; try again with --retry-failed)")
        assert many.BAD_KINDS[kind] in line
        record = json.loads((tmp_path / "out" / name).with_suffix(".jsonl").read_text())
        assert (f"w2v: {record['error']}", record["exit_code"]) == (line, 1)
    errors = [line for line in lines if line.startswith("w2v: ")]
    assert len(errors) == 100
    summary = [line.split() for line in lines[len(errors) :]]
    assert [row[0] for row in summary] == ["done", "skipped", "failed", *["10"] * 10]
    n_done, n_skipped, n_failed = (int(row[1].replace(",", "")) for row in summary[:3])
    assert (n_done + n_skipped, n_failed) == (4900, 100)
    assert n_skipped >= n_finished - 100
    assert not list(tmp_path.rglob("*.w2v-part"))
    check_nothing_was_done_twice(records(journal), tmp_path, bad)
    found = {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob(f"*.{suffix}")}
    assert found == {path.relative_to(tmp_path).with_suffix(f".{suffix}") for path in good}
    some = [path.relative_to(tmp_path).as_posix() for path in random.Random(5).sample(good, 50)]
    check_results(command, folders[command], tmp_path, some)


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


def kill_at(w2v, journal, moment):
    """Kill a run as soon as a moment has come."""
    deadline = time.monotonic() + 600
    while not moment():
        assert w2v.poll() is None, w2v.communicate()
        assert time.monotonic() < deadline, "it stands still"
        time.sleep(0.001)
    w2v.send_signal(signal.SIGKILL)
    w2v.communicate()


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
    counts = records(journal)
    n_unreadable = check_nothing_was_done_twice(counts, tmp_path, bad)
    assert len(counts) == len(good) + len(bad) - n_unreadable
    assert not list(tmp_path.rglob("*.w2v-part"))
    for straight in tmp_path.glob(f"straight-{output}"):
        files = [straight] if straight.is_file() else sorted(straight.rglob("[!.]*.*"))
        assert len(files) > 600 or straight.is_file()
        for file in files:
            relative = file.relative_to(tmp_path).as_posix().removeprefix("straight-")
            assert same(tmp_path / relative, file)
