"""A classifier that another network learns from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from w2v_cli import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification
from w2v_cli.errors import ModelError, UsageError
from w2v_cli.training.examples import Item
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.manifests import Example
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.start import Start, start_keywords

LABELS = ["low", "high", "none"]


@pytest.fixture
def teacher(tmp_path, small_network):
    """The folder of a classifier of the same labels in another order."""
    torch.manual_seed(3)
    fields = json.loads(small_network.read_text())
    names = ["none", "low", "high"]
    config = Wav2Vec2Config.from_dict(
        {
            **fields,
            "id2label": dict(enumerate(names)),
            "label2id": {n: i for i, n in enumerate(names)},
        }
    )
    model = Wav2Vec2ForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([0.0, 3.0, -3.0]))  # always rather low
    model.save_pretrained(tmp_path / "teacher")
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(tmp_path / "teacher")
    return tmp_path / "teacher"


def batch_of(objective):
    rng = np.random.default_rng(0)
    items = [
        Item(rng.standard_normal(n).astype(np.float32), (Example("x", label=label),))
        for n, label in ((4_000, "low"), (9_000, "high"), (7_000, "none"))
    ]
    return objective.collate(items)


def test_its_shares_count_beside_the_labels(small_network, teacher):
    start = Start(str(small_network), from_scratch=True)
    model, objective = start_keywords(start, LABELS, teacher=str(teacher), teacher_weight=0.6)
    batch = batch_of(objective)
    known = Wav2Vec2ForSequenceClassification.from_pretrained(teacher).eval()
    with torch.no_grad():
        alone = [  # each without the others' padding
            known(values[: int(mask.sum())][None]).logits[0]
            for values, mask in zip(batch.input_values, batch.attention_mask, strict=True)
        ]
    shares = torch.stack(alone)[:, [1, 2, 0]].softmax(-1)
    logits = model(batch.input_values, attention_mask=batch.attention_mask).logits
    logs = logits.log_softmax(-1)
    apart = (shares * (shares.log() - logs)).sum(-1).mean()
    right = -logs[torch.arange(3), batch.labels].mean()
    loss = objective.loss(model, batch)
    assert loss.item() == pytest.approx((0.4 * right + 0.6 * apart).item(), rel=1e-5)
    loss.backward()
    assert all(p.grad is None for p in objective._teacher._model.parameters())


def test_a_network_takes_over_what_it_says(small_network, teacher, spoken, tmp_path):
    """Whatever the labels are: it learns from the teacher alone, and leaves that as it is."""
    labelled = [
        Example(e.audio, label=LABELS[i % 3], seconds=e.seconds) for i, e in enumerate(spoken)
    ]
    before = (teacher / "model.safetensors").read_bytes()
    start = Start(str(small_network), from_scratch=True)
    model, objective = start_keywords(start, LABELS, teacher=str(teacher), teacher_weight=1.0)
    options = TrainingOptions(learning_rate=3e-3, max_steps=30, warmup_steps=1, eval_steps=100)
    folder = tmp_path / "run"
    Trainer(model, objective, Material(labelled), options, folder).run()
    pupil = Wav2Vec2ForSequenceClassification.from_pretrained(folder).eval()
    batch = batch_of(objective)
    with torch.no_grad():
        shares = pupil(batch.input_values, attention_mask=batch.attention_mask).logits.softmax(-1)
    assert (shares - objective._teacher.shares(batch)).abs().max() < 0.1
    assert load_file(folder / "model.safetensors").keys() == pupil.state_dict().keys()
    assert (teacher / "model.safetensors").read_bytes() == before


def test_teachers_that_cannot_be(small_network, teacher, tmp_path):
    start = Start(str(small_network), from_scratch=True)
    with pytest.raises(UsageError, match=r"tells other labels apart \(loud\)"):
        start_keywords(start, ["low", "loud"], teacher=str(teacher))
    with pytest.raises(UsageError, match=r"tells other labels apart \(none\)"):
        start_keywords(start, ["low", "high"], teacher=str(teacher))
    with pytest.raises(ModelError):
        start_keywords(start, LABELS, teacher=str(tmp_path / "nothing"))
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(teacher)
    with pytest.raises(UsageError, match="prepared otherwise"):
        start_keywords(start, LABELS, teacher=str(teacher))
