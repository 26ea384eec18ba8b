"""What `mini` learns from its teacher beside what it learns from texts (Hinton et al. 2015).

The teacher hears what the pupil hears: words, two words at once, and stretches of sentences, which
nobody has said a word for. The pupil learns the teacher's shares of the words, by the CTC scores of
their letters and by a classifier on its last layer; and what the teacher's blocks make of every
frame, from its own layers (hints, Romero et al. 2015). Sequences of words it learns from texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification
from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.augmentation import change_surroundings, change_voice
from w2v_cli.models.mini.evaluate import BLANK_ID, LETTER_IDS, normalise
from w2v_cli.models.mini.examples import (
    NO_WORD,
    WORDS,
    Batch,
    Composer,
    Item,
    collate,
    draw_speed,
)
from w2v_cli.models.mini.network import MIDDLE
from w2v_cli.models.mini.recordings import Waveform
from w2v_cli.models.mini.teacher import HEARD, N_BANDS, SpectrogramNetwork, place
from w2v_cli.training.augmentation import fade, unit_power
from w2v_cli.training.bands import plain_state
from w2v_cli.training.texts import frames_needed

PUPIL_HOP = 320
"""Samples from frame to frame of the pupil, as from one of the teacher's in the middle."""

LONGEST = HEARD - 400
WORDS_AT_ONCE = 48
SHARES = {"none": 0.04, "word": 0.56, "two": 0.18, "sentence": 0.22}
NOBODY_KNOWS = -1
NO_WORD_LABEL = "_silence_"

SHARPNESS = 0.5
"""The pupil's scores of words are log probabilities of all of their paths, times this."""

TRUTH = 0.3
"""The share of a target that is the word that was said; the rest are the teacher's shares."""

SMOOTHING = 0.05
NEVER = -1e4
"""The score of a word that takes more letters than there are frames."""

CTC_SHARE = 0.3
HINTS = {"front": "middle", "first": "middle", "last": "last"}
"""Which of the teacher's images the pupil's convolutions, first layer and last one tell."""

MOMENT_BATCHES = 40
LAST_STRIDE = 4


@dataclass(frozen=True)
class Lessons:
    """What a step learns from.

    Attributes:
        words: Single words and other things as the pupil hears them, labels as `WORDS` has them.
        placed: The same as the teacher hears them, (batch, `HEARD`).
        starts: Which of the teacher's frames, 50 a second, the pupil's first one is, (batch,).
        joined: Several words in a row, labels their letters.
    """

    words: Batch
    placed: torch.Tensor
    starts: torch.Tensor
    joined: Batch

    @property
    def seconds(self) -> float:
        """How much audio it is."""
        return self.words.seconds + self.joined.seconds


def something_to_tell(composer: Composer, rng: np.random.Generator) -> Item:
    """Return something that the teacher has a view of, with its word where one was said."""
    kind = rng.choice(list(SHARES), p=list(SHARES.values()))
    if kind == "none":
        return Item(composer.no_word(rng, rng.uniform(0.5, 1.2))[:LONGEST], (NO_WORD,))
    label = NOBODY_KNOWS
    if kind == "word":
        waveform, label = a_word(composer, rng)
    elif kind == "two":
        waveform = two_at_once(composer, rng)
    else:
        sentence = composer.speech[rng.integers(len(composer.speech))].waveform
        length = round(rng.uniform(0.5, 1.2) * SAMPLE_RATE)
        start = rng.integers(max(1, len(sentence) - length))
        speed = draw_speed(rng, composer.strength)
        waveform = fade(sentence[start : start + length])
        waveform = change_voice(waveform, rng, speed, composer.strength)
    waveform = change_surroundings(waveform, rng, composer.noises, composer.strength)
    return Item(normalise(waveform)[:LONGEST], (label,))


def a_word(composer: Composer, rng: np.random.Generator) -> tuple[Waveform, int]:
    """Return a word in another voice, and which it is."""
    clip = composer.sampler.draw(rng)
    speed = draw_speed(rng, composer.strength)
    word = composer.spoken_word(clip, rng, speed=speed, whole=True)
    return place(word, rng) if len(word) > HEARD else word, WORDS.index(clip.text)


def two_at_once(composer: Composer, rng: np.random.Generator) -> Waveform:
    """Return two words, the second softer, that begin or end together."""
    one, other = a_word(composer, rng)[0], a_word(composer, rng)[0]
    longest = max(len(one), len(other))
    missing = longest - len(other)
    one = np.pad(one, (0, longest - len(one)))
    other = np.pad(other, (missing, 0) if rng.random() < 0.5 else (0, missing))
    softer = np.float32(10 ** (rng.uniform(-14, 0) / 20))
    return unit_power(one) + unit_power(other) * softer


def place_for_both(waveform: Waveform) -> tuple[Waveform, int]:
    """Return what the teacher hears, and which of its frames is the pupil's first.

    So much nothing is put before the waveform that the middles of their frames agree.
    """
    hops = (HEARD - len(waveform) - 50) // 2 // PUPIL_HOP
    earlier, rest = divmod(MIDDLE, PUPIL_HOP)
    before = PUPIL_HOP * (hops + 1) - rest
    return np.pad(waveform, (before, HEARD - len(waveform) - before)), hops + 1 + earlier


def lessons(
    composer: Composer, joined: Iterator[Batch], rng: np.random.Generator
) -> Iterator[Lessons]:
    """Yield what steps learn from, without end."""
    while True:
        items = [something_to_tell(composer, rng) for _ in range(WORDS_AT_ONCE)]
        items.sort(key=lambda item: len(item.waveform))
        placed, starts = zip(*(place_for_both(item.waveform) for item in items), strict=True)
        yield Lessons(
            words=collate(items),
            placed=torch.from_numpy(np.stack(placed)),
            starts=torch.tensor(starts),
            joined=next(joined),
        )


class Pupil(nn.Module):
    """The network that learns, with what compares it to its teacher.

    Args:
        network: What becomes `mini`.
        teacher: What it learns from.
    """

    def __init__(self, network: Wav2Vec2ForCTC, teacher: SpectrogramNetwork) -> None:
        super().__init__()
        self.network = network
        hidden = network.config.hidden_size
        sizes = {
            "middle": 2 * teacher.width * N_BANDS // 4,
            "last": 8 * teacher.width * N_BANDS // 16,
        }
        heads = {place: nn.Linear(hidden, sizes[name]) for place, name in HINTS.items()}
        for head in heads.values():
            nn.init.zeros_(head.weight)
        self.heads = nn.ModuleDict(
            {place: nn.Sequential(nn.LayerNorm(hidden), head) for place, head in heads.items()}
        )
        self.projector = nn.Linear(hidden, 64)
        self.classifier = nn.Linear(64, len(WORDS) + 1)
        for name, size in sizes.items():
            self.register_buffer(f"{name}_moments", torch.zeros(2, size))
            self.register_buffer(f"{name}_count", torch.zeros((), dtype=torch.long))

    def word_classifier(self) -> Wav2Vec2ForSequenceClassification:
        """Return a network that says which of the words, or none, a recording is."""
        labels = dict(enumerate((*WORDS, NO_WORD_LABEL)))
        config = Wav2Vec2Config.from_dict(
            {
                **self.network.config.to_dict(),
                "architectures": None,
                "id2label": labels,
                "label2id": {label: index for index, label in labels.items()},
                "classifier_proj_size": self.projector.out_features,
            }
        )
        model = Wav2Vec2ForSequenceClassification(config)
        model.wav2vec2.load_state_dict(plain_state(self.network.wav2vec2))
        model.projector.load_state_dict(self.projector.state_dict())
        model.classifier.load_state_dict(self.classifier.state_dict())
        return model.eval()

    def standardised(self, name: str, images: torch.Tensor) -> torch.Tensor:
        """Return a teacher's images as frames, (batch, frames, values), by their first moments."""
        frames = images.float().flatten(1, 2).transpose(1, 2)
        moments, count = getattr(self, f"{name}_moments"), getattr(self, f"{name}_count")
        if count < MOMENT_BATCHES:
            count += 1
            moments += torch.stack([frames.mean((0, 1)), frames.square().mean((0, 1))])
        mean, square = moments / count
        deviation = (square - mean.square()).clamp(min=1e-3).sqrt()
        standard: torch.Tensor = (frames - mean) / deviation
        return standard

    def hint_loss(
        self,
        place: str,
        states: torch.Tensor,
        targets: torch.Tensor,
        starts: torch.Tensor,
        heard: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean squared error of what a head makes of the pupil's states.

        Args:
            place: Which head.
            states: The pupil's, (batch, frames, hidden).
            targets: The teacher's, standardised, (batch, its frames, values).
            starts: Which of the teacher's frames, 50 a second, the first is, (batch,).
            heard: Which of the pupil's frames are no padding, (batch, frames).
        """
        stride = LAST_STRIDE if HINTS[place] == "last" else 1
        frames = torch.arange(states.shape[1]) + starts[:, None]
        frames = ((frames + stride // 2) // stride).clamp(max=targets.shape[1] - 1)
        wanted = targets.gather(1, frames[:, :, None].expand(-1, -1, targets.shape[2]))
        errors: torch.Tensor = (self.heads[place](states).float() - wanted).square().mean(-1)
        return errors[heard].mean()


_LETTERS = [[LETTER_IDS[letter] for letter in word] for word in WORDS]


def word_scores(logs: torch.Tensor, n_frames: torch.Tensor) -> torch.Tensor:
    """Return the natural-log probabilities of the words and of none, (batch, words and none).

    Args:
        logs: Those of the letters, (batch, frames, letters).
        n_frames: How many frames are no padding, (batch,).
    """
    batch, frames, letters = logs.shape
    words = len(WORDS)
    repeated = logs.transpose(0, 1)[:, :, None].expand(frames, batch, words, letters)
    lost = F.ctc_loss(
        repeated.reshape(frames, batch * words, letters),
        torch.tensor([letter for word in _LETTERS for letter in word]).repeat(batch),
        n_frames.repeat_interleave(words),
        torch.tensor([len(word) for word in _LETTERS]).repeat(batch),
        blank=BLANK_ID,
        reduction="none",
        zero_infinity=True,
    )
    impossible = torch.tensor([*map(frames_needed, WORDS)]) > n_frames[:, None]
    scores = (-lost.view(batch, words)).masked_fill(impossible, NEVER)
    heard = torch.arange(frames) < n_frames[:, None]
    nothing = (logs[:, :, BLANK_ID] * heard).sum(1, keepdim=True)
    return torch.cat([scores, nothing], dim=1)


def among_possible(shares: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return shares of words without those that a recording is too short for.

    They add up to less than 1, by as much as such a recording teaches less.
    """
    return shares.masked_fill(scores <= NEVER, 0)


def distillation_loss(
    pupil: Pupil, teacher: SpectrogramNetwork, lesson: Lessons, hints: float
) -> torch.Tensor:
    """Return what is lost on single words: the teacher's shares, its hints, and the CTC loss.

    Args:
        pupil: What learns.
        teacher: What it learns from.
        lesson: What both hear.
        hints: The weight of the hints.
    """
    words = lesson.words
    with torch.no_grad():
        view = teacher(lesson.placed)
        shares = view.logits.float().softmax(-1)
        targets = {
            "middle": pupil.standardised("middle", view.middle),
            "last": pupil.standardised("last", view.last),
        }
    network: Any = pupil.network
    with front_of(network) as fronts:
        output = network.wav2vec2(
            words.input_values, attention_mask=words.attention_mask, output_hidden_states=True
        )
    last = output.last_hidden_state
    logs = network.lm_head(network.dropout(last)).float().log_softmax(-1)
    n_frames = network._get_feat_extract_output_lengths(words.attention_mask.sum(-1))
    heard = torch.arange(logs.shape[1]) < n_frames[:, None]
    states = {"front": fronts[0], "first": output.hidden_states[1], "last": last}
    apart = sum(
        pupil.hint_loss(place, states[place], targets[name], lesson.starts, heard)
        for place, name in HINTS.items()
    )
    label = words.labels[:, 0]
    known = label != NOBODY_KNOWS
    said = F.one_hot(label.clamp(min=0), len(WORDS) + 1).float()
    said = (1 - SMOOTHING) * said + SMOOTHING / said.shape[1]
    wanted = torch.where(known[:, None], (1 - TRUTH) * shares + TRUTH * said, shares)
    scores = word_scores(logs, n_frames)
    pooled = (pupil.projector(last) * heard[:, :, None]).sum(1) / n_frames[:, None]
    possible = among_possible(wanted, scores)
    loss = divergence(scores * SHARPNESS, possible) + divergence(pupil.classifier(pooled), wanted)
    letters = torch.tensor([*map(len, WORDS), 1])[label.clamp(min=0)]
    right = scores.gather(1, label.clamp(min=0)[:, None])[:, 0]
    ctc = (-right / letters)[known & (right > NEVER)].mean()
    return loss + CTC_SHARE * ctc + hints * apart


@contextmanager
def front_of(network: Any) -> Iterator[list[torch.Tensor]]:
    """Collect what the convolutions make, before any of it is masked, inside the `with` block."""
    fronts: list[torch.Tensor] = []
    projection = network.wav2vec2.feature_projection
    hook = projection.register_forward_hook(lambda *seen: fronts.append(seen[2][0]))
    try:
        yield fronts
    finally:
        hook.remove()


def divergence(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the mean Kullback-Leibler divergence from the shares that are wanted."""
    return F.kl_div(logits.float().log_softmax(-1), wanted, reduction="batchmean")
