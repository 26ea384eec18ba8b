"""The local engine: every outcome in its place, and never more under way than there is room."""

from __future__ import annotations

import threading

import pytest

from fakes import FakeJob, items
from w2v_cli.batch.local import LocalEngine


def outcomes(job, sources, **options):
    with LocalEngine(job, **options) as engine:
        return list(engine.run(items(*sources)))


@pytest.mark.parametrize("n_readers", [1, 3])
@pytest.mark.parametrize("batch_seconds", [0, 40, 1000])
def test_every_outcome_comes_in_its_place(batch_seconds, n_readers):
    sources = [f"{'slow' if n % 7 == 0 else 'quick'}-{n}:{1 + n * 37 % 90}" for n in range(200)]
    sources[50], sources[51], sources[52] = "missing:1", "breaks:70", "unfinished:3"
    sources[100], sources[101] = "nothing:0", "long:4000"
    job = FakeJob()
    done = outcomes(job, sources, batch_seconds=batch_seconds, n_readers=n_readers)
    assert [outcome.item.source for outcome in done] == sources
    failed = {outcome.item.source: str(outcome.error) for outcome in done if outcome.error}
    assert failed == {
        "missing:1": "missing:1: no such file",
        "breaks:70": "breaks:70: breaks off",
        "unfinished:3": "unfinished:3: cannot be finished",
    }
    for outcome in done:
        if outcome.error is None:
            seconds = job.seconds(outcome.item.source)
            assert outcome.result == (outcome.item.source, -(-seconds // 30))
            assert outcome.audio_seconds == seconds
    assert job.n_loaded == 1
    assert job.task.is_closed
    assert not [t for t in threading.enumerate() if t.name.startswith("w2v-reader")]
