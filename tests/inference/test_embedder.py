"""The TDNN of a model of speakers hears a recording piece by piece, and keeps next to nothing."""

import numpy as np
import pytest
import torch

from w2v_cli.inference.embedder import load_embedder, tdnn_span


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("mini-speakers")


def frames_of(embedder, n_frames):
    n_channels = embedder.model.config.tdnn_dim[0]
    return np.random.default_rng(5).normal(size=(n_frames, n_channels)).astype(np.float32)


@pytest.mark.parametrize(
    "blocks",
    [[(0, 900)], [(0, 40), (40, 700), (700, 701), (701, 900)], [(0, 300), (320, 330), (340, 900)]],
    ids=["one block", "many", "gaps"],
)
def test_the_vector_is_that_of_whole_stretches(embedder, blocks):
    frames = frames_of(embedder, 900)
    pool = embedder.pool()
    stretches: list[list[int]] = []
    for begin, end in blocks:
        pool.add(begin, frames[begin:end])
        if stretches and stretches[-1][1] == begin:
            stretches[-1][1] = end
        else:
            stretches.append([begin, end])
    model = embedder.model
    with torch.inference_mode():
        heard = torch.cat(
            [
                model._tdnn_frames(torch.from_numpy(frames[None, begin:end]))[0]
                for begin, end in stretches
                if end - begin > tdnn_span(model.config)
            ]
        )
        pooled = torch.cat([heard.mean(dim=0), heard.std(dim=0)])
        expected = model.feature_extractor(pooled[None]).numpy()
    error = np.abs(pool.vectors() - expected).max() / np.abs(expected).max()
    assert error < 1e-5
    np.testing.assert_array_equal(pool.vectors(), pool.vectors())


def test_what_is_kept_and_prepared_does_not_grow(embedder, monkeypatch):
    """oneDNN prepares a convolution for each length, which leaves holes in the heap."""
    shapes = []
    tdnn_frames = embedder.model._tdnn_frames

    def noted(projected):
        shapes.append(tuple(projected.shape))
        return tdnn_frames(projected)

    monkeypatch.setattr(embedder.model, "_tdnn_frames", noted)
    frames = frames_of(embedder, 1500)
    pool = embedder.pool()
    kept_bytes, n_frames = [], 0
    for number in range(40):  # no two chunks are of one length
        pool.add(n_frames, frames[: 1500 - 7 * number])
        n_frames += 1500 - 7 * number
        held = vars(pool).values()
        kept_bytes.append(sum(array.nbytes for array in held if isinstance(array, np.ndarray)))
    assert len(shapes) > 150
    assert len(set(shapes)) == 1
    assert max(kept_bytes) <= frames[:300].nbytes
    pool.vectors()
    assert len(set(shapes)) == 2, "and what was left"
