"""A network of speakers begins as what is compared, and learns other speeds as other speakers."""

import numpy as np
import pytest
import soundfile
import torch

from w2v_cli.model.ctc import Wav2Vec2ForCTC
from w2v_cli.training.examples import Composer, Recordings
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import listen
from w2v_cli.training.speakers import at_speeds
from w2v_cli.training.start import Start, start_speakers


def test_other_speeds_are_other_speakers_and_voices(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 400 * np.arange(16000) / 16000), 16000)
    examples = at_speeds([Example(str(path), speaker="anna", seconds=1.0)], [0.8, 1.25])
    assert [e.speaker for e in examples] == ["anna", "anna x0.8", "anna x1.25"]
    recordings = Recordings(cache_mb=1)
    composer = Composer(examples, recordings)
    for item, speed in zip(
        composer.items([(0,), (1,), (2,)], epoch=0, number=0), (1, 0.8, 1.25), strict=True
    ):
        assert len(item.waveform) == pytest.approx(16000 / speed, rel=0.003)
        assert item.examples[0].seconds == pytest.approx(1 / speed)
        highest = np.abs(np.fft.rfft(item.waveform)).argmax() * 16000 / len(item.waveform)
        assert highest == pytest.approx(400 * speed, rel=0.004)
    assert len(recordings._kept) == 1


def test_what_is_trained_begins_as_what_is_compared(small_network):
    start = Start(str(small_network), from_scratch=True)
    model, _ = start_speakers(start, ["anna", "ben"])
    with torch.no_grad():
        output = model.eval()(torch.randn(2, 8000))
    assert torch.allclose(output.logits, output.embeddings + model.classifier.bias)


def test_vectors_that_are_measured_do_not_depend_on_the_batch(small_network, tmp_path):
    """As they are embedded; the loss of a padded batch is as published, dilation left out."""
    settings = {"tdnn_dim": [16, 16], "tdnn_kernel": [3, 3], "tdnn_dilation": [1, 3]}
    start = Start(str(small_network), from_scratch=True, settings=settings)
    model, objective = start_speakers(start, ["anna", "ben"])
    examples = []
    for name, seconds in (("anna", 0.5), ("ben", 0.9)):
        path = tmp_path / f"{name}.wav"
        random = np.random.default_rng(len(examples))
        soundfile.write(path, 0.1 * random.normal(size=round(16000 * seconds)), 16000)
        examples.append(Example(str(path), speaker=name, seconds=seconds))
    together = listen(objective, model, examples, Recordings()).results
    for example, one in zip(examples, together, strict=True):
        (alone,) = listen(objective, model, [example], Recordings()).results
        np.testing.assert_allclose(one.heard, alone.heard, atol=1e-5)
    assert model.training
    assert not model.padding_invariant


def test_fewer_layers_are_those_of_the_beginning():
    whole = Start("mini").model(Wav2Vec2ForCTC)
    model, _ = start_speakers(Start("mini", settings={"num_hidden_layers": 2}), ["anna", "ben"])
    ours = model.wav2vec2.state_dict()
    theirs = whole.wav2vec2.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert len(model.wav2vec2.encoder.layers) == 2


def test_the_margin_grows_to_the_published_one(small_network):
    start = Start(str(small_network), from_scratch=True)
    model, objective = start_speakers(start, ["anna", "ben"], margin_steps=10)
    published = model.objective.margin
    margins = []
    for step in (0, 5, 10, 99):
        objective.begin_step(model, step)
        margins.append(model.objective.margin)
    assert margins == [0.0, published / 2, published, published]
    model, objective = start_speakers(start, ["anna", "ben"])
    objective.begin_step(model, 0)
    assert model.objective.margin == published


def test_in_the_end_vectors_lie_around_the_origin_and_speakers_stay(small_network, spoken):
    start = Start(str(small_network), from_scratch=True)
    model, objective = start_speakers(start, ["s0", "s1", "s2"])
    model.eval()
    torch.nn.init.normal_(model.feature_extractor.bias)
    torch.nn.init.normal_(model.classifier.weight)
    examples = at_speeds(spoken, [1.1])

    def hear():
        outputs = []
        for item in Composer(spoken, Recordings()).items(
            [(i,) for i in range(6)], epoch=0, number=0
        ):
            with torch.no_grad():
                batch = objective.inputs([item])
                outputs.append(model(batch.input_values, attention_mask=batch.attention_mask))
        return [torch.cat([o[name] for o in outputs]) for name in ("embeddings", "logits")]

    seconds = torch.tensor([[e.seconds] for e in spoken])
    vectors, logits = hear()
    assert (vectors * seconds).mean(dim=0).abs().max() > 0.01
    objective.finish(model, examples, Recordings())
    centred, same_logits = hear()
    # Almost: padding in a batch is heard a little, as published.
    assert (centred * seconds).mean(dim=0).abs().max() < 0.01
    assert torch.allclose(centred - centred[0], vectors - vectors[0], atol=1e-5)
    assert torch.allclose(same_logits, logits, atol=1e-3)
