"""`w2v transcribe - --raw`: segments come while the stream is still open."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.cli.console import Console
from w2v_cli.cli.live import ReadAhead, SegmentWriter
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
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")


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
def started():
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
        "16000",
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
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


def test_what_breaks_while_reading_breaks_the_run():
    def blocks():
        yield np.zeros(1)
        raise ValueError("broken")

    ahead = iter(ReadAhead(blocks()))
    next(ahead)
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_what_waits_is_given_without_waiting():
    ahead = ReadAhead(iter([np.zeros(1), np.ones(1)]))
    deadline = time.monotonic() + 30
    while ahead._waiting.qsize() < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [block[0] for block in ahead.waiting()] == [0, 1]
    assert list(ahead.waiting()) == []


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
