"""A first guess of when each letter is said, which leads around the plateau where all is blank.

From scratch, a network that is to find out by itself when letters are said writes none at all for
long. Where words were recorded one by one it is known when each is said, and its letters can be
taken to be said one after another, each as long as the others: a flat start, as of the hidden
Markov models before (Young et al. 2006, the HTK book, 8.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.ctc import IGNORED_LABEL
from w2v_cli.model.features import shortest_recording_samples
from w2v_cli.model.masking import frame_mask
from w2v_cli.training.examples import Item

_DELIMITER_SAMPLES = round(0.1 * SAMPLE_RATE)  # at most, of the pause between two recordings


def letter_times(
    item: Item, texts: Sequence[str], letters_of: Callable[[str], list[int]]
) -> list[tuple[float, float]]:
    """Return when each letter of an item is said, in samples, those between its texts included.

    Empty where that cannot be told: its letters are not those of its texts and one between each
    two.

    Args:
        item: What is heard, with the spans of its examples.
        texts: Those of its examples; some may be empty.
        letters_of: Returns the ids of a text's letters.
    """
    times: list[tuple[float, float]] = []
    said = [(span, text) for span, text in zip(item.spans, texts, strict=True) if text]
    for (start, end), text in said:
        if times:
            before = times[-1][1]
            times.append((before, min(float(start), before + _DELIMITER_SAMPLES)))
        n_letters = len(letters_of(text))
        each = (end - start) / max(n_letters, 1)
        times += [(start + n * each, start + (n + 1) * each) for n in range(n_letters)]
    joined = letters_of(" ".join(text for _, text in said)) if said else []
    return times if len(times) == len(joined) else []


def frame_targets(
    labels: torch.Tensor,
    times: torch.Tensor,
    n_frames: torch.Tensor,
    longest: int,
    config: Wav2Vec2Config,
    *,
    blank_id: int,
) -> torch.Tensor:
    """Return which letter each frame is to say, (batch, frames); IGNORED_LABEL for padding.

    Args:
        labels: Ids of letters, (batch, letters), negative for padding.
        times: When each is said, in samples, (batch, letters, 2); of a recording of which that is
            not known all are negative, and its frames are ignored.
        n_frames: Frames of each recording, (batch,).
        longest: Of all of them.
        config: The network's.
        blank_id: What is said where no letter is.
    """
    frames = torch.arange(longest, device=labels.device)
    centres = frames * config.inputs_to_logits_ratio + shortest_recording_samples(config) // 2
    starts, ends = times[..., 0, None], times[..., 1, None]
    inside = (starts <= centres) & (centres < ends) & (labels >= 0)[..., None]
    first = inside.to(torch.uint8).argmax(dim=1)  # (batch, frames)
    targets = torch.where(inside.any(dim=1), labels.gather(1, first), blank_id)
    is_known = ((labels < 0) | (times[..., 0] >= 0)).all(dim=1)
    is_real = frame_mask(n_frames, longest) & is_known[:, None]
    return targets.masked_fill(~is_real, IGNORED_LABEL)
