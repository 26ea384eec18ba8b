"""Who speaks when: frames are those of the reference, in any batch; speakers keep their names."""

import numpy as np
import pytest
import soundfile
import torch
import transformers

from w2v_cli.audio.waveforms import Waveforms
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.diarization.rules import TurnRules
from w2v_cli.errors import AudioError, ModelError, OutOfMemoryError
from w2v_cli.inference.network import Network
from w2v_cli.inference.voices import Voices
from w2v_cli.tasks.diarize import (
    Chunks,
    DiarizationJob,
    Diarizer,
    SpeakerChoice,
    load_diarizer,
)

RATE, HOP, FIELD = 16000, 320, 400
SMALL = {
    "conv_dim": [16] * 7,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "tdnn_dim": [20, 20, 20, 20, 28],
    "xvector_output_dim": 12,
    "num_labels": 3,
    "initializer_range": 0.2,
}
NORMS = {
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True},
    "group": {"feat_extract_norm": "group"},
}
SECONDS = (0.9, 2.3, 0.01, 1.4)


def save(folder, head="ForAudioFrameClassification", norm="layer", *, normalise=True, **changes):
    """Write a model of the reference with random weights, and what it hears with."""
    torch.manual_seed(5)
    config = transformers.Wav2Vec2Config(**{**SMALL, **NORMS[norm], **changes})
    model = getattr(transformers, f"Wav2Vec2{head}")(config).eval()
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(
        return_attention_mask=norm == "layer", do_normalize=normalise
    ).save_pretrained(folder)
    return model


@pytest.fixture(scope="module", params=["layer", "group"])
def frames(request, tmp_path_factory):
    """A model of frames: its folder, and the reference's own."""
    folder = tmp_path_factory.mktemp("frames")
    return str(folder), save(folder, norm=request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    save(path)
    return str(path)


@pytest.fixture(scope="module")
def voices_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("voices")
    save(path, "ForXVector")
    return str(path)


def waveforms(*channels, start_seconds=0.0):
    numbers = tuple(range(1, len(channels) + 1)) if len(channels) > 1 else (None,)
    seconds = len(channels[0]) / RATE
    return Waveforms(tuple(channels), numbers, RATE, start_seconds, seconds)


@pytest.mark.parametrize("batch_seconds", [0, 20])
def test_frames_are_those_of_the_reference(frames, babble, tmp_path, batch_seconds):
    """Through the engine that the command has; with 20 s all are one padded batch."""
    name, reference = frames
    items, expected = [], {}
    extractor = transformers.Wav2Vec2FeatureExtractor()
    for number, seconds in enumerate(SECONDS):
        path = tmp_path / f"{number}.wav"
        samples = babble(round(seconds * RATE), seed=number)
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        items.append(Item(str(path), path.relative_to(tmp_path)))
        if len(samples) < FIELD:
            continue  # refused: too short
        values = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_values
        with torch.no_grad():
            expected[str(path)] = torch.sigmoid(reference(values).logits)[0].numpy()
    with LocalEngine(DiarizationJob(name), batch_seconds=batch_seconds) as engine:
        outcomes = list(engine.run(items))
    assert isinstance(outcomes[2].error, AudioError)
    assert "too short for a turn" in str(outcomes[2].error)
    for outcome in outcomes:
        if outcome.error is not None:
            continue
        found = outcome.result.frames.probabilities
        ordered = [found[:, by_mean] for by_mean in np.argsort(found.mean(axis=0))]
        wanted = expected[outcome.item.source]
        wanted = [wanted[:, by_mean] for by_mean in np.argsort(wanted.mean(axis=0))]
        np.testing.assert_allclose(ordered, wanted, atol=1e-5)


def test_a_long_recording_is_that_of_one_chunk_where_chunks_hear_all(frames, babble, monkeypatch):
    """Linking and stitching in between: with chunks that overlap, of a network that looks near."""
    name, _ = frames
    diarizer = load_diarizer(name, chunks=Chunks(2.0, 0.5))
    waveform = babble(9 * RATE, seed=1)
    heard = []

    def look_near(network, chunks):
        heard.extend(chunks)
        found = [loudness(chunk.input_values) for chunk in chunks]
        return [np.stack([loud, 1 - loud], axis=1) for loud in found]

    monkeypatch.setattr(Network, "run", look_near)
    found = diarizer.diarize(waveforms(waveform))
    normalised = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    expected = loudness(normalised)
    assert len(heard) > 4
    columns = found.frames.probabilities
    best = min(np.abs(columns[:, index] - expected).max() for index in range(2))
    assert best < 1e-4


def loudness(samples):
    """A number from 0 to 1 for each frame, from its own samples."""
    n_frames = (len(samples) - FIELD) // HOP + 1
    windows = np.lib.stride_tricks.sliding_window_view(samples, FIELD)[: n_frames * HOP : HOP]
    return np.tanh(np.abs(windows).mean(axis=1)).astype(np.float32)


def test_swapped_speakers_keep_their_names(folder, babble, monkeypatch):
    """A network that knows two speakers by their pitch, in another order in each chunk."""
    samples, said = two_voices(60)
    diarizer = load_diarizer(folder, chunks=Chunks(12.0), rules=TurnRules(min_duration_on=0.0))
    orders = np.random.default_rng(3)

    def by_pitch(network, chunks):
        return [pitches(chunk.input_values)[:, orders.permutation(2)] for chunk in chunks]

    monkeypatch.setattr(Network, "run", by_pitch)
    found = diarizer.diarize(waveforms(samples))
    assert_same_turns(found, said)


def test_voices_link_more_speakers_than_outputs(folder, voices_folder, monkeypatch):
    """Three speakers, of whom a chunk knows two; voices tell which."""
    samples, said = two_voices(90, n_voices=3, turn_seconds=(4.0, 6.0))
    speakers = SpeakerChoice(voices_folder, threshold=0.8)
    diarizer = load_diarizer(folder, chunks=Chunks(5.0), speakers=speakers)
    orders = np.random.default_rng(3)

    def by_pitch(network, chunks):
        found = []
        for chunk in chunks:
            three = pitches(chunk.input_values, 3)
            loudest = np.sort(np.argsort(-three.sum(axis=0))[:2])
            found.append(three[:, orders.permutation(loudest)])
        return found

    def pitch_voices(voices, speech):
        """What a perfect model of speakers would say."""
        heard = [pitches(piece, 3).sum(axis=0) for piece in speech]
        return np.array(heard).reshape(-1, 3)

    monkeypatch.setattr(Network, "run", by_pitch)
    monkeypatch.setattr(
        type(diarizer.voices),
        "of",
        lambda voices, speech: unit(pitch_voices(voices, list(speech))),
    )
    found = diarizer.diarize(waveforms(samples))
    assert len({turn.speaker for turn in found.turns}) == 3
    assert_same_turns(found, said, tolerance_seconds=0.2)


def test_memory_that_voices_lack_is_told_with_the_recording_once(
    folder, voices_folder, babble, monkeypatch
):
    def too_small(voices, speech):
        raise OutOfMemoryError("9 s of audio do not fit")

    monkeypatch.setattr(Voices, "of", too_small)
    diarizer = load_diarizer(folder, speakers=SpeakerChoice(voices_folder))
    with pytest.raises(OutOfMemoryError) as caught:
        diarizer.diarize(waveforms(babble(RATE)), source="talk.wav")
    assert str(caught.value) == "talk.wav: 9 s of audio do not fit"


def unit(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def two_voices(seconds, *, n_voices=2, turn_seconds=(2.0, 5.0)):
    """Tones of one pitch for each voice, one after the other; and who speaks from when to when."""
    random = np.random.default_rng(0)
    samples = np.zeros(seconds * RATE, np.float32)
    said, at, last = [], 0.5, -1
    while at < seconds - 1:
        who = int(random.choice([v for v in range(n_voices) if v != last]))
        length = min(round(random.uniform(*turn_seconds) / 0.02) * 0.02, seconds - at)
        first, end = round(at * RATE), round((at + length) * RATE)
        times = np.arange(end - first) / RATE
        samples[first:end] = 0.3 * np.sin(2 * np.pi * (200 + 300 * who) * times)
        said.append((at, at + length, who))
        at, last = round(at + length + 0.5, 2), who
    return samples, said


def pitches(samples, n_voices=2):
    """Whether each pitch is heard in each frame, (frames, voices)."""
    n_frames = max((len(samples) - FIELD) // HOP + 1, 1)
    padded = np.pad(samples, (0, max(FIELD - len(samples), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, FIELD)[: n_frames * HOP : HOP]
    times = np.arange(FIELD) / RATE
    waves = [np.exp(-2j * np.pi * (200 + 300 * voice) * times) for voice in range(n_voices)]
    power = np.abs(windows @ np.array(waves).T)
    loud = power.max(axis=1, keepdims=True) > 20
    return (loud & (power == power.max(axis=1, keepdims=True))).astype(np.float32)


def assert_same_turns(found, said, tolerance_seconds=0.05):
    """Fail unless every turn is there, and each voice has one name."""
    names = {}
    merged = [(turn.start_seconds, turn.end_seconds, turn.speaker) for turn in found.turns]
    assert len(merged) == len(said)
    for (start, end, name), (said_start, said_end, who) in zip(merged, said, strict=True):
        assert abs(start - said_start) < tolerance_seconds
        assert abs(end - said_end) < tolerance_seconds
        assert names.setdefault(who, name) == name
    assert len(set(names.values())) == len(names)


def test_each_of_several_channels_is_a_speaker(folder, babble):
    found = load_diarizer(folder).diarize(waveforms(babble(RATE), babble(RATE, seed=1)))
    assert found.speakers == ("CHANNEL_1", "CHANNEL_2")
    assert found.frames.probabilities.shape == (49, 2)
    for turn in found.turns:
        assert turn.speaker == f"CHANNEL_{turn.channel}"


def test_frames_stand_where_they_are(folder, babble):
    found = load_diarizer(folder).diarize(waveforms(babble(2 * RATE), start_seconds=10.0))
    assert found.start_seconds == 10.0
    assert found.frames.first_seconds == pytest.approx(10 + FIELD / 2 / RATE)
    assert found.frames.step_seconds == HOP / RATE
    assert all(10 <= turn.start_seconds < turn.end_seconds <= 12 for turn in found.turns)


def test_silence_and_nothing_at_all(folder, voices_folder):
    for diarizer in (
        load_diarizer(folder, chunks=Chunks(3.0)),
        load_diarizer(folder, chunks=Chunks(3.0), speakers=SpeakerChoice(voices_folder)),
    ):
        for n_samples in (0, 200, 10 * RATE):
            found = diarizer.diarize(waveforms(np.zeros(n_samples, np.float32)))
            assert found.turns == ()
            assert len(found.frames.probabilities) == max((n_samples - FIELD) // HOP + 1, 0)


def test_the_envelope_is_that_of_the_samples(folder, babble):
    waveform = babble(7 * RATE)
    diarizer = load_diarizer(folder, chunks=Chunks(3.0), envelope=True)
    found = diarizer.diarize(waveforms(waveform)).frames.envelope
    pieces = waveform.reshape(len(found.bounds), -1)
    assert found.seconds == 7
    assert len(pieces) == 7000
    np.testing.assert_array_equal(found.bounds[:, 0], pieces.min(axis=1))
    np.testing.assert_array_equal(found.bounds[:, 1], pieces.max(axis=1))
    assert load_diarizer(folder).diarize(waveforms(waveform)).frames.envelope is None


def test_turns_outside_of_the_regions_are_left_out(folder, babble):
    diarizer = load_diarizer(folder, regions={"talk": ((0.5, 1.0),)}, rules=TurnRules(0.01, 0.01))
    found = diarizer.diarize(waveforms(babble(2 * RATE)), source="calls/talk.wav")
    assert found.turns
    assert {(turn.start_seconds, turn.end_seconds) for turn in found.turns} == {(0.5, 1.0)}
    with pytest.raises(AudioError, match="no line for other"):
        diarizer.diarize(waveforms(babble(RATE)), source="other.wav")


def test_what_does_not_go_together(folder, voices_folder, tmp_path):
    with pytest.raises(ModelError, match="does not tell speakers apart"):
        load_diarizer(voices_folder)
    with pytest.raises(ModelError, match=r"--speakers-model .*has no x-vectors"):
        load_diarizer(folder, speakers=SpeakerChoice(folder))
    save(tmp_path, "ForXVector", normalise=False)
    with pytest.raises(ModelError, match="as loud as they are"):
        load_diarizer(folder, speakers=SpeakerChoice(str(tmp_path)))


def test_settings_tell_what_turns_depend_on(folder):
    jobs = (
        DiarizationJob(folder),
        DiarizationJob(folder, rules=TurnRules(onset=0.6)),
        DiarizationJob(folder, chunks=Chunks(20.0)),
        DiarizationJob(folder, speakers=SpeakerChoice(folder)),
        DiarizationJob(folder, regions={"a": ((0.0, 1.0),)}),
    )
    settings = [repr(job.settings()) for job in jobs]
    assert len(set(settings)) == len(settings)
    assert jobs[3].other_models() == (folder,)
    assert isinstance(jobs[0].load(), Diarizer)


def test_pieces_are_as_long_as_what_the_model_was_trained_on(folder, tmp_path):
    save(tmp_path, conversation_seconds=12.0)
    for name, chunks, expected in [
        (tmp_path, Chunks(), (12.0, 3.0)),
        (tmp_path, Chunks(9.0, 1.0), (9.0, 1.0)),
        (folder, Chunks(), (15.0, 3.75)),
    ]:
        chunking = load_diarizer(name, chunks=chunks).chunking
        assert (chunking.chunk_seconds, chunking.stride_seconds) == expected
        assert chunking.whole_seconds == expected[0]
