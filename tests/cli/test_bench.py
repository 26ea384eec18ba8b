"""`w2v bench`: what it prints of measurements, and that it measures."""

from __future__ import annotations

import json

import pytest

from w2v_cli.cli import bench
from w2v_cli.inference import benchmark
from w2v_cli.inference.benchmark import Measurement


def measurement(precision="float32", threads=2, batch_seconds=None, speed=10.0, device="cpu"):
    return Measurement(device, precision, threads, batch_seconds, speed, 400_000_000)


SLOW_THREADS = [
    measurement(threads=1, speed=8.0),
    measurement(threads=2, speed=10.0),
    measurement(batch_seconds=0.0, speed=9.0),
    measurement(batch_seconds=4.0, speed=9.5),
    measurement("int8", 1, speed=20.0),
    measurement("int8", 2, speed=25.0),
    measurement("int8", 2, 0.0, speed=22.0),
    measurement("int8", 2, 4.0, speed=21.0),
]


@pytest.fixture
def measured(monkeypatch):
    """Have measurements be made up: those of whole numbers are the last way's."""

    def made_up(plan, way):
        assert plan.model in (None, "mini")
        assert plan.rounds == 2
        precision = way.runtime.quantize or way.runtime.dtype.replace("auto", "float32")
        return [one for one in SLOW_THREADS if one.precision == precision]

    monkeypatch.setattr(benchmark, "measure", made_up)


def test_the_table_has_a_line_for_each_setting_and_says_what_suits(w2v, measured):
    done = w2v("bench", "mini", "--rounds", "2")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "mini: speed as a multiple of real time"
    assert lines[2].split() == ["device", "precision", "threads", "recordings", "speed", "memory"]
    assert lines[3].split() == ["cpu", "float32", "1", "one,", "longer", "8.0", "400", "MB"]
    assert "short, one by one" in lines[5]
    assert "short, 4 s at once" in lines[6]
    assert len(lines) == 3 + len(SLOW_THREADS) + 1 + 4
    assert lines[-4:] == [
        "Fastest for longer recordings: --quantize int8 --threads 2",
        "Fastest for short recordings: --quantize int8 --threads 2 --batch-seconds 0",
        "For many recordings, 2 processes of --threads 1, each with its --shard, may do up to 40 "
        "times real time together",
        "int8 is 2.5 times as fast as float32 and may change a word now and then: w2v transcribe "
        "with and without, and w2v score, tell how many",
    ]


def test_each_measurement_is_told_as_it_is_made(w2v, measured):
    done = w2v("bench", "mini", "--rounds", "2", "--verbose")
    lines = done.stderr.splitlines()
    assert len(lines) == len(SLOW_THREADS)
    assert lines[0] == "w2v: cpu, float32, 1 thread: one, longer, 8.0 x real time"


def test_json_has_the_same(w2v, measured):
    done = w2v("bench", "--rounds", "2", "--format", "json")
    content = json.loads(done.stdout)
    assert content["schema_version"] == 1
    assert content["model"] == "random weights in the shape of wav2vec2-base"
    assert [one["times_real_time"] for one in content["settings"]] == [
        one.speed for one in SLOW_THREADS
    ]
    assert content["fastest_for_longer_recordings"]["precision"] == "int8"
    assert content["fastest_for_short_recordings"]["batch_seconds"] == 0
    assert content["settings"][0]["peak_bytes"] == 400_000_000


def test_on_a_gpu_the_options_name_it():
    fastest = measurement("float16", 8, speed=900.0, device="cuda")
    short = measurement("float16", 8, 120.0, speed=950.0, device="cuda")
    lines = bench.advice([measurement(), fastest, short])
    assert lines == [
        "Fastest for longer recordings: --device cuda --dtype float16 --threads 8",
        "Fastest for short recordings: --device cuda --dtype float16 --threads 8 "
        "--batch-seconds 120",
    ]


def test_a_folder_of_whole_numbers_is_measured_once(w2v, monkeypatch):
    whole = [measurement("int8", 1, speed=20.0), measurement("int8", 1, 0.0, speed=22.0)]
    monkeypatch.setattr(benchmark, "measure", lambda plan, way: whole)
    lines = w2v("bench", "mini", "--threads", "1").stdout.splitlines()
    assert len(lines) == 3 + 2 + 1 + 2
    assert lines[-2] == "Fastest for longer recordings: --quantize int8 --threads 1"


def test_a_recording_without_end(w2v):
    assert w2v("bench", "mini", "--seconds", "inf").exit_code == 2


def test_a_model_that_is_not_there(w2v):
    done = w2v("bench", "no/such/folder")
    assert done.exit_code == 4
    assert "no/such/folder" in done.stderr


@pytest.mark.slow
def test_it_measures_a_model_in_processes_of_their_own(w2v):
    done = w2v("bench", "mini", "--rounds", 1, "--seconds", 1, "--threads", 1, "--format", "json")
    settings = json.loads(done.stdout)["settings"]
    assert {one["precision"] for one in settings} >= {"float32", "int8"}
    assert all(one["times_real_time"] > 0 and one["peak_bytes"] > 10**7 for one in settings)
