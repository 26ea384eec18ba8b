"""Which file which transcript ends up in, and what is refused before anything is done."""

import json
import os
from pathlib import Path, PurePath

import pytest

from w2v_cli.batch.ledger import Ledger
from w2v_cli.batch.outcome import Item
from w2v_cli.cli import destinations
from w2v_cli.cli.destinations import chosen_formats, open_journal
from w2v_cli.cli.output import OutputError
from w2v_cli.errors import AudioError, UsageError
from w2v_cli.formats import FORMATS, SubtitleOptions, transcript_formats
from w2v_cli.formats.format import Format, Gathering
from w2v_cli.results import Segment, Transcript, Word

FULL = Path("/dev/full")


def heard(source, text="go left"):
    words = tuple(Word(word, i, i + 0.5, 0.9) for i, word in enumerate(text.split()))
    segments = (Segment(0, 0.0, float(len(words)), text, words),) if words else ()
    return Transcript(text, segments, 3.0, "mini", source)


def destination(output, names, sources, options=None):
    return destinations.destination(output, names, sources, transcript_formats(options))


def write_all(output, formats, sources, options=None):
    with destination(str(output), formats, sources, options) as results:
        for source in sources:
            results.write(heard(source))


def write_one_of_two(folder, error):
    with destination(str(folder), ["srt"], ["a", "b"]) as results:
        results.write(heard("a"))
        raise error


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_formats_are_chosen_once_and_in_order():
    assert chosen_formats(["vtt", "txt", "vtt"], FORMATS) == ("txt", "vtt")
    assert chosen_formats(["txt", "all"], FORMATS) == tuple(FORMATS)


def test_several_formats_of_one_recording_have_one_stem(tmp_path):
    write_all(tmp_path / "out", ["srt", "json"], ["talk.wav"])
    assert names(tmp_path) == ["out.json", "out.srt"]
    assert json.loads((tmp_path / "out.json").read_text())["text"] == "go left"


def test_a_suffix_that_fits_is_not_doubled(tmp_path):
    write_all(tmp_path / "out.SRT", ["srt", "vtt"], ["talk.wav"])
    assert names(tmp_path) == ["out.srt", "out.vtt"]


def test_a_suffix_that_does_not_fit_belongs_to_the_name(tmp_path):
    write_all(tmp_path / "out.v2", ["srt", "vtt"], ["talk.wav"])
    assert names(tmp_path) == ["out.v2.srt", "out.v2.vtt"]


def test_one_format_has_the_name_that_was_given(tmp_path):
    write_all(tmp_path / "anything", ["srt"], ["talk.wav"])
    assert names(tmp_path) == ["anything"]


def test_all_formats_in_a_folder(tmp_path):
    write_all(f"{tmp_path}/texts/", ["all"], ["a/one.wav", "b/two.flac", "-"])
    expected = {
        f"{name}{form.suffix}" for name in ("one", "two", "stdin") for form in FORMATS.values()
    }
    assert set(names(tmp_path / "texts")) == expected
    assert (tmp_path / "texts" / "two.txt").read_text() == "go left\n"  # without a heading
    assert json.loads((tmp_path / "texts" / "two.json").read_text())["source"] == "b/two.flac"


def test_a_folder_that_exists_needs_no_slash(tmp_path):
    write_all(tmp_path, ["txt"], ["one.wav"])
    assert names(tmp_path) == ["one.txt"]


def test_subtitle_options_arrive(tmp_path):
    write_all(tmp_path, ["srt"], ["one.wav"], SubtitleOptions(max_line_width=1))
    assert "\ngo\nleft\n" in (tmp_path / "one.srt").read_text()


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["talk.wav", "talk.mp3", "other.wav"], ["other.srt", "talk.mp3.srt", "talk.wav.srt"]),
        (["mon/talk.wav", "tue/talk.wav"], ["mon_talk.srt", "tue_talk.srt"]),
        (["mon/a/talk.wav", "tue/a/talk.wav"], ["mon_a_talk.srt", "tue_a_talk.srt"]),
        (["talk.wav", "Talk.flac"], ["Talk.flac.srt", "talk.wav.srt"]),
        (["stdin.wav", "-"], ["standard_input.srt", "stdin.wav.srt"]),
        (["talk", "talk.wav", "talk.wav.flac"], None),
    ],
)
def test_recordings_of_the_same_name(tmp_path, sources, expected):
    write_all(tmp_path, ["srt"], sources)
    written = names(tmp_path)
    assert len(written) == len(sources)
    assert expected is None or written == expected


def test_formats_that_end_alike(tmp_path):
    """The text of talk.labels.wav and the labels of talk.wav."""
    write_all(tmp_path, ["txt", "audacity"], ["talk.labels.wav", "talk.wav"])
    assert len(names(tmp_path)) == 4


def test_a_recording_that_is_named_twice(tmp_path):
    with pytest.raises(UsageError, match=r"^talk\.wav: the same recording is named more than once"):
        destination(str(tmp_path), ["srt"], ["talk.wav", "other.wav", "./talk.wav"])


@pytest.mark.parametrize(
    ("output", "formats", "n_inputs", "message"),
    [
        ("-", ["srt", "vtt"], 1, r"--format srt and vtt: several formats don't fit on stdout"),
        ("-", ["all"], 1, r"--format all: .* --output DIR/"),
        ("-", ["srt"], 2, r"--format srt: a file holds one recording, and there are 2; .* DIR/"),
        ("x.vtt", ["vtt"], 3, r"--format vtt: a file holds one .*: --output x\.vtt/"),
        ("x", ["txt", "csv"], 2, r"--format txt and csv: 2 recordings don't fit .* --output x/"),
        ("no/out", ["srt", "vtt"], 1, r"there is no folder .*/no; make it first: mkdir -p "),
        ("no/such/", ["srt"], 1, r"there is no folder .*/no; make it first: mkdir -p "),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, monkeypatch, output, formats, n_inputs, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        destination(output, formats, [f"{index}.wav" for index in range(n_inputs)])
    assert names(tmp_path) == []


def test_a_name_that_is_as_long_as_names_may_be(tmp_path):
    name = "声" * 83  # 249 bytes
    write_all(tmp_path, ["srt"], [f"{name}.wav"])
    assert names(tmp_path) == [f"{name}.srt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "texts").write_text("")
    with pytest.raises(UsageError, match="a file, not a folder"):
        destination(f"{tmp_path}/texts/", ["srt"], ["a.wav"])


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "talk.srt").mkdir()
    with pytest.raises(UsageError, match=r"talk\.srt: a directory"):
        destination(str(tmp_path), ["txt", "srt"], ["talk.wav"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_files(tmp_path):
    tmp_path.chmod(0o500)
    for output in (tmp_path, tmp_path / "out"):
        with pytest.raises(OutputError, match="cannot be written: Permission denied"):
            destination(str(output), ["txt", "srt"], ["talk.wav"])


def test_a_recording_is_not_overwritten(tmp_path):
    recording = tmp_path / "talk.txt"  # whatever it is called
    recording.write_bytes(b"RIFF")
    for output, formats in ((tmp_path, ["txt"]), (tmp_path / "talk", ["txt", "srt"])):
        with pytest.raises(UsageError, match="this is an input too"):
            destination(str(output), formats, [str(recording)])


def test_nothing_is_made_before_there_is_a_result(tmp_path):
    target = destination(f"{tmp_path}/texts/", ["srt", "vtt"], ["a.wav"])
    with target as results:
        results.fail("a.wav", AudioError("a.wav: broken"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [AudioError("x"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_finished_recordings_are_kept_whatever_ends_the_run(tmp_path, error):
    (tmp_path / "b.srt").write_text("old")
    with pytest.raises(type(error)):
        write_one_of_two(tmp_path, error)
    assert names(tmp_path) == ["a.srt", "b.srt"]
    assert (tmp_path / "b.srt").read_text() == "old"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    (tmp_path / "a.srt").symlink_to(FULL)
    with (
        pytest.raises(OutputError, match=r"a\.srt: cannot be written: No space left"),
        destination(str(tmp_path), ["srt"], ["a.wav"]) as results,
    ):
        results.write(heard("a.wav"))
    assert names(tmp_path) == ["a.srt"]


def test_a_write_that_fails_leaves_no_crumbs(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    broken = {"txt": Format(".txt", lambda _: "\ud800")}
    with (
        pytest.raises(UnicodeEncodeError),
        destinations.destination(str(tmp_path), ["txt"], ["a.wav"], broken) as results,
    ):
        results.write(heard("a.wav"))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_jsonl_has_a_line_for_every_recording_and_error(capsys):
    with destination("-", ["jsonl"], ["a.wav", "b.wav", "c.wav"]) as results:
        results.write(heard("a.wav"))
        first = capsys.readouterr().out  # it is there before the next one begins
        results.fail("b.wav", AudioError("b.wav: broken"))
        results.write(heard("c.wav", ""))
    lines = [json.loads(line) for line in (first + capsys.readouterr().out).splitlines()]
    assert len(first.splitlines()) == 1
    assert [line["source"] for line in lines] == ["a.wav", "b.wav", "c.wav"]
    assert (lines[1]["error"], lines[1]["exit_code"]) == ("b.wav: broken", 1)
    assert lines[2]["text"] == ""


def test_an_error_in_a_folder_is_a_record_in_jsonl_alone(tmp_path):
    with destination(str(tmp_path), ["jsonl", "srt"], ["a.wav"]) as results:
        results.fail("a.wav", AudioError("a.wav: broken"))
    assert names(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("name", ["txt", "json", "srt", "csv", "ctm"])
def test_other_formats_have_no_place_for_an_error(capsys, name):
    with destination("-", [name], ["a.wav"]) as results:
        results.fail("a.wav", AudioError("a.wav: broken"))
    assert capsys.readouterr().out == ""


def test_a_table_of_several_recordings_has_one_head(capsys):
    write_all("-", ["csv"], ["a.wav", "b.wav"])
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["source", "a.wav", "a.wav", "b.wav", "b.wav"]


@pytest.mark.parametrize("name", ["ctm", "stm"])
def test_lines_that_name_their_recording_follow_each_other(capsys, name):
    write_all("-", [name], ["x/a.wav", "b.wav"])
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(set(words)) == ["a", "b"]


def bytes_of(result):
    return f"\x00{result.text}\n".encode()


def test_a_format_of_bytes_is_written_as_it_is(tmp_path, capfdbinary):
    binary = {"bin": Format(".bin", bytes_of), "txt": Format(".txt", lambda result: result.text)}
    for output, names in [("one.bin", ["bin"]), ("both", ["all"]), ("-", ["bin"])]:
        target = output if output == "-" else str(tmp_path / output)
        with destinations.destination(target, names, ["a.wav"], binary) as results:
            results.write(heard("a.wav"))
    assert (tmp_path / "one.bin").read_bytes() == b"\x00go left\n"
    assert (tmp_path / "both.bin").read_bytes() == b"\x00go left\n"
    assert (tmp_path / "both.txt").read_bytes() == b"go left"


def test_several_recordings_in_bytes_need_a_folder_or_a_gathering(tmp_path):
    binary = {"bin": Format(".bin", bytes_of)}
    with pytest.raises(UsageError, match="a file holds one recording, and there are 2"):
        destinations.destination(str(tmp_path / "x.bin"), ["bin"], ["a.wav", "b.wav"], binary)
    gathering = Gathering(note=lambda result: result.text, write=lambda notes, file: None)
    gathered = {"bin": Format(".bin", bytes_of, gathering=gathering)}
    with pytest.raises(UsageError, match=r"put together in a file; name one: --output FILE\.bin"):
        destinations.destination("-", ["bin"], ["a.wav", "b.wav"], gathered)


def test_a_gathered_file_is_put_together_from_the_journal(tmp_path):
    def write(notes, file):
        file.write(b"\x00" + "|".join(notes).encode())

    gathering = Gathering(note=lambda result: result.text, write=write)
    gathered = {"bin": Format(".bin", bytes_of, gathering=gathering)}
    sources = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    items = [Item(source, PurePath(PurePath(source).name)) for source in sources]
    for source in sources:
        Path(source).write_bytes(b"sound")
    target = destinations.destination(str(tmp_path / "x.bin"), ["bin"], items, gathered)
    for expected_work in (items, []):
        with open_journal(target, None) as journal:
            ledger = Ledger(journal, {}, lambda: "model", target.files)
            with target.keeping(ledger) as results:
                work = list(ledger.todo(items))
                assert work == expected_work
                for item in work:
                    results.write(heard(item.source, item.relative.stem))
                for aside in ledger.set_aside:
                    ledger.accept(aside)
        assert (tmp_path / "x.bin").read_bytes() == b"\x00a|b"


@pytest.mark.parametrize("name", ["ctm", "stm"])
def test_recordings_of_one_name_do_not_share_a_file_of_lines(tmp_path, name):
    sources = ["monday/talk.wav", "tuesday/talk.flac"]
    for output in ("-", str(tmp_path / "all.txt")):
        with pytest.raises(UsageError, match=r"monday/talk\.wav and tuesday/talk\.flac would both"):
            destination(output, [name], sources)
    destination(f"{tmp_path}/out/", [name], sources)
    destination("-", [name], ["talk.wav#t=0,2", "talk.wav#t=2,4"])
    destination("-", ["jsonl"], sources)
