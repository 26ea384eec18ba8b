"""`w2v transcribe - --raw`: segments come while the stream is still open."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import read_waveforms
from w2v_cli.cli.console import Console
from w2v_cli.cli.live import SegmentWriter
from w2v_cli.cli.long_options import LiveChoice
from w2v_cli.tasks.live import LiveTranscript

SEGMENTS = ["yes no up down", "on off stop go", "one two three"]


@pytest.fixture(scope="module")
def demo_pcm(request):
    """Return the demo as raw PCM at 16 kHz."""
    path = request.config.rootpath / "tests" / "data" / "demo.opus"
    waveform = read_waveforms(path).channels[0]
    return (np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes()


@pytest.fixture
def live(w2v, monkeypatch):
    """Return a function that runs `w2v transcribe - --raw` on bytes."""

    def run(content, *arguments):
        stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stdin)
        return w2v("transcribe", "--model", "mini", "-", "--raw", 16000, *arguments)

    return run


def test_segments_are_lines(live, demo_pcm):
    run = live(demo_pcm)
    assert (run.exit_code, run.stdout.splitlines(), run.stderr) == (0, SEGMENTS, "")


def test_whole_numbers(live, demo_pcm):
    run = live(demo_pcm, "--quantize", "int8", "--verbose")
    assert (run.exit_code, run.stdout.splitlines()) == (0, SEGMENTS)
    assert "in whole numbers of 8 bits" in run.stderr


def test_words_that_may_change_are_shown_on_stderr(live, demo_pcm):
    run = live(demo_pcm, "--partial")
    assert run.stdout.splitlines() == SEGMENTS
    assert any(line.startswith("yes no up") for line in run.stderr.splitlines())


def test_jsonl_has_records_of_both(live, demo_pcm):
    run = live(demo_pcm, "--partial", "--format", "jsonl")
    records = [json.loads(line) for line in run.stdout.splitlines()]
    final = [record for record in records if not record["partial"]]
    assert [record["text"] for record in final] == SEGMENTS
    assert [record["id"] for record in final] == [0, 1, 2]
    assert final[0]["words"][0]["word"] == "yes"
    assert final[0]["start"] == pytest.approx(0.5, abs=0.1)
    partial = [record for record in records if record["partial"]]
    assert partial
    assert all(set(record) == {"schema_version", "source", "partial", "text"} for record in partial)
    assert run.stderr == ""
    assert all(
        json.loads(line)["partial"] is False
        for line in live(demo_pcm, "-f", "jsonl").stdout.splitlines()
    )


def test_another_rate(live, demo_pcm):
    samples = np.repeat(np.frombuffer(demo_pcm, "<i2"), 3)  # 48 kHz
    run = live(samples.tobytes(), "--raw", 48000)
    assert run.stdout.split()[:3] == ["yes", "no", "up"]


def test_nothing_comes_in(live):
    run = live(b"")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.startswith("w2v: standard input: no samples in it (0 bytes)")
    header = io.BytesIO()
    soundfile.write(header, np.zeros(0, np.int16), 16000, format="WAV")
    run = live(header.getvalue())
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.startswith("w2v: standard input: no samples in it (44 bytes)")


def test_a_wav_stream_is_heard_and_other_files_are_refused(live, demo_pcm):
    header = io.BytesIO()
    soundfile.write(header, np.zeros(0, np.int16), 16000, format="WAV")
    run = live(header.getvalue() + demo_pcm)
    assert (run.exit_code, run.stdout.splitlines()) == (0, SEGMENTS)
    run = live(b"fLaC" + demo_pcm)
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr == ("w2v: standard input: a FLAC file, not raw samples; leave out --raw\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--partial"], "--partial shows what is heard in a stream; it needs - --raw RATE"),
        (["talk.wav", "--raw", "16000"], "name - as the only input"),
        (["-", "talk.wav", "--raw", "16000"], "name - as the only input"),
        (["-", "--raw", "16000", "--start", "3"], "--start is for recordings that end"),
        (["-", "--raw", "16000", "--vad"], "--vad is for recordings that end"),
        (["-", "--raw", "16000", "-o", "x.txt"], "--output is for recordings that end"),
        (["-", "--raw", "16000", "-f", "srt"], "as txt or jsonl; choose one"),
        (["-", "--raw", "16000", "-f", "txt", "-f", "jsonl"], "as txt or jsonl; choose one"),
        (["-", "--raw", "10"], "--raw"),
        (["x.wav", "--chunk-seconds", "0"], "--chunk-seconds 0: it must be more than 0"),
        (["x.wav", "--stride-seconds", "-1"], "--stride-seconds -1: it must be 0 or more"),
        (["x.wav", "--context-seconds", "nan"], "--context-seconds nan: it must be 0 or more"),
        (["x.wav", "--chunk-seconds", "5", "--stride-seconds", "2"], "3 times as long, 6 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(w2v, arguments, message):
    run = w2v("transcribe", *arguments)
    assert run.exit_code == 2
    assert message in run.stderr


def test_a_terminal_is_no_stream(w2v, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    run = w2v("transcribe", "-", "--raw", "16000")
    assert run.exit_code == 1
    assert "a terminal, not a stream" in run.stderr


@contextlib.contextmanager
def started(*arguments, rate=16000, stdin=subprocess.PIPE):
    """Run `w2v` in a process of its own, and end it if a test would wait for ever."""
    command = [
        sys.executable,
        "-m",
        "w2v_cli",
        "transcribe",
        "--model",
        "mini",
        "-",
        "--raw",
        str(rate),
        *arguments,
    ]
    pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        command,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **pipes,
    ) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        yield process
        watchdog.cancel()


def test_a_segment_is_printed_before_the_stream_ends(demo_pcm):
    with started() as process:
        process.stdin.write(demo_pcm + bytes(4 * 32000))
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in SEGMENTS]  # while standard input is open
        process.stdin.close()
        assert [line.decode().strip() for line in lines] == SEGMENTS
        assert process.stdout.read() == b""
        assert process.wait(60) == 0


def test_ctrl_c_keeps_what_was_heard(demo_pcm):
    with started() as process:
        process.stdin.write(demo_pcm)
        process.stdin.flush()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        errors = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert first.decode().strip() == SEGMENTS[0]
    assert rest.decode().split()[:4] == SEGMENTS[1].split()
    assert errors == "w2v: interrupted; what was heard is kept\n"


def test_ctrl_c_in_the_middle_of_a_step_loses_nothing(live, demo_pcm, monkeypatch):
    """Of what waits behind it, too: all of it was read before."""
    listen, steps = LiveTranscript._listen, []

    def interrupted(self, samples, *, is_last):
        steps.append(samples)
        if len(steps) == 3:
            for thread in set(threading.enumerate()) - before:
                if thread.name == "w2v-stream":
                    thread.join(30)
            signal.raise_signal(signal.SIGINT)
        listen(self, samples, is_last=is_last)

    before = set(threading.enumerate())
    monkeypatch.setattr(LiveTranscript, "_listen", interrupted)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be, in a shell's &
    try:
        run = live(demo_pcm)
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert (run.exit_code, run.stdout.splitlines()) == (130, SEGMENTS)
    assert run.stderr == "w2v: interrupted; what was heard is kept\n"


def test_ctrl_c_hears_what_was_read(demo_pcm):
    """All of it waits in the queue when the first segment is printed."""
    with started() as process:
        process.stdin.write(demo_pcm + bytes(3 * 32000) + demo_pcm + bytes(3 * 32000))
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().decode().splitlines()
        assert process.wait(60) == 130
    assert rest == [*SEGMENTS[1:], *SEGMENTS]


def test_ctrl_c_says_one_line_at_another_rate_too(demo_pcm):
    """What resamples is gone before the process is."""
    with started(rate=48000) as process:
        process.stdin.write(np.repeat(np.frombuffer(demo_pcm, "<i2"), 3).tobytes())
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        errors = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert errors == "w2v: interrupted; what was heard is kept\n"


def test_a_pipe_that_was_told_not_to_wait_is_waited_for(demo_pcm):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with started(stdin=reader) as process:
        os.close(reader)
        with os.fdopen(writer, "wb", buffering=0) as stream:
            for begin in range(0, len(demo_pcm), 2**16):
                stream.write(demo_pcm[begin : begin + 2**16])
                time.sleep(0.2)
        assert process.stdout.read().decode().splitlines() == SEGMENTS
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [("-", "--raw", "16000", "--partial"), ("no.wav", "-")])
def test_where_stderr_is_full_the_text_is_written(demo_pcm, arguments):
    content = demo_pcm
    if "--raw" not in arguments:
        file = io.BytesIO()
        soundfile.write(file, np.frombuffer(demo_pcm, "<i2"), 16000, format="WAV")
        content = file.getvalue()
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "w2v_cli", "transcribe", "--model", "mini", *arguments],
            input=content,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=120,
            check=False,
        )
    assert "yes no up down" in run.stdout.decode()
    assert run.returncode == (0 if "--raw" in arguments else 3)


def test_what_may_change_is_decoded_once_a_step(demo_pcm, monkeypatch):
    from w2v_cli.tasks.transcribe import TranscriptionJob

    transcriber = TranscriptionJob("mini").load()
    decoded = []
    preview = transcriber.decoder.preview
    monkeypatch.setattr(
        transcriber.decoder, "preview", lambda emissions: decoded.append(0) or preview(emissions)
    )
    transcript = LiveTranscript(transcriber)
    samples = np.frombuffer(demo_pcm[: 5 * 32000], "<i2").astype(np.float32) / 32768
    for begin in range(0, len(samples), 160):
        transcript.hear(samples[begin : begin + 160])
        transcript.partial()
    assert transcript.partial() != ""
    assert len(decoded) == 5


def test_words_of_a_stream_are_not_kept(demo_pcm):
    from w2v_cli.tasks.transcribe import TranscriptionJob

    transcript = LiveTranscript(TranscriptionJob("mini").load())
    samples = np.frombuffer(demo_pcm + bytes(4 * 32000), "<i2").astype(np.float32) / 32768
    segments = [*transcript.hear(samples), *transcript.hear(samples)]
    assert [segment.text for segment in segments[:3]] == SEGMENTS
    assert transcript._text.words == []


def test_rates_that_nothing_samples_at_are_refused(live):
    run = live(b"", "--raw", 10**20)
    assert run.exit_code == 2


def test_on_a_terminal_partial_words_are_drawn_over(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    written = []
    results = SimpleNamespace(write=lambda text, source: written.append(text))
    writer = SegmentWriter(results, LiveChoice(16000, "txt", True), Console())
    for text in ("yes", "yes", "yes no"):
        writer.show(text)
    writer.end()
    assert capsys.readouterr().err == "\r\x1b[Kyes\r\x1b[Kyes no\r\x1b[K"
    assert written == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two three", "one two three"),
        ("one two three four", "…wo three four"),
        ("日本語の名前", "…語の名前"),
    ],
)
def test_partial_words_are_drawn_in_one_line(monkeypatch, capsys, text, shown):
    """A longer one would leave its first line behind."""
    monkeypatch.setenv("COLUMNS", "15" if text.isascii() else "10")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    writer = SegmentWriter(None, LiveChoice(16000, "txt", True), Console())
    writer.show(text)
    assert capsys.readouterr().err == f"\r\x1b[K{shown}"


def test_a_dumb_terminal_is_not_drawn_on(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Console().draws
    monkeypatch.setenv("TERM", "dumb")
    assert not Console().draws
