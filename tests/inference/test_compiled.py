"""Compiled parts give what the others give, for every length, and are found again."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from w2v_cli import Wav2Vec2ForCTC
from w2v_cli.errors import UsageError
from w2v_cli.inference import compiled
from w2v_cli.inference.compiled import check_compilable, compile_network, is_compiled
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.form import has_onednn
from w2v_cli.inference.int8 import rounded
from w2v_cli.inference.quantization import int8_form
from w2v_cli.inference.runtime import Runtime

# PyTorch itself uses what it advises against.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_compiler_reads_the_same_numbers(is_signed):
    torch.manual_seed(3)
    rows = torch.randn(70, 33)
    steps = 127.0 / rows.abs().amax(1, keepdim=True)
    added = None if is_signed else torch.rand(70, 1)
    if added is not None:
        steps = steps * 0.9
    assert torch.equal(compiled._rounded(rows, steps, added, 128), rounded(rows, steps, added, 128))


@pytest.mark.slow
@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN")
def test_whole_numbers(ctc_folder_of_either_norm):
    torch.manual_seed(4)
    model = int8_form(Wav2Vec2ForCTC.from_pretrained(ctc_folder_of_either_norm).eval())
    recordings = [torch.randn(batch, length) for batch, length in ((1, 16000), (1, 7001), (3, 900))]
    with torch.inference_mode():
        before = [model(recording).logits for recording in recordings]
        assert not is_compiled(model)
        compile_network(model)
        assert is_compiled(model)
        after = [model(recording).logits for recording in recordings]
    for one, other in zip(before, after, strict=True):
        assert (one - other).norm() <= 5e-3 * one.norm()  # a number between two steps may fall off


@pytest.mark.slow
def test_layers_as_trained(ctc_folder_of_either_norm):
    torch.manual_seed(5)
    model = Wav2Vec2ForCTC.from_pretrained(ctc_folder_of_either_norm).eval()
    mask = F.pad(torch.ones(3, 700, dtype=torch.long), (0, 200))
    heard = [
        (torch.randn(1, 16000), None),
        (torch.randn(1, 7001), None),
        (torch.randn(3, 900), mask),
    ]
    with torch.inference_mode():
        before = [model(recording, attention_mask=real).logits for recording, real in heard]
        compile_network(model)
        assert is_compiled(model)
        after = [model(recording, attention_mask=real).logits for recording, real in heard]
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN")
def test_another_process_finds_what_is_compiled(tmp_path):
    """In the user's cache: the second run adds no code."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    del environment["TORCHINDUCTOR_CACHE_DIR"]
    code = (
        "from w2v_cli.inference.emitter import Emitter; "
        "from w2v_cli.inference.runtime import Runtime; "
        "print(Emitter.load('mini', runtime=Runtime(quantize='int8', compiled=True)).description)"
    )

    def code_files():
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "in whole numbers of 8 bits, compiled" in run.stdout
        return set((tmp_path / "w2v" / "compiled").rglob("*.so"))

    first = code_files()
    assert first
    assert code_files() == first


@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN")
def test_the_compiler_is_not_imported_to_say_what_runs():
    code = (
        "import sys; from w2v_cli.inference.emitter import Emitter; "
        "from w2v_cli.inference.runtime import Runtime; "
        "print(Emitter.load('mini', runtime=Runtime(quantize='int8')).description); "
        "print('torch._dynamo.eval_frame' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False"


def test_where_nothing_would_gain():
    if has_onednn():
        with pytest.raises(UsageError, match="nothing left that would gain; leave it out, or add"):
            Emitter.load("mini", runtime=Runtime(device="cpu", compiled=True))
    with pytest.raises(UsageError, match="for CUDA and the CPU, not for mps; leave it out"):
        check_compilable(torch.device("mps"), torch.float16, whole_numbers=False)
    with pytest.raises(UsageError, match="by bitsandbytes are compiled already"):
        Runtime(load_in_8bit=True, compiled=True)


def test_no_compiler(monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    with pytest.raises(UsageError, match="finds no C\\+\\+ compiler; install one"):
        check_compilable(CPU, torch.float16, whole_numbers=False)


def test_no_triton(monkeypatch):
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: False)
    with pytest.raises(UsageError, match="finds no Triton that works with this GPU"):
        check_compilable(torch.device("cuda"), torch.float16, whole_numbers=False)


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(UsageError, match="compiled code cannot be kept there"):
        check_compilable(CPU, torch.float16, whole_numbers=False)
