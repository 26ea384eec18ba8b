"""Which device and precision a name stands for, and what is said where there is none."""

import pytest
import torch

from w2v_cli.errors import UsageError
from w2v_cli.inference.runtime import (
    Runtime,
    check_attention,
    choose_device,
    choose_dtype,
    set_threads,
)

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """Pretend that this machine has so many CUDA devices, and an Apple GPU or none."""

    def pretend(*, n_cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("n_cuda", "mps", "name", "device"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (1, True, "auto", "cuda"),
        (1, False, "cpu", "cpu"),
        (1, False, "cuda", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
        (0, True, "mps", "mps"),
    ],
)
def test_devices(machine, n_cuda, mps, name, device):
    machine(n_cuda=n_cuda, mps=mps)
    assert choose_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("n_cuda", "name", "message"),
    [
        (0, "cuda", "--device cuda: no CUDA device here; use --device cpu or auto"),
        (0, "cuda:1", "--device cuda:1: no CUDA device here; use --device cpu or auto"),
        (
            2,
            "cuda:2",
            "--device cuda:2: no such CUDA device; this machine has cuda:0, cuda:1",
        ),
        (0, "mps", "--device mps: no Apple GPU here; use --device cpu or auto"),
    ],
)
def test_missing_devices(machine, n_cuda, name, message):
    machine(n_cuda=n_cuda)
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "device", "dtype"),
    [
        ("auto", CPU, torch.float32),
        ("auto", CUDA, torch.float16),
        ("auto", torch.device("mps"), torch.float32),
        ("float32", CUDA, torch.float32),
        ("bfloat16", CPU, torch.bfloat16),
        ("float16", CPU, torch.float16),
    ],
)
def test_dtypes(name, device, dtype):
    assert choose_dtype(name, device) is dtype


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_attention_that_runs_anywhere(attn):
    check_attention(attn, CPU, torch.float32)


@pytest.mark.parametrize(
    ("device", "dtype", "message"),
    [
        (CPU, torch.float16, "runs on CUDA only, not on cpu; use --attn sdpa"),
        (CUDA, torch.float32, "needs --dtype float16 or bfloat16; or use --attn sdpa"),
    ],
)
def test_flash_attention_where_it_cannot_run(device, dtype, message):
    with pytest.raises(UsageError) as caught:
        check_attention("flash_attention_2", device, dtype)
    assert str(caught.value) == f"--attn flash_attention_2: {message}"


@pytest.mark.parametrize(
    "wrong", [{"device": "gpu"}, {"dtype": "int8"}, {"attn": "fast"}, {"threads": 0}]
)
def test_wrong_settings_are_a_programmers_mistake(wrong):
    with pytest.raises(ValueError, match="use"):
        Runtime(**wrong)


def test_threads():
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
        set_threads(None)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantize": "int8", "device": "cuda"}, "--quantize int8: runs on the CPU only"),
        ({"quantize": "int8", "device": "mps"}, "leave out --device mps"),
        ({"quantize": "int8", "dtype": "float16"}, "leave out --dtype float16"),
        ({"quantize": "int8", "load_in_8bit": True}, "two ways to do the same"),
        ({"load_in_8bit": True, "device": "mps"}, "runs on CUDA and on the CPU"),
    ],
)
def test_ways_to_save_that_contradict_others(fields, message):
    with pytest.raises(UsageError, match=message):
        Runtime(**fields)


def test_there_are_whole_numbers_of_8_bits_only():
    with pytest.raises(ValueError, match="use int8, or None"):
        Runtime(quantize="int4")
