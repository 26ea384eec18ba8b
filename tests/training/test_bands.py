"""Networks that begin by hearing loudness in decibels, with weights alike for all bands."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import Wav2Vec2ForCTC as ReferenceForCTC

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC
from w2v_cli.errors import AudioError, UsageError
from w2v_cli.training.bands import (
    GAINS,
    N_LEVELS,
    ConvolutionOverBands,
    Image,
    Tie,
    count_parameters,
    images_of,
    keep_bands,
    plain_state,
    start_with_bands,
)
from w2v_cli.training.examples import some_speech
from w2v_cli.training.filter_bank import PHASES
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.manifests import Example
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice, start_ctc

RATE = 16_000
BANDS = (20, 20, 10)
SHAPE = {
    "conv_dim": [322, 40, 40],
    "conv_kernel": [400, 3, 3],
    "conv_stride": [160, 1, 2],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "feat_extract_activation": "relu6",
}
FIRST = "wav2vec2.feature_extractor.conv_layers.0."


def speech() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(RATE).astype(np.float32)


@pytest.fixture
def config(small_network):
    small_network.write_text(json.dumps(json.loads(small_network.read_text()) | SHAPE))
    return small_network


@pytest.fixture
def network(config) -> Wav2Vec2ForCTC:
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config.from_dict(json.loads(config.read_text())))
    start_with_bands(model, BANDS, speech())
    return model.eval()


def loudness(network: Wav2Vec2ForCTC, waveform: torch.Tensor) -> torch.Tensor:
    """Return what the first layer makes, added up for each band, (bands, frames)."""
    layer = network.wav2vec2.feature_extractor.conv_layers[0]
    with torch.no_grad():
        heard = layer(waveform[None, None])[0, :-N_LEVELS]
    return heard.unflatten(0, (len(GAINS) * PHASES, BANDS[0])).sum(0)


def tone(hertz: float) -> torch.Tensor:
    return torch.sin(2 * np.pi * hertz * torch.arange(RATE) / RATE)


@pytest.mark.parametrize("hertz", [300, 1_000, 4_000])
def test_the_first_layer_hears_decibels(network, hertz):
    """From a whisper to a shout each step of 10 dB adds about the same, in the tone's band."""
    steps = [loudness(network, tone(hertz) * 10 ** (d / 20)).mean(-1) for d in range(-50, 1, 10)]
    band = int(steps[0].argmax())
    grown = torch.stack(steps)[:, band].diff()
    assert grown.min() > 0.4 * grown.max()
    assert steps[-1][band] > 0.95 * steps[-1].max()


def test_bands_that_are_higher_hear_higher_tones(network):
    loudest = [
        int(loudness(network, 0.01 * tone(hertz)).mean(-1).argmax())
        for hertz in (200, 700, 1_500, 3_000, 6_000)
    ]
    assert loudest == sorted(set(loudest))


def test_how_loud_is_not_lost_in_the_norm(network):
    """What is heard in one band is the same whatever else is heard, and silence is silence."""
    alone, both = loudness(network, tone(300)), loudness(network, tone(300) + tone(5_000))
    band = int(alone.mean(-1).argmax())
    assert torch.allclose(alone[band], both[band], rtol=0.05)
    assert loudness(network, torch.zeros(RATE)).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("before", "after"), [((2, 8), (2, 8)), ((3, 8), (2, 4)), ((2, 5), (4, 5))]
)
@pytest.mark.parametrize(("n_frames", "hop"), [(1, 1), (3, 1), (3, 2)])
def test_tied_weights_are_a_convolution_over_time(before, after, n_frames, hop):
    """What it is calculated as, and learns by, is what its weights over time alone do."""
    torch.manual_seed(0)
    before, after = Image(*before), Image(*after)
    plain = nn.Conv1d(before.size + 2, after.size, n_frames, hop)
    tie = Tie(before, after, 3, n_besides=2)
    tied = ConvolutionOverBands(plain, tie, tie.fresh_weights(n_frames))
    few = tied.parametrizations.weight.original
    assert few.shape == (after.channels, before.channels, 3, n_frames)
    heard = torch.randn(2, before.size + 2, 9)
    made = tied(heard)
    expected = nn.functional.conv1d(heard, tied.weight, tied.bias, hop)
    assert torch.allclose(made, expected, atol=1e-5)
    own, of_dense = (torch.autograd.grad(y.square().sum(), few)[0] for y in (made, expected))
    assert torch.allclose(own, of_dense, rtol=1e-4, atol=1e-4)


def test_what_is_saved_is_an_ordinary_network_for_others_too(network, tmp_path):
    waveform = torch.randn(1, RATE)
    network.save_pretrained(tmp_path, state_dict=plain_state(network))
    ours, theirs = (
        kind.from_pretrained(tmp_path).eval() for kind in (Wav2Vec2ForCTC, ReferenceForCTC)
    )
    assert ours.num_parameters() == count_parameters(network) > network.num_parameters()
    with torch.no_grad():
        logits = network(waveform).logits
        for loaded in (ours, theirs):
            assert torch.allclose(logits, loaded(waveform).logits, atol=1e-4)


def test_a_network_that_was_saved_goes_on_with_the_same_few_weights(network, tmp_path):
    network.save_pretrained(tmp_path, state_dict=plain_state(network))
    loaded = Wav2Vec2ForCTC.from_pretrained(tmp_path)
    keep_bands(loaded, BANDS)
    own, theirs = dict(network.named_parameters()), dict(loaded.named_parameters())
    assert own.keys() == theirs.keys()
    for name, parameter in own.items():
        torch.testing.assert_close(theirs[name], parameter, rtol=1e-6, atol=1e-7)


def test_bands_that_a_network_was_not_trained_with_are_refused(network, tmp_path):
    network.save_pretrained(tmp_path, state_dict=plain_state(network))
    loaded = Wav2Vec2ForCTC.from_pretrained(tmp_path)
    with torch.no_grad():
        loaded.wav2vec2.feature_extractor.conv_layers[2].conv.weight[3, 5] += 0.01
    loaded.save_pretrained(tmp_path)
    start = Start(str(tmp_path), bands=BANDS)
    with pytest.raises(UsageError, match="weights of convolution 3 are not the same for all bands"):
        start.model(Wav2Vec2ForCTC)


def train(config, folder, examples, stop_at=None):
    """Train for six steps, or some of them, and return the weights that are there."""
    start = Start(str(config), from_scratch=True, bands=BANDS, speech=speech)
    model, objective = start_ctc(start, CTCChoice(), [example.text for example in examples])
    trainer = Trainer(
        model,
        objective,
        Material(examples, dev=examples[:2]),
        TrainingOptions(
            learning_rate=1e-3, max_steps=6, save_steps=2, average=0.9, freeze_first_layer=True
        ),
        folder,
        should_stop=lambda: trainer.progress.step == stop_at,
    )
    if stop_at is None:
        trainer.run()
        return load_file(folder / "model.safetensors")
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    return load_file(folder / f"checkpoint-{stop_at}" / "model.safetensors")


def test_a_run_keeps_the_first_layer_and_goes_on_where_it_was(config, spoken, tmp_path):
    whole = train(config, tmp_path / "whole", spoken)
    half = train(config, tmp_path / "halves", spoken, stop_at=3)
    resumed = train(config, tmp_path / "halves", spoken)
    for name, weight in whole.items():
        assert torch.equal(weight, resumed[name]), name
        assert torch.equal(weight, half[name]) == name.startswith(FIRST), name
    assert whole["wav2vec2.feature_extractor.conv_layers.1.conv.weight"].shape == (40, 322, 3)


@pytest.mark.parametrize(
    ("changes", "bands", "message"),
    [
        ({"feat_extract_activation": "gelu"}, BANDS, "feat_extract_activation relu6, not gelu"),
        ({"conv_bias": False}, BANDS, "bands need conv_bias True"),
        ({}, (20, 20), "2 numbers of bands for 3 convolutions"),
        ({}, (10, 10, 10), "for 10 bands has 162 channels, not 322"),
        ({}, (20, 20, 8), "20 bands before convolution 3 make no 8"),
        ({"conv_dim": [322, 50, 40]}, BANDS, "50 channels of convolution 2: 20 bands"),
    ],
)
def test_networks_that_cannot_hear_so(config, changes, bands, message):
    fields = json.loads(config.read_text()) | changes
    with pytest.raises(ValueError, match=message):
        images_of(Wav2Vec2Config.from_dict(fields), bands)
    config.write_text(json.dumps(fields))
    start = Start(str(config), from_scratch=True, bands=bands, speech=speech)
    with pytest.raises(UsageError, match=message):
        start_ctc(start, CTCChoice(), ["a"])


def test_filters_are_measured_on_what_can_be_read(spoken, tmp_path, caplog):
    heard = some_speech(spoken, seed=0)
    assert len(heard) == sum(round(RATE * example.seconds) for example in spoken)
    assert heard.std() == pytest.approx(1, abs=0.01)
    assert np.array_equal(heard, some_speech(spoken, seed=0))
    (tmp_path / "broken.wav").write_text("no sound")
    broken = Example(str(tmp_path / "broken.wav"), text="a")
    assert len(some_speech([*spoken, broken], seed=0)) == len(heard)
    assert "broken.wav" in caplog.text
    with pytest.raises(AudioError, match="none of the recordings"):
        some_speech([broken], seed=0)
