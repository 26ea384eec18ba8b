"""Vectors are those of the reference, in any batch and from any chunks."""

import json

import numpy as np
import pytest
import soundfile
import torch
import transformers

from w2v_cli.audio.waveforms import Waveforms
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import AudioError, CheckpointError, UsageError
from w2v_cli.inference.chunks import Chunking
from w2v_cli.inference.embedder import load_embedder
from w2v_cli.results import VectorKind
from w2v_cli.tasks.embed import EmbeddingJob, Vectorizer, VectorOptions

RATE = 16000
SMALL = {
    "conv_dim": [16] * 7,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "tdnn_dim": [20, 20, 20, 20, 28],
    "xvector_output_dim": 12,
    "num_labels": 5,
    "initializer_range": 0.3,
}
NORMS = {
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True},
    "group": {"feat_extract_norm": "group"},
}
SECONDS = (0.9, 2.3, 1.4, 0.5)


def save(folder, head="ForXVector", norm="layer", **changes):
    """Write a model of the reference with random weights, and what it hears with."""
    torch.manual_seed(4)
    config = transformers.Wav2Vec2Config(**{**SMALL, **NORMS[norm], **changes})
    model = getattr(transformers, f"Wav2Vec2{head}")(config).eval()
    for name, parameter in model.named_parameters():
        if name.startswith("feature_extractor."):  # x-vectors of a size that 1e-5 is small for
            parameter.data.mul_(0.1)
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
    extractor.save_pretrained(folder)
    return model


@pytest.fixture(scope="module", params=["layer", "group"])
def speakers(request, tmp_path_factory):
    """A model of speakers: its folder, and the reference's own."""
    folder = tmp_path_factory.mktemp("speakers")
    return str(folder), save(folder, norm=request.param)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, babble):
    """Files of several lengths, with their samples as they are read."""
    folder = tmp_path_factory.mktemp("recordings")
    waveforms = {}
    for number, seconds in enumerate(SECONDS):
        path = folder / f"{number}.wav"
        soundfile.write(path, babble(round(seconds * RATE), seed=number), RATE, subtype="FLOAT")
        waveforms[str(path)] = soundfile.read(path, dtype="float32")[0]
    return waveforms


def heard(waveform):
    """Return the input values of a recording as the reference makes them."""
    extractor = transformers.Wav2Vec2FeatureExtractor()
    return extractor(waveform, sampling_rate=RATE, return_tensors="pt").input_values


def run(job, sources, *, batch_seconds):
    items = [Item(source, None) for source in sources]
    with LocalEngine(job, batch_seconds=batch_seconds) as engine:
        outcomes = list(engine.run(items))
    assert [outcome.error for outcome in outcomes] == [None] * len(items)
    return [outcome.result for outcome in outcomes]


def assert_same(found, expected):
    """Fail unless the numbers are the same, to 1e-5 of the largest."""
    expected = np.asarray(expected)
    tolerance = 1e-5 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def in_memory(*channels):
    numbers = tuple(range(1, len(channels) + 1)) if len(channels) > 1 else (None,)
    return Waveforms(channels, numbers, RATE, 0.0, len(channels[0]) / RATE)


@pytest.mark.parametrize("batch_seconds", [0.0, 60.0], ids=["alone", "in a batch"])
def test_x_vectors_are_the_references(speakers, recordings, batch_seconds):
    folder, reference = speakers
    found = run(EmbeddingJob(folder), recordings, batch_seconds=batch_seconds)
    for embedding, (source, waveform) in zip(found, recordings.items(), strict=True):
        with torch.no_grad():
            expected = reference(heard(waveform)).embeddings
        assert (embedding.source, embedding.kind) == (source, VectorKind(folder))
        assert embedding.vectors.dtype == np.float32
        assert_same(embedding.vectors, expected)


def test_a_padded_batch_of_the_reference(tmp_path, recordings):
    """Without dilation its count of frames is right, and a batch of it the same as ours."""
    reference = save(tmp_path, tdnn_dilation=[1] * 5)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    waveforms = list(recordings.values())
    inputs = extractor(waveforms, sampling_rate=RATE, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = reference(**inputs).embeddings
    found = run(EmbeddingJob(str(tmp_path)), recordings, batch_seconds=60.0)
    assert_same(np.concatenate([e.vectors for e in found]), expected)


@pytest.mark.parametrize("layer", ["0", "1", "3", "-1", "-4", "last"])
@pytest.mark.parametrize("norm", NORMS)
def test_any_layer_of_any_model(tmp_path, recordings, norm, layer):
    reference = save(tmp_path, "ForCTC", norm)
    job = EmbeddingJob(str(tmp_path), layer=layer, pool="none")
    found = run(job, recordings, batch_seconds=60.0)
    for embedding, waveform in zip(found, recordings.values(), strict=True):
        with torch.no_grad():
            output = reference.wav2vec2(heard(waveform), output_hidden_states=True)
        expected = output.last_hidden_state
        if layer != "last":
            expected = output.hidden_states[int(layer)]
        assert_same(embedding.vectors, expected[0])
        np.testing.assert_allclose(
            embedding.starts_seconds, np.arange(expected.shape[1]) * 0.02, atol=1e-9
        )


@pytest.mark.parametrize(
    ("pool", "of_torch"),
    [
        ("mean", lambda states: states.mean(0)),
        ("max", lambda states: states.amax(0)),
        ("mean+std", lambda states: torch.cat([states.mean(0), states.std(0)])),
    ],
)
def test_pools(speakers, recordings, pool, of_torch):
    folder, reference = speakers
    found = run(EmbeddingJob(folder, pool=pool), recordings, batch_seconds=60.0)
    for embedding, waveform in zip(found, recordings.values(), strict=True):
        with torch.no_grad():
            states = reference.wav2vec2(heard(waveform)).last_hidden_state[0]
        assert_same(embedding.vectors[0], of_torch(states))
        assert embedding.kind == VectorKind(folder, "last", pool)


def test_a_weighted_sum_of_layers(tmp_path, recordings):
    reference = save(tmp_path, use_weighted_layer_sum=True)
    found = run(EmbeddingJob(str(tmp_path)), recordings, batch_seconds=60.0)
    for embedding, waveform in zip(found, recordings.values(), strict=True):
        with torch.no_grad():
            expected = reference(heard(waveform)).embeddings
        assert_same(embedding.vectors, expected)


@pytest.mark.parametrize("layer", ["1", "last"])
def test_a_final_adapter_shortens_the_last_layer_alone(tmp_path, recordings, layer):
    reference = save(tmp_path, "Model", add_adapter=True, output_hidden_size=16)
    job = EmbeddingJob(str(tmp_path), layer=layer, pool="none")
    (found, *_) = run(job, recordings, batch_seconds=60.0)
    with torch.no_grad():
        values = heard(next(iter(recordings.values())))
        output = reference(values, output_hidden_states=True)
    expected = output.last_hidden_state if layer == "last" else output.hidden_states[1]
    assert_same(found.vectors, expected[0])
    hop_seconds = 0.16 if layer == "last" else 0.02
    assert found.starts_seconds[1] == pytest.approx(hop_seconds)


@pytest.mark.parametrize("pool", [None, "max", "mean+std"])
def test_chunks_give_the_vector_of_the_whole(speakers, babble, pool):
    folder, reference = speakers
    waveform = np.concatenate([babble(RATE * 9, seed=seed) for seed in range(4)])
    embedder = load_embedder(folder, pool_name=pool)

    def vector(**chunking):
        options = Chunking(**chunking)
        return Vectorizer(embedder, chunking=options).embed(in_memory(waveform)).vectors[0]

    whole = vector(chunk_seconds=60.0)
    # Three layers see three times two seconds, and a little.
    in_chunks = vector(chunk_seconds=20.0, stride_seconds=6.5)
    np.testing.assert_allclose(in_chunks, whole, atol=2e-5)
    if pool is None:  # heard as a whole, with nothing cut out of its attention
        published = vector(chunk_seconds=60.0, whole_seconds=60.0)
        with torch.no_grad():
            expected = reference(heard(waveform)).embeddings[0]
        assert_same(published, expected)


def test_frames_of_chunks_are_those_of_the_whole(speakers, babble):
    folder, _ = speakers
    waveform = np.concatenate([babble(RATE * 9, seed=seed) for seed in range(4)])
    embedder = load_embedder(folder, pool_name="none")
    whole, in_chunks = (
        Vectorizer(embedder, chunking=chunking).embed(in_memory(waveform))
        for chunking in (Chunking(60.0), Chunking(20.0, stride_seconds=6.5))
    )
    np.testing.assert_array_equal(whole.starts_seconds, in_chunks.starts_seconds)
    np.testing.assert_allclose(whole.vectors, in_chunks.vectors, atol=1e-4)


def test_silent_stretches_are_left_out(speakers, babble):
    folder, _ = speakers
    first, second = babble(RATE * 20), babble(RATE * 20, seed=1)
    waveform = np.concatenate([first, np.zeros(RATE * 40, np.float32), second])
    embedder = load_embedder(folder, pool_name="none")
    task = Vectorizer(embedder, chunking=Chunking(chunk_seconds=12.0))
    starts = task.embed(in_memory(waveform)).starts_seconds
    (gap,) = np.flatnonzero(np.diff(starts) > 1)
    assert starts[gap] < 40
    assert starts[gap + 1] > 40
    assert len(load_embedder(folder).pool().vectors()) == 0
    x_vector = Vectorizer(load_embedder(folder), chunking=Chunking(chunk_seconds=12.0))
    assert np.isfinite(x_vector.embed(in_memory(waveform)).vectors).all()


def test_channels_apart(speakers, babble):
    folder, _ = speakers
    one, other = babble(RATE), babble(RATE, seed=1)
    task = Vectorizer(load_embedder(folder))
    both = task.embed(in_memory(one, other))
    assert both.channels == (1, 2)
    for waveform, vector in zip((one, other), both.vectors, strict=True):
        np.testing.assert_allclose(task.embed(in_memory(waveform)).vectors[0], vector, atol=1e-6)
    silent = task.embed(in_memory(np.zeros_like(one), other))
    assert silent.channels == (2,)


def test_how_vectors_are_given_out(speakers, babble):
    folder, _ = speakers
    embedder = load_embedder(folder)
    plain = Vectorizer(embedder).embed(in_memory(babble(RATE))).vectors
    options = VectorOptions("float16", unit_length=True)
    given = Vectorizer(embedder, options).embed(in_memory(babble(RATE)))
    assert given.vectors.dtype == np.float16
    assert given.kind.unit_length
    np.testing.assert_allclose(given.vectors, plain / np.linalg.norm(plain), atol=1e-3)


def test_too_large_for_half_the_precision(speakers, babble):
    embedder = load_embedder(speakers[0])
    with torch.no_grad():
        embedder.model.feature_extractor.weight.mul_(1e6)
    task = Vectorizer(embedder, VectorOptions("float16"))
    with pytest.raises(AudioError, match="do not fit into float16; use --vector-dtype float32"):
        task.embed(in_memory(babble(RATE)), source="a.wav")


def test_frames_too_large_for_half_the_precision(speakers, babble):
    embedder = load_embedder(speakers[0], pool_name="none")
    with torch.no_grad():
        norm = embedder.model.encoder.layers[-1].final_layer_norm  # after which the output comes
        if embedder.model.config.do_stable_layer_norm:
            norm = embedder.model.encoder.layer_norm
        norm.weight.mul_(1e6)
    task = Vectorizer(embedder, VectorOptions("float16"))
    with pytest.raises(AudioError, match="do not fit into float16; use --vector-dtype float32"):
        task.embed(in_memory(babble(RATE)), source="a.wav")


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(0, np.float32), "no sound in it, and so no vector"),
        (np.zeros(RATE, np.float32), "nothing but digital silence, and so no vector"),
        (np.ones(4000, np.float32), "0.25 s of sound, which is too short for a vector; this"),
    ],
    ids=["empty", "silent", "short"],
)
def test_recordings_without_a_vector(speakers, waveform, message):
    task = Vectorizer(load_embedder(speakers[0]))
    with pytest.raises(AudioError) as caught:
        task.embed(in_memory(waveform), source="a.wav")
    assert str(caught.value).startswith(f"a.wav: {message}")


def test_the_shortest_recording_with_an_x_vector(speakers, babble):
    embedder = load_embedder(speakers[0])
    task = Vectorizer(embedder)
    n_samples = embedder.shortest_samples
    assert np.isfinite(task.embed(in_memory(babble(n_samples))).vectors).all()
    with pytest.raises(AudioError, match=r"needs 0\.3[0-9] s or more"):
        task.embed(in_memory(babble(n_samples - 1)))


@pytest.mark.parametrize("layer", ["4", "-5"])
def test_layers_that_are_not_there(speakers, layer):
    with pytest.raises(UsageError) as caught:
        load_embedder(speakers[0], layer=layer)
    assert str(caught.value) == (
        f"--layer {layer}: {speakers[0]} has 3 layers; choose 0 (what goes into the first) to 3, "
        f"or -1 to -4 from the end, or last"
    )


def test_the_models_own_threshold(tmp_path, speakers):
    assert load_embedder(speakers[0]).threshold is None
    save(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text()) | {"verification_threshold": 0.42}
    path.write_text(json.dumps(config))
    assert load_embedder(tmp_path).threshold == 0.42
    assert load_embedder(tmp_path, pool_name="mean").threshold is None


def test_a_checkpoint_without_its_head(tmp_path):
    save(tmp_path, "Model")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text()) | {"architectures": ["Wav2Vec2ForXVector"]}
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="no weights for the speaker head"):
        load_embedder(tmp_path)
