from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.wav2vec2 import modeling_wav2vec2 as reference

from w2v_cli.model import _compute_mask_indices, _sample_negative_indices
from w2v_cli.model.masking import frame_mask


@pytest.mark.parametrize("seed", range(40))
def test_spans_are_those_of_the_reference(seed):
    draw = np.random.default_rng(seed)
    shape = (int(draw.integers(1, 6)), int(draw.integers(12, 120)))
    mask_length = int(draw.integers(1, 12))
    options = {
        "mask_prob": float(draw.uniform(0, 1)),
        "mask_length": mask_length,
        "min_masks": int(draw.integers(0, 3)),
    }
    lengths = torch.from_numpy(draw.integers(mask_length, shape[1] + 1, size=shape[0]))
    lengths[0] = shape[1]
    attention_mask = frame_mask(lengths, shape[1]) if seed % 2 else None
    np.random.seed(seed)
    expected = reference._compute_mask_indices(shape, attention_mask=attention_mask, **options)
    np.random.seed(seed)
    got = _compute_mask_indices(shape, attention_mask=attention_mask, **options)
    assert np.array_equal(got, expected)


def test_a_row_too_short_for_a_span():
    attention_mask = frame_mask(torch.tensor([100, 5]), 100)
    options = {"mask_prob": 0.05, "mask_length": 10, "min_masks": 2}
    np.random.seed(1)
    expected = reference._compute_mask_indices((2, 100), attention_mask=attention_mask, **options)
    np.random.seed(1)
    got = _compute_mask_indices((2, 100), attention_mask=attention_mask, **options)
    assert np.array_equal(got, expected)
    assert not got[1, :5].any()


def test_share_of_masked_frames():
    """Spans of 10 begun with probability 0.065 each leave (1 - 0.065) ** 10 in sight."""
    np.random.seed(0)
    mask = _compute_mask_indices((64, 2000), mask_prob=0.65, mask_length=10)
    assert mask.mean() == pytest.approx(1 - (1 - 0.065) ** 10, abs=0.01)


@pytest.mark.parametrize(("mask_length", "n_frames"), [(0, 10), (11, 10)])
def test_impossible_spans_are_refused(mask_length, n_frames):
    with pytest.raises(ValueError, match="mask_length"):
        _compute_mask_indices((1, n_frames), 0.5, mask_length)


@pytest.mark.parametrize("seed", range(10))
def test_negatives_are_those_of_the_reference(seed):
    mask = np.random.default_rng(seed).random((3, 30)) < 0.4
    np.random.seed(seed)
    expected = reference._sample_negative_indices((3, 30), 7, mask)
    np.random.seed(seed)
    got = _sample_negative_indices((3, 30), 7, mask)
    assert np.array_equal(got, expected)
    frames = np.arange(90).reshape(3, 30)
    assert not (got[mask] == frames[mask][:, None]).any(), "a frame is its own distractor"
    assert mask.flatten()[got[mask]].all(), "a distractor is not masked"


def test_negatives_without_a_mask_are_any_other_frame():
    np.random.seed(0)
    got = _sample_negative_indices((1, 4), 500)
    for frame in range(4):
        assert set(got[0, frame]) == set(range(4)) - {frame}
