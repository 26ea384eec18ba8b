"""How large a batch may be."""

import json
import subprocess
import sys

import pytest
import torch

from w2v_cli.inference import memory
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.runtime import Runtime


def test_a_processor_hears_a_few_seconds_at_once(ctc_folder):
    emitter = Emitter.load(ctc_folder, runtime=Runtime(device="cpu"))
    assert memory.batch_seconds(emitter.model, 16000) == 4.0


def test_a_gpus_batch_grows_with_what_it_has_left(ctc_folder, monkeypatch):
    model = Emitter.load(ctc_folder, runtime=Runtime(device="cpu")).model
    needed = memory.bytes_per_second(model.config, model.dtype, 16000)
    assert needed == 6 * 3200 * 16 * 4  # copies, frames a second, channels, bytes
    monkeypatch.setattr(memory, "free_bytes", lambda device: int(100 * needed))
    assert memory.batch_seconds(model, 16000) == pytest.approx(60)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10**12)
    assert memory.batch_seconds(model, 16000) == 900


def test_half_precision_takes_half_where_no_group_norm_is(save_ctc_model, tmp_path):
    for norm, ratio in (("layer", 2), ("group", 1)):
        config = Emitter.load(save_ctc_model(tmp_path / norm, norm=norm)).model.config
        single = memory.bytes_per_second(config, torch.float32, 16000)
        assert single == ratio * memory.bytes_per_second(config, torch.float16, 16000)


PEAK = """
import json, sys
import numpy as np
from w2v_cli import Wav2Vec2ForCTC, Wav2Vec2Processor
from w2v_cli.inference import memory
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.network import Network

Network._passes = lambda self, lengths: [list(range(len(lengths)))]  # at once, as on a GPU

def peak():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

folder, form = sys.argv[1:]
if form == "trained":
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    emitter = Emitter(folder, model, Wav2Vec2Processor.from_pretrained(folder))
else:
    emitter = Emitter.load(folder)
waveforms = [np.random.default_rng(n).normal(size=80000 - 160 * n) for n in range(8)]
emitter.batch_emissions([waveform[:8000] for waveform in waveforms], sample_rate=16000)
open("/proc/self/clear_refs", "w").write("5")  # forget the peak until now
before = peak()
emitter.batch_emissions(waveforms, sample_rate=16000)
expected = memory.bytes_per_second(emitter.model.config, emitter.model.dtype, 16000)
print(json.dumps([(peak() - before) / 40, expected]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize(("form", "least"), [("trained", 0.3), ("for inference", 0.05)])
def test_a_padded_batch_takes_no_more_than_is_reckoned_with(
    save_ctc_model, tmp_path, norm, form, least
):
    folder = save_ctc_model(tmp_path, norm=norm, conv_dim=(128,) * 7)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, folder, form], capture_output=True, text=True, check=True
    )
    measured, expected = json.loads(done.stdout)
    assert least * expected < measured < expected
