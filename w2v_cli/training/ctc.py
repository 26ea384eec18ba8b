"""Connectionist temporal classification: letters for every frame (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.hypothesis import Hypothesis
from w2v_cli.decoding.lexicon import LexiconDecoder
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.ctc import IGNORED_LABEL, Wav2Vec2ForCTC
from w2v_cli.model.masking import frame_mask
from w2v_cli.processing.processor import Wav2Vec2Processor
from w2v_cli.scoring import score_pairs
from w2v_cli.scoring.pairs import Pair
from w2v_cli.training.examples import Batch, Composer, Item, Recordings, make_batch
from w2v_cli.training.figures import Tally
from w2v_cli.training.flat_start import frame_targets, letter_times
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import FloatArray, Objective, Result
from w2v_cli.training.risk import expected_error_rates
from w2v_cli.training.texts import TextRules


class CTCObjective(Objective):
    """Texts, letter by letter.

    Args:
        processor: The feature extractor, and the tokenizer that writes the texts.
        rules: How texts are written.
        consistency: How much the letters of two views of each recording, which dropout and
            SpecAugment make different, are drawn to each other (Yao et al. 2024); 0 takes one
            view.
        metric: wer or cer.
        is_sum: The network's loss is a sum of all recordings, not a mean.
        mwer_weight: How much the expected word error rate counts beside the CTC loss (see
            `risk`); 0 leaves it out.
        mwer_samples: How many readings are drawn of each recording for it.
        lexicon: The words that can be read, and nothing else; none to read the best letters.
        flat_start_steps: On so many steps letters are also learnt frame by frame, less and less,
            as if those of a word were said equally long (see `flat_start`).
        n_outputs: How many outputs the network has, where the tokenizer may have more tokens.
    """

    name = "ctc"
    metric = "wer"
    model_class: type[Wav2Vec2PreTrainedModel] = Wav2Vec2ForCTC

    def __init__(
        self,
        processor: Wav2Vec2Processor,
        rules: TextRules,
        *,
        consistency: float = 0.0,
        metric: str = "wer",
        is_sum: bool = False,
        mwer_weight: float = 0.0,
        mwer_samples: int = 8,
        lexicon: Sequence[str] = (),
        flat_start_steps: int = 0,
        n_outputs: int | None = None,
    ) -> None:
        self.processor = processor
        self.feature_extractor = processor.feature_extractor
        self.rules = rules
        self.consistency = consistency
        self.metric = metric
        self.is_sum = is_sum
        self.mwer_weight = mwer_weight
        self.mwer_samples = mwer_samples
        self.flat_start_steps = flat_start_steps
        self._by_frame_share = 0.0
        self._alphabet = Alphabet.from_tokenizer(processor.tokenizer, n_outputs, word_separator=" ")
        self._with_lexicon = LexiconDecoder(self._alphabet, lexicon) if lexicon else None

    def kind(self, example: Example) -> str:
        """Return the text as it is to be written."""
        return self.rules(example.text or "")

    def collate(self, items: Sequence[Item], *, n_samples: int | None = None) -> Batch:
        """Return items with the ids of their letters, padded with -100."""
        texts = [list(map(self.kind, item.examples)) for item in items]
        ids = [self._letters(" ".join(filter(None, some))) for some in texts]
        longest = max(1, *(len(row) for row in ids))
        labels = torch.full((len(ids), longest), IGNORED_LABEL)
        for row, letters in enumerate(ids):
            labels[row, : len(letters)] = torch.tensor(letters, dtype=torch.long)
        batch = make_batch(items, self.processor.feature_extractor, labels, n_samples=n_samples)
        if not self.flat_start_steps:
            return batch
        times = torch.full((*labels.shape, 2), -1.0)
        for row, (item, some) in enumerate(zip(items, texts, strict=True)):
            found = letter_times(item, some, self._letters)
            if found:
                times[row, : len(found)] = torch.tensor(found)
        return replace(batch, times=times)

    def _letters(self, text: str) -> list[int]:
        """Return the ids of a text's letters."""
        ids: list[int] = self.processor.tokenizer(text).input_ids
        return ids

    def composer(
        self, examples: Sequence[Example], recordings: Recordings, *, seed: int
    ) -> Composer:
        """Return what makes items of examples, with when each is said for a flat start."""
        finds_speech = self.flat_start_steps > 0
        return Composer(examples, recordings, seed=seed, finds_speech=finds_speech)

    def begin_step(self, model: Any, step: int) -> None:
        """Set how much letters are learnt frame by frame."""
        if self.flat_start_steps:
            self._by_frame_share = max(0.0, 1.0 - step / self.flat_start_steps)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the CTC loss, with what `consistency` and the like add to it."""
        mask, labels = batch.attention_mask, batch.labels
        views = 2 if self.consistency else 1
        if views > 1:
            mask = None if mask is None else mask.repeat(views, 1)
            labels = labels.repeat(views, 1)
        output = model(
            batch.input_values.repeat(views, 1) if views > 1 else batch.input_values,
            attention_mask=mask,
            labels=labels,
        )
        loss = cast(torch.Tensor, output.loss)
        if views == 1 and not self.mwer_weight and not self._by_frame_share:
            return loss
        logs = F.log_softmax(output.logits, dim=-1, dtype=torch.float32)  # (batch, frames, vocab)
        n_frames = torch.full((len(logs),), logs.shape[1], device=logs.device)
        if mask is not None:
            n_frames = model._get_feat_extract_output_lengths(mask.sum(-1))
        if self.consistency:
            loss = loss + self.consistency / 2 * self._distance(logs, n_frames, batch.labels)
        if self.mwer_weight:
            loss = loss + self.mwer_weight * self._risk(logs, n_frames, labels)
        if self._by_frame_share and batch.times is not None:
            times = batch.times.repeat(views, 1, 1)
            targets = frame_targets(
                labels,
                times,
                n_frames,
                logs.shape[1],
                model.config,
                blank_id=self._alphabet.blank_id,
            )
            loss = loss + self._by_frame_share * self._by_frame(logs, targets, labels)
        return loss

    def _by_frame(
        self, logs: torch.Tensor, targets: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross-entropy of recordings' frames: of a frame for each letter, as CTC's."""
        by_class = logs.transpose(1, 2)
        apart = F.nll_loss(by_class, targets, ignore_index=IGNORED_LABEL, reduction="none")
        each = apart.sum(-1) / (targets != IGNORED_LABEL).sum(-1).clamp(min=1)
        return (each * (labels >= 0).sum(-1).clamp(min=1)).sum() if self.is_sum else each.mean()

    def _distance(
        self, logs: torch.Tensor, n_frames: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Return how far the two views of each recording are apart, in both directions."""
        one, other = logs.chunk(2)
        apart = _divergence(one, other.detach()) + _divergence(other, one.detach())
        apart = (apart * frame_mask(n_frames[: len(one)], apart.shape[1])).sum(-1)
        if self.is_sum:
            return 2 * apart.sum()  # the CTC loss is that of both views, too
        return (apart / (labels >= 0).sum(-1).clamp(min=1)).mean()

    def _risk(
        self, logs: torch.Tensor, n_frames: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the expected word error rate of all recordings."""
        rates = expected_error_rates(
            logs,
            n_frames,
            labels,
            blank_id=self._alphabet.blank_id,
            n_samples=self.mwer_samples,
            words=self._words,
        )
        return rates.sum() if self.is_sum else rates.mean()

    def _words(self, letters: Sequence[int]) -> list[str]:
        """Return the words that ids of letters spell."""
        return "".join(map(self._alphabet.written, letters)).split()

    def read(self, output: FloatArray) -> str:
        """Return the text of the most probable path, of those that the lexicon allows."""
        return self.hypothesis(output).text

    def hypothesis(self, output: FloatArray) -> Hypothesis:
        """Return the most probable path, of those that the lexicon allows.

        Args:
            output: Logits or emissions, (frames, vocab).
        """
        if self._with_lexicon is not None:
            return self._with_lexicon.decode(output)
        shifted = output - output.max(axis=-1, keepdims=True)
        emissions = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return greedy_decode(emissions, self._alphabet)

    def tallies(self, results: Sequence[Result]) -> dict[str, Tally]:
        """Return wer, cer, and exact: the share of recordings whose whole text is right."""
        pairs = [Pair("", result.reference, result.hypothesis) for result in results]
        scored = score_pairs(pairs).pairs
        exact = [float(pair.reference == pair.hypothesis) for pair in pairs]
        return {
            "wer": _column([p.words.errors for p in scored], [p.words.n_reference for p in scored]),
            "cer": _column(
                [p.characters.errors for p in scored], [p.characters.n_reference for p in scored]
            ),
            "exact": _column(exact, [1.0] * len(exact)),
        }

    def save(self, folder: Path) -> None:
        """Write the processor and the rules of texts."""
        self.processor.save_pretrained(folder)
        self.rules.save(folder)


def _divergence(logs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of every frame from the target's."""
    return (target.exp() * (target - logs)).sum(-1)


def _column(counted: Sequence[float], possible: Sequence[float]) -> Tally:
    return np.array(counted, float).reshape(-1, 1), np.array(possible, float).reshape(-1, 1)
