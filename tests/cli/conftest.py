"""Run `w2v` as a person would: in this process when that is enough, in its own when not."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.cli import main

sys.path.insert(0, str(Path(__file__).parent))  # for `many`, which several tests share


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def w2v(monkeypatch, capsys, ctc_folder):
    """Return a function that runs `w2v` in this process, with a small model by default."""
    monkeypatch.setenv("W2V_MODEL", str(ctc_folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["w2v", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            exit_code = 0
        except SystemExit as end:
            exit_code = end.code or 0
        return Run(exit_code, *capsys.readouterr())

    on_terminate = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, on_terminate)


@pytest.fixture
def w2v_process(ctc_folder):
    """Return a function that runs `w2v` in a process of its own."""

    def run(*arguments, stdin=None, **options):
        command = [sys.executable, "-m", "w2v_cli", *map(str, arguments)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, **process_options(**options)
        )
        return Run(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))

    def process_options(env=None, **options):
        fixed = {"W2V_MODEL": str(ctc_folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return {"env": os.environ | fixed | (env or {}), **options}

    return run


@pytest.fixture
def recording(tmp_path, babble):
    """Return a function that writes a recording with sound in it and returns its path."""

    def write(name="talk.wav", *, seconds=1.0, channels=1, sample_rate=16000, seed=0):
        n_samples = round(seconds * sample_rate)
        columns = [babble(n_samples, seed=seed + channel) for channel in range(channels)]
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.stack(columns, axis=1), sample_rate)
        return path

    return write
