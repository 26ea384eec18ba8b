"""How fast a model runs on this machine, in one way after the other."""

from __future__ import annotations

import math
import multiprocessing
import os
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from w2v_cli.checkpoint.architectures import published_class
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.inference.form import FloatProducts, has_form, has_onednn, inference_form
from w2v_cli.inference.loading import Loading
from w2v_cli.inference.network import FloatArray, Network
from w2v_cli.inference.quantization import int8_form
from w2v_cli.inference.runtime import Runtime, choose_device, choose_dtype, set_threads
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.ctc import Wav2Vec2ForCTC
from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

# Of the model that is taken where none is named: wav2vec2-base's, which are the defaults.
_VOCAB_SIZE = 32
_CLIP_SECONDS = 1.0


@dataclass(frozen=True)
class Way:
    """A way to run a model; each is measured in a process of its own.

    Attributes:
        runtime: Device, precision, and what else differs from way to way.
        threads: How many threads to try; one number beside a GPU.
        batch_seconds: How much audio at once to try, of short recordings; 0: one by one.
    """

    runtime: Runtime
    threads: tuple[int, ...]
    batch_seconds: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """What is heard, and how often."""

    model: str | None  # None: random weights in the shape of wav2vec2-base
    hub: HubOptions
    seconds: float  # of the longer recording
    n_clips: int  # short recordings, of a second each
    rounds: int


@dataclass(frozen=True)
class Measurement:
    """How fast one setting was.

    Attributes:
        device: cpu, cuda ...
        precision: float32, int8, float16 ...
        threads: Of the processor.
        batch_seconds: None for one longer recording; else the most audio at once, of short ones.
        speed: Seconds of audio for a second of the clock; the median of the rounds.
        peak_bytes: The most memory of the process, of all settings of the way; on a GPU of that.
    """

    device: str
    precision: str
    threads: int
    batch_seconds: float | None
    speed: float
    peak_bytes: int


def ways_of_this_machine(most_threads: int | None = None) -> list[Way]:
    """Return what is worth trying here: whole numbers or not, threads, batches."""
    n_cores = most_threads or len(_usable_cores())
    threads = tuple(sorted({1, n_cores}))
    ways = [Way(Runtime(device="cpu"), threads, (0.0, 4.0))]
    if has_form(torch.device("cpu"), torch.bfloat16):
        ways.append(Way(Runtime(device="cpu", dtype="bfloat16"), threads, (0.0, 4.0)))
    if has_onednn():
        ways.append(Way(Runtime(device="cpu", quantize="int8"), threads, (0.0, 4.0)))
    if torch.cuda.is_available():
        ways += [
            Way(Runtime(device="cuda", dtype=dtype), (n_cores,), (0.0, 30.0, 120.0))
            for dtype in ("float32", "float16", "bfloat16")
        ]
    return ways


def measure(plan: Plan, way: Way) -> list[Measurement]:
    """Return how fast each setting of a way is, measured in a process of its own.

    Raises:
        ModelError: The model cannot be loaded.
        UsageError: It does not run so.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure_here, plan, way).result()


def best(measurements: list[Measurement]) -> tuple[Measurement, Measurement]:
    """Return the fastest setting for longer recordings, and the fastest for short ones."""
    longer = [one for one in measurements if one.batch_seconds is None]
    short = [one for one in measurements if one.batch_seconds is not None]
    return max(longer, key=_speed), max(short, key=_speed)


def _speed(measurement: Measurement) -> float:
    return measurement.speed


class _AnyNetwork(Network):
    """A model with any head; what comes of it is looked at by nobody."""

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        found = self.model(input_values, attention_mask=attention_mask, return_dict=False)
        first: torch.Tensor = found[0]
        return first.float()


def _measure_here(plan: Plan, way: Way) -> list[Measurement]:
    network = _network(plan, way.runtime)
    rate = network.sample_rate
    longer = [_sound(network, plan.seconds)]
    clips = [_sound(network, _CLIP_SECONDS)] * plan.n_clips
    settings: list[tuple[int, float | None]] = [(number, None) for number in way.threads]
    settings += [(number, seconds) for number in way.threads for seconds in way.batch_seconds]
    taken: dict[tuple[int, float | None], list[float]] = {setting: [] for setting in settings}
    for _ in range(plan.rounds + 1):  # the first is to warm up
        for threads, batch_seconds in settings:
            set_threads(threads)
            rows = longer if batch_seconds is None else clips
            n_together = max(1, math.floor((batch_seconds or 0) / _CLIP_SECONDS))
            began = time.perf_counter()
            for start in range(0, len(rows), n_together):
                network.hear(rows[start : start + n_together])
            taken[threads, batch_seconds].append(time.perf_counter() - began)
    device = network.model.device.type
    return [
        Measurement(
            device,
            network.precision,
            threads,
            batch_seconds,
            sum(map(len, longer if batch_seconds is None else clips))
            / rate
            / statistics.median(seconds[1:]),
            _peak_bytes(device),
        )
        for (threads, batch_seconds), seconds in taken.items()
    ]


def _network(plan: Plan, runtime: Runtime) -> Network:
    if plan.model is None:
        return _AnyNetwork("random", _random_model(runtime), Wav2Vec2FeatureExtractor())
    loading = Loading.prepare(plan.model, runtime, plan.hub)
    model = loading.model(published_class(plan.model, loading.config), None)
    return _AnyNetwork(plan.model, model, loading.feature_extractor())


def _random_model(runtime: Runtime) -> Any:
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=_VOCAB_SIZE, pad_token_id=0)).eval()
    device = choose_device(runtime.device)
    dtype = choose_dtype(runtime.dtype, device)
    if runtime.quantize is not None:
        return int8_form(model)
    if has_form(device, dtype):
        return inference_form(model, FloatProducts(dtype))
    return model.to(device, dtype)


def _sound(network: Network, seconds: float) -> FloatArray:
    """Return noise as input values."""
    n_samples = round(seconds * network.sample_rate)
    noise = np.random.default_rng(0).standard_normal(n_samples)
    return network.normalised(noise.astype(np.float32))


def _peak_bytes(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _usable_cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
