"""Several processes learn what one does that has all of each batch."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import two_processes
from safetensors.torch import load_file

from w2v_cli.errors import MissingDependencyError, UsageError
from w2v_cli.training.processes import OneProcess, join_processes
from w2v_cli.training.sampler import Sampling

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"


def torchrun(*arguments):
    """Start two processes of this Python."""
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    return subprocess.Popen(
        [sys.executable, *launcher, *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 0, told
    return told


def kill_with_children(process):
    """Kill the launcher and the processes that it has started, at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def in_two(tmp_path_factory, spoken):
    """What the cases of `two_processes` lose in two processes; the folder is for one, too."""
    folder = tmp_path_factory.mktemp("two")
    two_processes.write_examples(folder, spoken)
    (folder / "network.json").write_text(json.dumps(two_processes.NETWORK))
    finish(torchrun(two_processes.__file__, folder))
    return folder, json.loads((folder / "losses.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("case", [name for name in two_processes.CASES if name != "lost"])
def test_two_processes_lose_what_one_does_with_batches_twice_as_large(
    in_two, spoken, tmp_path, case
):
    """Of six recordings in batches of four the last two are one for each process.

    Of five, as some cases have, the last is for one of them alone.
    """
    folder, losses = in_two
    alone = two_processes.train(case, tmp_path / "run", spoken, folder / "network.json")
    assert len(alone["losses"]) == 10
    expected = load_file(tmp_path / "run" / "model.safetensors")
    for weights in ("copies", "split"):
        two = losses[f"{weights} {case}"]
        assert two["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert two["best"] == pytest.approx(alone["best"], rel=1e-4)
        found = load_file(folder / weights / case / "model.safetensors")
        for name in expected:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["copies", "split"])
def test_a_loss_that_is_no_number_in_one_process_is_left_out_in_both(in_two, weights):
    found = in_two[1][f"{weights} lost"]
    assert found["lost"] == 2
    assert [i for i, loss in enumerate(found["losses"]) if loss is None] == [2, 5]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["copies", "split"])
def test_two_processes_that_were_interrupted_end_with_the_same_weights(in_two, weights):
    folder = in_two[0] / weights
    one, other = (load_file(folder / name / "model.safetensors") for name in ("ctc", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")
def test_two_processes_that_were_killed_end_with_the_same_weights(tmp_path):
    """Through the command line, with all that is random; each process has numbers of its own."""
    rows = [
        {"audio_filepath": str(DATA / f"{word}.opus"), "text": word}
        for word in ("happy", "stop", "sheila", "three", "seven")
    ]
    manifest = tmp_path / "words.jsonl"
    manifest.write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, rows[0] | {"split": "dev"}])
    )
    noise = {"hidden_dropout": 0.1, "layerdrop": 0.1, "mask_time_prob": 0.2}
    (tmp_path / "network.json").write_text(json.dumps(two_processes.NETWORK | noise))

    def run(folder):
        return torchrun(
            *("-m", "w2v_cli", "finetune", "ctc", manifest, "-o", tmp_path / folder),
            *("--from-scratch", tmp_path / "network.json", "--batch-items", 2, "--max-steps", 14),
            *("--save-steps", 4, "--speed", 0.5, "--noise", 0.5, "--device", "cpu", "-v"),
        )

    told = finish(run("whole"))
    assert told.count("w2v: ") == 4, told  # one of the processes tells
    killed = run("parts")
    while killed.poll() is None and not (tmp_path / "parts" / "checkpoint-8").exists():
        time.sleep(0.01)
    kill_with_children(killed)
    assert re.search("going on from step (8|12) of 14", finish(run("parts")))
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_is_dealt_out(tmp_path):
    class OfThree(OneProcess):
        count = 3

    shares = []
    for index in range(3):
        process = OfThree(torch.device("cpu"))
        process.index = index
        shares.append(process.share(7))
    assert sorted(place for share in shares for place in share) == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) == 1
    assert Sampling(10.0, 4).times(3) == Sampling(30.0, 12)


def test_one_of_several_processes_needs_accelerate(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MissingDependencyError, match=r"several processes .*w2v\[train\]") as caught:
        join_processes("cpu", "float32", shards=False)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        ({}, {"shards": True}, "--fsdp: shares a network among several processes"),
        ({"WORLD_SIZE": "2"}, {"shards": True, "precision": "float16"}, "--fsdp and --fp16"),
        (
            {"WORLD_SIZE": "2", "ACCELERATE_MIXED_PRECISION": "bf16"},
            {},
            "the launcher says --mixed_precision bf16",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(monkeypatch, environment, arguments, message):
    monkeypatch.setenv("RANK", "0")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        join_processes("cpu", **({"precision": "float32", "shards": False} | arguments))
