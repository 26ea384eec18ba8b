"""A run whose disk fills up keeps its last checkpoint, says so, and goes on when there is room."""

import gc
import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from w2v_cli import Wav2Vec2ForCTC

DATA = Path(__file__).resolve().parent.parent / "data"
DISK_BYTES = 8 * 2**20

NETWORK = {
    "model_type": "wav2vec2",
    "conv_dim": [32, 32, 64],
    "conv_kernel": [80, 8, 4],
    "conv_stride": [20, 4, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, which is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("needs the command mount, for a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    yield folder
    # A weight-normed convolution of PyTorch refers to itself, so the collector alone lets go of a
    # model's file, which is mapped into memory and keeps the disk busy.
    gc.collect()
    subprocess.run(["umount", folder], check=True)


def size_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_full_disk(w2v, tmp_path, small_disk):
    manifest, network = tmp_path / "words.jsonl", tmp_path / "network.json"
    rows = [{"audio_filepath": str(DATA / f"{word}.opus"), "text": word} for word in ("go", "stop")]
    rows[0]["audio_filepath"] = str(DATA / "happy.opus")
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    network.write_text(json.dumps(NETWORK))

    def run(folder):
        return w2v(
            *("finetune", "ctc", manifest, "--from-scratch", network, "-o", folder),
            *("--max-steps", 4, "--save-steps", 2, "--logging-steps", 1, "--device", "cpu", "-v"),
        )

    assert run(tmp_path / "whole").exit_code == 0
    checkpoint_bytes = size_bytes(tmp_path / "whole" / "checkpoint-4")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES - 3 * checkpoint_bytes // 2))
    full = run(small_disk / "run")
    assert full.exit_code == 1
    said = full.stderr.splitlines()[-1]
    assert "the disk is full; make room, or save to another folder; checkpoint-2 is kept" in said
    folder = small_disk / "run"
    assert [path.name for path in folder.glob("*checkpoint*")] == ["checkpoint-2"]
    Wav2Vec2ForCTC.from_pretrained(folder / "checkpoint-2")

    ballast.unlink()
    on = run(folder)
    assert on.exit_code == 0, on.stderr
    assert "going on from step 2 of 4" in on.stderr
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]
    one, other = (load_file(x / "model.safetensors") for x in (tmp_path / "whole", folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_disk_that_is_full_from_the_first(w2v, tmp_path, small_disk):
    manifest = tmp_path / "words.jsonl"
    manifest.write_text(json.dumps({"audio_filepath": str(DATA / "stop.opus"), "text": "stop"}))
    with suppress(OSError), open(small_disk / "ballast", "wb") as ballast:
        ballast.write(bytes(2 * DISK_BYTES))
    run = w2v(
        *("finetune", "ctc", manifest, "--model", "mini", "-o", small_disk / "run"),
        *("--max-steps", 1, "--device", "cpu", "-q"),
    )
    assert (run.exit_code, run.stderr.count("\n")) == (1, 1)
    assert "the disk is full; make room, or save to another folder" in run.stderr
