"""What the processing classes return can be read by key and attribute, and moved."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from w2v_cli.processing import BatchEncoding, BatchFeature

BATCHES = [BatchFeature, BatchEncoding]


@pytest.mark.parametrize("cls", BATCHES)
def test_reads_by_key_and_by_attribute(cls: Any) -> None:
    batch = cls({"input_ids": [[1, 2]]})
    assert batch["input_ids"] is batch.input_ids
    assert list(batch.keys()) == list(batch) == ["input_ids"]
    assert dict(batch.items()) == dict(**batch) == {"input_ids": [[1, 2]]}
    assert "input_ids" in batch
    assert batch.get("labels") is None
    batch["labels"] = [3]
    assert batch.labels == [3]
    with pytest.raises(AttributeError, match="no attribute or key 'nothing'"):
        batch.nothing  # noqa: B018
    with pytest.raises(KeyError):
        batch["nothing"]
    with pytest.raises(KeyError, match="by name"):
        batch[0]


@pytest.mark.parametrize("cls", BATCHES)
def test_copies_and_pickles(cls: Any) -> None:
    batch = cls({"input_ids": [[1, 2]]})
    for copied in (copy.copy(batch), copy.deepcopy(batch), pickle.loads(pickle.dumps(batch))):
        assert type(copied) is cls
        assert copied == batch
        assert copied.convert_to_tensors("np").input_ids.shape == (1, 2)
    assert batch.input_ids == [[1, 2]]


@pytest.mark.parametrize("kind", ["np", "pt"])
@pytest.mark.parametrize("name", ["BatchFeature", "BatchEncoding"])
def test_tensors_are_those_of_the_reference(name: str, kind: str) -> None:
    values: dict[str, Any] = {
        "numbers": [1, 2],
        "rows": [[1.5, 2], [3, 4]],
        "arrays": [np.ones(2, np.float32), np.zeros(2, np.float32)],
        "array": np.ones((2, 2), np.float16),
    }
    ours = globals()[name](values, tensor_type=kind)
    theirs = getattr(transformers, name)(values, tensor_type=kind)
    for key in values:
        assert type(ours[key]) is type(theirs[key])
        assert ours[key].dtype == theirs[key].dtype
        assert ours[key].tolist() == theirs[key].tolist()


def test_rows_of_different_lengths() -> None:
    ragged = {"input_values": [np.ones(2), np.ones(3)]}
    assert BatchFeature(ragged, tensor_type="np").input_values.dtype == object
    with pytest.raises(ValueError, match="Unable to convert output 'input_values'"):
        BatchFeature(ragged, tensor_type="pt")
    with pytest.raises(ValueError, match="activate padding and/or truncation"):
        BatchEncoding({"input_ids": [[1], [1, 2]]}, tensor_type="pt")
    with pytest.raises(ValueError, match="'jax' is not a valid TensorType; choose one of 'pt'"):
        BatchFeature(ragged, tensor_type="jax")


def test_what_is_no_number_stays() -> None:
    batch = BatchFeature({"text": ["a"], "n": [1]}, tensor_type="np", skip_tensor_conversion=["n"])
    assert batch.text == ["a"]
    assert batch.n == [1]


def test_no_ids_are_integers() -> None:
    for kind in ("np", "pt"):
        assert "int64" in str(BatchEncoding({"input_ids": [[]]}, tensor_type=kind).input_ids.dtype)


def test_an_encoding_can_be_cut() -> None:
    assert BatchEncoding({"input_ids": [[1], [2], [3]]})[1:] == {"input_ids": [[2], [3]]}


def test_features_move_and_only_floats_change_their_type() -> None:
    batch = BatchFeature(
        {"values": [[1.0]], "mask": [[1]], "nested": [torch.ones(1)], "text": "a"},
        tensor_type="pt",
        skip_tensor_conversion=["nested"],
    )
    assert batch.to("cpu", torch.float16) is batch
    assert batch["values"].dtype == torch.float16
    assert batch["nested"][0].dtype == torch.float16
    assert batch.mask.dtype == torch.int64
    assert batch.text == "a"
    assert batch.to(torch.float32)["values"].dtype == torch.float32
    assert batch.to(device="meta").mask.device.type == "meta"
    with pytest.raises(ValueError, match="cast a BatchFeature to type <class 'float'>"):
        batch.to(float)


def test_encodings_move_and_keep_their_type(caplog: pytest.LogCaptureFixture) -> None:
    batch = BatchEncoding({"input_ids": [[1]], "n": 1}, tensor_type=None)
    batch.convert_to_tensors("pt")
    assert batch.to("meta").input_ids.device.type == "meta"
    batch.to(torch.float16)  # type: ignore[arg-type]  # what some trainers do to every input
    assert batch.input_ids.dtype == torch.int64
    assert "ignored" in caplog.text
