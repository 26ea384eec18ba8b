"""Silero's detector against its own package, and what is made of its numbers."""

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from w2v_cli.audio import read_waveforms
from w2v_cli.errors import MissingDependencyError, ModelError
from w2v_cli.inference import vad
from w2v_cli.inference.vad import SileroVAD, SpeechDetector, SpeechOptions, speech_stretches

RATE = 16000
JFK = Path(__file__).parents[1] / "data" / "jfk.opus"

needs_silero = pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad")


def detected(waveform, block_size=4096):
    detector = SpeechDetector(SileroVAD())
    for start in range(0, len(waveform), block_size):
        detector.hear(waveform[start : start + block_size])
    stretches = detector.stretches()
    return np.concatenate(detector._probabilities), stretches


@needs_silero
def test_it_gives_what_its_own_package_gives():
    waveform = read_waveforms(JFK).channels[0]
    waveform = np.tile(waveform, 2)[: 20 * RATE + 100]
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import silero_vad

        theirs = silero_vad.load_silero_vad()
    torch.set_num_threads(threads)  # which importing it sets to one
    padded = torch.from_numpy(np.pad(waveform, (0, -len(waveform) % 512)))
    with torch.inference_mode():
        expected = theirs.audio_forward(padded, RATE)[0].numpy()
    got, _ = detected(waveform)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    for block_size in (100, 512, len(waveform)):
        np.testing.assert_allclose(detected(waveform, block_size)[0], got, atol=1e-5)


@needs_silero
def test_speech_between_silences_is_found():
    speech = read_waveforms(JFK).channels[0]
    silence = np.random.default_rng(0).normal(0, 1e-3, 5 * RATE).astype(np.float32)
    _, stretches = detected(np.concatenate([silence, speech, silence]))
    assert 4 * RATE < stretches[0][0] < 6 * RATE
    assert 5 * RATE + len(speech) - RATE < stretches[-1][1] < 6.5 * RATE + len(speech)
    assert detected(silence)[1] == []


@needs_silero
def test_nothing_read_is_no_speech():
    assert SpeechDetector(SileroVAD()).stretches() == []


def windows(text):
    return np.array([{"#": 0.9, "+": 0.4, ".": 0.1}[letter] for letter in text], np.float32)


PLAIN = SpeechOptions(min_pause_seconds=0.032 * 3, min_speech_seconds=0.05, margin_seconds=0)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("....", []),
        ("++++", []),
        (".####.", [(1, 5)]),
        ("####", [(0, 4)]),
        (".++##++..", [(3, 7)]),  # begins at the high threshold, ends at the low one
        ("##..##", [(0, 6)]),  # a short pause
        ("##...##", [(0, 2), (5, 7)]),
        (".#...##", [(5, 7)]),  # a click
    ],
)
def test_stretches(text, spans):
    expected = [(begin * 512, end * 512) for begin, end in spans]
    assert speech_stretches(windows(text), len(text) * 512, PLAIN) == expected


def test_margins_stay_inside_the_recording_and_apart():
    options = SpeechOptions(min_pause_seconds=0, min_speech_seconds=0.01, margin_seconds=0.064)
    stretches = speech_stretches(windows("##....##..#."), 12 * 512 - 1, options)
    assert stretches == [(0, 4 * 512), (4 * 512, 12 * 512 - 1)]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    monkeypatch.setattr(vad, "find_spec", lambda name: None)
    with pytest.raises(
        MissingDependencyError, match=r"--vad needs the package silero-vad; .*\[vad\]"
    ):
        SileroVAD()


@needs_silero
def test_a_package_without_this_network_is_another(monkeypatch):
    monkeypatch.setattr(vad, "_NETWORK", "data/other.jit")
    with pytest.raises(ModelError, match="pip install --upgrade silero-vad"):
        SileroVAD()
