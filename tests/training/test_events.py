"""TensorBoard reads what the log says, also of a run that was interrupted."""

import json
import sys

import pytest

from w2v_cli.errors import MissingDependencyError, WriteError
from w2v_cli.training.events import EventWriter
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice, start_ctc
from w2v_cli.training.state import Progress
from w2v_cli.training.watcher import read_log


def loss_at(step, loss):
    return {"step": step, "epoch": 0, "loss": loss, "learning_rate": 1e-3}


def look_at(step, wer):
    return {"step": step, "epoch": 0, "dev_wer": wer}


def sitting(run, records, *, step=0, folder=None):
    """Write a log, and events of it, as a run does that begins at a step."""
    run.mkdir(exist_ok=True)
    log = run / "log.jsonl"
    kept = log.read_text().splitlines() if log.exists() else []
    kept = [line for line in kept if json.loads(line)["step"] <= step]
    log.write_text("".join(line + "\n" for line in kept))
    writer = EventWriter(folder or run / "runs", run)
    writer.began(Progress(step=step), 100)
    for record in records:
        with open(log, "a") as lines:
            lines.write(json.dumps(record) + "\n")
        writer.logged(record)
    writer.close()


def read_back(folder):
    """Return steps and values of each figure, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_events_are_the_lines_of_the_log(tmp_path):
    sitting(tmp_path, [loss_at(10, 2.5), look_at(10, 0.5), loss_at(20, None), loss_at(30, 1.5)])
    found = read_back(tmp_path / "runs")
    assert set(found) == {"train/epoch", "train/loss", "train/learning_rate", "eval/wer"}
    assert found["train/loss"] == [(10, 2.5), (30, 1.5)]
    assert found["eval/wer"] == [(10, 0.5)]


def test_a_run_that_goes_on_takes_back_what_came_after_its_checkpoint(tmp_path):
    sitting(tmp_path, [loss_at(10, 4), loss_at(20, 3), loss_at(30, 2)])
    sitting(tmp_path, [loss_at(30, 1), look_at(30, 0.25)], step=20)
    found = read_back(tmp_path / "runs")
    assert found["train/loss"] == [(10, 4), (20, 3), (30, 1)]
    assert found["eval/wer"] == [(30, 0.25)]


def test_a_run_that_had_no_events_tells_what_it_has_logged(tmp_path):
    sitting(tmp_path, [loss_at(10, 4), loss_at(20, 3)])
    sitting(tmp_path, [loss_at(30, 2)], step=20, folder=tmp_path / "elsewhere")
    assert read_back(tmp_path / "elsewhere")["train/loss"] == [(10, 4), (20, 3), (30, 2)]


def test_events_are_on_the_disk_at_once(tmp_path):
    (tmp_path / "log.jsonl").touch()
    writer = EventWriter(tmp_path / "runs", tmp_path)
    writer.began(Progress(), 100)
    writer.logged(loss_at(10, 2))
    assert read_back(tmp_path / "runs")["train/loss"] == [(10, 2)]
    writer.close()


def test_a_training_that_was_interrupted_has_the_events_of_one_that_was_not(
    spoken, small_network, tmp_path
):
    def train(folder, stop_at=None):
        start = Start(str(small_network), from_scratch=True)
        model, objective = start_ctc(start, CTCChoice(), [e.text for e in spoken])
        writer = EventWriter(folder / "runs", folder)
        trainer = Trainer(
            model,
            objective,
            Material(spoken, spoken[:2]),
            TrainingOptions(max_steps=6, eval_steps=3, save_steps=2, logging_steps=1),
            folder,
            watcher=writer,
            should_stop=lambda: trainer.progress.step == stop_at,
        )
        try:
            trainer.run()
        except KeyboardInterrupt:
            writer.logged(loss_at(5, 99.0))  # as after a checkpoint, before kill -9
        finally:
            writer.close()
        return read_back(folder / "runs")

    whole = train(tmp_path / "whole")
    train(tmp_path / "parts", stop_at=4)
    parts = train(tmp_path / "parts")
    assert [step for step, _ in whole["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in whole["eval/wer"]] == [3, 6]
    for name in ("train/loss", "train/learning_rate", "eval/wer"):
        assert parts[name] == whole[name]
    logged = read_log(tmp_path / "whole")
    losses = [line["loss"] for line in logged if "loss" in line]
    assert [value for _, value in whole["train/loss"]] == pytest.approx(losses, rel=1e-6)


def test_where_events_cannot_be_written_the_run_says_so(tmp_path):
    (tmp_path / "log.jsonl").touch()
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(WriteError, match="runs: cannot be written"):
        EventWriter(tmp_path / "runs", tmp_path).began(Progress(), 100)


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"TensorBoard needs .*w2v\[train\]"):
        EventWriter(tmp_path, tmp_path).began(Progress(), 100)
