"""Memory does not grow with the number of different batches that a training has heard."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent / "data"
WORDS = ("happy", "stop", "sheila", "three", "seven")


def test_what_was_prepared_for_earlier_batches_is_let_go(tmp_path):
    """oneDNN keeps what it prepares for a thousand shapes, between the arrays of the heap."""
    manifest = tmp_path / "words.jsonl"
    rows = [{"audio_filepath": str(DATA / f"{word}.opus"), "text": word} for word in WORDS]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "w2v_cli", "finetune", "ctc", manifest, "--model", "mini"]
    # Three times the same batches, each of another length.
    command += ["--batch-items", "1", "--max-steps", "15", "--threads", "1"]
    command += ["--report-to", "none", "--quiet", "--output", tmp_path / "run"]
    done = subprocess.run(
        command,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "ONEDNN_VERBOSE": "profile_create"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "create:cache_miss" in line]
    if not lines:
        pytest.skip("PyTorch calculates without oneDNN here")
    prepared = Counter(line.rpartition(",")[0] for line in lines)  # the last is how long it took
    again = sum(count > 1 for count in prepared.values())
    assert again > 0.5 * len(prepared), "after others each batch is one of a new length"
