"""Emissions: what comes out for every length, alone and in a batch, and which models fit."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from w2v_cli import (
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Processor,
)
from w2v_cli.errors import AudioError, CheckpointError, ModelError, UsageError
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.runtime import Runtime

RATE = 16000


@pytest.fixture(scope="module")
def emitter(ctc_folder_of_either_norm):
    return Emitter.load(ctc_folder_of_either_norm)


def greedy_ids(emissions):
    best = emissions.argmax(-1)
    changed = np.diff(best, prepend=-1) != 0
    return best[changed & (best != 0)].tolist()


def test_what_it_knows_of_itself(emitter):
    assert emitter.sample_rate == RATE
    assert emitter.hop_samples == 320
    assert emitter.receptive_field_samples == 400
    assert emitter.vocab_size == 16
    assert not emitter.model.training


def test_emissions_are_the_models_log_probabilities(ctc_folder_of_either_norm, babble):
    waveform = babble(8000)
    emissions = Emitter.load(ctc_folder_of_either_norm).emissions(waveform, sample_rate=RATE)

    model = Wav2Vec2ForCTC.from_pretrained(ctc_folder_of_either_norm)
    processor = Wav2Vec2Processor.from_pretrained(ctc_folder_of_either_norm)
    inputs = processor(waveform, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        expected = model(inputs.input_values).logits[0].log_softmax(-1)
    assert emissions.dtype == np.float32
    np.testing.assert_allclose(emissions, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("n_samples", [400, 719, 720, 721, 16000])
def test_frames(emitter, babble, n_samples):
    emissions = emitter.emissions(babble(n_samples), sample_rate=RATE)
    assert emissions.shape == ((n_samples - 400) // 320 + 1, 16)
    np.testing.assert_allclose(np.exp(emissions).sum(-1), 1, atol=1e-4)


def test_no_samples_no_frames(emitter):
    assert emitter.emissions(np.zeros(0, np.float32), sample_rate=RATE).shape == (0, 16)


@pytest.mark.parametrize("n_samples", [1, 160, 399])
def test_less_than_a_frame_is_padded_to_one(emitter, babble, n_samples):
    emissions = emitter.emissions(babble(n_samples), sample_rate=RATE)
    assert emissions.shape == (1, 16)
    assert np.isfinite(emissions).all()


def test_silence_is_finite(emitter):
    assert np.isfinite(emitter.emissions(np.zeros(16000, np.float32), sample_rate=RATE)).all()


def test_a_batch_gives_what_singles_give(emitter, babble):
    waveforms = [babble(n, seed=n) for n in (16000, 0, 5000, 40000, 100, 16000)]
    singles = [emitter.emissions(waveform, sample_rate=RATE) for waveform in waveforms]
    texts = [greedy_ids(emissions) for emissions in singles]
    assert len(texts[0]) > 3  # the comparison is worth something
    batch = emitter.batch_emissions(waveforms, sample_rate=RATE)
    for alone, together in zip(singles, batch, strict=True):
        np.testing.assert_allclose(together, alone, atol=1e-4)
    assert [greedy_ids(emissions) for emissions in batch] == texts
    pair = emitter.batch_emissions([waveforms[2], waveforms[3]], sample_rate=RATE)
    np.testing.assert_allclose(pair[0], singles[2], atol=1e-4)


def test_another_sample_rate_is_refused(emitter, babble):
    with pytest.raises(AudioError, match="hears 16000 Hz and was given 8000 Hz; resample"):
        emitter.emissions(babble(8000), sample_rate=8000)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_about_the_same(ctc_folder, babble, dtype):
    exact = Emitter.load(ctc_folder).emissions(babble(16000), sample_rate=RATE)
    half = Emitter.load(ctc_folder, runtime=Runtime(dtype=dtype))
    assert half.precision == dtype
    emissions = half.emissions(babble(16000), sample_rate=RATE)
    assert emissions.dtype == np.float32
    assert np.abs(np.exp(emissions) - np.exp(exact)).mean() < 0.01


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [("bfloat16", "use --dtype float32"), ("float32", "its weights or the recording are broken")],
)
def test_no_text_is_made_of_what_is_not_a_number(ctc_folder, babble, dtype, advice):
    emitter = Emitter.load(ctc_folder, runtime=Runtime(dtype=dtype))
    with torch.no_grad():
        emitter.model.wav2vec2.feature_projection.layer_norm.bias[3] = torch.nan
    with pytest.raises(AudioError, match=f"gave what is not a number; {advice}$"):
        emitter.emissions(babble(8000), sample_rate=RATE)


@pytest.mark.parametrize("is_narrow", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_form_that_runs_is_said(ctc_folder, monkeypatch, dtype, is_narrow):
    monkeypatch.setattr("w2v_cli.inference.form.build.multiplies_bfloat16", lambda: is_narrow)
    emitter = Emitter.load(ctc_folder, runtime=Runtime(device="cpu", dtype=dtype))
    form = f"as trained: it calculates in {dtype}"
    if dtype == "float32" or (dtype == "bfloat16" and is_narrow):
        form = "in the form for inference"
    assert f" on cpu, {dtype}, " in emitter.description
    assert emitter.description.endswith(form)


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_attention_is_the_one_asked_for(ctc_folder, babble, attn):
    emitter = Emitter.load(ctc_folder, runtime=Runtime(device="cpu", attn=attn))
    assert attn in emitter.description
    exact = Emitter.load(ctc_folder).emissions(babble(9000), sample_rate=RATE)
    np.testing.assert_allclose(emitter.emissions(babble(9000), sample_rate=RATE), exact, atol=1e-4)


def test_another_head_is_refused(tmp_path, ctc_folder):
    model = Wav2Vec2ForSequenceClassification.from_pretrained(ctc_folder)
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError) as caught:
        Emitter.load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: this model (Wav2Vec2ForSequenceClassification) labels whole recordings and "
        "writes no text; transcribe needs a Wav2Vec2ForCTC model, for instance --model mini"
    )


def test_a_language_for_a_model_of_one_is_refused(ctc_folder):
    with pytest.raises(UsageError, match=r"--lang fra: .* has no language adapters; leave it out"):
        Emitter.load(ctc_folder, target_lang="fra")


@pytest.fixture(scope="module")
def multilingual_folder(tmp_path_factory, save_ctc_model):
    """A model like MMS: a vocabulary and an adapter for each language, English at first."""
    folder = save_ctc_model(tmp_path_factory.mktemp("mms"), adapter_attn_dim=4)
    vocab = json.loads((folder / "vocab.json").read_text())
    languages = {"eng": vocab, "fra": vocab | {"É": 16, "È": 17}}
    (folder / "vocab.json").write_text(json.dumps(languages))
    tokenizer = Wav2Vec2CTCTokenizer(folder / "vocab.json", target_lang="eng")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)

    english = Wav2Vec2ForCTC.from_pretrained(folder)
    french = Wav2Vec2ForCTC.from_pretrained(folder, vocab_size=18, ignore_mismatched_sizes=True)
    french.init_adapter_layers()
    for language, model in (("eng", english), ("fra", french)):
        weights = {key: weight.detach() for key, weight in model._get_adapters().items()}
        save_file(weights, folder / f"adapter.{language}.safetensors")
    return folder


def test_languages(multilingual_folder, babble):
    default = Emitter.load(multilingual_folder)
    english = Emitter.load(multilingual_folder, target_lang="eng")
    french = Emitter.load(multilingual_folder, target_lang="fra")
    assert (default.vocab_size, english.vocab_size, french.vocab_size) == (16, 16, 18)
    assert french.processor.tokenizer.convert_ids_to_tokens(16) == "É"
    heard = english.emissions(babble(8000), sample_rate=RATE)
    np.testing.assert_array_equal(heard, default.emissions(babble(8000), sample_rate=RATE))
    assert french.emissions(babble(8000), sample_rate=RATE).shape == (24, 18)


def test_a_language_it_does_not_have(multilingual_folder):
    with pytest.raises(UsageError) as caught:
        Emitter.load(multilingual_folder, target_lang="deu")
    assert str(caught.value) == (
        f"--lang deu: {multilingual_folder}: deu does not exist. Choose one of eng, fra."
    )


def copied(source, target, **config_changes):
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | config_changes))
    return target


def test_a_headless_checkpoint_is_refused(tmp_path, ctc_folder):
    folder = copied(ctc_folder, tmp_path, architectures=None)
    base = Wav2Vec2ForCTC.from_pretrained(ctc_folder).wav2vec2
    base.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": None}))
    with pytest.raises(CheckpointError, match="no weights for the CTC head"):
        Emitter.load(folder)


@pytest.mark.parametrize("n_tokens", [12, 20])
def test_another_models_vocabulary_is_refused(tmp_path, ctc_folder, n_tokens):
    folder = copied(ctc_folder, tmp_path)
    vocab = json.loads((folder / "vocab.json").read_text())
    tokens = [*vocab, "W", "Y", "M", "C"][:n_tokens]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    with pytest.raises(CheckpointError, match=r"16 outputs and the tokenizer \d+ tokens"):
        Emitter.load(folder)


def test_added_tokens_beyond_the_outputs_are_harmless(tmp_path, ctc_folder, babble):
    folder = copied(ctc_folder, tmp_path)
    vocab = json.loads((folder / "vocab.json").read_text())
    processor = Wav2Vec2Processor.from_pretrained(folder)
    processor.tokenizer.add_tokens(["<laughter>"])
    emitter = Emitter("changed", Wav2Vec2ForCTC.from_pretrained(folder), processor)
    assert emitter.vocab_size == len(vocab)


OUT_OF_MEMORY = """
import resource, sys
import numpy as np
from w2v_cli.errors import AudioError
from w2v_cli.inference.emitter import Emitter
emitter = Emitter.load(sys.argv[1])
emitter.emissions(np.ones(16000, np.float32), sample_rate=16000)
values = emitter.normalised(np.ones(16_000_000, np.float32))
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    emitter.hear([values])
except AudioError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS") or sys.platform != "linux", reason="Linux")
def test_too_long_for_the_memory_is_said(ctc_folder):
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, ctc_folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == (
        "1000 s of audio do not fit into the memory of cpu; read it in parts with --start and "
        "--end\n"
    ), done.stderr
