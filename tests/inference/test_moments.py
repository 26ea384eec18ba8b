"""What a group norm knows of a whole recording, against the norm itself."""

import numpy as np
import pytest
import torch

from w2v_cli.audio.waveforms import HeldStream, Waveforms
from w2v_cli.inference.chunks import Chunker, Chunking
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.moments import MomentsSurvey

RATE = 16000


@pytest.mark.parametrize("block_size", [1, 7, 1000, 10**6])
def test_moments_are_those_of_the_convolution(block_size):
    rng = np.random.default_rng(0)
    waveform = (rng.normal(0.3, 1, 3001) * np.linspace(0, 1, 3001)).astype(np.float32)
    survey = MomentsSurvey(10, 5)
    for start in range(0, len(waveform), block_size):
        survey.add(waveform[start : start + block_size])
    conv = torch.nn.Conv1d(1, 8, 10, stride=5).double()
    weight, bias = conv.weight.detach().numpy()[:, 0], conv.bias.detach().numpy()
    for slope, offset in ((1.0, 0.0), (2.5, -0.7)):
        scaled = torch.from_numpy(slope * waveform.astype(np.float64) + offset)
        channels = conv(scaled[None, None]).detach().numpy()[0]
        mean, variance = survey.moments().of_scaled(slope, offset).mean_and_variance(weight, bias)
        np.testing.assert_allclose(mean, channels.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(variance, channels.var(axis=1), atol=1e-9)


def test_next_to_nothing_has_moments():
    survey = MomentsSurvey(10, 5)
    survey.add(np.ones(9))
    assert not survey.moments().products.any()


@pytest.fixture(scope="module")
def emitter(ctc_folder_of_either_norm):
    return Emitter.load(ctc_folder_of_either_norm)


def emissions_of(emitter, waveform, chunking, together):
    stream = HeldStream(Waveforms((waveform,), (None,), RATE, 0.0, len(waveform) / RATE))
    chunks = list(Chunker(emitter, chunking).chunks(stream.blocks))
    outputs = emitter.run(chunks) if together else [emitter.run([c])[0] for c in chunks]
    kept = [
        output[chunk.keep_start : chunk.keep_end]
        for chunk, output in zip(chunks, outputs, strict=True)
    ]
    return np.concatenate(kept), len(chunks)


@pytest.mark.parametrize("together", [False, True])
def test_chunks_of_either_norm_give_what_the_whole_gives(emitter, babble, together):
    loud = np.linspace(0.1, 1, 12 * RATE, dtype=np.float32)  # pieces differ from the whole
    waveform = babble(12 * RATE) * loud
    options = {"whole_seconds": 1.0, "context_seconds": 0.2}
    whole, n_whole = emissions_of(emitter, waveform, Chunking(1e4, **options), together)
    cut, n_chunks = emissions_of(emitter, waveform, Chunking(6.0, 1.5, **options), together)
    assert (n_whole, n_chunks) == (1, 4)
    np.testing.assert_allclose(np.exp(cut), np.exp(whole), atol=2e-3)
    everything = Chunking(1e4, whole_seconds=1.0, context_seconds=None)
    published = emitter.emissions(waveform, sample_rate=RATE)
    np.testing.assert_allclose(
        emissions_of(emitter, waveform, everything, together)[0], published, atol=2e-3
    )
