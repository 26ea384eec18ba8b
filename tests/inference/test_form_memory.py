"""Weights that are packed are in memory once, and those of others stay as they are."""

from __future__ import annotations

import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from w2v_cli.inference.form.mapped import forget
from w2v_cli.inference.form.products import PackedLinear

ONE_MB = 2**18  # of float32


def file_pages_kb() -> int:
    """Return how much of files is in this process's memory."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is let go")
def test_the_pages_of_a_packed_weight_are_let_go(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.randn(2048, 32 * ONE_MB // 2048)}, path)
    PackedLinear([torch.randn(2048, 32 * ONE_MB // 2048)], [None])  # reads the library's own pages
    weight = load_file(path)["weight"]
    weight.sum()  # reads it
    before = file_pages_kb()
    PackedLinear([weight], [None])
    assert file_pages_kb() < before - 25_000
    assert torch.equal(weight, load_file(path)["weight"]), "the file is there still"


def test_weights_that_are_no_file_stay():
    weight = torch.randn(1024, ONE_MB // 1024)
    kept = weight.clone()
    forget(weight)
    assert torch.equal(weight, kept)


def test_a_small_weight_stays(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(10, 10)}, path)
    weight = load_file(path)["weight"]
    forget(weight)
    assert torch.equal(weight, torch.ones(10, 10))
