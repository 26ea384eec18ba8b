"""What `mini`'s network begins with: loudness on a logarithmic scale, weights alike for all bands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.models.mini.bands import Image, plain_copy, tie_bands
from w2v_cli.models.mini.network import ENCODER, GAINS, N_BANDS, fresh_network
from w2v_cli.training.filter_bank import PHASES

RATE = 16_000


@pytest.fixture(scope="module")
def network() -> Wav2Vec2ForCTC:
    torch.manual_seed(0)
    return fresh_network(np.random.default_rng(0).standard_normal(RATE).astype(np.float32))


def loudness(network: Wav2Vec2ForCTC, waveform: torch.Tensor) -> torch.Tensor:
    """Return what the first layer makes, added up for each band, (bands, frames)."""
    layer = network.wav2vec2.feature_extractor.conv_layers[0]
    with torch.no_grad():
        heard = layer(waveform[None, None])[0, :-2]
    return heard.unflatten(0, (len(GAINS) * PHASES, N_BANDS)).sum(0)


@pytest.mark.parametrize("hertz", [300, 1_000, 4_000])
def test_its_first_layer_hears_decibels(network, hertz):
    """From a whisper to a shout each doubling adds about the same, in the band of the tone."""
    tone = torch.sin(2 * np.pi * hertz * torch.arange(RATE) / RATE)
    steps = [loudness(network, tone * 10 ** (d / 20)).mean(-1) for d in range(-50, 1, 10)]
    band = int(steps[0].argmax())
    grown = torch.stack(steps)[:, band].diff()
    assert grown.min() > 0.4 * grown.max()
    assert abs(float(steps[-1].argmax()) - band) <= 1 or steps[-1][band] > 0.95 * steps[-1].max()


def test_how_loud_is_not_lost_in_the_norm(network):
    """What is heard in one band is the same whatever else is heard, and silence is silence."""
    low, high = (torch.sin(2 * np.pi * f * torch.arange(RATE) / RATE) for f in (300, 5_000))
    alone, both = loudness(network, low), loudness(network, low + high)
    band = int(alone.mean(-1).argmax())
    assert torch.allclose(alone[band], both[band], rtol=0.05)
    assert loudness(network, torch.zeros(RATE)).abs().max() < 1e-3


def test_its_first_layer_stays_as_it_is(network):
    names = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert names == [
        f"wav2vec2.feature_extractor.conv_layers.0.{name}"
        for name in ("conv.weight", "conv.bias", "layer_norm.weight", "layer_norm.bias")
    ]


@pytest.mark.parametrize(("before", "after"), [((2, 8), (2, 8)), ((3, 8), (2, 4)), ((2, 5), (4, 5))])
@pytest.mark.parametrize("n_frames", [1, 3])
def test_tied_weights_are_a_convolution_over_both(before, after, n_frames):
    torch.manual_seed(0)
    before, after = Image(*before), Image(*after)
    conv = nn.Conv1d(before.size + 2, after.size, n_frames)
    tie_bands(conv, before, after, 3, n_besides=2)
    few = conv.parametrizations.weight.original
    heard = torch.randn(2, before.size + 2, 9)
    images = heard[:, : before.size].unflatten(1, (before.channels, before.bands))
    stride = before.bands // after.bands
    expected = nn.functional.conv2d(images, few, stride=(stride, 1), padding=(1, 0))
    assert torch.allclose(conv(heard), expected.flatten(1, 2), atol=1e-5)
    conv(heard).square().sum().backward()
    assert few.grad.shape == (after.channels, before.channels, 3, n_frames)


def test_a_plain_copy_is_an_ordinary_network_that_hears_the_same(network, tmp_path):
    waveform = torch.randn(1, RATE)
    plain = plain_copy(network)
    plain.save_pretrained(tmp_path)
    loaded = Wav2Vec2ForCTC.from_pretrained(tmp_path)
    assert list(loaded.config.conv_dim) == ENCODER["conv_dim"]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        assert torch.allclose(network(waveform).logits, loaded(waveform).logits, atol=1e-5)
    network.train(was_training)
