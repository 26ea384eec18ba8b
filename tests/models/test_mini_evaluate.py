from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.audio import read_waveforms
from w2v_cli.models.mini.evaluate import (
    SEQUENCES,
    VOCABULARY,
    evaluate,
    read_greedily,
    read_with_lexicon,
    sequences,
)
from w2v_cli.models.mini.noises import Noises
from w2v_cli.models.mini.recordings import Clip, cut_word, join

RATE = 16_000
RECORDINGS = Path(__file__).parents[1] / "data"
MINI = Path(__file__).parents[2] / "w2v_cli/models/mini"


def clip(text: str, seed: int = 0, speaker: str = "") -> Clip:
    """Half a second of noise in the middle of a quiet one."""
    waveform = 1e-3 * np.random.default_rng(seed).standard_normal(RATE).astype(np.float32)
    waveform[4_000:12_000] *= 100
    return Clip(waveform, text, speaker, "commands", 4_000, 12_000)


def test_sequences_are_the_same_each_time_and_of_one_to_five_words():
    clips = [clip(word, seed, speaker="a") for seed, word in enumerate(["yes", "no", "up", "up"])]
    first, second = sequences(clips), sequences(clips)
    assert len(first) == SEQUENCES
    assert {len(text.split()) for _, text in first} == {1, 2, 3, 4, 5}
    for (one, text), (other, again) in zip(first, second, strict=True):
        assert text == again
        assert np.array_equal(one, other)


def test_words_are_cut_and_joined_with_their_gaps():
    piece = cut_word(clip("yes"), 0.1, 0.15)
    assert len(piece) == 8_000 + 1_600 + 2_400
    joined = join([piece, piece], [0.5, 0.25, 0.125])
    assert len(joined) == 2 * len(piece) + 8_000 + 4_000 + 2_000
    assert not joined[:8_000].any()
    assert np.array_equal(joined[8_000 : 8_000 + len(piece)], piece)


def test_noises_have_unit_power():
    rng = np.random.default_rng(3)
    noises = Noises([clip("")], rng)
    for n_samples in (1_000, 2 * RATE):
        for _ in range(5):
            drawn = noises.draw(n_samples, rng)
            assert len(drawn) == n_samples
            assert np.square(drawn).mean() == pytest.approx(1, rel=1e-3)


def test_the_best_letters_are_read():
    letters = ["<pad>", "n", "n", "<pad>", "o", "|", "|", "u", "<pad>", "p", "|"]
    logits = np.eye(len(VOCABULARY), dtype=np.float32)[[VOCABULARY.index(x) for x in letters]]
    assert read_greedily(logits) == "no up"


def test_a_corpus_is_measured(tmp_path):
    """Recordings that `mini` hears rightly, one that is said to be another, and a quiet one."""
    silence = 1e-3 * np.random.default_rng(0).standard_normal(RATE)
    said = {"commands": ["", "happy", "stop", "three", "seven", "two"], "digits": ["seven"]}
    for corpus, words in said.items():
        (tmp_path / corpus).mkdir()
        rows = []
        for word in words:
            waveform = silence
            if word:
                name = "sheila" if word == "two" else word
                waveform = read_waveforms(RECORDINGS / f"{name}.opus").channels[0]
            soundfile.write(tmp_path / corpus / f"{word}-.wav", waveform, RATE)
            row = {"audio_filepath": f"{word}-.wav", "text": word, "speaker": "a", "split": "dev"}
            rows.append(json.dumps(row))
        (tmp_path / corpus / "manifest.jsonl").write_text("\n".join(rows) + "\n")
    model = Wav2Vec2ForCTC.from_pretrained("mini")
    decode = read_with_lexicon(MINI)
    figures = evaluate(model, tmp_path, tmp_path / "cache", decode=decode, words=True)
    assert figures["commands_accuracy"] == 4 / 5
    assert figures["commands_balanced"] == 4 / 5
    assert figures["word_two"] == 0
    assert figures["digits_accuracy"] == figures["empty_zeros"] == figures["empty_recorded"] == 1
    assert 0.1 < figures["sequence_wer"] < 0.3  # a word in six is said to be another
    assert 0.2 < figures["digit_sequence_wer"] < 0.5  # and one in three
