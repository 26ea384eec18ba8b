"""Runs: they learn, keep the best, leave out what is no number, and go on as if never stopped."""

import json
import math
import resource

import pytest
import torch
from safetensors.torch import load_file

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.errors import W2VError, WriteError
from w2v_cli.training.augmentation import Augmentation
from w2v_cli.training.checkpoints import find_checkpoints, find_resumable
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.manifests import Example
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.sampler import Sampling
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice, start_ctc
from w2v_cli.training.watcher import Watcher

EVERYTHING = Augmentation(speed=0.5, gain=0.5, equalise=0.5, reverberate=0.3, noise=0.5)


class Recorder(Watcher):
    """Keeps the losses, and what was measured at which step."""

    def __init__(self):
        self.losses = []
        self.figures = {}
        self.began_at = None

    def began(self, progress, total_steps):
        self.began_at = progress.step

    def stepped(self, progress, loss):
        self.losses.append(loss)

    def evaluated(self, progress, evaluation):
        self.figures[progress.step] = evaluation.figures


@pytest.fixture
def train(spoken, tmp_path, noisy_network):
    """Return a function that runs a training of a small network in a folder."""

    def run(folder, *, stop_at=None, options=None, network=noisy_network, change=None, **material):
        examples = material.pop("examples", spoken)
        start = Start(str(network), from_scratch=True)
        model, objective = start_ctc(start, CTCChoice(), [e.text for e in examples])
        if change is not None:
            change(model, objective)
        recorder = Recorder()
        settings = {"learning_rate": 1e-3, "max_steps": 12, "eval_steps": 4, "save_steps": 3}
        trainer = Trainer(
            model,
            objective,
            Material(examples, **{"dev": examples[:2], **material}),
            TrainingOptions(**(settings | (options or {}))),
            tmp_path / folder,
            watcher=recorder,
            should_stop=lambda: stop_at is not None and trainer.progress.step >= stop_at,
        )
        if stop_at is None:
            trainer.run()
        else:
            with pytest.raises(KeyboardInterrupt):
                trainer.run()
        return trainer, recorder

    return run


def weights(folder):
    return load_file(folder / "model.safetensors")


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_same_weights(one, other):
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


MATERIAL = {"sampling": Sampling(batch_seconds=1.5, join=0.3), "augmentation": EVERYTHING}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plain"),
        pytest.param(
            {"average": 0.9, "accumulation": 2, "freeze_base_steps": 6},
            id="average of weights, two batches a step, base frozen at first",
            marks=pytest.mark.slow,
        ),
        pytest.param({"precision": "bfloat16"}, id="bfloat16", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_interrupted_ends_with_the_same_weights(train, tmp_path, options):
    whole, recorder = train("whole", options=options, **MATERIAL)
    train("parts", stop_at=4, options=options, **MATERIAL)
    train("parts", stop_at=7, options=options, **MATERIAL)
    _, last = train("parts", options=options, **MATERIAL)
    assert last.began_at == 7
    assert last.losses == recorder.losses[7:]
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    assert whole.progress.best
    steps = [line["step"] for line in log_of(tmp_path / "parts")]
    assert steps == [line["step"] for line in log_of(tmp_path / "whole")]


def test_what_was_logged_after_the_last_checkpoint_is_logged_again(train, tmp_path):
    train("run", stop_at=5, options={"logging_steps": 1})
    with open(tmp_path / "run" / "log.jsonl", "a") as log:
        log.write('{"step": 6')  # cut short by a kill
    train("run", options={"logging_steps": 1})
    assert [line["step"] for line in log_of(tmp_path / "run") if "loss" in line] == list(
        range(1, 13)
    )


def test_a_run_whose_log_was_taken_away_goes_on(train, tmp_path):
    train("run", stop_at=5, options={"logging_steps": 1})
    (tmp_path / "run" / "log.jsonl").unlink()
    train("run", options={"logging_steps": 1})
    steps = [line["step"] for line in log_of(tmp_path / "run") if "loss" in line]
    assert steps == list(range(6, 13))


def test_the_best_are_kept_and_the_best_of_all_is_the_model(train, tmp_path):
    trainer, recorder = train("run", options={"keep_best": 2})
    assert list(recorder.figures) == [4, 8, 12]
    ranked = sorted(recorder.figures, key=lambda step: recorder.figures[step]["wer"])
    assert [step for _, step in trainer.progress.best] == ranked[:2]
    assert set(find_checkpoints(tmp_path / "run")) == {*ranked[:2], 12}
    assert find_resumable(tmp_path / "run").name == "checkpoint-12"
    assert_same_weights(tmp_path / "run", tmp_path / "run" / f"checkpoint-{ranked[0]}")
    Wav2Vec2ForCTC.from_pretrained(tmp_path / "run")


def test_training_stops_where_nothing_is_gained(train):
    trainer, recorder = train(
        "run", options={"learning_rate": 0.0, "eval_steps": 2, "patience": 2, "max_steps": 50}
    )
    assert list(recorder.figures) == [2, 4, 6]
    assert trainer.progress.is_done
    assert trainer.progress.best[0][1] == 2  # of equals the first


def test_a_loss_that_is_no_number_is_left_out_and_counted(train, tmp_path):
    def break_some(model, objective):
        own, calls = objective.loss, iter(range(1000))

        def loss(model, batch):
            value = own(model, batch)
            return value * (math.inf if next(calls) in (2, 5) else 1.0)

        objective.loss = loss

    trainer, recorder = train("run", change=break_some)
    assert trainer.progress.n_skipped == 2
    assert [i for i, loss in enumerate(recorder.losses) if loss is None] == [2, 5]
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path / "run").values())


def test_a_gradient_that_is_no_number_moves_nothing(train, tmp_path):
    def break_gradient(model, objective):
        model.lm_head.weight.register_hook(lambda gradient: gradient * math.nan)

    trainer, _ = train("run", change=break_gradient, options={"average": 0.0})
    assert trainer.progress.n_skipped == 12
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path / "run").values())


@pytest.mark.parametrize(
    ("options", "still"),
    [
        ({"freeze_feature_encoder": True}, "wav2vec2.feature_extractor."),
        ({"freeze_base": True}, "wav2vec2."),
        ({"freeze_base_steps": 12}, "wav2vec2."),
    ],
)
def test_frozen_weights_stay(train, tmp_path, options, still, noisy_network):
    before = {}
    train("run", options=options, change=lambda m, o: before.update(clone(m)))
    for name, tensor in weights(tmp_path / "run").items():
        assert torch.equal(tensor, before[name]) == name.startswith(still) or "masked" in name


def clone(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_two_batches_a_step_equal_one_of_twice_the_size(train, small_network, spoken, tmp_path):
    same = [spoken[0]] * 4  # of one length, so that a mean of means is a mean
    common = {"network": small_network, "dev": (), "examples": same}
    options = {"max_steps": 4, "weight_decay": 0.0}
    _, two = train(
        "two", options=options | {"accumulation": 2}, sampling=Sampling(batch_items=2), **common
    )
    _, one = train("one", options=options, sampling=Sampling(batch_items=4), **common)
    assert two.losses == pytest.approx(one.losses, rel=1e-5)


def test_a_full_disk_keeps_the_last_checkpoint(train, tmp_path):
    train("run", stop_at=3)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(WriteError, match="the disk is full; make room"):
            train("run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["checkpoint-3"]
    train("whole")
    train("run")
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_a_recording_that_cannot_be_decoded_is_left_out(train, tmp_path, spoken, caplog):
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
    broken = Example(str(tmp_path / "broken.wav"), "NO", seconds=0.5)
    _, recorder = train("run", examples=[*spoken, broken])
    assert all(recorder.losses)
    assert caplog.text.count("left out, since it cannot be decoded") == 1
    with pytest.raises(W2VError, match="none of the recordings can be decoded"):
        train("none", examples=[broken])


def test_what_is_cut_shorter_than_a_mask_ends_in_silence(train, tmp_path):
    """Five frames of 460 samples, 320 apart, are more than a mask of four."""
    trainer, recorder = train("run", crop_seconds=0.05, dev=(), sampling=Sampling(batch_items=1))
    assert all(map(math.isfinite, recorder.losses))
    (item,) = trainer._composer.items([(0,)], epoch=0, number=0)
    assert len(item.waveform) == 460 + 4 * 320
    assert not item.waveform[800:].any()
    assert item.waveform[:800].any()
