"""Where results end up: stdout or a file, one or several, whole or not at all."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from w2v_cli.cli.output import OutputError, Results, check_output
from w2v_cli.errors import AudioError, UsageError
from w2v_cli.formats import FORMATS

FULL = Path("/dev/full")


def write_all(target, format_name, *texts, n_inputs=None):
    joining = FORMATS[format_name].joining
    with Results(str(target), joining, n_inputs or len(texts)) as results:
        for index, text in enumerate(texts):
            results.write(text, f"{index}.wav")


def write_one_of_three(target, error):
    with Results(str(target), "array", 3) as results:
        results.write("{}\n", "0.wav")
        raise error


def test_one_text_goes_to_stdout_as_it_is(capsys):
    write_all("-", "txt", "one\ntwo\n")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_lines_of_several_begin_with_the_name(capsys):
    write_all("-", "txt", "one\ntwo\n", "", "three\n")
    assert capsys.readouterr().out == "0.wav: one\n0.wav: two\n1.wav:\n2.wav: three\n"


def test_a_line_break_in_a_name_is_no_line_break(capsys):
    with Results("-", "headings", 2) as results:
        results.write("one\n", "two\nlines.wav")
    assert capsys.readouterr().out == "two\\nlines.wav: one\n"


def test_one_json_is_an_object(capsys):
    write_all("-", "json", '{"text": "one"}\n')
    assert json.loads(capsys.readouterr().out) == {"text": "one"}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_json_of_several_inputs_is_an_array_whatever_succeeded(capsys, count):
    write_all("-", "json", *['{"text": "ü"}\n'] * count, n_inputs=3)
    assert json.loads(capsys.readouterr().out) == [{"text": "ü"}] * count


def test_json_of_several_inputs_that_all_failed_is_an_empty_array(capsys):
    with Results("-", "array", 2):
        pass
    assert capsys.readouterr().out == "[]\n"


def test_a_model_that_is_missing_leaves_stdout_empty(capsys):
    with pytest.raises(AudioError), Results("-", "array", 2):
        raise AudioError("x")
    assert capsys.readouterr().out == ""


def test_an_array_is_closed_when_interrupted(capsys):
    with pytest.raises(KeyboardInterrupt):
        write_one_of_three("-", KeyboardInterrupt())
    assert json.loads(capsys.readouterr().out) == [{}]


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old\n")
    with Results(str(target), "headings", 1) as results:
        results.write("new\n", "0.wav")
        assert target.read_text() == "old\n"
    assert target.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [AudioError("x"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_finished_results_are_kept_whatever_ends_the_run(tmp_path, error):
    target = tmp_path / "out.json"
    with pytest.raises(type(error)):
        write_one_of_three(target, error)
    assert json.loads(target.read_text()) == [{}]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("old", [None, "old\n"])
def test_no_result_no_file(tmp_path, old):
    target = tmp_path / "out.txt"
    if old is not None:
        target.write_text(old)
    with Results(str(target), "headings", 1):
        pass
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_permissions_are_those_of_the_old_file_or_of_any_new_one(tmp_path):
    old, new, other = tmp_path / "old.txt", tmp_path / "new.txt", tmp_path / "other.txt"
    old.write_text("")
    old.chmod(0o640)
    other.write_text("")
    write_all(old, "txt", "x\n")
    write_all(new, "txt", "x\n")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == other.stat().st_mode


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old\n")
    link.symlink_to(target)
    write_all(link, "txt", "new\n")
    assert link.is_symlink()
    assert target.read_text() == "new\n"


def test_a_device_is_not_replaced():
    write_all("/dev/null", "txt", "x\n")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_name_that_is_no_utf8_is_written(tmp_path):
    target = tmp_path / "out.txt"
    write_all(target, "txt", "caf\udce9\n")
    assert target.read_bytes() == b"caf\xe9\n"


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match=": a directory; name a file in it"):
        write_all(tmp_path, "txt", "x\n")


def test_a_missing_folder_is_not_made(tmp_path):
    folder = tmp_path / "no" / "such"
    with pytest.raises(UsageError, match=f"there is no folder {folder}; make it first: mkdir -p "):
        write_all(folder / "out.txt", "txt", "x\n")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_said():
    with pytest.raises(OutputError, match=r"--output /dev/full: cannot be written: No space left"):
        write_all("/dev/full", "txt", "x\n")


WRITE_TO_STDOUT = """
from w2v_cli.cli.output import Results
from w2v_cli.errors import W2VError
try:
    with Results("-", "array", 2) as results:
        results.write("{}\\n", "0.wav")
except W2VError as error:
    print(error, file=__import__("sys").stderr)
    raise SystemExit(error.exit_code)
"""


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_said_once():
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", WRITE_TO_STDOUT],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == (
        "stdout: cannot be written: No space left on device; make room on the disk\n"
    )
    assert done.returncode == 1


def test_an_input_is_not_overwritten(tmp_path, monkeypatch):
    recording = tmp_path / "talk.wav"
    recording.write_bytes(b"RIFF")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="this is an input too"):
        check_output(str(recording), ["other.wav", "talk.wav"])
    with pytest.raises(UsageError, match="this is an input too"):
        check_output(str(recording), [recording.as_uri()])
    check_output("-", ["talk.wav"])
    check_output("new.txt", ["talk.wav", "-"])


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_by_another_name_is_stdout(w2v_process, recording, tmp_path, name):
    """A file that it is redirected to keeps what is there already."""
    kept = tmp_path / "log.txt"
    kept.write_text("first\n")
    with kept.open("a") as log:
        command = [sys.executable, "-m", "w2v_cli", "transcribe", "-m", "mini", recording()]
        done = subprocess.run([*map(str, command), "-o", name], stdout=log, check=False)
    assert done.returncode == 0
    assert kept.read_text().startswith("first\n")
    piped = w2v_process("transcribe", "-m", "mini", recording(), "-f", "jsonl", "-o", name)
    assert (piped.exit_code, piped.stdout.count("\n")) == (0, 1)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_that_a_shell_has_opened_is_written_to(w2v_process, recording, tmp_path):
    reads, writes = os.pipe()
    run = w2v_process(
        *("transcribe", "-m", "mini", recording(), "-f", "jsonl", "-o", f"/dev/fd/{writes}"),
        pass_fds=(writes,),
    )
    os.close(writes)
    assert run.exit_code == 0, run.stderr
    with os.fdopen(reads) as pipe:
        assert pipe.read().startswith("{")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("models",),
        ("--version",),
        ("--help",),
        ("classify", "-m", "mini-keywords", "--list-labels"),
        ("transcribe", "-m", "mini", "-r", ".", "--dry-run"),
    ],
)
def test_a_full_stdout_is_told_in_a_line(recording, tmp_path, arguments):
    recording()
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "w2v_cli", *arguments]
        run = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
    assert run.returncode == 1
    assert run.stderr.startswith("w2v: stdout: cannot be written: No space left")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "NAME", "foo"),
        ("transcribe", "a.wav", "-o", "NAME"),
        ("transcribe", "a.wav", "-o", "NAME/"),
        ("transcribe", "-m", "mini", "--lm", "NAME", "a.wav"),
        ("transcribe", "-r", "NAME"),
        ("classify", "a.wav", "--plot", "NAME.png"),
    ],
)
def test_a_text_in_place_of_a_name_is_told_in_a_line(w2v, recording, arguments):
    talk = str(recording())
    written = [text.replace("NAME", "once upon a time " * 20) for text in arguments]
    run = w2v(*(text.replace("a.wav", talk) for text in written))
    assert run.exit_code == 2, run.stderr
    assert run.stderr.count("\n") == 1
    assert "once upon a time" in run.stderr
