"""Options of a run over many recordings, as they are typed."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def calls(tmp_path, recording, monkeypatch):
    """A folder with recordings in folders, a bad one among them; it is the current one."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.wav", "mon/b c.wav", "mon/bad.wav", "tue/d.wav")):
        (tmp_path / "calls" / name).parent.mkdir(parents=True, exist_ok=True)
        recording(f"{seed}.wav", seed=seed, seconds=0.5).rename(tmp_path / "calls" / name)
    (tmp_path / "calls/mon/bad.wav").write_text("this is no sound\n" * 9)
    return tmp_path


def written(folder):
    """Return what lies in a folder and is not hidden."""
    files = (
        path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file()
    )
    return sorted(files)


def test_rows_of_a_manifest_may_be_channels_of_a_recording(w2v, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pieces = [soundfile.read(DATA / f"{word}.opus")[0] for word in ("stop", "happy")]
    n_frames = min(map(len, pieces))
    soundfile.write("two.wav", np.stack([piece[:n_frames] for piece in pieces], axis=1), 16000)
    rows = [{"audio_filepath": "two.wav", "channel": n} for n in (1, 2)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("transcribe", "--model", "mini", "--manifest", "m.jsonl", "-q")
    said = [json.loads(line) for line in w2v(*command, "-f", "jsonl").stdout.splitlines()]
    assert [(row["source"], row["text"]) for row in said] == [
        *(("two.wav#channel=1", "stop"), ("two.wav#channel=2", "happy")),
    ]
    assert [line.split()[:2] for line in w2v(*command, "-f", "ctm").stdout.splitlines()] == [
        *(["two", "1"], ["two", "2"]),
    ]
    assert w2v(*command, "-o", "out/").exit_code == 0
    assert written(tmp_path / "out") == ["two.channel1.txt", "two.channel2.txt"]


def test_a_tree_is_mirrored_and_summed_up(w2v, calls):
    run = w2v("transcribe", "-r", "calls", "-f", "srt", "-f", "jsonl", "-o", "out/")
    assert (run.exit_code, run.stdout) == (3, "")
    error, done, failed, reason = run.stderr.splitlines()
    assert error == "w2v: calls/mon/bad.wav: holds text, not sound; name a recording"
    assert done.split()[:5] == ["done", "3", "1.5", "s", "of"]
    assert done.rstrip().endswith(" times real time")
    assert failed.split() == ["failed", "1"]
    assert reason.strip() == "1  holds text, not sound (calls/mon/bad.wav)"
    assert written(calls / "out") == [
        *("a.jsonl", "a.srt", "mon/b c.jsonl", "mon/b c.srt", "mon/bad.jsonl"),
        *("tue/d.jsonl", "tue/d.srt"),
    ]


def test_the_next_run_has_nothing_to_do_and_needs_no_model(w2v, calls, monkeypatch):
    arguments = ["transcribe", "-r", "calls", "-o", "out/"]
    w2v(*arguments)
    monkeypatch.setattr("w2v_cli.tasks.transcribe.TranscriptionJob.load", None)
    run = w2v(*arguments)
    assert run.exit_code == 3
    error, done, skipped, failed, _ = run.stderr.splitlines()
    assert error.endswith("name a recording (failed before; try again with --retry-failed)")
    assert (done.split()[1], skipped.split()[1], failed.split()[1]) == ("0", "3", "1")


def test_other_settings_do_again_and_say_so(w2v, calls):
    w2v("transcribe", "-r", "calls", "-o", "out/")
    run = w2v("transcribe", "-r", "calls", "-o", "out/", "-f", "srt")
    assert run.stderr.splitlines()[0] == (
        "w2v: warning: what the last run finished was done with another formats, and is done again"
    )
    assert "done    3 " in run.stderr


def test_one_file_of_many(w2v, calls):
    arguments = ["transcribe", "-r", "calls", "-f", "jsonl", "-q"]
    assert w2v(*arguments, "-o", "all.jsonl").exit_code == 3
    lines = [json.loads(line) for line in (calls / "all.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == [
        *("calls/a.wav", "calls/mon/b c.wav", "calls/mon/bad.wav", "calls/tue/d.wav")
    ]
    assert lines[2]["exit_code"] == 1
    assert w2v(*arguments).stdout == (calls / "all.jsonl").read_text()


def test_a_list_is_several_however_few_it_names(w2v, calls, monkeypatch):
    (calls / "list").write_bytes(b"calls/a.wav\r\n\n")
    run = w2v("transcribe", "--files-from", "list", "-f", "json")
    assert [result["source"] for result in json.loads(run.stdout)] == ["calls/a.wav"]


def test_names_between_nuls_on_standard_input(w2v_process, calls):
    names = b"calls/mon/b c.wav\0calls/gone.wav\0"
    run = w2v_process("transcribe", "--files-from", "-", "-0", stdin=names, cwd=calls)
    assert run.exit_code == 3
    assert run.stdout.startswith("calls/mon/b c.wav: ")
    assert "w2v: calls/gone.wav: no such file" in run.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.jsonl", '{"audio_filepath": "a.wav", "duration": 0.5, "text": "x"}\n'),
        ("m.csv", "id,path\n1,a.wav\n"),
        ("m.tsv", "client_id\tpath\tsentence\n1\ta.wav\thello, you\n"),
    ],
)
def test_manifests_name_files_beside_them(w2v, calls, name, content):
    (calls / "calls" / name).write_text(content)
    run = w2v("transcribe", "--manifest", f"calls/{name}", "-o", "out/", "-q")
    assert (run.exit_code, run.stderr) == (0, "")
    assert written(calls / "out") == ["a.txt"]


def test_rows_of_a_manifest_may_be_parts_of_a_recording(w2v, tmp_path, monkeypatch):
    (tmp_path / "demo.opus").write_bytes((DATA / "demo.opus").read_bytes())
    monkeypatch.chdir(tmp_path)
    rows = [
        {"audio_filepath": "demo.opus", "offset": 0, "duration": 2.5},
        {"audio_filepath": "demo.opus", "offset": 2.5, "duration": 2.5},
        {"audio_filepath": "demo.opus", "offset": 5.0},
        {"audio_filepath": "demo.opus", "offset": 99, "duration": 1},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("transcribe", "--model", "mini", "--manifest", "m.jsonl", "-f", "jsonl", "-q")
    run = w2v(*command)
    assert run.exit_code == 3
    *said, bad = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["text"] for row in said] == ["yes no up down", "on off stop go", "one two three"]
    assert [row["source"] for row in said] == [
        *("demo.opus#t=0,2.5", "demo.opus#t=2.5,5", "demo.opus#t=5"),
    ]
    assert said[1]["segments"][0]["start"] > 2.5
    assert bad["error"].startswith("demo.opus#t=99,100: cannot start at 99 s")
    assert w2v(*command, "-o", "out/").exit_code == 3
    assert written(tmp_path / "out") == [
        *("demo.0.00-2.50.jsonl", "demo.2.50-5.00.jsonl", "demo.5.00-.jsonl"),
        "demo.99.00-100.00.jsonl",
    ]
    before = (tmp_path / "out" / ".w2v-journal").read_bytes()
    assert w2v(*command, "-o", "out/").exit_code == 3
    assert (tmp_path / "out" / ".w2v-journal").read_bytes() == before  # all was known
    refused = w2v(*command, "-o", "demo.opus")
    assert refused.exit_code == 2
    assert "this is an input too" in refused.stderr


def test_names_are_templates(w2v, calls):
    w2v("transcribe", "-r", "calls", "-o", "out/", "--name", "{format}/{name}.{ext}", "-q")
    assert written(calls / "out") == ["mon/txt/b c.wav.txt", "tue/txt/d.wav.txt", "txt/a.wav.txt"]


def test_shards_do_everything_once(w2v, calls):
    runs = [
        w2v("transcribe", "-r", "calls", "-o", "out/", "--shard", f"{part}/3", "-q")
        for part in (1, 2, 3)
    ]
    assert sum(len(run.stderr.splitlines()) for run in runs) == 1
    assert written(calls / "out") == ["a.txt", "mon/b c.txt", "tue/d.txt"]
    dry = w2v("transcribe", "-r", "calls", "-o", "out/", "--dry-run")
    assert [line.split("\t")[0] for line in dry.stdout.splitlines()] == [
        *("skip", "skip", "failed", "skip")
    ]


def test_shards_do_not_share_a_file(w2v, calls):
    w2v("transcribe", "-r", "calls", "-o", "all.txt", "--shard", "1/2")
    run = w2v("transcribe", "-r", "calls", "-o", "all.txt", "--shard", "2/2")
    assert run.exit_code == 2
    assert "name a file for each part, or a folder" in run.stderr


def test_recordings_of_two_shards_do_not_share_a_file(w2v, calls):
    (calls / "calls/tue/d.wav").rename(calls / "calls/mon/b c.flac")
    for part in (1, 2):
        run = w2v("transcribe", "-r", "calls", "-o", "out/", "--shard", f"{part}/2")
        assert run.exit_code == 2
        assert "would both be written to" in run.stderr
    named = ["calls/mon/b c.wav", "calls/mon/b c.flac"]
    lines = []
    for part in (1, 2):
        run = w2v("transcribe", *named, "-o", "out/", "--shard", f"{part}/2", "--dry-run")
        lines += run.stdout.splitlines()
    assert sorted(line.split("\t")[2] for line in lines) == ["out/b c.flac.txt", "out/b c.wav.txt"]


def test_the_newest_of_two_journals_counts(w2v, calls):
    """The file holds what came of the run with --end, in the journal of a shard."""
    whole = ["transcribe", "-r", "calls", "-f", "json", "-o", "out/"]
    w2v(*whole)
    w2v(*whole, "--end", "0.2", "--shard", "1/1")
    again = w2v(*whole, "--dry-run")
    assert [line.split("\t")[0] for line in again.stdout.splitlines()] == ["do"] * 4
    w2v(*whole)
    assert json.loads((calls / "out/a.json").read_text())["duration"] == 0.5


def test_a_run_that_comes_to_nothing_leaves_the_file_of_the_run_before(w2v, calls):
    w2v("transcribe", "-r", "calls", "-f", "jsonl", "-o", "all.jsonl")
    before = (calls / "all.jsonl").read_text()
    assert before.count("\n") == 4
    arguments = ["transcribe", "-r", "calls", "nothing*.wav", "-f", "jsonl", "-o", "all.jsonl"]
    (calls / "broken").mkdir()
    run = w2v(*arguments, "--model", "./broken")
    assert run.exit_code == 4
    assert (calls / "all.jsonl").read_text() == before


@pytest.mark.parametrize("option", ["--manifest", "--files-from", "--lexicon", "--hotwords"])
def test_lists_are_not_written_over(w2v, calls, option):
    content = '{"audio_filepath": "calls/a.wav"}\n' if option == "--manifest" else "calls/a.wav\n"
    (calls / "list").write_text(content)
    named = [] if option in ("--manifest", "--files-from") else ["calls/a.wav"]
    run = w2v("transcribe", *named, option, "list", "-f", "jsonl", "-o", "list")
    assert run.exit_code == 2
    assert "--output list: this is an input too, and would be overwritten" in run.stderr
    assert (calls / "list").read_text() == content


def test_a_part_is_called_like_a_part(w2v, calls):
    run = w2v("transcribe", "calls/a.wav#t=0.1,0.35", "-f", "ctm", "-o", "out/", "--dry-run")
    assert run.stdout.split("\t")[2].strip() == "out/a.0.10-0.35.ctm"


def test_only_folders_are_called_so(w2v, calls):
    run = w2v("transcribe", "cal*")
    assert (run.exit_code, run.stderr) == (
        *(1, "w2v: cal*: only folders are called like that; add --recursive\n"),
    )


def test_one_file_has_nothing_to_skip(w2v, calls):
    run = w2v("transcribe", "-r", "calls", "-o", "all.txt", "--skip-existing")
    assert run.exit_code == 2
    assert "one file for all has no file of each recording" in run.stderr


def test_a_dry_run_does_nothing(w2v, calls):
    run = w2v("transcribe", "-r", "calls", "-f", "srt", "-f", "vtt", "-o", "out/", "--dry-run")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.splitlines()[1].split("\t") == [
        *("do", "calls/mon/b c.wav", "out/mon/b c.srt", "out/mon/b c.vtt")
    ]
    assert not (calls / "out").exists()


def test_fail_fast_stops(w2v, calls):
    run = w2v("transcribe", "-r", "calls", "-o", "out/", "--fail-fast", "--batch-seconds", "0")
    assert run.exit_code == 3
    assert written(calls / "out") == ["a.txt", "mon/b c.txt"]
    assert run.stderr.splitlines()[-1].split() == ["not", "begun", "1"]


def test_skip_existing_and_overwrite(w2v, calls):
    (calls / "out").mkdir()
    (calls / "out" / "a.txt").write_text("by hand\n")
    w2v("transcribe", "-r", "calls", "-o", "out/", "--skip-existing")
    assert (calls / "out" / "a.txt").read_text() == "by hand\n"
    w2v("transcribe", "-r", "calls", "-o", "out/", "--overwrite")
    assert (calls / "out" / "a.txt").read_text() != "by hand\n"


@pytest.mark.parametrize("more", [[], ["--retry-failed"]])
def test_an_error_that_is_written_down_is_no_result_to_skip(w2v, calls, more):
    good = (calls / "calls/a.wav").read_bytes()
    (calls / "calls/a.wav").write_text("no sound")
    arguments = ("transcribe", "-r", "calls", "-f", "jsonl", "-o", "out/")
    assert w2v(*arguments).exit_code == 3
    assert "error" in (calls / "out" / "a.jsonl").read_text()
    assert w2v(*arguments, "--skip-existing").exit_code == 3
    (calls / "calls/a.wav").write_bytes(good)
    w2v(*arguments, "--skip-existing", *more)
    assert "error" not in (calls / "out" / "a.jsonl").read_text()


def test_names_that_end_with_nul_need_the_option(w2v, calls):
    (calls / "list").write_bytes(b"calls/a.wav\0calls/../calls/a.wav\0")
    run = w2v("transcribe", "--files-from", "list")
    assert (run.exit_code, run.stderr.count("\n")) == (2, 1)
    assert "add --null (-0)" in run.stderr
    assert w2v("transcribe", "--files-from", "list", "-0").exit_code == 0


def test_names_that_are_no_utf8(w2v_process, calls):
    name = b"calls/caf\xe9.wav"
    (calls / "calls/a.wav").rename(calls / os.fsdecode(name))
    arguments = ["--files-from", "-", "-o", "out/"]
    for more in ([], ["--dry-run"]):
        run = w2v_process("transcribe", *arguments, *more, stdin=name + b"\n", cwd=calls)
        assert run.exit_code == 0, run.stderr
    assert (calls / "out" / "calls" / os.fsdecode(b"caf\xe9.txt")).exists()


REFUSED = [
    (["--include", "*.wav", "calls"], "--include chooses among the files in folders; add --rec"),
    (["-0", "calls/a.wav"], "--null (-0) is about the names in a list; add --files-from"),
    (["-r", "calls", "--skip-existing", "--overwrite", "-o", "x/"], "contradict each other"),
    (["--files-from", "-", "-"], "- stands for standard input, which can be read only once"),
    (["--files-from", "-", "--manifest", "-"], "- stands for standard input"),
    (["--files-from", "gone"], "--files-from gone: cannot be read: No such file or directory"),
    ([], "no input: name recordings"),
    (["calls/a.wav", "--skip-existing"], "--skip-existing: results on stdout"),
    (["calls/a.wav", "--name", "{stem}"], "--name: it names files in a folder"),
    (["calls/a.wav", "--shard", "3/2"], "'3/2' is no shard; write I/N"),
    (["-r", "calls", "-o", "out/", "--name", "x"], "would both be written to out"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[m[:20] for _, m in REFUSED])
def test_what_is_refused(w2v, calls, arguments, message):
    run = w2v("transcribe", *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert message in run.stderr


def test_usage_errors_load_no_model_code(w2v, calls, monkeypatch):
    monkeypatch.delitem(sys.modules, "w2v_cli.tasks.transcribe", raising=False)
    w2v("transcribe", "-r", "calls", "-o", "out/", "--name", "x")
    assert "w2v_cli.tasks.transcribe" not in sys.modules
