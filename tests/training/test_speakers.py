"""Equal error rates are those of their definition."""

import math

import numpy as np
import pytest
import soundfile
import torch

from w2v_cli.training.examples import Composer, Recordings
from w2v_cli.training.manifests import Example
from w2v_cli.training.speakers import at_speeds, equal_error_rate, pair_scores
from w2v_cli.training.start import Start, start_speakers


def rate_by_thresholds(scores, is_same):
    """Look for the threshold at which both kinds of errors are nearest to each other."""
    best = None
    for threshold in [*np.unique(scores), scores.max() + 1]:
        refused = np.mean(scores[is_same] < threshold)
        accepted = np.mean(scores[~is_same] >= threshold)
        if best is None or abs(refused - accepted) < best[0]:
            best = (abs(refused - accepted), (refused + accepted) / 2)
    return best[1]


@pytest.mark.parametrize("distance", [0, 1, 3])
def test_equal_error_rate(distance, random):
    is_same = random.random(4000) < 0.2
    scores = random.normal(size=4000) + distance * is_same
    assert equal_error_rate(scores, is_same) == pytest.approx(
        rate_by_thresholds(scores, is_same), abs=0.002
    )
    expected = 0.5 * math.erfc(distance / 2 / math.sqrt(2))
    assert equal_error_rate(scores, is_same) == pytest.approx(expected, abs=0.03)


def test_vectors_that_tell_all_apart_and_none():
    vectors = [np.eye(3)[index] for index in (0, 0, 1, 1, 2)]
    assert equal_error_rate(*pair_scores(vectors, ["a", "a", "b", "b", "c"])) == 0
    assert equal_error_rate(*pair_scores([np.ones(3)] * 4, ["a", "a", "b", "b"])) == 0.5
    assert math.isnan(equal_error_rate(*pair_scores(vectors[:2], ["a", "a"])))
    assert math.isnan(equal_error_rate(*pair_scores(vectors[:1], ["a"])))


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
        assert len(item.waveform) == pytest.approx(16000 / speed, abs=1)
        assert item.examples[0].seconds == pytest.approx(1 / speed)
        highest = np.abs(np.fft.rfft(item.waveform)).argmax() * 16000 / len(item.waveform)
        assert highest == pytest.approx(400 * speed, abs=1)
    assert len(recordings._kept) == 1


def test_what_is_trained_begins_as_what_is_compared(small_network):
    start = Start(str(small_network), from_scratch=True)
    model, _ = start_speakers(start, ["anna", "ben"])
    with torch.no_grad():
        output = model.eval()(torch.randn(2, 8000))
    assert torch.allclose(output.logits, output.embeddings + model.classifier.bias)
