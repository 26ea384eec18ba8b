"""Frame classification: which of several speakers speaks, in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from w2v_cli.diarization.assignment import cheapest_pairs
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.classification import Wav2Vec2ForAudioFrameClassification
from w2v_cli.model.masking import frame_mask
from w2v_cli.training.conversations import ConversationComposer, Mixing
from w2v_cli.training.examples import Batch, Item, Recordings, make_batch
from w2v_cli.training.figures import Tally
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import Evaluation, FloatArray, Objective, Result, as_when_used
from w2v_cli.training.turns import Activity, at_frames

_EVALUATION_SEED = 20
_UNKNOWN = -1.0  # labels of frames that padding made


@dataclass(frozen=True)
class FrameErrors:
    """What is wrong in frames, with the speakers matched as well as can be.

    Attributes:
        frames: All frames.
        wrong: Frames in which not exactly those speak that were said to.
        spoken: Frames of speech, once for each speaker.
        missed: Frames of speech that were not found.
        false: Frames that were found and no speech.
        confused: Frames that were given to another speaker.
    """

    frames: int
    wrong: int
    spoken: int
    missed: int
    false: int
    confused: int


class FramesObjective(Objective):
    """Speakers in any order: the order that fits best counts (Fujita et al. 2019, 2.2).

    Args:
        feature_extractor: What normalises and pads waveforms.
        hop: Samples from frame to frame.
        receptive_field: Samples that a frame sees.
        mixing: How conversations are made.
    """

    name = "frames"
    metric = "der"
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForAudioFrameClassification

    def __init__(
        self, feature_extractor: Any, *, hop: int, receptive_field: int, mixing: Mixing
    ) -> None:
        self.feature_extractor = feature_extractor
        self.hop = hop
        self.receptive_field = receptive_field
        self.mixing = mixing
        self._orders = list(permutations(range(mixing.n_speakers)))

    def kind(self, example: Example) -> str:
        """Return the speaker."""
        return example.speaker or ""

    def seconds(self, example: Example) -> float:
        """Return the length of a conversation, if it may become one."""
        if self.mixing.mix and not example.turns:
            return self.mixing.seconds
        return min(example.seconds or 0.0, self.mixing.seconds)

    def composer(
        self, examples: Sequence[Example], recordings: Recordings, *, seed: int
    ) -> ConversationComposer:
        """Return what makes conversations."""
        return ConversationComposer(examples, recordings, seed=seed, mixing=self.mixing)

    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items with who speaks in each frame, (batch, frames, speakers), -1 in padding."""
        n_frames = [self.count_frames(len(item.waveform)) for item in items]
        labels = torch.full((len(items), max(n_frames), self.mixing.n_speakers), _UNKNOWN)
        for row, (item, length) in enumerate(zip(items, n_frames, strict=True)):
            labels[row, :length] = torch.from_numpy(self.targets(item, length)).T
        return make_batch(items, self.feature_extractor, labels, n_samples=n_samples)

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames a network makes of samples."""
        return max((n_samples - self.receptive_field) // self.hop + 1, 1)

    def targets(self, item: Item, n_frames: int) -> Activity:
        """Return who speaks in each frame, (speakers, frames)."""
        assert item.activity is not None
        return at_frames(
            item.activity, n_frames, hop=self.hop, receptive_field=self.receptive_field
        )

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the binary cross-entropy of each recording's best order of speakers."""
        logits = model(batch.input_values, attention_mask=batch.attention_mask).logits.float()
        n_frames = min(logits.shape[1], batch.labels.shape[1])
        labels = batch.labels[:, :n_frames]  # (batch, frames, speakers)
        logits = logits[:, :n_frames]
        lengths = (labels[..., 0] >= 0).sum(1)
        real = frame_mask(lengths, n_frames)
        losses = []
        for order in self._orders:
            each = F.binary_cross_entropy_with_logits(
                logits, labels[..., order].clamp(min=0), reduction="none"
            ).mean(-1)
            losses.append((each * real).sum(1) / lengths)
        return torch.stack(losses).min(dim=0).values.mean()

    def read(self, output: FloatArray) -> FloatArray:
        """Return whether each speaker speaks in each frame, (speakers, frames)."""
        return (output.T > 0).astype(np.float32)

    def evaluate(
        self, model: Any, examples: Sequence[Example], recordings: Recordings
    ) -> Evaluation:
        """Return what a network makes of conversations, which are the same each time."""
        composer = self.composer(examples, recordings, seed=_EVALUATION_SEED)
        composer.keeps_all_speakers = True
        composer.shortest_samples = self.shortest_samples(model.config)
        results = []
        with as_when_used(model):
            for index in range(len(examples)):
                for item in composer.items([(index,)], epoch=0, number=index):
                    errors = self._errors(model, item)
                    results.append(Result(examples[index], "", errors))
        return Evaluation(tuple(results), self.measure(results))

    @torch.no_grad()
    def _errors(self, model: Any, item: Item) -> FrameErrors:
        batch = self.inputs([item]).to(model.device)
        output = model(batch.input_values, attention_mask=batch.attention_mask).logits[0]
        heard = self.read(output.float().cpu().numpy())
        return count_errors(self.targets(item, heard.shape[1]), heard)

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return der (wrong time by time of speech), and the share of frames with any mistake."""
        errors: list[FrameErrors] = [result.heard for result in results]

        def column(values: list[int]) -> FloatArray:
            return np.array(values, dtype=float).reshape(-1, 1)

        wrong = column([e.missed + e.false + e.confused for e in errors])
        return {
            "der": (wrong, column([e.spoken for e in errors])),
            "frame_error": (column([e.wrong for e in errors]), column([e.frames for e in errors])),
        }


def count_errors(said: Activity, heard: Activity) -> FrameErrors:
    """Return what is wrong, in the order of speakers in which least is (NIST 2009, DER).

    Args:
        said: Who speaks, (speakers, frames).
        heard: Who was found to speak, (speakers, frames); there may be more of them, or fewer.
    """
    n_rows = max(len(said), len(heard))
    said, heard = (np.pad(rows, ((0, n_rows - len(rows)), (0, 0))) for rows in (said, heard))
    cost = np.abs(said[:, None] - heard[None]).sum(axis=-1)  # (said, heard)
    matched = heard[cheapest_pairs(cost)]
    n_said, n_heard = said.sum(axis=0), matched.sum(axis=0)
    right = (said * matched).sum(axis=0)
    return FrameErrors(
        frames=said.shape[1],
        wrong=int((said != matched).any(axis=0).sum()),
        spoken=int(n_said.sum()),
        missed=int(np.maximum(n_said - n_heard, 0).sum()),
        false=int(np.maximum(n_heard - n_said, 0).sum()),
        confused=int((np.minimum(n_said, n_heard) - right).sum()),
    )
