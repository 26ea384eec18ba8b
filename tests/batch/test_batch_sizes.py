"""A recording's text depends neither on the size of its batch nor on its neighbours."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.network import Network
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.transcribe import TranscriptionJob

DATA = Path(__file__).parents[1] / "data"
NAMES = ("jfk", "stop", "three", "happy", "demo", "seven", "sheila")
# Sixteen recordings, some of them twice, of lengths from 0.43 to 11 seconds.
SOURCES = [str(DATA / f"{name}.opus") for name in (*NAMES, *NAMES[::-1], "jfk", "demo")]
# Of batches that the longest recordings fill with about 1, 4 and 16 of their length.
BATCH_SECONDS = {1: 0.0, 4: 44.0, 16: 176.0}


@pytest.fixture(autouse=True)
def rows_go_together(monkeypatch):
    """A batch goes through the network as one, as on a GPU; on a processor it is a queue."""
    monkeypatch.setattr(Network, "_passes", lambda self, lengths: [list(range(len(lengths)))])


@pytest.fixture(scope="module")
def group_norm_folder(save_ctc_model, tmp_path_factory):
    """A model of the other kind than mini, deep and wide enough to pass on what it hears."""
    return save_ctc_model(
        tmp_path_factory.mktemp("group"),
        norm="group",
        conv_dim=(32,) * 7,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        initializer_range=0.3,
    )


@pytest.fixture(scope="module", params=["layer", "group"])
def model(request):
    """mini, which has layer norm, and a model with group norm."""
    return "mini" if request.param == "layer" else str(request.getfixturevalue("group_norm_folder"))


def transcripts(model, sources, batch_seconds, **options):
    """Return each recording's transcript, and how many chunks each batch had."""
    sizes = []
    job = TranscriptionJob(model, runtime=Runtime(device="cpu"))

    def watch(task, seconds):
        run = task.emitter.run

        def counting(chunks):
            sizes.append(len(chunks))
            return run(chunks)

        task.emitter.run = counting

    options |= {"batch_seconds": batch_seconds, "on_load": watch, "patience_seconds": 60}
    with LocalEngine(job, **options) as engine:
        outcomes = list(engine.run(Item(source, Path(source)) for source in sources))
    assert [outcome.item.source for outcome in outcomes] == list(sources)
    assert not [outcome.error for outcome in outcomes if outcome.error]
    return [outcome.result for outcome in outcomes], sizes


def told(transcript):
    """Return what is said, with the times of all words."""
    words = [word for segment in transcript.segments for word in segment.words]
    return [(word.text, word.start_seconds, word.end_seconds) for word in words]


def test_batches_of_1_4_and_16_give_the_same_text(model):
    alone, sizes = transcripts(model, SOURCES, BATCH_SECONDS[1])
    assert set(sizes) == {1}
    assert sum(len(told(transcript)) for transcript in alone) > 30  # worth comparing
    for size in (4, 16):
        together, sizes = transcripts(model, SOURCES, BATCH_SECONDS[size])
        assert max(sizes) >= size
        assert [told(transcript) for transcript in together] == [told(t) for t in alone]


def test_order_and_neighbours_do_not_change_a_text(model):
    alone, _ = transcripts(model, SOURCES, 0.0)
    texts = {source: told(transcript) for source, transcript in zip(SOURCES, alone, strict=True)}
    for seed in range(3):
        shuffled = SOURCES[:]
        random.Random(seed).shuffle(shuffled)
        together, _ = transcripts(model, shuffled[:9], 100.0, n_readers=2)
        for source, transcript in zip(shuffled, together, strict=False):
            assert told(transcript) == texts[source]


def test_emissions_are_those_of_the_recording_alone(model):
    emitter = Emitter.load(model, runtime=Runtime(device="cpu"))
    waveforms = [read_waveforms(source).channels[0] for source in SOURCES]
    alone = [emitter.emissions(waveform, sample_rate=16000) for waveform in waveforms]
    for size in (4, 16):
        for first in range(0, len(waveforms), size):
            batch = emitter.batch_emissions(waveforms[first : first + size], sample_rate=16000)
            for together, expected in zip(batch, alone[first:], strict=False):
                assert together.shape == expected.shape
                np.testing.assert_allclose(np.exp(together), np.exp(expected), atol=2e-5)


@pytest.mark.parametrize("n_samples", [*range(400, 410), 719, 720, 721, 1039, 1040, 15999])
def test_the_group_norm_counts_the_frames_of_every_length_right(group_norm_folder, n_samples):
    """Also of recordings that end within a frame of one of the convolutions."""
    emitter = Emitter.load(group_norm_folder, runtime=Runtime(device="cpu"))
    waveform = read_waveforms(DATA / "jfk.opus").channels[0]
    short, long = waveform[4000 : 4000 + n_samples], waveform[:48000]
    alone = emitter.emissions(short, sample_rate=16000)
    together, _ = emitter.batch_emissions([short, long], sample_rate=16000)
    np.testing.assert_allclose(together, alone, atol=2e-4)


OUT_OF_MEMORY = """
import json, resource, sys
from pathlib import Path
from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.outcome import Item
from w2v_cli.inference import loading
from w2v_cli.inference.network import Network
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.transcribe import TranscriptionJob

loading.why_not = lambda model: "the trained form takes more memory"
Network._passes = lambda self, lengths: [list(range(len(lengths)))]

def limit_memory(task, seconds):
    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + 220_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

folder, recording = sys.argv[1:]
job = TranscriptionJob(folder, runtime=Runtime(device="cpu", threads=1))
said = []
options = {"batch_seconds": 704, "patience_seconds": 60, "on_load": limit_memory}
with LocalEngine(job, warn=said.append, **options) as engine:
    outcomes = list(engine.run([Item(recording, Path(recording))] * 64))
texts = [outcome.result.text if outcome.result else str(outcome.error) for outcome in outcomes]
print(json.dumps([said, texts]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_where_memory_is_short_smaller_batches_give_the_same_text(group_norm_folder):
    """The trained network takes about 2.4 MB a second: 704 s at once do not fit into 220 MB."""
    recording = str(DATA / "jfk.opus")
    (alone,), _ = transcripts(str(group_norm_folder), [recording], 0.0)
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, group_norm_folder, recording],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    said, texts = json.loads(done.stdout)
    assert texts == [alone.text] * 64
    assert len(said) == 1
    assert (
        "704 s of audio at once do not fit into the memory; going on with batches of 352" in said[0]
    )
