"""Print how well a CTC checkpoint of command words does on the dev recordings.

    python -m w2v_cli.models.mini.evaluate FOLDER --data DATA

Single words are clips as recorded, a second long, and right only when the whole transcript is
that one word. Sequences are one to five dev words joined with a fixed seed. The lexicon in the
checkpoint decides what can be written, as in `w2v transcribe`; --greedy leaves it out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli import (
    Wav2Vec2CTCTokenizer,
    Wav2Vec2ForCTC,
    Wav2Vec2PreTrainedModel,
)
from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.checkpoint.lexicons import own_lexicon
from w2v_cli.decoding import Alphabet
from w2v_cli.decoding.lexicon import LexiconDecoder
from w2v_cli.model.features import edge_samples
from w2v_cli.models.mini.noises import Noises, tones
from w2v_cli.models.mini.recordings import (
    Clip,
    ClipSampler,
    Waveform,
    cut_word,
    join,
    load_clips,
)
from w2v_cli.training.augmentation import (
    coloured_noise,
    filter_and_resample,
    made_room,
    reverberate,
    unit_power,
)
from w2v_cli.training.risk import word_errors

VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]
BLANK_ID = 0
SEED = 7
SEQUENCES = 200
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def normalise(waveform: Waveform) -> Waveform:
    """Return the waveform with zero mean and unit variance, as the feature extractor does."""
    centred = waveform - waveform.mean()
    normalised: Waveform = (centred / np.sqrt(centred.var() + 1e-7)).astype(np.float32)
    return normalised


Decode = Callable[[npt.NDArray[np.float32]], str]
"""What makes a text of logits, (frames, letters)."""


def read_greedily(logits: npt.NDArray[np.float32]) -> str:
    """Return the text of the best letters."""
    best = logits.argmax(-1).tolist()
    letters = [VOCABULARY[token] for token, _ in groupby(best) if token != BLANK_ID]
    return " ".join("".join(letters).replace("|", " ").split())


def read_with_lexicon(folder: Path) -> Decode:
    """Return what reads logits with a checkpoint's lexicon; greedily, if it has none."""
    words = own_lexicon(folder)
    if words is None:
        return read_greedily
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    decoder = LexiconDecoder(Alphabet.from_tokenizer(tokenizer), words)
    return lambda logits: decoder.decode(logits).text


def transcribe(
    network: Wav2Vec2PreTrainedModel, waveforms: Sequence[Waveform], decode: Decode = read_greedily
) -> list[str]:
    """Return the transcript of every waveform, each heard alone, as `w2v transcribe` does."""
    texts = []
    for waveform in waveforms:
        values = torch.from_numpy(normalise(waveform))[None]
        with torch.inference_mode():
            texts.append(decode(network(values).logits[0].numpy()))
    return texts


def word_error_rate(
    network: Wav2Vec2PreTrainedModel, items: Sequence[tuple[Waveform, str]], decode: Decode
) -> float:
    """Return errors per word said."""
    texts = transcribe(network, [waveform for waveform, _ in items], decode)
    pairs = [(said.split(), text.split()) for (_, said), text in zip(items, texts, strict=True)]
    return sum(word_errors(*pair) for pair in pairs) / sum(len(said) for said, _ in pairs)


def sequences(clips: Sequence[Clip]) -> list[tuple[Waveform, str]]:
    """Return joined words of the clips, equally loud, with gaps of 0.05 to 0.5 seconds."""
    rng = np.random.default_rng(SEED)
    sampler = ClipSampler(clips)
    items = []
    for number in range(SEQUENCES):
        chosen = sampler.draw_many(number % 5 + 1, rng)
        pieces = [unit_power(cut_word(clip, 0.1, 0.15)) for clip in chosen]
        gaps = rng.uniform(0.05, 0.5, len(chosen) + 1)
        items.append((join(pieces, list(gaps)), " ".join(clip.text for clip in chosen)))
    return items


def spoil(
    items: Sequence[tuple[Waveform, str]], how: str, noises: Noises
) -> list[tuple[Waveform, str]]:
    """Return the items with 10 dB of noise, over the telephone, or from a room."""
    rng = np.random.default_rng(SEED)
    spoilt = []
    for waveform, text in items:
        if how == "noise":
            power = float(np.sqrt(np.mean(np.square(waveform)))) * 10 ** (-10 / 20)
            waveform = waveform + noises.draw(len(waveform), rng) * power
        elif how == "telephone":
            waveform = filter_and_resample(waveform, rng, low_pass=3400, high_pass=300)
        else:
            waveform = reverberate(waveform, made_room(rng))
        spoilt.append((waveform, text))
    return spoilt


def speechless(silences: Sequence[Clip]) -> dict[str, list[Waveform]]:
    """Return recordings without a word, by kind."""
    rng = np.random.default_rng(SEED)
    samples = 3 * SAMPLE_RATE
    return {
        "recorded": [clip.waveform for clip in silences],
        "zeros": [np.zeros(samples, dtype=np.float32)],
        "noise": [coloured_noise(samples, slope, rng) for slope in (0, 0.5, 1, 1.5, 2) * 4],
        "tones": [tones(samples, rng) for _ in range(20)],
    }


def evaluate(
    network: Wav2Vec2PreTrainedModel,
    data: Path,
    cache: Path,
    *,
    decode: Decode = read_greedily,
    spoilt: bool = False,
    words: bool = False,
) -> dict[str, float]:
    """Return the dev figures by name: shares of 1, and word error rates.

    Args:
        network: with a CTC head.
        data: folder of the corpora.
        cache: folder of decoded audio.
        decode: what makes texts of its logits.
        spoilt: also sequences in noise, over the telephone and in a room.
        words: also every single word's share.
    """
    network.eval()
    network.edge_samples = edge_samples(network.config)
    commands = load_clips(data, "commands", "dev", cache)
    digits = load_clips(data, "digits", "dev", cache)
    right: dict[str, dict[str, list[bool]]] = {
        "commands": defaultdict(list),
        "digits": defaultdict(list),
    }
    spoken = [clip for clip in commands + digits if clip.text]
    texts = transcribe(network, [clip.waveform for clip in spoken], decode)
    for clip, text in zip(spoken, texts, strict=True):
        right[clip.corpus][clip.text].append(text == clip.text)
    figures = {}
    for corpus, by_word in right.items():
        every = [ok for word in by_word.values() for ok in word]
        figures[f"{corpus}_accuracy"] = float(np.mean(every))
        figures[f"{corpus}_clips"] = len(every)
    by_word = right["commands"]
    figures["commands_balanced"] = float(np.mean([np.mean(word) for word in by_word.values()]))
    joined = sequences(spoken)
    figures["sequence_wer"] = word_error_rate(network, joined, decode)
    figures["sequence_words"] = sum(len(text.split()) for _, text in joined)
    digits_of_strangers = sequences([clip for clip in commands if clip.text in DIGITS])
    figures["digit_sequence_wer"] = word_error_rate(network, digits_of_strangers, decode)
    silences = [clip for clip in commands if not clip.text]
    for kind, waveforms in speechless(silences).items():
        texts = transcribe(network, waveforms, decode)
        figures[f"empty_{kind}"] = float(np.mean([text == "" for text in texts]))
    if spoilt:
        noises = Noises(silences, np.random.default_rng(SEED))
        for how in ("noise", "telephone", "room"):
            spoilt_items = spoil(joined, how, noises)
            figures[f"sequence_wer_{how}"] = word_error_rate(network, spoilt_items, decode)
    if words:
        figures |= {f"word_{word}": float(np.mean(by_word[word])) for word in sorted(by_word)}
    return figures


def main() -> None:
    """Print the figures of the checkpoint the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="checkpoint to look at")
    parser.add_argument("--data", type=Path, required=True, help="folder of the speech corpora")
    parser.add_argument("--cache", type=Path, required=True, help="folder of decoded audio")
    parser.add_argument("--words", action="store_true", help="every word's share too")
    parser.add_argument("--greedy", action="store_true", help="leave out the lexicon")
    options = parser.parse_args()
    decode = read_greedily if options.greedy else read_with_lexicon(options.folder)
    network = Wav2Vec2ForCTC.from_pretrained(options.folder)
    figures = evaluate(
        network, options.data, options.cache, decode=decode, spoilt=True, words=options.words
    )
    for name, value in figures.items():
        print(f"{name:24} {value:.4g}")


if __name__ == "__main__":
    main()
