"""One input after the other: what is done after a bad one, and how the run ends."""

import sys

import pytest

from w2v_cli.cli.console import Console
from w2v_cli.cli.inputs import InputRun, check_inputs, for_each_input
from w2v_cli.errors import AudioError, MissingDependencyError, ModelError, UsageError

BAD = AudioError("bad.wav: broken")
NEEDS_AV = MissingDependencyError("av", extra="containers", purpose="talk.m4a: reading it")


def run(*outcomes):
    """Return the exit code and what was written when inputs end in these results or errors."""
    written = []

    def work(source):
        outcome = outcomes[int(source)]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    console = Console()
    sources = [str(index) for index in range(len(outcomes))]
    with console.progress(len(sources)) as progress:
        code = for_each_input(sources, work, written.append, console=console, progress=progress)
    return code, written


class Promise:
    """A result that says what was asked of it; ready when told so."""

    def __init__(self, name, log, *, ready=False, error=None):
        self.name, self.log, self.ready, self.error = name, log, ready, error

    def result(self):
        self.log.append(f"waited for {self.name}")
        if self.error is not None:
            raise self.error
        return self.name


def run_ahead(log, begin, inputs, ahead):
    def write(name):
        log.append(f"wrote {name}")

    console = Console()
    with console.progress(len(inputs)) as progress:
        run = InputRun(
            lambda name: log.append(f"wrote {name}"), None, console, progress, ahead=ahead
        )
        return run.run(inputs, begin)


def test_the_next_inputs_begin_before_the_first_is_waited_for():
    log = []

    def begin(source):
        log.append(f"began {source}")
        return Promise(source, log)

    assert run_ahead(log, begin, ["a", "b", "c"], 1) == 0
    assert log == [
        *("began a", "began b", "waited for a", "wrote a"),
        *("began c", "waited for b", "wrote b", "waited for c", "wrote c"),
    ]


def test_what_is_ready_is_written_at_once_and_in_order():
    log = []
    promises = {"a": Promise("a", log), "b": Promise("b", log, ready=True)}

    def begin(source):
        if source == "c":
            assert log == []  # b is ready and waits for a
            promises["a"].ready = True
            return Promise("c", log, ready=True)
        return promises[source]

    assert run_ahead(log, begin, ["a", "b", "c"], 5) == 0
    assert log[1::2] == ["wrote a", "wrote b", "wrote c"]


def test_an_error_while_waiting_is_told_and_the_others_go_on(capsys):
    log = []
    errors = {"a": BAD}
    code = run_ahead(log, lambda s: Promise(s, log, error=errors.get(s)), ["a", "b"], 2)
    assert code == 3
    assert log[-1] == "wrote b"
    assert "bad.wav: broken" in capsys.readouterr().err


def test_an_interruption_writes_what_is_ready(capsys):
    log = []
    promise = Promise("a", log)

    def begin(source):
        if source == "b":
            promise.ready = True
            raise KeyboardInterrupt
        return promise

    with pytest.raises(KeyboardInterrupt):
        run_ahead(log, begin, ["a", "b"], 2)
    assert log[-1] == "wrote a"
    assert "1 of 2 results is kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "exit_code"),
    [
        ((), 0),
        (("a",), 0),
        (("a", "b"), 0),
        ((BAD,), 1),
        ((BAD, BAD), 1),
        ((NEEDS_AV,), 5),
        ((NEEDS_AV, NEEDS_AV), 5),
        ((BAD, NEEDS_AV), 1),
        (("a", BAD), 3),
        ((BAD, "a"), 3),
        ((NEEDS_AV, "a", BAD), 3),
    ],
)
def test_exit_codes(outcomes, exit_code, capsys):
    errors = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    written = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert run(*outcomes) == (exit_code, written)
    assert capsys.readouterr().err.splitlines() == [f"w2v: {error}" for error in errors]


def test_a_model_that_is_missing_ends_the_run():
    with pytest.raises(ModelError):
        run("a", ModelError("no model"), "b")


def test_an_interruption_says_what_is_kept(capsys):
    with pytest.raises(KeyboardInterrupt):
        run("a", "b", KeyboardInterrupt(), "c")
    assert capsys.readouterr().err == "w2v: interrupted; 2 of 4 results are kept\n"


def test_standard_input_is_read_once():
    check_inputs(["a.wav", "-"])
    with pytest.raises(UsageError, match="name it once"):
        check_inputs(["-", "a.wav", "-"])


def test_an_empty_name_is_a_mistake():
    with pytest.raises(UsageError, match="an input has an empty name"):
        check_inputs(["a.wav", ""])


def test_a_package_that_is_missing_is_named(w2v, tmp_path, monkeypatch, babble):
    av = pytest.importorskip("av")
    path = tmp_path / "talk.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(babble(1024)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    assert w2v("transcribe", path).exit_code == 0
    monkeypatch.setitem(sys.modules, "av", None)
    result = w2v("transcribe", path)
    assert result.exit_code == 5
    assert len(result.stderr.splitlines()) == 1
    assert "pip install 'w2v[containers]'" in result.stderr
