"""The losses are those of a plain loop around transformers' own models."""

import pytest
import torch
import transformers

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForSequenceClassification
from w2v_cli.training.loop import Material, SilentWatcher, Trainer
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.sampler import Sampling
from w2v_cli.training.start import CTCChoice, Start, start_ctc, start_keywords

STEPS, WARMUP, RATE = 50, 10, 1e-3
OPTIONS = TrainingOptions(
    learning_rate=RATE,
    max_steps=STEPS,
    warmup_steps=WARMUP,
    weight_decay=0.0,
    save_steps=1000,
    seed=3,
)


class Losses(SilentWatcher):
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
