"""`w2v diarize-frames` and `w2v transcribe --speakers`, from the command line to the results."""

import io
import json

import numpy as np
import pytest
import soundfile

from w2v_cli.formats.rttm import parse_rttm


@pytest.fixture
def diarize(w2v, models):
    """Return a function that runs `w2v diarize-frames` with the small model."""

    def run(*arguments):
        return w2v("diarize-frames", "-m", models / "frames", *arguments)

    return run


def test_rttm_on_stdout(diarize, recording):
    one, two = recording("one.wav", seconds=2), recording("two.wav", seconds=1, seed=3)
    run = diarize(one, two, "--onset", "0.01")
    assert (run.exit_code, run.stderr) == (0, "")
    turns = parse_rttm(run.stdout, "stdout")
    assert list(turns) == ["one", "two"]
    assert {turn.speaker for turn in turns["one"]} == {"SPEAKER_00", "SPEAKER_01"}
    assert max(turn.end_seconds for turn in turns["one"]) == 2.0


def test_all_formats_into_a_folder(diarize, recording, tmp_path):
    run = diarize(recording(), "-f", "all", "-o", f"{tmp_path}/turns/")
    assert (run.exit_code, run.stderr) == (0, "")
    written = sorted(path.name for path in (tmp_path / "turns").glob("talk*"))
    suffixes = ["TextGrid", "csv", "json", "jsonl", "labels.txt", "npz", "rttm", "txt"]
    assert written == [f"talk.{suffix}" for suffix in suffixes]
    arrays = np.load(tmp_path / "turns" / "talk.npz")
    assert arrays["probabilities"].shape == (49, 2)
    fields = json.loads((tmp_path / "turns" / "talk.json").read_text())
    assert fields["source"].endswith("talk.wav")


def test_thresholds_decide(diarize, recording):
    path = recording()
    assert diarize(path, "--onset", "1").stdout == ""
    always = diarize(path, "--onset", "0").stdout
    assert always.count("\n") == 2
    assert diarize(path, "--onset", "0", "--max-simultaneous", "1").stdout != always
    assert diarize(path, "--onset", "0", "--min-duration-on", "5").stdout == ""


def test_a_long_recording_by_voices(diarize, recording, models):
    path = recording(seconds=8)
    options = ["--chunk-seconds", "2", "--onset", "0.3", "-f", "json"]
    voices = ["--speakers-model", models / "voices", "--num-speakers", "1"]
    run = diarize(path, *options, *voices)
    assert (run.exit_code, run.stderr) == (0, "")
    assert len(json.loads(run.stdout)["speakers"]) <= 1
    assert diarize(path, *options).exit_code == 0


def test_regions(diarize, recording, tmp_path):
    path, other = recording(), recording("other.wav")
    uem = tmp_path / "a.uem"
    uem.write_text("talk 1 0.25 0.5\n")
    run = diarize(path, other, "--uem", uem, "--onset", "0", "-f", "csv")
    assert run.exit_code == 3
    assert "other.wav: the UEM has no line for other" in run.stderr
    rows = run.stdout.splitlines()[1:]
    assert rows
    assert all(",0.250,0.500,SPEAKER_0" in row for row in rows)


def test_channels_are_speakers(diarize, recording):
    run = diarize(recording(channels=2), "--channel", "all", "--onset", "0")
    fields = [line.split() for line in run.stdout.splitlines()]
    assert [(f[2], f[7]) for f in fields] == [("1", "CHANNEL_1"), ("2", "CHANNEL_2")]


def test_who_says_what(diarize, w2v, recording, models, ctc_folder):
    path = recording(seconds=2)
    spoken = json.loads(w2v("transcribe", path, "-f", "json").stdout)
    run = diarize(path, "--transcribe", ctc_folder, "--onset", "0.01", "-f", "json")
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    assert [w for s in found["segments"] for w in s["words"]] == [
        w for s in spoken["segments"] for w in s["words"]
    ]
    assert {segment["speaker"] for segment in found["segments"]} <= {"SPEAKER_00", "SPEAKER_01"}
    options = ["--speakers", "--turns-model", models / "frames", "-f", "srt"]
    run = w2v("transcribe", path, *options)
    assert (run.exit_code, run.stderr) == (0, "")
    assert "[SPEAKER_0" in run.stdout
    assert "[SPEAKER_0" in diarize(path, "--transcribe", ctc_folder).stdout


def test_who_says_what_on_which_channel(w2v, recording, models):
    path = recording(seconds=2, channels=2)
    options = ["--speakers", "--turns-model", models / "frames", "--channel", "all", "-f", "json"]
    found = json.loads(w2v("transcribe", path, *options).stdout)
    assert found["segments"]
    for segment in found["segments"]:
        assert segment.get("speaker") in (None, f"CHANNEL_{segment['channel']}")


def test_a_picture(diarize, recording, tmp_path):
    picture = tmp_path / "turns.png"
    one, two = recording("one.wav"), recording("two.wav")
    run = diarize(one, "--plot", picture)
    assert (run.exit_code, run.stderr) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    for _ in range(2):  # the turns are there already, and the picture isn't
        picture.unlink()
        assert diarize(one, "--plot", picture, "-o", f"{tmp_path}/out/").exit_code == 0
        assert picture.exists()
    run = diarize(one, two, "-f", "svg", "-o", f"{tmp_path}/pictures/")
    assert (run.exit_code, run.stderr) == (0, "")
    written = sorted(path.name for path in (tmp_path / "pictures").glob("*.svg"))
    assert written == ["one.svg", "two.svg"]


def test_bad_inputs_are_lines_and_the_others_go_on(diarize, recording, tmp_path):
    good, bad = recording(), tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF....WAVE")
    click = tmp_path / "click.wav"
    soundfile.write(click, np.ones(100), 16000)
    run = diarize(bad, good, tmp_path / "none.wav", click, "-f", "jsonl")
    assert run.exit_code == 3
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert ["error" in line for line in lines] == [True, False, True, True]
    assert "too short for a turn" in lines[3]["error"]
    assert len(run.stderr.splitlines()) == 3


def test_no_samples_and_silence(diarize, tmp_path):
    for name, samples in (("empty.wav", np.zeros(0)), ("silence.wav", np.zeros(32000))):
        soundfile.write(tmp_path / name, samples, 16000)
        run = diarize(tmp_path / name, "--onset", "0", "-f", "npz", "-o", tmp_path / "a.npz")
        assert run.exit_code == 0, run.stderr
        arrays = np.load(io.BytesIO((tmp_path / "a.npz").read_bytes()))
        assert len(arrays["probabilities"]) == max((len(samples) - 400) // 320 + 1, 0)


def test_a_run_goes_on_where_it_was(diarize, recording, tmp_path):
    paths = [recording(f"{n}.wav", seed=n) for n in range(3)]
    first = diarize(*paths[:2], "-o", f"{tmp_path}/out/", "-v")
    assert first.stderr.count(" heard in ") == 2
    again = diarize(*paths, "-o", f"{tmp_path}/out/", "-v")
    assert again.stderr.count(" heard in ") == 1
    other = diarize(*paths, "-o", f"{tmp_path}/out/", "--onset", "0.4", "-v")
    assert "another" in other.stderr
    assert other.stderr.count(" heard in ") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--offset", "0.6"], "--offset 0.6 is above --onset 0.5"),
        (["--onset", "2"], "from 0 to 1"),
        (["--min-duration-on", "-1"], "0 or more"),
        (["--num-speakers", "2"], "add --speakers-model"),
        (["--voice-threshold", "0.5"], "add --speakers-model"),
        (["--channel", "all", "--speakers-model", "mini-speakers"], "each channel is a speaker"),
        (["--chunk-seconds", "0.5"], "1 or more"),
        (["--chunk-seconds", "9", "--stride-seconds", "4"], "a third"),
        (["--format", "srt"], "add --transcribe"),
        (["--format", "lrc"], "is no format"),
        (["--plot", "turns.jpg"], "pictures are .png or .svg"),
        (["--uem", "none.uem"], "none.uem"),
        (["--uem", __file__, "-o", __file__], "this is an input too"),
        (["--transcribe", "mini", "-f", "rttm", "-f", "png"], "rttm and png cannot say what is"),
        (["--plot", "turns.png", "--skip-existing", "-o", "out/"], "--plot draws what is heard"),
    ],
)
def test_command_lines_that_are_wrong(diarize, recording, arguments, said):
    run = diarize(recording(), *arguments)
    assert run.exit_code == 2
    assert said in run.stderr


def test_more_that_is_wrong(diarize, w2v, recording, models):
    one, two = recording("one.wav"), recording("two.wav")
    run = diarize(one, two, "--plot", "turns.png")
    assert (run.exit_code, "there are 2" in run.stderr) == (2, True)
    both = ["--speakers-model", models / "voices", "--num-speakers", "2", "--max-speakers", "3"]
    assert "says it all" in diarize(one, *both).stderr
    few = ["--speakers-model", models / "voices", "--min-speakers", "4", "--max-speakers", "3"]
    assert "more than" in diarize(one, *few).stderr
    run = w2v("transcribe", one, "--turns-model", "x")
    assert (run.exit_code, "add --speakers" in run.stderr) == (2, True)
    run = w2v("transcribe", one, "--speakers", "-f", "ctm")
    assert (run.exit_code, "ctm names no speakers" in run.stderr) == (2, True)
    voices = ["--speakers", "--channel", "all", "--speakers-model", models / "voices"]
    run = w2v("transcribe", one, *voices)
    assert (run.exit_code, "each channel is a speaker" in run.stderr) == (2, True)
    run = w2v("diarize-frames", one, "-m", models / "voices")
    assert (run.exit_code, "does not tell speakers apart" in run.stderr) == (4, True)
    run = diarize(one, "--speakers-model", models / "frames")
    assert (run.exit_code, "has no x-vectors" in run.stderr) == (4, True)


@pytest.mark.parametrize("option", ["--chunk-seconds", "--median-seconds"])
def test_lengths_that_nothing_has_are_refused(diarize, recording, option):
    run = diarize(recording(), option, "1e300")
    assert run.exit_code == 2
    assert "up to 1000000" in run.stderr
