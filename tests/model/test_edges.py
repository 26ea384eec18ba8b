"""Networks that see far hear silence around a recording, so that their frames reach its ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from w2v_cli import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
)
from w2v_cli.inference.labeller import Labeller
from w2v_cli.model.features import (
    count_frames,
    edge_samples,
    receptive_field_samples,
    shortest_recording_samples,
)

FAR = {
    "conv_dim": [12, 12, 12],
    "conv_kernel": [400, 3, 3],
    "conv_stride": [160, 1, 2],
    "num_feat_extract_layers": 3,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 12,
    "num_labels": 3,
}
EDGE = (1040 - 320) // 2  # of the receptive field; frames are 320 samples apart


@pytest.fixture
def config():
    return Wav2Vec2Config(**FAR)


def test_published_shapes_have_none():
    assert edge_samples(Wav2Vec2Config()) == 0
    assert edge_samples(Wav2Vec2Config(feat_extract_norm="layer")) == 0
    assert edge_samples(Wav2Vec2Config(**{**FAR, "feat_extract_norm": "group"})) == 0


def test_frames_begin_and_end_with_the_recording(config):
    assert receptive_field_samples(config) == 1040
    assert edge_samples(config) == EDGE
    assert shortest_recording_samples(config) == 320
    assert count_frames(config, 16000) == 50
    assert count_frames(config, 319) == 0


@pytest.mark.parametrize("kind", [Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification])
def test_edges_are_zeros_around_each_recording(config, kind):
    torch.manual_seed(0)
    model = kind(config).eval()
    model.padding_invariant = True
    lengths = [5000, 3210, 320]
    values = torch.zeros(3, 5000)
    for row, length in zip(values, lengths, strict=True):
        row[:length] = torch.randn(length)
    mask = (torch.arange(5000) < torch.tensor(lengths)[:, None]).long()
    with torch.no_grad():
        alone = [
            model(F.pad(row[None, :length], (EDGE, EDGE))).logits[0]
            for row, length in zip(values, lengths, strict=True)
        ]
        model.edge_samples = EDGE
        together = model(values, attention_mask=mask).logits
    assert model._get_feat_extract_output_lengths(torch.tensor(lengths)).tolist() == [15, 10, 1]
    for output, single in zip(together, alone, strict=True):
        heard = output[: len(single)] if single.dim() == 2 else output
        torch.testing.assert_close(heard, single, rtol=0, atol=2e-5)


def test_a_ctc_loss_counts_the_frames_at_the_edges(config):
    """Five letters have no room in the frames of 0.1 s without the edges, and do with them."""
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(config).eval()
    values, labels = torch.randn(1, 1700), torch.tensor([[1, 2, 3, 4, 5]])
    assert model(values, labels=labels).loss.isinf()
    model.edge_samples = EDGE
    assert model(values, labels=labels).loss.isfinite()


def test_what_hears_recordings_hears_them_with_edges(config):
    """In pieces, too."""
    torch.manual_seed(0)
    model = Wav2Vec2ForSequenceClassification(config).eval()
    labeller = Labeller("far", model, Wav2Vec2FeatureExtractor(return_attention_mask=True))
    values = labeller.normalised(np.random.default_rng(0).standard_normal(4000).astype(np.float32))
    labeller.hear_in_pieces(0.1)
    (output,) = labeller.hear([values])
    assert labeller.lead_samples == 0
    model.edge_samples = 0
    with torch.inference_mode():
        (wanted,) = labeller.outputs(torch.from_numpy(np.pad(values, EDGE))[None], None)
    assert len(output) == 12
    np.testing.assert_allclose(output, wanted, rtol=0, atol=2e-5)
