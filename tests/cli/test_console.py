"""Progress is for people at a terminal; stdout never carries any of it."""

import io
import os
import subprocess
import sys

import pytest

from w2v_cli.cli.console import Console, RichDisplay

pty = pytest.importorskip("pty")

ESCAPE = b"\x1b["


def on_a_terminal(*arguments, ctc_folder, **environment):
    """Run `w2v transcribe` with a terminal as stderr; return stdout and what the terminal got."""
    terminal, stderr = pty.openpty()
    environment = {"W2V_MODEL": str(ctc_folder), "TERM": "xterm", "COLUMNS": "80"} | environment
    with subprocess.Popen(
        [sys.executable, "-m", "w2v_cli", "transcribe", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **environment},
    ) as w2v:
        os.close(stderr)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        stdout = w2v.stdout.read()
    os.close(terminal)
    assert w2v.returncode == 0, shown
    return stdout, shown


def test_progress_on_a_terminal(recording, ctc_folder):
    path = recording()
    stdout, shown = on_a_terminal(path, path, ctc_folder=ctc_folder)
    assert ESCAPE in shown
    assert path.name.encode() in shown
    assert b"of 2" in shown
    assert ESCAPE not in stdout
    assert len(stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "environment"), [(["--quiet"], {}), ([], {"NO_COLOR": "1"})], ids=str
)
def test_no_progress_when_not_wanted(recording, ctc_folder, arguments, environment):
    stdout, shown = on_a_terminal(recording(), *arguments, ctc_folder=ctc_folder, **environment)
    assert shown == b""
    assert stdout


def test_nothing_is_drawn_off_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Console().draws
    with Console().progress(3) as display:
        display.start("model.safetensors", 10)
        display.advance(10)
        display.finish()
    assert sys.stderr.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_download_shows_its_size(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    display = RichDisplay(1)
    with display.drawn():
        display.start("model.safetensors", 377_600_000)
        display.advance(12_300_000)
        display._progress.refresh()
        display.finish()
    drawn = sys.stderr.getvalue()
    assert "downloading model.safetensors" in drawn
    assert "12.3 of 377.6 MB" in drawn


def test_a_message_is_one_line(capsys):
    console = Console()
    console.error("one\n  two")
    console.warn(UserWarning("three\nfour"))
    console.note("not verbose")
    assert capsys.readouterr().err == "w2v: one two\nw2v: warning: three four\n"


def test_quiet_is_for_all_but_errors(capsys):
    console = Console(quiet=True, verbose=True)
    console.error("error")
    console.warn("warning")
    console.note("note")
    assert capsys.readouterr().err == "w2v: error\n"
