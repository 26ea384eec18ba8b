"""How `mini` learns from its teacher: what both hear, what is compared, what is averaged."""

from __future__ import annotations

import itertools

import librosa
import numpy as np
import pytest
import torch

from w2v_cli.models.mini.distil import (
    NEVER,
    PUPIL_HOP,
    Lessons,
    Pupil,
    among_possible,
    distillation_loss,
    place_for_both,
    word_scores,
)
from w2v_cli.models.mini.evaluate import LETTER_IDS, VOCABULARY
from w2v_cli.models.mini.examples import NO_WORD, WORDS, Batch, Item, collate
from w2v_cli.models.mini.network import ENCODER, MIDDLE, fresh_network
from w2v_cli.models.mini.recordings import Clip
from w2v_cli.models.mini.run import Recipe, Run
from w2v_cli.models.mini.teacher import (
    BAND_HZ,
    HEARD,
    HOP,
    N_BANDS,
    N_FFT,
    WINDOW,
    SpectrogramNetwork,
    place,
    teaching_loss,
    word_shares,
)

RATE = 16_000


@pytest.fixture
def pupil() -> Pupil:
    torch.manual_seed(0)
    return Pupil(fresh_network(noise(RATE)), SpectrogramNetwork(width=2))


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def test_its_spectrogram_is_that_of_librosa():
    waveform = noise(HEARD)
    ours = SpectrogramNetwork(width=2).spectrogram(torch.from_numpy(waveform)[None])[0]
    theirs = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=N_FFT, hop_length=HOP, win_length=WINDOW, pad_mode="reflect",
        n_mels=N_BANDS, fmin=BAND_HZ[0], fmax=BAND_HZ[1],
    )  # fmt: skip
    logs = np.log(theirs)
    assert np.allclose(ours.numpy(), (logs - logs.mean()) / 3, atol=1e-3)


def test_it_hears_masks_while_it_learns_alone():
    network, waveforms = SpectrogramNetwork(width=2), torch.from_numpy(noise(HEARD))[None]
    network.eval()
    assert torch.equal(network(waveforms).logits, network(waveforms).logits)
    assert network(waveforms).logits.shape == (1, len(WORDS) + 1)
    network.train()
    assert not torch.equal(network(waveforms).middle, network(waveforms).middle)


@pytest.mark.parametrize("samples", [1, 8_000, HEARD, HEARD + 1_000])
def test_places_are_of_one_length(samples):
    waveform = noise(samples)
    for rng in (None, np.random.default_rng(3)):
        placed = place(waveform, rng)
        assert len(placed) == HEARD
        inner = min(samples, HEARD)
        found = [np.array_equal(placed[i : i + inner], waveform[:inner]) for i in range(HEARD)]
        assert any(found) or samples > HEARD


@pytest.mark.parametrize("samples", [800, 7_999, 12_345, HEARD - 400])
def test_frames_of_both_have_the_same_middles(samples):
    placed, first = place_for_both(noise(samples))
    before = int(np.flatnonzero(placed)[0])
    assert len(placed) == HEARD
    assert before + MIDDLE == first * PUPIL_HOP
    kernels, strides = ENCODER["conv_kernel"], ENCODER["conv_stride"]
    field = 1 + sum((kernel - 1) * int(np.prod(strides[:i])) for i, kernel in enumerate(kernels))
    assert (field // 2, np.prod(strides)) == (MIDDLE, PUPIL_HOP)


def test_a_click_is_in_the_same_frame_for_both(pupil):
    """The pupil's convolutions and the teacher's first blocks answer it at the same time."""
    teacher = SpectrogramNetwork(width=2).eval()
    quiet = np.full(12_000, 1e-4, dtype=np.float32)
    click = quiet.copy()
    click[6_000:6_040] = 1
    placed = [torch.from_numpy(place_for_both(waveform)[0])[None] for waveform in (quiet, click)]
    first = place_for_both(click)[1]
    with torch.no_grad():
        seen = [teacher(waveforms).middle for waveforms in placed]
        heard = [
            pupil.network.wav2vec2.feature_extractor(torch.from_numpy(waveform)[None])
            for waveform in (quiet, click)
        ]
    theirs = (seen[0] - seen[1]).abs().sum((0, 1, 2))
    ours = (heard[0] - heard[1]).abs().sum((0, 1))
    middle = (theirs * torch.arange(len(theirs))).sum() / theirs.sum() - first
    assert abs(float(middle) - float(ours.argmax())) < 1.5


def test_scores_of_words_are_of_all_their_paths():
    torch.manual_seed(1)
    n_frames = torch.tensor([4, 3])
    logs = torch.randn(2, 4, len(VOCABULARY)).log_softmax(-1)
    scores = word_scores(logs, n_frames)
    assert scores.shape == (2, len(WORDS) + 1)
    for word in ("go", "no", "up", "on"):
        letters = [LETTER_IDS[letter] for letter in word]
        for row, length in enumerate(n_frames.tolist()):
            paths = (
                path
                for path in itertools.product([0, *letters], repeat=length)
                if [x for x, _ in itertools.groupby(path) if x] == letters
            )
            summed = sum(
                float(sum(logs[row, t, x] for t, x in enumerate(path)).exp()) for path in paths
            )
            assert float(scores[row, WORDS.index(word)]) == pytest.approx(np.log(summed), abs=1e-4)
    assert float(scores[1, NO_WORD]) == pytest.approx(float(logs[1, :3, 0].sum()), abs=1e-5)


def test_what_takes_more_frames_than_there_are_has_no_share():
    """CTC loses nothing on such a text, where it is told to pass over it: the best of scores."""
    logs = torch.zeros(1, 4, len(VOCABULARY)).log_softmax(-1)
    scores = word_scores(logs, torch.tensor([4]))
    possible = [word for word, score in zip(WORDS, scores[0], strict=False) if score > NEVER]
    fit = [word for word in WORDS if len(word) + sum(map(str.__eq__, word, word[1:])) <= 4]
    assert possible == fit
    assert "tree" not in fit
    shares = torch.full_like(scores, 1 / scores.shape[1])
    left = among_possible(shares, scores)
    assert float(left.sum()) == pytest.approx((len(fit) + 1) / scores.shape[1])


def lesson() -> Lessons:
    items = [
        Item(noise(n, n), (label,)) for n, label in ((9_000, 3), (16_000, NO_WORD), (12_000, -1))
    ]
    placed, starts = zip(*(place_for_both(item.waveform) for item in items), strict=True)
    joined = collate([Item(noise(9_000), (5, 6))])
    return Lessons(collate(items), torch.from_numpy(np.stack(placed)), torch.tensor(starts), joined)


def test_a_pupil_comes_nearer_to_its_teacher(pupil):
    torch.manual_seed(0)
    teacher, heard = SpectrogramNetwork(width=2).eval(), lesson()
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = distillation_loss(pupil, teacher, heard, hints=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.8
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert heard.seconds == heard.words.seconds + heard.joined.seconds


def test_padding_changes_nothing(pupil):
    """What lies behind the shorter waveforms is not compared."""
    pupil.eval()
    teacher, heard = SpectrogramNetwork(width=2).eval(), lesson()
    for _ in range(40):  # then the moments stand
        pupil.standardised("middle", teacher(heard.placed).middle)
        pupil.standardised("last", teacher(heard.placed).last)
    words = heard.words
    wider = Batch(
        torch.nn.functional.pad(words.input_values, (0, 3_200)),
        torch.nn.functional.pad(words.attention_mask, (0, 3_200)),
        words.labels,
    )
    with torch.no_grad():
        one = distillation_loss(pupil, teacher, heard, 1.0)
        other = distillation_loss(
            pupil, teacher, Lessons(wider, heard.placed, heard.starts, heard.joined), 1.0
        )
    assert float(one) == pytest.approx(float(other), rel=1e-4)


def test_its_classifier_is_a_network_of_its_own(pupil):
    """Of several lengths in a batch, as of each alone."""
    pupil.eval()
    heard = lesson().words
    states = [
        pupil.network.wav2vec2(values[: int(mask.sum())][None]).last_hidden_state
        for values, mask in zip(heard.input_values, heard.attention_mask, strict=True)
    ]
    expected = torch.cat([pupil.classifier(pupil.projector(s).mean(1)) for s in states])
    model = pupil.word_classifier()
    logits = model(heard.input_values, attention_mask=heard.attention_mask).logits
    assert torch.allclose(logits, expected, atol=1e-4)
    assert model.config.id2label[NO_WORD] == "_silence_"
    assert model.config.label2id["zero"] == len(WORDS) - 1


def test_shares_of_words_and_of_classes():
    texts = ["yes", "bird", "tree", "", "go"]
    clips = [Clip(noise(10), text, "", "commands", 0, 10) for text in texts]
    clips.append(Clip(noise(10), "two", "", "digits", 0, 10))
    heard = ["yes", "tree", "tree", "", "down", "two"]  # bird and tree are both unknown words
    logs = np.full((6, len(WORDS) + 1), -10.0, dtype=np.float32)
    for row, word in enumerate(heard):
        logs[row, WORDS.index(word) if word else NO_WORD] = 0
    shares = word_shares(logs, clips)
    assert shares["commands"] == pytest.approx(2 / 4)
    assert shares["commands_balanced"] == pytest.approx(2 / 4)
    assert shares["digits"] == 1
    assert shares["twelve_classes"] == pytest.approx(4 / 5)


def test_a_stage_averages_moments_and_goes_on_where_it_was(tmp_path):
    torch.manual_seed(0)
    recipe = Recipe(peak_rate=1e-3, warmup_share=0.1, batch_seconds=0, pool_items=0)
    run = Run("teacher", SpectrogramNetwork(width=2), recipe, tmp_path)
    batch = collate([Item(noise(HEARD, seed), (seed,)) for seed in range(4)])
    for _ in range(3):
        run.learn(teaching_loss(run.network, batch), 0.5)
    moments = run.average.state_dict()["stem.1.running_mean"]
    assert not torch.equal(moments, torch.zeros_like(moments))
    run.save()
    again = Run("teacher", SpectrogramNetwork(width=2), recipe, tmp_path)
    assert again.step == 3
    for name, value in run.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name
