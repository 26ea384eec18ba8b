"""Adapters of languages: they alone are learnt, and their files are the published ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from w2v_cli import Wav2Vec2ForCTC, Wav2Vec2Processor
from w2v_cli.errors import UsageError
from w2v_cli.training.adapters import start_adapter
from w2v_cli.training.loop import Material, Trainer
from w2v_cli.training.options import TrainingOptions
from w2v_cli.training.sampler import Sampling
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice

VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEHILNORST"]
SHAPE = {
    "conv_dim": [32, 32, 48],
    "conv_kernel": [80, 8, 4],
    "conv_stride": [20, 4, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": len(VOCABULARY),
    "pad_token_id": 0,
}


def make_folder(folder, vocabulary, **changes):
    """Write a model of the reference's, with random weights, and the vocabulary."""
    torch.manual_seed(4)
    config = transformers.Wav2Vec2Config(**SHAPE | changes)
    model = transformers.Wav2Vec2ForCTC(config).eval()
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    return model


@pytest.fixture
def multilingual(tmp_path):
    """A folder like that of MMS: a language of its own, with its adapter."""
    folder = tmp_path / "multilingual"
    vocabulary = {"eng": {token: index for index, token in enumerate(VOCABULARY)}}
    model = make_folder(folder, vocabulary, adapter_attn_dim=8)
    adapter = {key: torch.randn_like(w) / 10 for key, w in model._get_adapters().items()}
    save_file(adapter, folder / "adapter.eng.safetensors", metadata={"format": "pt"})
    return folder


def learn(folder, spoken, output, language, *, steps=4, choice=None, rate=1e-2, **arguments):
    choice = choice or CTCChoice(normalizer="none")
    texts = [example.text for example in spoken]
    start = Start(str(folder), settings={"layerdrop": 0.0})
    model, objective = start_adapter(start, choice, texts, language, **arguments)
    options = TrainingOptions(learning_rate=rate, max_steps=steps, warmup_steps=0)
    options = replace(options, adapters_alone=objective.adapters_alone)
    material = Material(spoken, sampling=Sampling(batch_items=3))
    Trainer(model, objective, material, options, output).run()
    return model


def test_the_adapter_of_a_new_language_is_read_by_the_reference(multilingual, spoken, tmp_path):
    output = tmp_path / "run"
    model = learn(multilingual, spoken, output, "tst").eval()
    before, after = (load_file(f / "model.safetensors") for f in (multilingual, output))
    learnt = {name for name in after if name not in before or not same(after, before, name)}
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(multilingual)
    published = load_file(output / "adapter.tst.safetensors")
    assert published.keys() == reference._get_adapters().keys() == learnt
    vocabulary = json.loads((output / "vocab.json").read_text())
    letters = {letter for example in spoken for letter in example.text} - {" "}
    assert set(vocabulary) == {"tst"}
    assert set(vocabulary["tst"]) == {*VOCABULARY[:5], *letters}

    samples = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 4000))).float()
    with torch.no_grad():
        ours = model(samples).logits
        how = {"target_lang": "tst", "ignore_mismatched_sizes": True}
        theirs = transformers.Wav2Vec2ForCTC.from_pretrained(output, **how)
        torch.testing.assert_close(theirs.eval()(samples).logits, ours, rtol=0, atol=1e-5)
        # The file works beside the model that it was learnt with, too.
        (multilingual / "adapter.tst.safetensors").write_bytes(
            (output / "adapter.tst.safetensors").read_bytes()
        )
        reference.load_adapter("tst")
        torch.testing.assert_close(reference(samples).logits, ours, rtol=0, atol=1e-5)
        again = Wav2Vec2ForCTC.from_pretrained(output, target_lang="tst")
        assert torch.equal(again(samples).logits, ours)
    tokenizer = transformers.Wav2Vec2CTCTokenizer.from_pretrained(output, target_lang="tst")
    processor = Wav2Vec2Processor.from_pretrained(output, target_lang="tst")
    assert tokenizer("TEN").input_ids == processor.tokenizer("TEN").input_ids


def same(one, other, name):
    return one[name].shape == other[name].shape and torch.equal(one[name], other[name])


def test_a_known_language_goes_on_and_a_built_vocabulary_begins_anew(
    multilingual, spoken, tmp_path
):
    english = load_file(multilingual / "adapter.eng.safetensors")
    learn(multilingual, spoken, tmp_path / "on", "eng", steps=1, rate=0.0)
    kept = load_file(tmp_path / "on" / "adapter.eng.safetensors")
    assert all(torch.equal(kept[name], english[name]) for name in english)
    vocabulary = json.loads((tmp_path / "on" / "vocab.json").read_text())
    assert list(vocabulary["eng"]) == sorted(VOCABULARY)
    choice = CTCChoice(vocabulary="build", normalizer="none")
    learn(multilingual, spoken, tmp_path / "anew", "eng", steps=1, rate=0.0, choice=choice)
    fresh = load_file(tmp_path / "anew" / "adapter.eng.safetensors")
    assert not any(same(fresh, english, name) for name in english)


def test_adapters_are_added_to_a_network_without_any(spoken, tmp_path):
    folder, output = tmp_path / "plain", tmp_path / "run"
    make_folder(folder, {token: index for index, token in enumerate(VOCABULARY)})
    with pytest.raises(UsageError, match="has no adapters; add them with --adapter-attn-dim 16"):
        learn(folder, spoken, output, "tst")
    learn(folder, spoken, output, "tst", attn_dim=8)
    published = load_file(output / "adapter.tst.safetensors")
    assert published["wav2vec2.encoder.layers.1.adapter_layer.linear_1.weight"].shape == (8, 64)
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(output, target_lang="tst")
    assert published.keys() == reference._get_adapters().keys()


@pytest.mark.parametrize(
    ("changes", "language", "arguments", "message"),
    [
        ({"adapter_attn_dim": 8}, "tst", {"attn_dim": 16}, "have 8; leave it out"),
        ({"do_stable_layer_norm": False}, "tst", {"attn_dim": 8}, "have places for adapters"),
        ({"adapter_attn_dim": 8}, "../tst", {}, "needs letters, digits"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, spoken, changes, language, arguments, message):
    make_folder(tmp_path / "start", {"<pad>": 0, "A": 1}, **changes)
    with pytest.raises(UsageError, match=message):
        learn(tmp_path / "start", spoken, tmp_path / "run", language, **arguments)
