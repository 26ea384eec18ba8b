"""Lists, arrays and tensors are told apart, without importing torch to do so."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from w2v_cli.processing.tensors import is_array_like, is_empty, to_numpy, to_python


def test_everything_becomes_lists_and_numbers() -> None:
    value = {"a": [torch.ones(2), np.zeros(1)], "b": (np.int64(3), None), "c": "text"}
    assert to_python(value) == {"a": [[1, 1], [0]], "b": [3, None], "c": "text"}


def test_numbers_become_arrays_and_the_rest_stays() -> None:
    assert to_numpy([1, 2]).tolist() == to_numpy(torch.tensor([1, 2])).tolist() == [1, 2]
    assert to_numpy("a") == "a"


def test_what_could_be_a_tensor() -> None:
    assert all(map(is_array_like, ([], [[1]], 1.5, np.ones(1), torch.ones(1), [[torch.ones(1)]])))
    assert not any(map(is_array_like, ("a", None, ["a"], {"a": 1})))
    assert all(map(is_empty, ([], [[]], np.ones(0))))
    assert not is_empty([[], [1]])


def test_torch_is_only_imported_for_tensors() -> None:
    script = """if True:
        import sys
        import numpy as np
        from w2v_cli.processing import *
        from w2v_cli import processing
        for name in processing.__all__:
            getattr(processing, name)
        extractor = processing.Wav2Vec2FeatureExtractor()
        extractor(np.zeros(10), sampling_rate=16000, padding=True, return_tensors="np")
        assert not {"torch", "transformers", "huggingface_hub"} & set(sys.modules)
        extractor(np.zeros(10), sampling_rate=16000, return_tensors="pt")
        assert "torch" in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], check=True)
