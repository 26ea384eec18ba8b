"""Ctrl-C ends a run wherever it comes, and what is said of it is true."""

import io
import json
import signal
import sys
import time
from pathlib import Path

import pytest
import soundfile

from w2v_cli.cli import app, embed_compare

DATA = Path(__file__).parent.parent / "data"


class Interrupted(io.BytesIO):
    """A file during whose first use the user interrupts: libsndfile forgets what is raised."""

    def __init__(self, content):
        super().__init__(content)
        self.raised = False

    def tell(self):
        if not self.raised:
            self.raised = True
            raise KeyboardInterrupt
        return super().tell()


@pytest.fixture
def listens_to_ctrl_c():
    """Whatever pytest was started with: behind `&` a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listens_to_ctrl_c")
def test_ctrl_c_while_a_decoder_reads_is_not_forgotten(monkeypatch, capfd):
    monkeypatch.setattr(sys, "unraisablehook", app._keep_interrupts)
    file = Interrupted((DATA / "stop.opus").read_bytes())
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # it comes a little later
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.SoundFile(file)
        for _ in range(200):  # one long sleep would end first
            time.sleep(0.1)
    assert capfd.readouterr().err == ""


def test_a_matrix_that_is_interrupted_is_not_said_to_be_kept(w2v, monkeypatch, tmp_path):
    def interrupt(self, result):
        raise KeyboardInterrupt

    monkeypatch.setattr(embed_compare._Collected, "write", interrupt)
    cosines = tmp_path / "cosines.csv"
    run = w2v("embed", "--matrix", "-o", cosines, DATA / "stop.opus", DATA / "three.opus")
    assert run.exit_code == 130
    assert "w2v: interrupted; nothing is written" in run.stderr
    assert not cosines.exists()


def test_an_evaluation_that_is_interrupted_says_so(w2v, monkeypatch, tmp_path):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("w2v_cli.training.evaluation.measure_model", interrupt)
    manifest = tmp_path / "words.jsonl"
    manifest.write_text(json.dumps({"audio_filepath": str(DATA / "stop.opus"), "text": "stop"}))
    run = w2v("evaluate", "mini", manifest, "-o", tmp_path / "found.txt")
    assert run.exit_code == 130
    assert run.stderr.splitlines()[-1] == "w2v: interrupted; nothing is written"
    assert not (tmp_path / "found.txt").exists()
