"""The local engine: every outcome in its place, and never more under way than there is room."""

from __future__ import annotations

import threading
import time

import pytest
from fakes import RATE, FakeJob, items

from w2v_cli.batch.local import LocalEngine, bounds
from w2v_cli.errors import AudioError, ModelError, OutOfMemoryError


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
    assert not readers_left()


def most_under_way(job, first):
    """Return the most seconds that were read and not heard, and open behind the first recording."""
    read = taken = most_waiting = behind = 0.0
    for what, source, seconds in job.events:
        if what == "opened":
            return most_waiting, behind
        read += seconds * (what == "read")
        taken += seconds * (what == "taken")
        behind += seconds * (what == "read" and source != first)
        most_waiting = max(most_waiting, read - taken)
    raise AssertionError("the gate was never opened")


@pytest.mark.parametrize(
    ("first", "n_readers"), [("gated:10800", 1), ("gated:20", 3), ("stuck:10800", 3)]
)
@pytest.mark.parametrize("batch_seconds", [0, 200])
def test_what_is_under_way_behind_a_slow_recording_is_bounded(first, n_readers, batch_seconds):
    """The decoder does not come to an end with it, or it comes slowly through a pipe."""
    sources = [first, *(f"{n}:{5 + n % 20}" for n in range(500)), "long:7200"]
    job = FakeJob(chunk_seconds=60)
    opener = job.open_gate_when_nothing_moves()
    done = outcomes(job, sources, batch_seconds=batch_seconds, n_readers=n_readers)
    opener.join()
    assert [outcome.item.source for outcome in done] == sources
    assert not [outcome.error for outcome in done if outcome.error]
    waiting, behind = most_under_way(job, first)
    limits = bounds(batch_seconds)
    in_hand = 60 * n_readers + max(batch_seconds, 60)  # of the readers and of the network
    assert waiting <= limits.queued_seconds + in_hand
    assert limits.open_seconds / 2 < behind <= limits.open_seconds + 60 * n_readers


def test_many_failures_behind_a_slow_recording_are_bounded_too():
    sources = ["stuck:30", *["missing"] * 1000]
    job = FakeJob()
    opened = []
    opens = job.open
    job.open = lambda source: opened.append(source) or opens(source)
    n_opened = []
    run_gate = job.gate.set
    job.gate.set = lambda: (n_opened.append(len(opened)), run_gate())
    opener = job.open_gate_when_nothing_moves()
    done = outcomes(job, sources, n_readers=2)
    opener.join()
    assert n_opened == [bounds(0).open_recordings]
    assert [outcome.error is None for outcome in done] == [True] + [False] * 1000


def test_inputs_are_taken_only_when_there_is_room_for_them():
    n_taken = 0

    def endless():
        nonlocal n_taken
        while True:
            n_taken += 1
            yield from items(f"{n_taken}:30")

    with LocalEngine(FakeJob()) as engine:
        run = engine.run(endless())
        for _, outcome in zip(range(5), run, strict=False):
            assert outcome.error is None
        run.close()
    assert n_taken < 5 + (bounds(0).queued_seconds + bounds(0).open_seconds) / 30
    assert not readers_left()


def readers_left():
    return [thread for thread in threading.enumerate() if thread.name.startswith("w2v-reader")]


@pytest.mark.parametrize("memory_seconds", [100, 31])
def test_batches_are_halved_until_they_fit_and_that_is_said_once(memory_seconds):
    sources = [f"{n}:30" for n in range(64)]
    job = FakeJob(memory_seconds=memory_seconds)
    said = []
    done = outcomes(job, sources, batch_seconds=480, warn=said.append)
    assert [outcome.item.source for outcome in done] == sources
    assert not [outcome.error for outcome in done if outcome.error]
    assert len(said) == 1
    assert said[0].endswith("to begin with these: --batch-seconds 240")
    sizes = [sum(batch) for batch in job.task.batches]
    assert max(sizes) <= memory_seconds
    assert max(map(len, job.task.batches)) == (2 if memory_seconds == 100 else 1)


def test_a_chunk_that_does_not_fit_alone_is_its_recordings_failure():
    sources = ["10:10", "large:90", "20:20", "30:30"]
    job = FakeJob(memory_seconds=40, chunk_seconds=100)
    done = outcomes(job, sources, batch_seconds=0)
    assert [outcome.error and str(outcome.error) for outcome in done] == [
        None,
        "large:90: 90 s of audio do not fit",
        None,
        None,
    ]
    assert isinstance(done[1].error, OutOfMemoryError)


def test_what_a_batch_cannot_be_blamed_for_does_not_shrink_it():
    """A recording that breaks the network takes none of its neighbours with it."""
    job = FakeJob()
    load = job.load

    def load_picky():
        task = load()
        run = task.run

        def picky(chunks):
            if any(len(chunk.input_values) == 13 * RATE for chunk in chunks):
                raise AudioError("gave what is not a number")
            return run(chunks)

        task.run = picky
        return task

    job.load = load_picky
    said = []
    sources = ["a:12", "b:13", "c:12", "d:12", "e:13"]
    done = outcomes(job, sources, batch_seconds=1000, warn=said.append)
    failed = [str(outcome.error) for outcome in done if outcome.error]
    assert failed == [f"{name}: gave what is not a number" for name in ("b:13", "e:13")]
    assert not said


def test_hours_are_told_while_a_recording_is_heard():
    heard = {}
    sources = ["long:4000", "short:7"]

    def hear(item, seconds):
        heard.setdefault(item.source, []).append(seconds)

    outcomes(FakeJob(), sources, on_heard=hear)
    assert len(heard["long:4000"]) > 60  # more than once a minute
    assert sum(heard["long:4000"]) == pytest.approx(4000)
    assert sum(heard["short:7"]) == pytest.approx(7)


def test_the_model_is_loaded_once_and_only_if_there_is_a_use_for_it():
    loads = []
    job = FakeJob()
    with LocalEngine(job, on_load=lambda task, seconds: loads.append(task)) as engine:
        assert [outcome.error is None for outcome in engine.run(items("missing", "missing"))] == [
            False,
            False,
        ]
        assert job.n_loaded == 0
        assert list(engine.run([])) == []
        assert len(list(engine.run(items("a:1")))) == 1
        assert len(list(engine.run(items("b:1")))) == 1
        assert loads == [job.task]
        assert not job.task.is_closed
    assert job.task.is_closed


@pytest.mark.parametrize("error", [ModelError("no such model"), ZeroDivisionError("a bug")])
def test_what_no_recording_is_to_blame_for_ends_the_run_after_what_is_ready(error):
    job = FakeJob()

    def names():
        yield from items("a:1", "gated-b:1")
        while ("taken", "gated-b:1", 1.0) not in job.events:
            time.sleep(0.001)
        threading.Timer(0.1, job.gate.set).start()
        raise error

    with LocalEngine(job) as engine:
        run = engine.run(names())
        assert next(run).item.source == "a:1"
        assert next(run).item.source == "gated-b:1"
        with pytest.raises(type(error), match=str(error)):
            next(run)
    assert not readers_left()


@pytest.mark.parametrize("where", ["load", "open", "chunks"])
def test_a_bug_anywhere_ends_the_run_and_makes_no_result(where):
    job = FakeJob()

    def broken(*_, **__):
        raise ZeroDivisionError

    job.gate.set()
    if where == "chunks":
        job.gate.wait = broken
    else:
        setattr(job, where, broken)
    with LocalEngine(job) as engine:
        run = engine.run(items("stuck:100", "b:1"))
        with pytest.raises(ZeroDivisionError):
            next(run)
    assert not readers_left()
