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


# A small model with any head; its TDNN hears less than the published one, as calls are short.
SMALL = {
    "conv_dim": (16,) * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "tdnn_dim": (20, 20, 20, 20, 28),
    "tdnn_kernel": (3, 3, 1, 1, 1),
    "tdnn_dilation": (1, 1, 1, 1, 1),
    "xvector_output_dim": 12,
    "initializer_range": 0.4,
    "num_labels": 2,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A model of frames and one of speakers, with random weights."""
    import torch

    from w2v_cli import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForAudioFrameClassification,
        Wav2Vec2ForXVector,
    )

    folder = tmp_path_factory.mktemp("turns")
    torch.manual_seed(8)
    for name, kind in (
        ("frames", Wav2Vec2ForAudioFrameClassification),
        ("voices", Wav2Vec2ForXVector),
    ):
        kind(Wav2Vec2Config(**SMALL)).save_pretrained(folder / name)
        Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="session")
def folders(ctc_folder, label_folder, models):
    """Models with random weights, by the commands that they are for."""
    return {
        "transcribe": ctc_folder,
        "classify": label_folder,
        "diarize-frames": models / "frames",
        "embed": models / "voices",
    }


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
