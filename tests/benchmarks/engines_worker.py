"""A network run by one engine, in a process of its own, for engines.py.

    python tests/benchmarks/engines_worker.py convert STEP MODEL FOLDER RECORDING...
    python tests/benchmarks/engines_worker.py run ENGINE MODEL FOLDER --threads 2

`convert` writes into FOLDER what an engine reads in the place of the checkpoint. `run` loads, says
so, and then reads a request a line: the name of a recording. It answers with a line of JSON:
seconds of the clock and of the processor, the most memory that the process has held, and, in
ENGINE.npy, the logits.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from speed_worker import peak_bytes

Array = npt.NDArray[np.float32]
Run = Callable[[Array], Array]  # input values (1, samples) to logits (1, frames, vocab)


@dataclass(frozen=True)
class Engine:
    """What runs a network.

    Attributes:
        load: Returns what runs it.
        packages: What pip has to install for it, beside w2v and transformers.
        steps: What is to be converted for it, in this order.
    """

    load: Callable[[argparse.Namespace], Run]
    packages: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def reference(chosen: argparse.Namespace) -> Any:
    """Return transformers' own network, in float32."""
    import torch
    import transformers

    torch.set_num_threads(chosen.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers.Wav2Vec2ForCTC.from_pretrained(chosen.model).eval()


def by_torch(model: Any) -> Run:
    """Return what runs a PyTorch network."""
    import torch

    def run(values: Array) -> Array:
        with torch.inference_mode():
            heard = torch.from_numpy(values).to(model.dtype)
            logits: Array = model(heard).logits.float().numpy()
        return logits

    return run


def transformers_engine(chosen: argparse.Namespace) -> Run:
    return by_torch(reference(chosen))


def transformers_compiled(chosen: argparse.Namespace) -> Run:
    import torch

    return by_torch(torch.compile(reference(chosen)))


def torch_int8(chosen: argparse.Namespace) -> Run:
    """PyTorch's own: every nn.Linear; inputs in whole numbers with a scale for all of them."""
    import torch

    linears = {torch.nn.Linear}
    return by_torch(torch.ao.quantization.quantize_dynamic(reference(chosen), linears))


def torchao_int8(chosen: argparse.Namespace) -> Run:
    return by_torch(by_torchao(chosen))


def torchao_int8_compiled(chosen: argparse.Namespace) -> Run:
    import torch

    return by_torch(torch.compile(by_torchao(chosen)))


def by_torchao(chosen: argparse.Namespace) -> Any:
    """Return a network whose nn.Linear are torchao's; inputs have a scale for each frame."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    model = reference(chosen)
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return model


def w2v_engine(chosen: argparse.Namespace, **options: Any) -> Run:
    """Return w2v, as its commands load it."""
    from w2v_cli.inference.emitter import Emitter
    from w2v_cli.inference.runtime import Runtime

    runtime = Runtime(device="cpu", threads=chosen.threads, **options)
    return by_torch(Emitter.load(chosen.model, runtime=runtime).model)


def w2v_int8(chosen: argparse.Namespace) -> Run:
    return w2v_engine(chosen, quantize="int8")


def w2v_int8_compiled(chosen: argparse.Namespace) -> Run:
    return w2v_engine(chosen, quantize="int8", compiled=True)


def w2v_bfloat16(chosen: argparse.Namespace) -> Run:
    return w2v_engine(chosen, dtype="bfloat16")


def w2v_8bit(chosen: argparse.Namespace) -> Run:
    return w2v_engine(chosen, load_in_8bit=True)


def by_onnxruntime(chosen: argparse.Namespace, name: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = chosen.threads
    session = onnxruntime.InferenceSession(
        chosen.folder / name, options, providers=["CPUExecutionProvider"]
    )
    return lambda values: session.run(None, {"input_values": values})[0]


def onnxruntime_engine(chosen: argparse.Namespace) -> Run:
    return by_onnxruntime(chosen, "float32.onnx")


def onnxruntime_int8(chosen: argparse.Namespace) -> Run:
    return by_onnxruntime(chosen, "int8.onnx")


def by_openvino(chosen: argparse.Namespace, name: str, precision: str) -> Run:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": chosen.threads, "INFERENCE_PRECISION_HINT": precision}
    model = openvino.Core().compile_model(chosen.folder / name, "CPU", settings)
    return lambda values: model([values])[0]


def openvino_engine(chosen: argparse.Namespace) -> Run:
    return by_openvino(chosen, "float32.onnx", "f32")


def openvino_bfloat16(chosen: argparse.Namespace) -> Run:
    return by_openvino(chosen, "float32.onnx", "bf16")


def openvino_weights(chosen: argparse.Namespace) -> Run:
    """Weights in 8 bits; inputs are rounded as OpenVINO does by itself for such weights."""
    return by_openvino(chosen, "weights.xml", "f32")


def openvino_calibrated(chosen: argparse.Namespace) -> Run:
    return by_openvino(chosen, "calibrated.xml", "f32")


def openvino_calibrated_linears(chosen: argparse.Namespace) -> Run:
    return by_openvino(chosen, "linears.xml", "f32")


def openvino_calibrated_linears_bfloat16(chosen: argparse.Namespace) -> Run:
    return by_openvino(chosen, "linears.xml", "bf16")


ONNX = ("onnx", "onnxscript")
NNCF = (*ONNX, "openvino", "nncf")
ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "transformers": Engine(transformers_engine),
        "transformers-malloc": Engine(transformers_engine),
        "transformers-compile": Engine(transformers_compiled),
        "w2v": Engine(w2v_engine),
        "onnxruntime": Engine(onnxruntime_engine, (*ONNX, "onnxruntime"), ("export",)),
        "openvino": Engine(openvino_engine, (*ONNX, "openvino"), ("export",)),
        "openvino-bf16": Engine(openvino_bfloat16, (*ONNX, "openvino"), ("export",)),
        "w2v-bf16": Engine(w2v_bfloat16),
        "w2v-int8": Engine(w2v_int8),
        "w2v-int8-compiled": Engine(w2v_int8_compiled),
        "w2v-8bit": Engine(w2v_8bit, ("bitsandbytes",)),
        "torch-int8": Engine(torch_int8),
        "torchao-int8": Engine(torchao_int8, ("torchao",)),
        "torchao-int8-compile": Engine(torchao_int8_compiled, ("torchao",)),
        "onnxruntime-int8": Engine(
            onnxruntime_int8, (*ONNX, "onnxruntime"), ("export", "quantize_dynamic")
        ),
        "openvino-weights": Engine(openvino_weights, NNCF, ("export", "compress_weights")),
        "openvino-calibrated": Engine(openvino_calibrated, NNCF, ("export", "calibrate")),
        "openvino-linears": Engine(
            openvino_calibrated_linears, NNCF, ("export", "calibrate_linears")
        ),
        "openvino-linears-bf16": Engine(
            openvino_calibrated_linears_bfloat16, NNCF, ("export", "calibrate_linears")
        ),
    }
)


def export(chosen: argparse.Namespace) -> None:
    """Write float32.onnx, for recordings of any length.

    With transformers' plain attention: what the exporter makes of PyTorch's own is slower.
    """
    import torch
    import transformers

    class Logits(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_values: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_values).logits
            return logits

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.Wav2Vec2ForCTC.from_pretrained(chosen.model, attn_implementation="eager")
    weights = model.wav2vec2.encoder.pos_conv_embed.conv
    torch.nn.utils.parametrize.remove_parametrizations(weights, "weight")
    samples = torch.export.Dim("samples", min=400, max=16_000 * 600)
    with torch.inference_mode():
        program = torch.onnx.export(
            Logits(model.eval()),
            (torch.zeros(1, 48_000),),
            dynamo=True,
            dynamic_shapes=({1: samples},),
            input_names=["input_values"],
            output_names=["logits"],
            verbose=False,
        )
    assert program is not None
    program.save(chosen.folder / "float32.onnx", external_data=True)


def quantize_dynamic(chosen: argparse.Namespace) -> None:
    """Write int8.onnx: products in whole numbers; convolutions so are slower than in float32."""
    from onnxruntime import quantization

    quantization.quantize_dynamic(
        chosen.folder / "float32.onnx",
        chosen.folder / "int8.onnx",
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
    )


def compress_weights(chosen: argparse.Namespace) -> None:
    """Write weights.xml: weights in whole numbers, for each channel."""
    import nncf
    import openvino

    model = nncf.compress_weights(openvino.Core().read_model(chosen.folder / "float32.onnx"))
    openvino.save_model(model, chosen.folder / "weights.xml", compress_to_fp16=False)


def calibrate(chosen: argparse.Namespace) -> None:
    """Write calibrated.xml: products and convolutions with scales taken from the recordings."""
    by_nncf(chosen, "calibrated.xml")


def calibrate_linears(chosen: argparse.Namespace) -> None:
    """Write linears.xml: the same, with convolutions as they are."""
    import nncf

    types = ["Convolution", "GroupConvolution"]
    by_nncf(chosen, "linears.xml", ignored_scope=nncf.IgnoredScope(types=types))


def by_nncf(chosen: argparse.Namespace, name: str, **options: Any) -> None:
    import nncf
    import openvino

    model = nncf.quantize(
        openvino.Core().read_model(chosen.folder / "float32.onnx"),
        nncf.Dataset([input_values(recording) for recording in chosen.recordings]),
        subset_size=len(chosen.recordings),
        model_type=nncf.ModelType.TRANSFORMER,
        **options,
    )
    openvino.save_model(model, chosen.folder / name, compress_to_fp16=False)


STEPS = {
    step.__name__: step
    for step in (export, quantize_dynamic, compress_weights, calibrate, calibrate_linears)
}


def input_values(recording: str) -> Array:
    """Return what a network hears, (1, samples)."""
    waveform, _ = soundfile.read(recording, dtype="float32")
    values: Array = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    return values[None]


def serve(chosen: argparse.Namespace, answers: Any) -> None:
    """Load an engine and answer requests."""
    run = ENGINES[chosen.name].load(chosen)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for request in sys.stdin:
        values = input_values(request.strip())
        began, began_used = time.perf_counter(), time.process_time()
        logits = run(values)
        answer = {
            "wall": time.perf_counter() - began,
            "used": time.process_time() - began_used,
            "peak_bytes": peak_bytes(),
        }
        np.save(chosen.folder / f"{chosen.name}.npy", logits[0])
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["convert", "run"])
    parser.add_argument("name")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("recordings", nargs="*")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        if chosen.what == "convert":
            STEPS[chosen.name](chosen)
        else:
            serve(chosen, answers)


if __name__ == "__main__":
    main()
