"""What is gathered block by block is what torch finds in all frames at once."""

import numpy as np
import pytest
import torch

from w2v_cli.inference.pooling import EveryFrame, FrameStatistics, StatisticsPool, unit_length


def blocks_of(frames, sizes):
    ends = np.cumsum(sizes)
    assert ends[-1] == len(frames)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        yield begin, frames[begin:end]


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [7, 0, 42, 1], [49, 1]], ids=str)
@pytest.mark.parametrize("offset", [0.0, 1000.0], ids=["near zero", "far from zero"])
def test_statistics_are_those_of_all_frames(sizes, offset):
    frames = np.random.default_rng(1).normal(offset, 0.5, (50, 6)).astype(np.float32)
    statistics = FrameStatistics()
    for _, block in blocks_of(frames, sizes):
        statistics.add(block)
    exact = torch.from_numpy(frames).double()
    assert statistics.n_frames == 50
    np.testing.assert_allclose(statistics.mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.std, exact.std(0), rtol=1e-6)
    np.testing.assert_array_equal(statistics.highest, frames.max(axis=0))


def test_a_single_frame_has_no_spread():
    pool = StatisticsPool("mean+std")
    pool.add(0, np.array([[1.0, 2.0]], np.float32))
    np.testing.assert_array_equal(pool.vectors(), [[1, 2, 0, 0]])


@pytest.mark.parametrize("pool", ["mean", "max", "mean+std"])
def test_nothing_heard_gives_no_vector(pool):
    assert len(StatisticsPool(pool).vectors()) == 0


def test_every_frame_is_kept_with_its_number():
    frames = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    pool = EveryFrame(np.float16)
    pool.add(0, frames[:4])
    pool.add(10, frames[4:])  # between them nothing was heard
    assert pool.vectors().dtype == np.float16
    np.testing.assert_array_equal(pool.vectors(), frames.astype(np.float16))
    np.testing.assert_array_equal(pool.frame_numbers(), [0, 1, 2, 3, 10, 11, 12, 13, 14])


def test_unit_length_is_that_of_torch():
    vectors = np.random.default_rng(3).normal(size=(5, 8)).astype(np.float32)
    expected = torch.nn.functional.normalize(torch.from_numpy(vectors), dim=1)
    np.testing.assert_allclose(unit_length(vectors), expected, atol=1e-7)
