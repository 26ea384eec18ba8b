"""What lies beside a run's log: its picture, and events for TensorBoard."""

import importlib.util
import json
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent / "data"

NETWORK = {
    "model_type": "wav2vec2",
    "conv_dim": [16, 16],
    "conv_kernel": [80, 16],
    "conv_stride": [20, 16],
    "feat_extract_norm": "layer",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}


@pytest.fixture
def train(w2v, tmp_path):
    """Return a function that trains for three steps in a folder."""
    rows = [
        {"audio_filepath": str(DATA / f"{word}.opus"), "label": word, "split": split}
        for split in ("train", "dev")
        for word in ("happy", "stop")
    ]
    manifest, network = tmp_path / "words.jsonl", tmp_path / "network.json"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    network.write_text(json.dumps(NETWORK))

    def run(*arguments):
        return w2v(
            *("finetune", "keywords", manifest, "--from-scratch", network, "-o", tmp_path / "run"),
            *("--max-steps", 3, "--eval-steps", 2, "--logging-steps", 1, "--verbose", *arguments),
        )

    return run


def without(monkeypatch, *packages):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name in packages else find(name)
    )


def test_a_run_has_a_picture_and_events(train, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train()
    assert run.exit_code == 0, run.stderr
    folder = tmp_path / "run"
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    assert "![](training.png)" in (folder / "report.md").read_text()
    events = EventAccumulator(str(folder / "runs"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3]
    assert [event.step for event in events.Scalars("eval/accuracy")] == [2, 3]
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in logged if "learning_rate" in line]
    found = [event.value for event in events.Scalars("train/learning_rate")]
    assert found == pytest.approx(rates, rel=1e-6)


def test_a_run_without_matplotlib_and_events(train, tmp_path, monkeypatch):
    without(monkeypatch, "matplotlib")
    run = train("--report-to", "none")
    assert run.exit_code == 0, run.stderr
    folder = tmp_path / "run"
    assert "training.png needs the package matplotlib; install it with" in run.stderr
    assert "There is no picture: training.png needs" in (folder / "report.md").read_text()
    assert not (folder / "training.png").exists()
    assert not (folder / "runs").exists()


def test_without_tensorboard_events_are_only_missed_if_asked_for(train, tmp_path, monkeypatch):
    without(monkeypatch, "tensorboard")
    run = train("--report-to", "tensorboard")
    assert (run.exit_code, run.stdout) == (5, "")
    assert "--report-to tensorboard needs the package tensorboard" in run.stderr
    assert "w2v[train]" in run.stderr
    run = train("--logging-dir", tmp_path / "events")
    assert run.exit_code == 5
    assert not (tmp_path / "run").exists()
