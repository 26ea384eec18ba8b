"""The losses are those of a plain loop around transformers' own models."""

from dataclasses import replace

import pytest
import torch
import transformers

from w2v_cli import (
    Wav2Vec2Config,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2ForXVector,
)
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.sampler import Sampling
from w2v_cli.training.start import Start, start_keywords, start_pretraining, start_speakers
from w2v_cli.training.start_texts import CTCChoice, start_ctc
from w2v_cli.training.watcher import Watcher

STEPS, WARMUP, RATE = 50, 10, 1e-3
OPTIONS = TrainingOptions(
    learning_rate=RATE,
    max_steps=STEPS,
    warmup_steps=WARMUP,
    weight_decay=0.0,
    save_steps=1000,
    seed=3,
)


class Losses(Watcher):
    def __init__(self):
        self.losses = []

    def stepped(self, progress, loss):
        self.losses.append(loss)


def reference_losses(model, batches):
    """Train a published model as the published examples do, on given batches."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    losses = []
    for batch in batches:
        loss = model(
            batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def train_both(model, objective, reference, spoken, folder):
    watcher = Losses()
    material = Material(spoken, sampling=Sampling(batch_items=2))
    batches = Trainer(model, objective, material, OPTIONS, folder).batches()
    given = [next(batches) for _ in range(STEPS)]
    batches.close()
    Trainer(model, objective, material, OPTIONS, folder, watcher=watcher).run()
    assert watcher.losses == pytest.approx(reference_losses(reference, given), abs=1e-4)
    assert watcher.losses[-1] < 0.8 * watcher.losses[0]


@pytest.mark.parametrize("reduction", ["mean", pytest.param("sum", marks=pytest.mark.slow)])
def test_ctc(ctc_folder_of_either_norm, spoken, tmp_path, without_noise, reduction):
    start = Start(str(ctc_folder_of_either_norm), settings=without_noise)
    model, objective = start_ctc(start, CTCChoice(reduction=reduction), [])
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(
        ctc_folder_of_either_norm,
        ctc_loss_reduction=reduction,
        ctc_zero_infinity=True,
        **without_noise,
    )
    train_both(model, objective, reference, spoken, tmp_path / "run")


def test_keywords(ctc_folder, spoken, tmp_path, without_noise):
    folder = tmp_path / "start"
    config = Wav2Vec2Config.from_pretrained(ctc_folder, **without_noise)
    config.id2label, config.label2id = {0: "short", 1: "long"}, {"short": 0, "long": 1}
    torch.manual_seed(1)
    Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    model, objective = start_keywords(Start(str(folder)), ["long", "short"])
    assert objective.labels == ("short", "long")  # those of the head, which stays
    reference = transformers.Wav2Vec2ForSequenceClassification.from_pretrained(folder)
    train_both(model, objective, reference, spoken, tmp_path / "run")


def test_speakers(ctc_folder, spoken, tmp_path, without_noise):
    folder = tmp_path / "start"
    config = Wav2Vec2Config.from_pretrained(
        ctc_folder, tdnn_dim=(16, 16, 32), tdnn_kernel=(3, 3, 1), tdnn_dilation=(1, 2, 1)
    )
    config.update(without_noise)
    speakers = {0: "s0", 1: "s1", 2: "s2"}
    config.id2label, config.label2id = speakers, {name: i for i, name in speakers.items()}
    torch.manual_seed(1)
    Wav2Vec2ForXVector(config).save_pretrained(folder)
    model, objective = start_speakers(Start(str(folder)), list(speakers.values()))
    reference = transformers.Wav2Vec2ForXVector.from_pretrained(folder)
    train_both(model, objective, reference, spoken, tmp_path / "run")


def test_pretraining(ctc_folder, spoken, tmp_path, without_noise):
    """As transformers' example, which divides by the number of masked frames.

    The rate is lower than elsewhere: the choice of a codebook's entry is a step, at which what
    rounding makes different grows.
    """
    folder = tmp_path / "start"
    config = Wav2Vec2Config.from_pretrained(ctc_folder, num_negatives=5, mask_time_length=3)
    config.update({**without_noise, "mask_time_prob": 0.4, "feat_quantizer_dropout": 0.0})
    config.update({"codevector_dim": 16, "proj_codevector_dim": 16, "num_codevectors_per_group": 8})
    torch.manual_seed(1)
    Wav2Vec2ForPreTraining(config).save_pretrained(folder)
    model, objective = start_pretraining(Start(str(folder)), mask_time_prob=0.4)
    draws = []
    own = objective.draw
    objective.draw = lambda m, batch: draws.append((batch, *own(m, batch))) or draws[-1][1:]
    same_choice(model)
    watcher = Losses()
    material = Material(spoken, sampling=Sampling(batch_items=2))
    options, rate = replace(OPTIONS, learning_rate=RATE / 10), RATE / 10
    Trainer(model, objective, material, options, tmp_path / "run", watcher=watcher).run()

    reference = transformers.Wav2Vec2ForPreTraining.from_pretrained(folder).train()
    same_choice(reference)
    optimizer = torch.optim.AdamW(reference.parameters(), lr=rate, weight_decay=0.0)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    losses = []
    for step, (batch, masked, negatives) in enumerate(draws):
        reference.set_gumbel_temperature(max(2.0 * 0.999995**step, 0.5))
        loss = (
            reference(
                batch.input_values,
                attention_mask=batch.attention_mask,
                mask_time_indices=masked,
                sampled_negative_indices=negatives,
            ).loss
            / masked.sum()
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert watcher.losses == pytest.approx(losses, abs=1e-4)
    assert watcher.losses[-1] < watcher.losses[0]


def same_choice(model):
    """Let a quantiser draw the same noise at each step, whatever was drawn before."""
    calls = iter(range(STEPS))
    model.quantizer.register_forward_pre_hook(lambda *_: torch.manual_seed(next(calls)) and None)
