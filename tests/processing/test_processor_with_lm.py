"""Parity with the published processor, and what it does not promise: nothing leaks."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from w2v_cli.errors import CheckpointError, ModelNotFoundError
from w2v_cli.processing import (
    Wav2Vec2CTCTokenizer,
    Wav2Vec2DecoderWithLMOutput,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ProcessorWithLM,
)

pyctcdecode = pytest.importorskip("pyctcdecode")
kenlm = pytest.importorskip("kenlm")

HOTWORDS = ["SEA", "KNOW", "TOO"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, trigram_arpa, lm_alphabet):
    """A checkpoint's processor and language model, as the reference saves them."""
    folder = tmp_path_factory.mktemp("with_lm")
    vocab = tmp_path_factory.mktemp("vocab") / "vocab.json"
    vocab.write_text(json.dumps({token: i for i, token in enumerate(lm_alphabet)}))
    published = published_processor(vocab, build(lm_alphabet, trigram_arpa))
    published.save_pretrained(folder)
    return folder


def build(labels, arpa):
    return pyctcdecode.build_ctcdecoder(list(labels), str(arpa))


def published_processor(vocab, decoder):
    from transformers import Wav2Vec2CTCTokenizer as PublishedTokenizer
    from transformers import Wav2Vec2FeatureExtractor as PublishedExtractor
    from transformers import Wav2Vec2ProcessorWithLM as Published

    return Published(PublishedExtractor(), PublishedTokenizer(str(vocab)), decoder)


@pytest.fixture(scope="module")
def published(folder):
    from transformers import Wav2Vec2ProcessorWithLM as Published

    return Published.from_pretrained(str(folder))


@pytest.fixture
def processor(folder):
    processor = Wav2Vec2ProcessorWithLM.from_pretrained(folder)
    yield processor
    processor.close()


@pytest.fixture(scope="module")
def logits(heard_sentences):
    return [matrix for _, matrix in heard_sentences(9, seed=1, most_words=4)]


def assert_same(ours, theirs):
    assert ours.text == theirs.text
    assert np.allclose(ours.logit_score, theirs.logit_score, rtol=0, atol=1e-4)
    assert np.allclose(ours.lm_score, theirs.lm_score, rtol=0, atol=1e-4)
    assert ours.word_offsets == theirs.word_offsets


@pytest.mark.slow
def test_equals_the_published_one_on_500_matrices(processor, published, heard_sentences):
    batch = [matrix for _, matrix in heard_sentences(500, seed=2, most_words=3)]
    theirs = [published.decode(matrix, output_word_offsets=True) for matrix in batch]
    wrong = sum(
        " ".join(words) != out.text
        for (words, _), out in zip(heard_sentences(500, seed=2, most_words=3), theirs, strict=True)
    )
    assert 10 < wrong < 400  # neither too easy nor noise
    for n_processes in (None, 1, 2, 3):
        ours = processor.batch_decode(batch, num_processes=n_processes, output_word_offsets=True)
        for index, their in enumerate(theirs):
            one = Wav2Vec2DecoderWithLMOutput(*(field[index] for field in ours.to_tuple()))
            assert_same(one, their)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_width": 5},
        {"beam_prune_logp": -3.0, "token_min_logp": -2.0},
        {"alpha": 1.5, "beta": -1.0, "unk_score_offset": -3.0, "lm_score_boundary": False},
        {"hotwords": HOTWORDS, "hotword_weight": 4.0},
        {"hotwords": ["KNOW NO", "", "SEAS"]},
        {"n_best": 5},
    ],
    ids=str,
)
def test_options_mean_what_they_mean_there(folder, processor, logits, options):
    from transformers import Wav2Vec2ProcessorWithLM as Published

    published = Published.from_pretrained(str(folder))  # its options stay after a call
    for matrix in logits[:8]:
        theirs = published.decode(matrix, output_word_offsets=True, **options)
        assert_same(processor.decode(matrix, output_word_offsets=True, **options), theirs)


def test_names_of_inputs(processor, published):
    assert processor.model_input_names == published.model_input_names


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {"padding": True}),
        ((True,), {}),
        ((), {"padding": True, "text": ["SEE", "A SEA"]}),
        ((), {"padding": True, "return_attention_mask": True}),
    ],
)
def test_inputs_are_the_published_ones_whatever_the_tokenizer_says(
    folder, tmp_path, arguments, options
):
    """Its settings are no settings of the feature extractor, as they are without the model."""
    from transformers import Wav2Vec2ProcessorWithLM as Published

    again = shutil.copytree(folder, tmp_path / "m")
    config = json.loads((again / "tokenizer_config.json").read_text())
    config["return_attention_mask"] = False
    (again / "tokenizer_config.json").write_text(json.dumps(config))
    extractor = json.loads((again / "processor_config.json").read_text())
    extractor["feature_extractor"]["return_attention_mask"] = True
    (again / "processor_config.json").write_text(json.dumps(extractor))
    waveforms = [np.sin(np.arange(n, dtype=np.float32)) for n in (400, 300)]
    ours, theirs = (
        kind.from_pretrained(again)(
            waveforms, *arguments, sampling_rate=16000, return_tensors="np", **options
        )
        for kind in (Wav2Vec2ProcessorWithLM, Published)
    )
    assert list(ours) == list(theirs)
    assert "attention_mask" in ours
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)


def test_options_of_a_call_end_with_it(processor, logits):
    plain = processor.decode(logits[0], n_best=3)
    before = vars(processor.language_model).copy()
    processor.decode(
        logits[0], alpha=3.0, beta=9.0, unk_score_offset=-1.0, lm_score_boundary=False, beam_width=2
    )
    processor.batch_decode(logits[:2], alpha=3, beta=9, num_processes=2)
    with pytest.raises(ValueError, match="shape"):
        processor.decode(logits[0][:, :5], alpha=3.0)
    assert vars(processor.language_model) == before
    assert processor.decode(logits[0], n_best=3) == plain
    assert processor.batch_decode(logits[:1], n_best=3, num_processes=2).text == [plain.text]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("age", ["older", "newer"])
def test_any_pool_gives_the_same(folder, logits, method, age):
    if age == "older":
        pool = get_context(method).Pool(2)
        processor = Wav2Vec2ProcessorWithLM.from_pretrained(folder)
    else:
        processor = Wav2Vec2ProcessorWithLM.from_pretrained(folder)
        pool = get_context(method).Pool(2)
    with pool:
        ours = processor.batch_decode(logits, pool, alpha=0.9, output_word_offsets=True)
        again = processor.batch_decode(logits, pool, output_word_offsets=True)
    assert ours == processor.batch_decode(logits, alpha=0.9, output_word_offsets=True)
    assert again == processor.batch_decode(logits, output_word_offsets=True)


def test_threads_are_a_pool_too(processor, logits):
    with ThreadPoolExecutor(2) as pool:
        assert processor.batch_decode(logits, pool) == processor.batch_decode(logits)


def test_processes_are_kept_for_the_next_call(processor, logits):
    processor.batch_decode(logits[:2], num_processes=2)
    pids = processor._workers[2].worker_pids
    processor.batch_decode(logits[:2], num_processes=2)
    assert processor._workers[2].worker_pids == pids
    processor.batch_decode(logits[:2], num_processes=3)
    assert len(processor._workers[2].worker_pids) == 3
    processor.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_worker_changes_nothing(processor, logits):
    expected = processor.batch_decode(logits, output_word_offsets=True)
    processor.batch_decode(logits[:2], num_processes=2)
    workers = processor._workers[2]
    handle = workers.submit(logits, processor._options(None))
    os.kill(workers.worker_pids[0], signal.SIGKILL)
    assert [beams[0].text for beams in handle.result()] == expected.text
    ours = processor.batch_decode(logits, num_processes=2, output_word_offsets=True)
    assert ours == expected


def test_a_batch_is_padded_with_minus_100(processor, published, logits):
    longest = max(map(len, logits))
    batch = np.full((len(logits), longest, logits[0].shape[1]), -100.0, dtype=np.float32)
    for row, matrix in zip(batch, logits, strict=True):
        row[: len(matrix)] = matrix
    ours = processor.batch_decode(batch, output_word_offsets=True, n_best=2)
    unpadded = processor.batch_decode(logits, output_word_offsets=True, n_best=2)
    assert ours == unpadded
    with get_context("fork").Pool(1) as pool:
        theirs = published.batch_decode(batch, pool, output_word_offsets=True, n_best=2)
    assert ours.text == theirs.text
    assert ours.word_offsets == theirs.word_offsets


def test_logits_of_any_scale_are_log_softmaxed_and_probabilities_are_not(processor, logits):
    from scipy.special import log_softmax, softmax

    plain = processor.decode(logits[0].astype(np.float64))
    for same in (
        log_softmax(logits[0].astype(np.float64), axis=1),
        softmax(logits[0].astype(np.float64), axis=1),
        logits[0].astype(np.float64) + 17,
    ):
        other = processor.decode(same)
        assert other.text == plain.text
        assert other.lm_score == pytest.approx(plain.lm_score, abs=1e-6)
    # Rows that add up to 1 by chance are no probabilities; pyctcdecode takes them for such.
    shifted = logits[0].astype(np.float64)
    shifted += (1 - shifted.sum(axis=1, keepdims=True)) / shifted.shape[1]
    assert processor.decode(shifted).text == plain.text


def test_folders_go_both_ways(folder, processor, published, logits, tmp_path):
    from transformers import Wav2Vec2ProcessorWithLM as Published

    written = processor.save_pretrained(tmp_path / "ours")
    processor.save_pretrained(tmp_path / "ours")  # once more, over itself
    assert all(Path(path).is_file() for path in written)
    assert sorted(path.name for path in (tmp_path / "ours" / "language_model").iterdir()) == [
        "attrs.json",
        "trigram.arpa",
        "unigrams.txt",
    ]
    for file in ("alphabet.json", "language_model/attrs.json", "language_model/unigrams.txt"):
        assert (tmp_path / "ours" / file).read_text() == (folder / file).read_text()
    theirs = Published.from_pretrained(str(tmp_path / "ours"))
    ours = Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path / "ours")
    for matrix in logits[:6]:
        expected = published.decode(matrix, output_word_offsets=True)
        assert_same(ours.decode(matrix, output_word_offsets=True), expected)
        assert_same(theirs.decode(matrix, output_word_offsets=True), expected)


def test_weights_of_the_folder_can_be_replaced(folder):
    processor = Wav2Vec2ProcessorWithLM.from_pretrained(
        folder, alpha=5.0, beta=3.0, score_boundary=False, unk_score_offset=3
    )
    model = processor.language_model
    assert (model.alpha, model.beta, model.score_boundary, model.unk_score_offset) == (
        5.0, 3.0, False, 3)  # fmt: skip


def test_a_compressed_model_is_saved_as_the_reference_reads_it(tmp_path, trigram_arpa, lm_alphabet):
    import gzip

    from w2v_cli.checkpoint.decoder_files import save_decoder

    packed = tmp_path / "trigram.arpa.gz"
    packed.write_bytes(gzip.compress(trigram_arpa.read_bytes()))
    save_decoder(build(lm_alphabet, packed), tmp_path)
    packed.unlink()
    assert (tmp_path / "language_model" / "trigram.arpa").is_file()
    loaded = pyctcdecode.BeamSearchDecoderCTC.load_from_dir(str(tmp_path), "utf-8")
    assert loaded._language_model.order == 3


def test_a_token_that_the_alphabet_lacks_is_named(processor):
    tokenizer = processor.tokenizer
    tokenizer.add_tokens(["xx"])
    with pytest.raises(ValueError, match=r"include \{'xx'\}") as caught:
        Wav2Vec2ProcessorWithLM(processor.feature_extractor, tokenizer, processor.decoder)
    assert isinstance(caught.value, CheckpointError)


def test_other_decoders_are_refused(processor):
    with pytest.raises(TypeError, match="BeamSearchDecoderCTC"):
        Wav2Vec2ProcessorWithLM(processor.feature_extractor, processor.tokenizer, object())


def test_a_checkpoint_without_a_language_model_says_so(tmp_path, processor):
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    processor.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"alphabet\.json"):
        Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path)


def test_it_works_without_a_language_model(tmp_path, processor, lm_alphabet, logits):
    decoder = pyctcdecode.build_ctcdecoder(list(lm_alphabet))
    bare = Wav2Vec2ProcessorWithLM(processor.feature_extractor, processor.tokenizer, decoder)
    bare.save_pretrained(tmp_path)
    loaded = Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path)
    assert loaded.language_model is None
    assert isinstance(loaded.tokenizer, Wav2Vec2CTCTokenizer)
    expected = decoder.decode_beams(logits[0])[0]
    assert loaded.decode(logits[0], alpha=1.0).text == expected[0]
    assert loaded.batch_decode(logits[:3], num_processes=2) == loaded.batch_decode(logits[:3])


def test_an_output_is_a_mapping_and_a_tuple():
    output = Wav2Vec2DecoderWithLMOutput(text="A", logit_score=-1.0, lm_score=-2.0)
    assert list(output.keys()) == ["text", "logit_score", "lm_score"]
    assert output["text"] == output[0] == output.text
    assert output.word_offsets is None
    assert pickle.loads(pickle.dumps(output)) == output
