"""Each bad input gets one line that says what it is and what to do, and no traceback."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16000


def sound(seconds=1.0, channels=1):
    return np.random.default_rng(0).normal(0, 0.1, (round(seconds * RATE), channels))


def write_empty(path):
    path.write_bytes(b"")


def write_text(path):
    path.write_text("this is text\n" * 50)


def write_cut_short(path):
    soundfile.write(path, sound(), RATE)
    path.write_bytes(path.read_bytes()[:9000])


def write_eight_channels(path):
    soundfile.write(path, sound(channels=8), RATE)


def write_nan(path):
    samples = sound()
    samples[160] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def write_folder(path):
    path.mkdir()


def write_broken_link(path):
    path.symlink_to(path.with_name("gone.wav"))


REFUSED = [
    ("empty.wav", write_empty, "empty (0 bytes); record or copy it again"),
    ("text.wav", write_text, "holds text, not sound; name a recording"),
    (
        "cut.wav",
        write_cut_short,
        "cut short or damaged: 0.27 s of 1.00 s can be read; copy it again, or read what is "
        "there with --end 0.27",
    ),
    (
        "eight.wav",
        write_eight_channels,
        "8 channels; pick one with --channel N or mix them with --channel mix",
    ),
    (
        "nan.wav",
        write_nan,
        "NaN or infinite samples, the first at 0.010 s; export it again, as 16-bit for instance",
    ),
    (
        "folder",
        write_folder,
        "a directory; name the recordings in it, folder/*, or add --recursive",
    ),
    (
        "link.wav",
        write_broken_link,
        "a link to {cwd}/gone.wav, which does not exist; mend or remove it",
    ),
    (
        "missing.wav",
        lambda path: None,
        "no such file; check the name, or where you are: {cwd}",
    ),
    (
        "no/such/talk.wav",
        lambda path: None,
        "no such file: there is no folder no/such; check the path",
    ),
]


@pytest.mark.parametrize(
    "command",
    [["transcribe"], ["classify"], ["diarize-frames"], ["embed", "--output", "voices.npz"]],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(("name", "write", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_in_one_line(w2v, tmp_path, monkeypatch, name, write, message, command):
    monkeypatch.chdir(tmp_path)
    write(Path(tmp_path, name))
    run = w2v(*command, name)
    assert run.stderr == f"w2v: {name}: {message.format(cwd=tmp_path)}\n"
    assert (run.exit_code, run.stdout) == (1, "")


def test_the_same_in_a_process_of_its_own(w2v_process, tmp_path):
    write_text(tmp_path / "text.wav")
    run = w2v_process("transcribe", "text.wav", cwd=tmp_path)
    assert run.stderr == "w2v: text.wav: holds text, not sound; name a recording\n"
    assert (run.exit_code, run.stdout) == (1, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(w2v, tmp_path):
    path = tmp_path / "secret.wav"
    soundfile.write(path, sound(), RATE)
    path.chmod(0)
    run = w2v("transcribe", path)
    assert run.stderr.startswith(f"w2v: {path}: no permission to read it; ")
    assert run.exit_code == 1


@pytest.mark.parametrize(
    ("command", "stdin"),
    [
        ("transcribe", b""),
        ("transcribe", b"this is no sound at all\n" * 9),
        ("classify", b"this is no sound at all\n" * 9),
        ("diarize-frames", b""),
    ],
    ids=["empty", "text", "text to classify", "nothing to diarize"],
)
def test_bad_standard_input(w2v_process, command, stdin):
    run = w2v_process(command, "-", stdin=stdin)
    assert run.stderr.startswith("w2v: standard input: ")
    assert len(run.stderr.splitlines()) == 1
    assert (run.exit_code, run.stdout) == (1, "")


def test_a_name_with_a_line_break_stays_one_line(w2v, tmp_path):
    run = w2v("transcribe", tmp_path / "two\nlines.wav")
    assert len(run.stderr.splitlines()) == 1
    assert "two\\nlines.wav: no such file" in run.stderr


NOTHING_SAID = {
    "no samples": sound(0),
    "digital silence": np.zeros(2 * RATE),
    "a constant": np.full(RATE, 0.1),
}


@pytest.mark.parametrize("samples", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_nothing_said_is_an_empty_transcript(w2v, tmp_path, samples):
    path = tmp_path / "quiet.wav"
    soundfile.write(path, samples, RATE)
    run = w2v("transcribe", path)
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    transcript = json.loads(w2v("transcribe", path, "-f", "json").stdout)
    assert (transcript["text"], transcript["segments"]) == ("", [])
    assert transcript["duration"] == len(samples) / RATE
    assert w2v("transcribe", path, path).stdout == f"{path}:\n{path}:\n"


@pytest.mark.parametrize("seconds", [0.025, 0.03])
def test_as_long_as_a_frame(w2v, tmp_path, seconds):
    path = tmp_path / "click.wav"
    soundfile.write(path, sound(seconds), RATE)
    run = w2v("transcribe", path, "-f", "json")
    assert (run.exit_code, run.stderr) == (0, "")
    transcript = json.loads(run.stdout)
    assert transcript["duration"] == pytest.approx(seconds, abs=1e-3)
    assert all(segment["end"] <= transcript["duration"] for segment in transcript["segments"])


@pytest.mark.parametrize(
    ("seconds", "said"), [(1 / RATE, "0.0001"), (0.01, "0.0100"), (0.0249, "0.0249")]
)
def test_shorter_than_a_frame(w2v, tmp_path, seconds, said):
    path = tmp_path / "click.wav"
    soundfile.write(path, sound(seconds), RATE)
    run = w2v("transcribe", path)
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr == (
        f"w2v: {path}: {said} s of sound, which is too short for a letter; the model hears no "
        f"less than 0.025 s\n"
    )


@pytest.mark.parametrize("arguments", [(), ("--window", "1")], ids=["whole", "windows"])
def test_labels_of_what_is_short_or_silent(w2v, label_folder, tmp_path, arguments):
    """A click has none, and of what is too short for a window or silent there is one, as ever."""
    path = tmp_path / "click.wav"
    soundfile.write(path, sound(0.01), RATE)
    run = w2v("classify", "-m", label_folder, path, *arguments)
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr == (
        f"w2v: {path}: 0.0100 s of sound, which is too short for a label; the model hears no "
        f"less than 0.025 s\n"
    )
    for samples in (sound(0.025), sound(0.3), np.zeros(2 * RATE), np.full(RATE, 0.1)):
        soundfile.write(path, samples, RATE)
        run = w2v("classify", "-m", label_folder, path, *arguments, "-f", "csv", "-k", "1")
        assert (run.exit_code, run.stderr) == (0, "")
        assert len(run.stdout.splitlines()) >= 2


@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100, 96000])
def test_any_sample_rate(w2v, recording, sample_rate):
    run = w2v("transcribe", recording(sample_rate=sample_rate), "-f", "json")
    assert (run.exit_code, run.stderr) == (0, "")
    assert json.loads(run.stdout)["duration"] == pytest.approx(1.0)


@pytest.mark.parametrize("command", [["transcribe"], ["align", "--text", "go"]])
def test_a_model_of_another_sample_rate(w2v, recording, ctc_folder, tmp_path, command):
    folder = shutil.copytree(ctc_folder, tmp_path / "narrow")
    for path in folder.glob("*processor_config.json"):
        path.write_text(path.read_text().replace("16000", "8000"))
    run = w2v(*command, "-m", folder, recording(sample_rate=8000))
    assert run.exit_code == 4
    assert "this model hears 8000 Hz, and commands are for models of 16000 Hz" in run.stderr


@pytest.mark.parametrize("name", ["with spaces.wav", "größe 🎙.wav", "-dash.wav", "$(x);.wav"])
def test_any_name(w2v, recording, tmp_path, monkeypatch, name):
    recording(name)
    monkeypatch.chdir(tmp_path)
    run = w2v("transcribe", "--", name, name)
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{name}: ")


@pytest.mark.parametrize("command", ["classify", "diarize-frames", "embed"])
def test_any_name_and_rate_in_the_other_commands(
    w2v, recording, folders, tmp_path, monkeypatch, command
):
    name = "größe 🎙.wav"
    recording(name, sample_rate=8000, channels=2)
    monkeypatch.chdir(tmp_path)
    run = w2v(command, "-m", folders[command], "-f", "jsonl", "-o", "mit Leerzeichen/", name)
    assert (run.exit_code, run.stderr) == (0, "")
    line = (tmp_path / "mit Leerzeichen" / "größe 🎙.jsonl").read_text()
    assert json.loads(line)["source"] == name


def test_the_bytes_count_and_not_the_suffix(w2v, recording):
    path = recording("talk.flac")
    renamed = path.rename(path.with_suffix(".wav"))
    run = w2v("transcribe", renamed)
    assert run.exit_code == 0
    assert run.stdout != ""
