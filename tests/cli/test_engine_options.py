"""How much goes through the network at once, as it is typed."""

import pytest


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "much"])
def test_a_batch_that_cannot_be_is_refused(w2v, seconds):
    run = w2v("transcribe", "--batch-seconds", seconds, "talk.wav")
    assert run.exit_code == 2
    assert "--batch-seconds" in run.stderr


def test_the_text_does_not_depend_on_it(w2v, recording):
    names = [recording(f"{n}.wav", seconds=0.5 + 0.3 * n, seed=n) for n in range(6)]
    runs = [w2v("transcribe", "--batch-seconds", seconds, *names) for seconds in (0, 2, 100)]
    assert {run.exit_code for run in runs} == {0}
    assert runs[0].stdout.count("\n") >= 6
    assert runs[0].stdout == runs[1].stdout == runs[2].stdout


def test_the_engine_is_told(w2v, recording, monkeypatch):
    from w2v_cli.batch.local import LocalEngine

    told = []
    begin = LocalEngine.__init__

    def watch(engine, job, **options):
        told.append(options["batch_seconds"])
        begin(engine, job, **options)

    monkeypatch.setattr(LocalEngine, "__init__", watch)
    assert w2v("transcribe", "--batch-seconds", "7.5", recording()).exit_code == 0
    assert w2v("transcribe", recording()).exit_code == 0
    assert told == [7.5, None]
