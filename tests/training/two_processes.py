"""Trainings that run in one process, and the same in two that `torchrun` starts.

    torchrun --nproc-per-node 2 tests/training/two_processes.py FOLDER

FOLDER holds examples.json, network.json; losses.json is written into it.
"""

import json
import math
import sys
import zlib
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch.nn import functional as F

from w2v_cli.training.conversations import Mixing
from w2v_cli.training.examples import Batch
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.manifests import Example
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.processes import join_processes
from w2v_cli.training.sampler import Sampling
from w2v_cli.training.start import (
    Start,
    start_frames,
    start_keywords,
    start_pretraining,
    start_speakers,
)
from w2v_cli.training.start_texts import CTCChoice, start_ctc
from w2v_cli.training.watcher import Watcher

NETWORK = {
    "model_type": "wav2vec2",
    "conv_dim": [16, 16, 32],
    "conv_kernel": [80, 8, 4],
    "conv_stride": [20, 4, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 16,
    "tdnn_dim": [16, 16, 32],
    "tdnn_kernel": [3, 3, 1],
    "tdnn_dilation": [1, 2, 1],  # as published, padding counts a little with it
    "num_codevectors_per_group": 8,
    "codevector_dim": 16,
    "proj_codevector_dim": 16,
    "num_negatives": 10,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}

ITEMS = 4
"""Recordings in a batch of one process, and of two processes together."""

OPTIONS = {"learning_rate": 1e-3, "max_steps": 10, "eval_steps": 5, "average": 0.9}
FROZEN = {"accumulation": 2, "freeze_feature_encoder": True, "freeze_base_steps": 3}


class Losses(Watcher):
    def __init__(self):
        self.losses = []

    def stepped(self, progress, loss):
        self.losses.append(loss)


def ctc(start, examples, **choice):
    return start_ctc(start, CTCChoice(**choice), [e.text for e in examples])


def keywords(start, examples):
    return start_keywords(start, ["long", "short"])


def speakers(start, examples):
    return start_speakers(start, ["s0", "s1", "s2"])


def frames(start, examples):
    return start_frames(start, Mixing(2, 0.8, 1.0))


def hears_padding(start, examples):
    """A network that was trained without attention mask, as those with group norm were."""
    settings = {"feat_extract_norm": "group", "do_stable_layer_norm": False}
    return ctc(replace(start, settings=settings), examples)


def hears_bands(start, examples):
    """A network whose weights are the same for all bands, behind a layer that is not trained."""
    settings = {
        "conv_dim": [82, 20, 20],
        "conv_kernel": [400, 3, 3],
        "conv_stride": [160, 1, 2],
        "conv_bias": True,
        "feat_extract_activation": "relu6",
    }
    speech = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    bands = replace(start, settings=settings, bands=(5, 5, 5), speech=lambda: speech)
    return start_keywords(bands, ["long", "short"])


def pretrain(start, examples):
    """Masks and distractors of a recording are the same ones wherever it is heard."""
    model, objective = start_pretraining(start)
    draw = objective.draw

    def draw_alike(model, batch):
        drawn = []
        for row, mask in zip(batch.input_values, batch.attention_mask, strict=True):
            np.random.seed(zlib.crc32(row.numpy().tobytes()))
            drawn.append(draw(model, Batch(row[None], mask[None], row[:1], 0.0)))
        masks, negatives = (torch.cat(column) for column in zip(*drawn, strict=True))
        first = torch.arange(len(masks))[:, None, None] * masks.shape[1]
        return masks, negatives + first

    objective.draw = draw_alike
    return model, objective


def choose_alike(scores, tau, hard):
    """The Gumbel softmax of Jang et al. 2017 without its noise."""
    soft = (scores / tau).softmax(-1)
    return F.one_hot(soft.argmax(-1), soft.shape[-1]) - soft.detach() + soft


def with_lost_batches(start, examples):
    """A loss that is no number now and then, in the first process alone."""
    model, objective = ctc(start, examples)
    own, calls = objective.loss, iter(range(1000))
    objective.loss = lambda m, b: own(m, b) * (math.inf if next(calls) in (2, 5) else 1.0)
    return model, objective


CASES = {
    "ctc": (ctc, {}),
    "sum": (lambda s, e: ctc(s, e, reduction="sum", consistency=0.2, flat_start_steps=8), {}),
    "frozen": (ctc, FROZEN),
    "flat start": (lambda s, e: ctc(s, e, flat_start_steps=8), {}),
    "keywords": (keywords, {}),
    "speakers": (speakers, {}),
    "frames": (frames, {}),
    "group norm": (hears_padding, {}),
    "pretrain": (pretrain, {}),
    "bands": (hears_bands, {"freeze_first_layer": True}),
    "lost": (with_lost_batches, {}),
}


FIVE = ("group norm", "pretrain")
"""Cases of five recordings: of every other batch one process has nothing."""


def train(name, folder, examples, network, processes=None, *, stop_at=None):
    """Return the losses of a case, how many batches were lost, and what was measured.

    With `stop_at` the first process is interrupted after that step.
    """
    make, options = CASES[name]
    if name in FIVE:
        examples = examples[:5]
    model, objective = make(Start(str(network), from_scratch=True), examples)
    if processes is not None and name == "lost" and not processes.is_first:
        del objective.loss  # the other process has proper losses
    watcher = Losses()
    n_items = ITEMS if processes is None else ITEMS // processes.count
    trainer = Trainer(
        model,
        objective,
        Material(examples, examples[:2], Sampling(batch_items=n_items)),
        TrainingOptions(**OPTIONS | options),
        folder,
        watcher=watcher,
        processes=processes,
        should_stop=lambda: (
            bool(stop_at) and processes.is_first and trainer.progress.step == stop_at
        ),
    )
    with patch.object(F, "gumbel_softmax", choose_alike):
        progress = trainer.run()
    best = [figure for figure, _ in progress.best]
    return {"losses": watcher.losses, "lost": progress.n_skipped, "best": best}


def main(folder):
    examples = [Example(**row) for row in json.loads((folder / "examples.json").read_text())]
    found = {}
    for shards in (False, True):
        processes = join_processes("cpu", "float32", shards=shards)
        for name in CASES:
            kind = "split" if shards else "copies"
            result = train(name, folder / kind / name, examples, folder / "network.json", processes)
            found[f"{kind} {name}"] = result
        with suppress(KeyboardInterrupt):
            arguments = ("ctc", folder / kind / "parts", examples, folder / "network.json")
            train(*arguments, processes, stop_at=4)
        train(*arguments, processes)
    if processes.is_first:
        (folder / "losses.json").write_text(json.dumps(found))
    processes.close()


def write_examples(folder, examples):
    (folder / "examples.json").write_text(json.dumps([asdict(e) for e in examples]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
