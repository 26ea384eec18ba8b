"""A run is killed at every single moment in which it touches the disk, and the next goes on."""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from w2v_cli.batch import journal as journal_module
from w2v_cli.batch.inputs import Found, Selection, add_named
from w2v_cli.batch.journal import JournalInUseError
from w2v_cli.batch.ledger import Ledger, Policy
from w2v_cli.batch.outcome import Item
from w2v_cli.batch.parts import part_path
from w2v_cli.cli import destinations
from w2v_cli.cli.destinations import open_journal
from w2v_cli.errors import AudioError, MissingDependencyError, OutOfMemoryError
from w2v_cli.formats import transcript_formats
from w2v_cli.formats.format import Format, Gathering
from w2v_cli.results import Segment, Transcript

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL"),
    # The child does nothing but run this, and threads of other tests are none of its business.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

SOURCES = ["a.wav", "b.wav", "bad.wav", "c.wav"]


def heard(source, text):
    segments = (Segment(0, 0.0, 1.0, text, ()),)
    return Transcript(text, segments, 2.0, "mini", source)


def gather(notes, file):
    file.write(b"|".join(note.encode() for note in notes))


FORMATS = {
    **transcript_formats(),
    # As vectors are: a file that is put together of all results in the end.
    "bin": Format(".bin", lambda result: b"", gathering=Gathering(lambda r: r.text, gather)),
}


def destination(output, names, sources):
    return destinations.destination(output, names, sources, FORMATS)


def run(output, formats, *, settings=None, sources=SOURCES, **policy):
    """Run over recordings that say what their files hold; return which of them took work."""
    target = destination(output, formats, sources)
    settings = {"formats": formats, **(settings or {})}
    worked = []
    with open_journal(target, None) as journal:
        ledger = Ledger(journal, settings, lambda: "model", target.files, Policy(**policy))
        found = Found()
        add_named(found, sources, Selection())
        with target.keeping(ledger) as results:
            for item in ledger.todo(found.items):
                worked.append(item.source)
                with open("work.log", "a") as log:
                    log.write(f"{item.source}\n")
                if "bad" in item.source:
                    results.fail(item.source, AudioError(f"{item.source}: bad"))
                else:
                    text = Path(item.source).read_text()
                    results.write(heard(item.source, f"{text} {settings.get('extra', '')}"))
            while ledger.set_aside:
                ledger.accept(ledger.set_aside.popleft())
    return worked


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in SOURCES:
        Path(source).write_text(f"this is {source}")
    return tmp_path


def run_and_die(moment, *arguments, **options):
    """Run in a child that is killed at some moment; return whether it came that far."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        _die_at(moment)
        run(*arguments, **options)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _die_at(moment):
    n_moments = 0

    def pass_moment():
        nonlocal n_moments
        n_moments += 1
        if n_moments == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    touches = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.chmod"}
    sys.addaudithook(lambda event, arguments: pass_moment() if event in touches else None)
    fsync, write = os.fsync, journal_module._write_durably

    def dying_fsync(descriptor):
        pass_moment()
        fsync(descriptor)
        pass_moment()

    def half_written(file, pieces):
        pieces = list(pieces)
        before = n_moments
        pass_moment()
        if n_moments == before + 1 and moment == n_moments + 1:
            file.write(pieces[0][: len(pieces[0]) // 2])
        pass_moment()
        write(file, pieces)

    os.fsync, journal_module._write_durably = dying_fsync, half_written


def done_by_journal(path):
    """Return which inputs have a whole line."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line)["source"] for line in lines if b'"source"' in line]


OUTPUTS = [
    ("out/", ["srt", "jsonl"]),
    ("all.jsonl", ["jsonl"]),
    ("all.json", ["json"]),
    ("all.bin", ["bin"]),
]


@pytest.mark.parametrize(("output", "formats"), OUTPUTS, ids=[o for o, _ in OUTPUTS])
def test_killed_at_every_moment(folder, output, formats):
    run(output, formats)
    expected = contents(folder)
    place = destination(output, formats, SOURCES).journal_path
    for moment in range(1, 1000):
        clean(folder)
        if not run_and_die(moment, output, formats):
            break
        finished = done_by_journal(place)
        assert run(output, formats) == [s for s in SOURCES if s not in finished]
        assert contents(folder) == expected
        assert not list(folder.rglob("*.w2v-part"))
        assert Counter(done_by_journal(place)) == Counter(SOURCES)
        assert run(output, formats) == []
    assert moment > 20


@pytest.mark.parametrize(("output", "formats"), OUTPUTS, ids=[o for o, _ in OUTPUTS])
def test_killed_while_results_are_replaced(folder, output, formats):
    """With other settings everything is done again, and at no moment is a file a mixture."""
    run(output, formats)
    old = contents(folder)
    run(output, formats, settings={"extra": "more"})
    new = contents(folder)
    assert old != new
    for moment in range(1, 1000, 3):
        clean(folder)
        run(output, formats)
        killed = run_and_die(moment, output, formats, settings={"extra": "more"})
        for name, content in contents(folder).items():
            assert content in (old[name], new[name])
        run(output, formats, settings={"extra": "more"})
        assert contents(folder) == new
        if not killed:
            break


@pytest.mark.parametrize("again", [{"overwrite": True}, {"retry_failed": True}], ids=str)
def test_a_part_of_a_later_attempt_is_not_taken_for_the_earlier_one(folder, again):
    """The journal tells of an earlier result of the same settings, which stays what it was."""
    output, formats = OUTPUTS[0]
    run(output, formats)
    expected = contents(folder)
    for moment in range(1, 1000):
        if moment % 3 == 0:
            Path("out/c.srt").unlink()
        killed = run_and_die(moment, output, formats, **again)
        for name, content in contents(folder).items():
            assert content == expected[name]
        run(output, formats)
        assert contents(folder) == expected
        assert not list(folder.rglob("*.w2v-part"))
        if not killed:
            break
    assert moment > 5


def test_half_a_part_is_dropped(folder):
    run("out/", ["txt"])
    part = part_path(Path("out/a.txt"))
    part.write_text("this is")
    assert run("out/", ["txt"]) == []
    assert Path("out/a.txt").read_text() == "this is a.wav\n"
    assert not part.exists()


def test_a_run_that_is_refused_leaves_the_other_s_parts_alone(folder):
    target = destination("out/", ["txt"], SOURCES)
    Path("out").mkdir()
    with open_journal(target, None) as one:
        other = destination("out/", ["txt"], SOURCES)
        ledger = Ledger(one, {}, lambda: "model", target.files)
        with open_journal(other, None) as second:
            ledger.begin()
            part = part_path(Path("out/a.txt"))
            part.write_text("of the first run")
            late = Ledger(second, {}, lambda: "model", other.files)
            with other.keeping(late) as results, pytest.raises(JournalInUseError):
                results.write(heard("a.wav", "of the second"))
        assert part.read_text() == "of the first run"


def contents(folder):
    """Return what result files hold, and see that nothing else lies about."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".wav"]
    results = {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name[0] != "."}
    results.pop("work.log", None)
    return results


def clean(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        elif path.suffix != ".wav":
            path.unlink()


def test_only_what_has_changed_is_done_again(folder):
    assert run("out/", ["txt"]) == SOURCES
    assert run("out/", ["txt"]) == []
    Path("b.wav").write_text("something else")
    assert run("out/", ["txt"]) == ["b.wav"]
    assert Path("out/b.txt").read_text() == "something else\n"
    os.utime("c.wav")  # its times alone: its content tells that nothing has changed
    assert run("out/", ["txt"]) == []
    stamp = Path("a.wav").stat().st_mtime_ns
    Path("a.wav").write_text("this is 4.wav")  # its content alone, of the same length
    os.utime("a.wav", ns=(stamp, stamp))
    assert run("out/", ["txt"]) == ["a.wav"]
    Path("out/c.txt").unlink()
    assert run("out/", ["txt"]) == ["c.wav"]
    assert run("out/", ["txt"], settings={"beam_width": 5}) == SOURCES
    assert run("out/", ["txt", "srt"], settings={"beam_width": 5}) == SOURCES


def test_a_result_that_was_edited_by_hand_stays(folder):
    run("out/", ["txt"])
    Path("out/a.txt").write_text("corrected\n")
    assert run("out/", ["txt"]) == []
    assert Path("out/a.txt").read_text() == "corrected\n"


def test_policies(folder):
    run("out/", ["txt"])
    assert run("out/", ["txt"], retry_failed=True) == ["bad.wav"]
    assert run("out/", ["txt"], overwrite=True) == SOURCES
    Path("out/.w2v-journal").unlink()
    Path("out/b.txt").unlink()
    assert run("out/", ["txt"], skip_existing=True) == ["b.wav", "bad.wav"]


def test_one_file_follows_its_inputs(folder):
    run("all.jsonl", ["jsonl"])
    Path("d.wav").write_text("this is d.wav")
    sources = ["d.wav", "b.wav", "bad.wav"]
    assert run("all.jsonl", ["jsonl"], sources=sources) == ["d.wav"]
    lines = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == sources
    assert run("all.jsonl", ["jsonl"]) == []
    assert len(Path("all.jsonl").read_text().splitlines()) == len(SOURCES)


def test_a_second_run_into_the_same_place_is_refused(folder):
    run("out/", ["txt"])
    target = destination("out/", ["txt"], SOURCES)
    with (
        open_journal(target, None),
        pytest.raises(journal_module.JournalInUseError, match="another run is writing there"),
    ):
        open_journal(target, None)


def test_shards_see_each_other(folder):
    target = destination("out/", ["txt"], SOURCES)
    Path("out").mkdir()
    with open_journal(target, (1, 2)) as one:
        Ledger(one, {}, lambda: "model", target.files).done("a.wav", 1.0)
        with open_journal(target, (2, 2)) as two:
            assert two.get("a.wav").seconds == 1.0
            assert two.path.name == ".w2v-journal-2of2"
    with open_journal(target, None) as whole:
        assert whole.get("a.wav") is not None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (AudioError("a.wav: broken"), []),
        (OutOfMemoryError("a.wav: too long"), ["a.wav"]),
        (MissingDependencyError("av", extra="containers", purpose="a.wav"), ["a.wav"]),
    ],
)
def test_what_failed_for_another_reason_is_tried_again(folder, error, again):
    target = destination("out/", ["txt"], SOURCES)
    Path("out").mkdir()
    items = [Item("a.wav", Path("a.wav"))]
    with open_journal(target, None) as journal:
        ledger = Ledger(journal, {}, lambda: "model", target.files)
        assert list(ledger.todo(items)) == items
        ledger.failed("a.wav", error)
    with open_journal(target, None) as journal:
        ledger = Ledger(journal, {}, lambda: "model", target.files)
        assert [item.source for item in ledger.todo(items)] == again
