"""What `w2v bench` tries on a machine, and how it measures."""

from __future__ import annotations

import pytest
import torch

from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.errors import ModelNotFoundError
from w2v_cli.inference import benchmark
from w2v_cli.inference.benchmark import Measurement, Plan, Way, best, ways_of_this_machine
from w2v_cli.inference.runtime import Runtime


@pytest.mark.parametrize("is_narrow", [False, True])
def test_a_processor_is_tried_with_one_thread_and_with_all(monkeypatch, is_narrow):
    monkeypatch.setattr(benchmark, "has_form", lambda device, dtype: is_narrow)
    float32, *narrow, int8 = ways_of_this_machine(4)
    assert (float32.runtime.quantize, int8.runtime.quantize) == (None, "int8")
    assert [way.runtime.dtype for way in narrow] == ["bfloat16"] * is_narrow
    assert float32.threads == int8.threads == (1, 4)
    assert ways_of_this_machine(1)[0].threads == (1,)


def test_a_gpu_is_tried_in_three_precisions(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    ways = ways_of_this_machine(8)
    on_gpu = [way.runtime.dtype for way in ways if way.runtime.device == "cuda"]
    assert on_gpu == ["float32", "float16", "bfloat16"]


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_every_setting_is_measured(monkeypatch, quantize):
    heard: list[int] = []
    hear = benchmark.Network.hear
    monkeypatch.setattr(
        benchmark.Network, "hear", lambda self, rows: heard.append(len(rows)) or hear(self, rows)
    )
    monkeypatch.setattr(benchmark, "set_threads", lambda threads: None)
    plan = Plan("mini", HubOptions(), seconds=2.0, n_clips=3, rounds=2)
    way = Way(Runtime(device="cpu", quantize=quantize), (1,), (0.0, 2.0))
    measured = benchmark._measure_here(plan, way)
    assert heard == 3 * [1, 1, 1, 1, 2, 1]  # the longer one, one by one, two at once
    assert [one.batch_seconds for one in measured] == [None, 0.0, 2.0]
    assert {one.precision for one in measured} == {quantize or "float32"}
    assert all(one.speed > 0 and one.peak_bytes > 10**7 for one in measured)


def test_short_recordings_are_measured_with_every_number_of_threads(monkeypatch):
    monkeypatch.setattr(benchmark, "set_threads", lambda threads: None)
    plan = Plan("mini", HubOptions(), seconds=1.0, n_clips=1, rounds=1)
    measured = benchmark._measure_here(plan, Way(Runtime(device="cpu"), (1, 2), (0.0, 2.0)))
    assert [(one.threads, one.batch_seconds) for one in measured] == [
        *((1, None), (2, None), (1, 0.0), (1, 2.0), (2, 0.0), (2, 2.0))
    ]


def test_a_model_of_another_head_is_measured_too(tmp_path, monkeypatch):
    from w2v_cli import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[16, 16],
        conv_kernel=[10, 8],
        conv_stride=[5, 4],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        num_labels=3,
    )
    Wav2Vec2ForSequenceClassification(config).save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    monkeypatch.setattr(benchmark, "set_threads", lambda threads: None)
    plan = Plan(str(tmp_path), HubOptions(), seconds=1.0, n_clips=2, rounds=1)
    measured = benchmark._measure_here(plan, Way(Runtime(device="cpu"), (1,), (0.0,)))
    assert len(measured) == 2


def test_what_is_fastest_depends_on_how_long_recordings_are():
    one = Measurement("cpu", "float32", 1, None, 3.0, 1)
    two = Measurement("cpu", "float32", 2, None, 5.0, 1)
    clips = Measurement("cpu", "float32", 2, 4.0, 9.0, 1)
    assert best([one, two, clips]) == (two, clips)


def test_errors_come_back_from_the_process(tmp_path):
    plan = Plan(str(tmp_path), HubOptions(), seconds=1.0, n_clips=1, rounds=1)
    with pytest.raises(ModelNotFoundError, match="there is no config"):
        benchmark.measure(plan, Way(Runtime(device="cpu"), (1,), (0.0,)))
