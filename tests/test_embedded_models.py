"""Each embedded model loads as published, and does its job on the bundled recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import w2v_cli
from w2v_cli import Wav2Vec2FeatureExtractor
from w2v_cli.audio import read_waveforms
from w2v_cli.checkpoint.resolve import EMBEDDED_FOLDER, EMBEDDED_KNOWLEDGE, embedded_models

DATA = Path(__file__).parent / "data"

CLASSES = {
    "mini": "Wav2Vec2ForCTC",
    "mini-keywords": "Wav2Vec2ForSequenceClassification",
    "mini-speakers": "Wav2Vec2ForXVector",
    "mini-turns": "Wav2Vec2ForAudioFrameClassification",
}


def recording(name):
    return read_waveforms(str(DATA / f"{name}.opus")).channels[0]


def hear(name, waveform, field="logits"):
    """What an embedded model makes of a waveform."""
    model = getattr(w2v_cli, CLASSES[name]).from_pretrained(name)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(name)
    inputs = extractor(waveform, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs)[field][0]


def test_each_is_known():
    assert embedded_models() == sorted(CLASSES) == sorted(EMBEDDED_KNOWLEDGE)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_its_folder_is_whole(name):
    folder = EMBEDDED_FOLDER / name
    weights = folder / "model.safetensors"
    assert weights.stat().st_size < 8_000_000
    loaded = getattr(w2v_cli, CLASSES[name]).from_pretrained(name)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    assert json.loads((folder / "config.json").read_text())["architectures"] == [CLASSES[name]]
    card = (folder / "README.md").read_text()
    assert card.startswith(f"# {name}\n")
    assert "## Training" in card
    assert "CC BY-SA 4.0" in (folder / "LICENSE").read_text()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_reference_makes_the_same_of_it(name):
    folder = str(EMBEDDED_FOLDER / name)
    reference = getattr(transformers, CLASSES[name]).from_pretrained(folder).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    waveform = recording("demo")
    inputs = extractor(waveform, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = reference(**inputs).logits[0]
    assert torch.allclose(hear(name, waveform), expected, atol=1e-4)


def keyword(waveform):
    model_id = "mini-keywords"
    labels = w2v_cli.Wav2Vec2Config.from_pretrained(model_id).id2label
    return labels[int(hear(model_id, waveform).argmax())]


def test_keywords():
    assert keyword(recording("stop")) == "stop"
    for name in ("happy", "sheila", "three", "seven"):
        assert keyword(recording(name)) == "_unknown_"
    random = np.random.default_rng(1)
    assert keyword(np.zeros(16000, np.float32)) == "_silence_"
    assert keyword(random.normal(0, 0.01, 16000).astype(np.float32)) == "_silence_"


def voice(waveform):
    vector = hear("mini-speakers", waveform, "embeddings")
    return vector / vector.norm()


def test_parts_of_one_recording_are_nearer_than_those_of_two():
    """On the whole: the model is small. Parts are every other second."""
    parts = []
    for name in ("jfk", "demo"):
        seconds = np.array_split(recording(name), 10)
        parts += [voice(np.concatenate(seconds[start::2])) for start in (0, 1)]
    cosines = torch.stack(parts) @ torch.stack(parts).T
    within = (cosines[0, 1] + cosines[2, 3]) / 2
    assert within > cosines[:2, 2:].mean() + 0.1


def test_the_threshold_of_voices_is_in_the_configuration():
    threshold = w2v_cli.Wav2Vec2Config.from_pretrained("mini-speakers").verification_threshold
    card = (EMBEDDED_FOLDER / "mini-speakers" / "README.md").read_text()
    assert f"{threshold:g}" in card


def test_turns_of_two():
    """President Kennedy, a pause, the words of the demo, and both at once."""
    jfk, demo = (
        0.1 * x / np.sqrt(np.mean(np.square(x))) for x in (recording("jfk"), recording("demo"))
    )
    pause = np.zeros(16000, np.float32)
    alone = np.concatenate([jfk[:64000], pause, demo[:64000]]).astype(np.float32)
    active = hear("mini-turns", alone).numpy().T > 0  # (speakers, frames)
    first, second = active[:, 10:190].mean(axis=1), active[:, 260:440].mean(axis=1)
    assert first.argmax() != second.argmax()
    assert active[:, 210:240].mean() < 0.2  # nobody in the pause
    assert not (hear("mini-turns", np.zeros(80000, np.float32)) > 0).any()
