"""What tests of several rooms share: small models with random weights, made anew each run."""

import json

import numpy as np
import pytest

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDL"]


def save_ctc_model(folder, *, norm="layer", **overrides):
    """Write a CTC model with random weights, and its processor, into a folder.

    Its convolutions are the published ones, so that a frame sees 400 samples and hops 320.
    """
    import torch

    from w2v_cli import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    settings = {
        "vocab_size": len(LETTERS),
        "pad_token_id": 0,
        "conv_dim": (16,) * 7,
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        # Random heads are shy: larger weights let the words change with the sound.
        "initializer_range": 0.6,
    }
    torch.manual_seed(20)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**settings | overrides))
    model.save_pretrained(folder)
    vocab_file = folder / "vocab.json"
    vocab_file.write_text(json.dumps({token: index for index, token in enumerate(LETTERS)}))
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
    Wav2Vec2Processor(extractor, Wav2Vec2CTCTokenizer(vocab_file)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", name="save_ctc_model")
def _save_ctc_model():
    return save_ctc_model


@pytest.fixture(scope="session", params=["group", "layer"])
def ctc_folder_of_either_norm(request, tmp_path_factory):
    """A small CTC model's folder: once with group norm, once with layer norm."""
    return save_ctc_model(tmp_path_factory.mktemp(request.param), norm=request.param)


@pytest.fixture(scope="session")
def ctc_folder(tmp_path_factory):
    """A small CTC model's folder."""
    return save_ctc_model(tmp_path_factory.mktemp("ctc"))


def save_label_model(folder, *, norm="layer", labels=6, **overrides):
    """Write a model with random weights that labels recordings, and its feature extractor."""
    import torch

    from w2v_cli import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
    )

    settings = {
        "conv_dim": (16,) * 7,
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "classifier_proj_size": 24,
        "initializer_range": 0.25,
        "id2label": {index: f"word{index}" for index in range(labels)},
        "label2id": {f"word{index}": index for index in range(labels)},
    }
    torch.manual_seed(20)
    model = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(**settings | overrides))
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", name="save_label_model")
def _save_label_model():
    return save_label_model


@pytest.fixture(scope="session")
def label_folder(tmp_path_factory):
    """A small model's folder that labels recordings."""
    return save_label_model(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="session")
def babble():
    """Sound with something going on in it, by its length in samples: (samples,) float32."""

    def make(n_samples, *, seed=0):
        random = np.random.default_rng(seed)
        seconds = np.arange(n_samples) / 16000
        loudness = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * seconds + random.uniform(0, 6))
        tone = np.sin(2 * np.pi * (200 + 400 * random.random()) * seconds)
        noise = random.normal(size=n_samples)
        return (0.2 * loudness * (tone + 0.3 * noise)).astype(np.float32)

    return make


# Some words sound alike, so that a language model has something to decide.
SPOKEN_WORDS = (
    (
        "the a to two too of and in is it that he was for on are as with his they at be "
        "this have from or one won had by word but not what all were we when your can "
        "said there their use an each which she do how if will up other about out many "
        "then them these so some her would make like him into time has look more write "
        "right go see sea number no know way could people my than first water been call "
        "who oil its now find long down day did get come made may part"
    )
    .upper()
    .split()
)
LM_ALPHABET = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVKXJQZ'"]


def spoken_sentence(rng, n_words):
    """Return words in which some follow others more often, as in speech."""
    words = [SPOKEN_WORDS[rng.integers(len(SPOKEN_WORDS))]]
    while len(words) < n_words:
        last = SPOKEN_WORDS.index(words[-1])
        likely = (last * 7 + int(rng.integers(3))) % len(SPOKEN_WORDS)
        words.append(
            SPOKEN_WORDS[likely if rng.random() < 0.8 else rng.integers(len(SPOKEN_WORDS))]
        )
    return words


def simulated_logits(rng, words, noise=1.5):
    """Return logits of a network that has heard some words, and not well: (frames, vocab).

    It spikes for a frame or two at each letter, and now and then at another one's.
    """
    rows = []

    def add(token, strength, count):
        for _ in range(count):
            row = rng.normal(0, noise, len(LM_ALPHABET))
            row[1:4] -= 8  # special tokens are hardly ever said
            row[LM_ALPHABET.index(token)] += strength
            rows.append(row)

    add("<pad>", 9, int(rng.integers(2, 6)))
    for word in words:
        for letter in word:
            heard = letter if rng.random() > 0.1 else LM_ALPHABET[rng.integers(5, 25)]
            add(heard, rng.uniform(2, 9), 1 + int(rng.random() < 0.3))
            add("<pad>", rng.uniform(4, 9), int(rng.integers(0, 3)) + (letter == heard))
        add("|", rng.uniform(3, 9), 1)
        add("<pad>", 8, int(rng.integers(0, 4)))
    return np.array(rows, dtype=np.float32)


def write_trigram_arpa(path, sentences):
    """Write a trigram model of sentences: maximum likelihood, and a fixed cost to back off."""
    from collections import Counter
    from math import log10

    counts = [Counter() for _ in range(3)]
    for words in sentences:
        marked = ["<s>", *words, "</s>"]
        for order in (1, 2, 3):
            counts[order - 1].update(
                tuple(marked[i : i + order]) for i in range(len(marked) - order + 1)
            )
    n_words = sum(n for gram, n in counts[0].items() if gram != ("<s>",))
    lines = ["\\data\\", f"ngram 1={len(counts[0]) + 1}"]
    lines += [f"ngram {order}={len(counts[order - 1])}" for order in (2, 3)]
    lines += ["", "\\1-grams:", "-4\t<unk>\t0"]
    for order, grams in enumerate(counts, start=1):
        if order > 1:
            lines += ["", f"\\{order}-grams:"]
        for gram, n in sorted(grams.items()):
            total = n_words if order == 1 else counts[order - 2][gram[:-1]]
            score = -99.0 if gram == ("<s>",) else log10(0.8 * n / total)
            lines.append(f"{score:.6f}\t{' '.join(gram)}" + ("\t-0.6" if order < 3 else ""))
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trigram_arpa(tmp_path_factory):
    """An ARPA file of made-up English."""
    rng = np.random.default_rng(3)
    sentences = [spoken_sentence(rng, int(rng.integers(3, 12))) for _ in range(800)]
    return write_trigram_arpa(tmp_path_factory.mktemp("lm") / "trigram.arpa", sentences)


@pytest.fixture(scope="session")
def heard_sentences():
    """A function that returns so many (words, logits) of a network that hears badly."""

    def hear(count, *, seed=0, most_words=6):
        rng = np.random.default_rng(seed)
        spoken = [spoken_sentence(rng, int(rng.integers(1, most_words + 1))) for _ in range(count)]
        return [(words, simulated_logits(rng, words)) for words in spoken]

    return hear


@pytest.fixture(scope="session")
def lm_alphabet():
    """The vocabulary of `heard_sentences`: letters in upper case, as most published models'."""
    return list(LM_ALPHABET)
