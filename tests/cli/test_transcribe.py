"""`w2v transcribe` from the command line to what is printed, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import soundfile

from w2v_cli.audio import read_waveforms
from w2v_cli.tasks.transcribe import Transcriber


@pytest.fixture(scope="module")
def transcriber(ctc_folder):
    return Transcriber.load(ctc_folder)


def text_of(transcriber, path, **selection):
    """What the library hears, to compare the command with."""
    text = transcriber.transcribe(read_waveforms(path, **selection)).text
    assert text  # a comparison of nothing with nothing shows nothing
    return text


def test_a_recording_becomes_text(w2v, recording, transcriber):
    path = recording()
    run = w2v("transcribe", path)
    assert run.exit_code == 0
    assert run.stdout.split() == text_of(transcriber, path).split()
    assert run.stderr == ""


def test_json_has_words_with_times(w2v, recording, transcriber, ctc_folder):
    path = recording(seconds=2)
    run = w2v("transcribe", path, "--format", "json")
    transcript = json.loads(run.stdout)
    assert transcript["text"].split() == text_of(transcriber, path).split()
    assert transcript["model"] == str(ctc_folder)
    assert transcript["duration"] == pytest.approx(2)
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= 2


def test_several_recordings_in_the_order_given(w2v, recording, transcriber):
    paths = [recording(f"{name}.wav", seed=seed) for seed, name in enumerate("cab")]
    run = w2v("transcribe", *paths)
    assert [line.split(": ", 1)[0] for line in run.stdout.splitlines()] == list(map(str, paths))
    for path in paths:
        assert text_of(transcriber, path).split()[0] in run.stdout
    documents = json.loads(w2v("transcribe", *paths, "-f", "json").stdout)
    assert [document["text"] for document in documents] == [
        text_of(transcriber, path) for path in paths
    ]


def test_channels(w2v, recording, transcriber):
    path = recording(channels=2)
    second = text_of(transcriber, path, channel=2)
    assert w2v("transcribe", path, "--channel", "2").stdout.split() == second.split()
    mixed = text_of(transcriber, path, channel="mix")
    assert w2v("transcribe", path).stdout.split() == mixed.split()
    both = json.loads(w2v("transcribe", path, "--channel", "all", "-f", "json").stdout)
    assert {segment["channel"] for segment in both["segments"]} == {1, 2}


def test_start_and_end(w2v, recording, transcriber):
    path = recording(seconds=3)
    part = text_of(transcriber, path, start_seconds=1.0, end_seconds=2.5)
    run = w2v("transcribe", path, "--start", "0:01", "--end", "2.5", "-f", "json")
    transcript = json.loads(run.stdout)
    assert transcript["text"] == part
    assert transcript["segments"][0]["start"] >= 1.0
    assert transcript["segments"][-1]["end"] <= 2.5


def test_output_file(w2v, recording, tmp_path):
    path, target = recording(), tmp_path / "talk.txt"
    on_stdout = w2v("transcribe", path)
    run = w2v("transcribe", path, "--output", target)
    assert (run.exit_code, run.stdout) == (0, "")
    assert target.read_text() == on_stdout.stdout


def test_verbose_says_what_runs_where(w2v, recording, ctc_folder):
    path = recording()
    run = w2v("transcribe", path, "-v", "--device", "cpu", "--threads", "1", "--attn", "eager")
    loaded, heard = run.stderr.splitlines()
    what = f"w2v: {ctc_folder} on cpu, float32, eager, 1 thread; in the form for inference; "
    assert loaded.startswith(f"{what}loaded in ")
    assert heard.startswith(f"w2v: {path}: 1.0 s transcribed in ")
    assert w2v("transcribe", path, "-v", "-q").stderr == ""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_precisions(w2v, recording, dtype):
    run = w2v("transcribe", recording(), "--dtype", dtype, "-v")
    assert run.exit_code == 0
    assert dtype in run.stderr


def test_a_device_that_is_not_there(w2v, recording, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run = w2v("transcribe", recording(), "--device", "cuda")
    assert run.exit_code == 2
    assert run.stderr == "w2v: --device cuda: no CUDA device here; use --device cpu or auto\n"


def test_a_language_for_a_model_of_one(w2v, recording, ctc_folder):
    run = w2v("transcribe", recording(), "--lang", "fra")
    assert run.exit_code == 2
    assert run.stderr == f"w2v: --lang fra: {ctc_folder} has no language adapters; leave it out\n"


def test_a_model_that_is_not_there(w2v, recording, tmp_path):
    run = w2v("transcribe", recording(), "--model", tmp_path / "no-model")
    assert (run.exit_code, run.stdout) == (4, "")
    assert len(run.stderr.splitlines()) == 1
    assert "no-model" in run.stderr


def test_the_default_model_offline_offers_what_is_embedded(w2v, recording, monkeypatch, tmp_path):
    monkeypatch.delenv("W2V_MODEL")
    run = w2v("transcribe", recording(), "--offline", "--cache-dir", tmp_path / "cache")
    assert run.exit_code == 4
    assert run.stderr.startswith(
        "w2v: facebook/wav2vec2-base-960h: no such folder here, and not in the cache"
    )
    assert len(run.stderr.splitlines()) == 1
    assert "--model mini" in run.stderr


def test_a_bad_recording_does_not_wait_for_a_model(w2v, tmp_path):
    run = w2v("transcribe", tmp_path / "missing.wav", "--model", tmp_path / "no-model")
    assert run.exit_code == 1
    assert "no such file" in run.stderr


def test_a_bad_one_among_good_ones(w2v, recording, tmp_path):
    good, bad = recording("good.wav"), tmp_path / "bad.wav"
    bad.write_text("this is no sound")
    run = w2v("transcribe", bad, good, tmp_path / "missing.wav")
    assert run.exit_code == 3
    assert [line.split(": ")[0] for line in run.stdout.splitlines()] == [str(good)]
    errors = run.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith(f"w2v: {bad}: ")
    assert errors[1].startswith(f"w2v: {tmp_path / 'missing.wav'}: no such file")


def test_only_bad_ones(w2v, tmp_path):
    run = w2v("transcribe", tmp_path / "a.wav", tmp_path / "b.wav")
    assert (run.exit_code, run.stdout) == (1, "")
    assert len(run.stderr.splitlines()) == 2


def test_stdin(w2v_process, recording, transcriber):
    path = recording()
    run = w2v_process("transcribe", "-", stdin=path.read_bytes())
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.split() == text_of(transcriber, path).split()


def test_a_stream_that_is_piped_in(w2v_process, recording, transcriber):
    """Through a pipe, which cannot seek, and named beside a file."""
    path = recording()
    run = w2v_process("transcribe", path, "-", stdin=path.read_bytes())
    names = {line.split(": ")[0] for line in run.stdout.splitlines()}
    assert names == {str(path), "-"}


def test_stdout_closed_early_is_quiet(recording, ctc_folder):
    paths = [recording(f"{index}.wav") for index in range(4)]
    command = [sys.executable, "-m", "w2v_cli", "transcribe", "-m", ctc_folder, *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as w2v:
        w2v.stdout.close()
        assert w2v.stderr.read() == b""
    assert w2v.returncode == 1


@pytest.mark.parametrize(
    ("target", "stop"),
    [("-", signal.SIGINT), ("out.json", signal.SIGINT), ("out.json", signal.SIGTERM)],
)
def test_an_interruption_keeps_what_is_finished(tmp_path, recording, ctc_folder, target, stop):
    first, later = recording("first.wav"), tmp_path / "later.wav"
    os.mkfifo(later)  # the second input never comes: the run waits there
    command = [sys.executable, "-m", "w2v_cli", "transcribe", first, later, "-f", "json"]
    with subprocess.Popen(
        [*command, "-m", ctc_folder, "-v", "-o", target],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores Ctrl-C, and its children would do so too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as w2v:
        try:
            while f"{first}: " not in (line := w2v.stderr.readline()):
                assert line, "it ended before the first result"
            time.sleep(0.5)
            w2v.send_signal(stop)
            stdout, stderr = w2v.communicate(timeout=60)
        finally:
            w2v.kill()
    assert w2v.returncode == 130
    assert stderr == "w2v: interrupted; 1 of 2 results is kept\n"
    written = stdout if target == "-" else (tmp_path / target).read_text()
    assert len(json.loads(written)) == 1


def test_a_bug_keeps_its_traceback(w2v, recording, monkeypatch):
    def broken(self, *arguments, **options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Transcriber, "session", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        w2v("transcribe", recording())


def test_a_warning_is_a_line_unless_quiet(w2v, recording, monkeypatch):
    import warnings

    begin = Transcriber.session

    def warning(self, *arguments, **options):
        warnings.warn("this is\nold", UserWarning, stacklevel=1)
        return begin(self, *arguments, **options)

    monkeypatch.setattr(Transcriber, "session", warning)
    monkeypatch.setattr(sys, "warnoptions", [])
    warnings.simplefilter("always")
    path = recording()
    assert w2v("transcribe", path).stderr == "w2v: warning: this is old\n"
    assert w2v("transcribe", path, "--quiet").stderr == ""


def test_stdout_is_utf8_in_any_locale(w2v_process, tmp_path, babble):
    path = tmp_path / "größe 🎙.wav"
    soundfile.write(path, babble(16000), 16000)
    run = w2v_process("transcribe", path, path, env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert run.exit_code == 0
    assert run.stdout.startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["mini-keywords", "mini-speakers", "mini-turns"])
def test_an_embedded_model_that_does_not_write_is_refused(w2v, recording, name):
    run = w2v("transcribe", recording(), "--model", name)
    assert (run.exit_code, run.stdout) == (4, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith(f"w2v: {name}: ")
    assert "--model mini" in run.stderr
    assert "--model mini-" not in run.stderr


def test_models_lists_what_is_embedded(w2v):
    run = w2v("models")
    assert run.exit_code == 0
    assert "embedded" in run.stdout
    assert run.stdout.startswith("mini ")


def test_version(w2v):
    from w2v_cli import __version__

    run = w2v("--version")
    assert (run.exit_code, run.stdout) == (0, f"w2v {__version__}\n")


def test_without_a_command_there_is_help(w2v):
    run = w2v()
    assert run.exit_code == 2
    assert "transcribe" in run.stdout + run.stderr


CLOSED = [
    ("- <&-", "w2v: standard input: empty (0 bytes); record or copy it again\n", 1),
    ("talk.wav >&-", "w2v: stdout: closed; leave it open, or name a file with --output\n", 1),
    ("talk.wav -o talk.txt >&-", "", 0),
    ("talk.wav 2>&-", "", 0),
    ("missing.wav 2>&-", "", 1),
]


@pytest.mark.parametrize(("arguments", "said", "exit_code"), CLOSED, ids=[c[0] for c in CLOSED])
def test_streams_that_the_caller_closed(recording, ctc_folder, arguments, said, exit_code):
    folder = recording().parent
    done = subprocess.run(
        f'"{sys.executable}" -m w2v_cli transcribe -m "{ctc_folder}" {arguments}',
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == (said, exit_code)
