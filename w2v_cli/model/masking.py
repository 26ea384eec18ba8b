"""Random spans for SpecAugment and pretraining, and masks from lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


def frame_mask(lengths: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return which frames are real, bool (batch, n_frames), from lengths (batch,)."""
    return torch.arange(n_frames, device=lengths.device)[None, :] < lengths[:, None]


def _compute_mask_indices(
    shape: tuple[int, int],
    mask_prob: float,
    mask_length: int,
    attention_mask: torch.Tensor | None = None,
    min_masks: int = 0,
) -> npt.NDArray[np.bool_]:
    """Return random spans to mask, bool, of the given shape (Park et al. 2019, 2).

    Spans may overlap, so `mask_prob` bounds the share of masked positions from above. The
    number of spans is rounded up or down at random so that its mean is exact. Random
    numbers come from numpy's global state.

    Args:
        shape: (batch, positions).
        mask_prob: Share of positions that spans would cover if none overlapped, 0 to 1.
        mask_length: Positions in a span.
        attention_mask: (batch, positions), right-padded; spans begin in real positions only.
        min_masks: Spans in every row at least, as far as they fit.

    Raises:
        ValueError: mask_length is below 1 or above the number of positions.
    """
    batch_size, n_positions = shape
    if mask_length < 1:
        raise ValueError(f"`mask_length` has to be bigger than 0, but is {mask_length}")
    if mask_length > n_positions:
        raise ValueError(
            f"`mask_length` has to be smaller than `sequence_length`, but got `mask_length`: "
            f"{mask_length} and `sequence_length`: {n_positions}"
        )
    rounding = np.random.rand(1).item()

    def n_spans(length: int) -> int:
        wanted = max(int(mask_prob * length / mask_length + rounding), min_masks)
        if wanted * mask_length > n_positions:
            wanted = n_positions // mask_length
        return min(wanted, max(length - (mask_length - 1), 0))

    mask = np.zeros(shape, dtype=bool)
    if n_spans(n_positions) == 0:
        return mask
    if attention_mask is None:
        lengths = [n_positions] * batch_size
    else:
        lengths = attention_mask.detach().sum(-1).tolist()
    for row, length in zip(mask, lengths, strict=True):
        starts = np.random.choice(
            np.arange(length - (mask_length - 1)), n_spans(length), replace=False
        )
        if len(starts) == 0 and n_spans(n_positions) > 0:
            # As published: a row too short for a span has its last, padded position masked.
            row[-1] = True
        covered = starts[:, None] + np.arange(mask_length)
        row[np.minimum(covered, n_positions - 1)] = True
    return mask


def _sample_negative_indices(
    features_shape: tuple[int, ...],
    num_negatives: int,
    mask_time_indices: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int32]:
    """Return distractors for every masked frame, (batch, frames, num_negatives).

    Distractors are other masked frames of the same recording, drawn uniformly (Baevski et
    al. 2020, 3.2), as indices into the flattened (batch * frames). Frames that are not
    masked get the index of their recording's first frame; the loss ignores them. Random
    numbers come from numpy's global state.

    Args:
        features_shape: (batch, frames).
        num_negatives: Distractors for each frame.
        mask_time_indices: Which frames are masked, (batch, frames); all without it.
    """
    batch_size, n_frames = features_shape[:2]
    sampled = np.zeros((batch_size, n_frames, num_negatives), dtype=np.int32)
    if mask_time_indices is None:
        masked = np.ones((batch_size, n_frames), dtype=bool)
    else:
        masked = np.asarray(mask_time_indices).astype(bool)
    for item in range(batch_size):
        candidates = np.flatnonzero(masked[item])
        n_others = len(candidates) - 1
        drawn = np.random.randint(0, n_others, size=(len(candidates), num_negatives))
        # Stepping over the frame itself keeps the draw uniform over the others.
        drawn += drawn >= np.arange(len(candidates))[:, None]
        sampled[item][masked[item]] = candidates[drawn]
        sampled[item] += item * n_frames
    return sampled
