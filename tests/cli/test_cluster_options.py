"""The options of a run on more than one machine: what they refuse, and a run on one machine."""

from pathlib import Path

import pytest

from w2v_cli.cli.cluster_options import ClusterChoice, cluster_choice
from w2v_cli.errors import UsageError

DATA = Path(__file__).parents[1] / "data"


def choose(engine="ray", address=None, *, device="auto", reads_stdin=False):
    params = {"engine": engine, "address": address, "device": device}
    return cluster_choice(params, reads_stdin=reads_stdin)


def test_local_is_the_default(w2v):
    assert choose("local", reads_stdin=True, device="cuda:1") == ClusterChoice("local", None)
    assert "[default: local]" in w2v("transcribe", "--help").stdout


def test_ray():
    assert choose(address="head:6379", device="cuda") == ClusterChoice("ray", "head:6379")


def test_an_address_needs_the_engine():
    with pytest.raises(UsageError, match="add --engine ray"):
        choose("local", "head:6379")


def test_a_numbered_device_is_no_clusters():
    with pytest.raises(UsageError, match="--device cuda:1 is one of this machine's"):
        choose(device="cuda:1")


def test_standard_input_stays_here(w2v):
    run = w2v("transcribe", "--engine", "ray", "-")
    assert run.exit_code == 2
    assert "- is this machine's standard input; with --engine ray name a file" in run.stderr


def test_nobody_at_the_address(w2v, tmp_path):
    pytest.importorskip("ray.data")
    run = w2v("transcribe", "--engine", "ray", "--address", "127.0.0.1:1", DATA / "stop.opus")
    assert run.exit_code == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("w2v: the Ray cluster at 127.0.0.1:1 cannot be joined: ")


@pytest.mark.slow
def test_a_run_on_a_cluster_writes_what_a_local_run_writes(w2v_process, tmp_path):
    """On a cluster of this machine alone, which a run starts where it is told to."""
    pytest.importorskip("ray.data")
    cluster = {"env": {"RAY_ADDRESS": "local"}}

    def run(folder, *options, **process):
        recordings = [*sorted(DATA.glob("*.opus")), tmp_path / "missing.wav"]
        arguments = ["--model", "mini", "--format", "srt", "--format", "tsv", *recordings]
        return w2v_process("transcribe", *arguments, "--output", f"{folder}/", *options, **process)

    def written(folder):
        return {p.name: p.read_text() for p in folder.iterdir() if not p.name.startswith(".")}

    local = run(tmp_path / "local")
    far = run(tmp_path / "far", "--engine", "ray", **cluster)
    assert (far.exit_code, far.stdout, far.stderr) == (3, "", local.stderr)
    assert written(tmp_path / "far") == written(tmp_path / "local")
    assert len(written(tmp_path / "far")) == 2 * len(list(DATA.glob("*.opus"))) > 8
    # The journal is a local run's too: nothing is done again, not even the bad one.
    again = run(tmp_path / "far", "--verbose")
    assert again.exit_code == 3
    assert "loaded in" not in again.stderr
