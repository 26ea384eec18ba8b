"""Waveforms are cut and padded to one length, with a mask of what is real.

`test_feature_extractor.py` has the comparison with the reference.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w2v_cli.processing import Wav2Vec2FeatureExtractor

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=4)


@given(
    lengths=LENGTHS,
    max_length=st.integers(1, 50),
    multiple=st.sampled_from([None, 1, 8]),
    side=st.sampled_from(["left", "right"]),
)
def test_cut_and_padded_rows_have_one_length(
    lengths: list[int], max_length: int, multiple: int | None, side: str
) -> None:
    extractor = Wav2Vec2FeatureExtractor(padding_value=-7.0, padding_side=side)
    batch = extractor.pad(
        {"input_values": [np.arange(1, length + 1, dtype=np.float32) for length in lengths]},
        padding="max_length",
        max_length=max_length,
        truncation=True,
        pad_to_multiple_of=multiple,
        return_attention_mask=True,
    )
    width = max_length if multiple is None else -(-max_length // multiple) * multiple
    assert batch.input_values.shape == batch.attention_mask.shape == (len(lengths), width)
    for row, mask, length in zip(batch.input_values, batch.attention_mask, lengths, strict=True):
        kept = min(length, width)
        real = slice(width - kept, width) if side == "left" else slice(0, kept)
        assert row[real].tolist() == list(range(1, kept + 1))
        assert mask[real].all()
        assert mask.sum() == kept
        assert (row[mask == 0] == -7).all()


def test_tensors_come_back_as_tensors() -> None:
    batch = Wav2Vec2FeatureExtractor().pad(
        [{"input_values": torch.ones(2)}, {"input_values": torch.ones(3)}]
    )
    assert batch.input_values.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert isinstance(batch.input_values, torch.Tensor)


def test_rows_of_features_are_padded_along_their_frames() -> None:
    extractor = Wav2Vec2FeatureExtractor(feature_size=2)
    batch = extractor.pad({"input_values": [np.ones((1, 2)), np.ones((3, 2))]})
    assert batch.input_values.shape == (2, 3, 2)


def test_what_cannot_be_padded_is_named() -> None:
    extractor = Wav2Vec2FeatureExtractor()
    for batch, message in (
        ({"input_features": [[1.0]]}, r"needs a batch with 'input_values', and this one has"),
        ({"input_values": [[1.0], [2.0]], "labels": [1]}, "differ in batch size"),
        ({"input_values": ["a"]}, "lists, arrays or tensors, not str"),
        ([1.0], "a mapping or a list of mappings"),
    ):
        with pytest.raises(ValueError, match=message):
            extractor.pad(batch)
    with pytest.raises(ValueError, match="padding_side must be 'left' or 'right'"):
        Wav2Vec2FeatureExtractor(padding_side="top").pad({"input_values": [[1.0], [1.0, 2.0]]})
    with pytest.raises(ValueError, match="set padding_value"):
        Wav2Vec2FeatureExtractor(padding_value=None).pad({"input_values": [[1.0]]})
