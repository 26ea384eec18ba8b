"""`w2v classify` on recordings, in batches, resumed, on streams, and what it refuses."""

import csv
import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import transformers

from w2v_cli.audio import read_waveforms

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def classify(w2v, label_folder):
    return lambda *arguments: w2v("classify", "-m", label_folder, *arguments)


@pytest.fixture(scope="module")
def pipeline(label_folder):
    return transformers.pipeline("audio-classification", model=str(label_folder), device="cpu")


def test_the_five_best_labels(classify, recording, pipeline):
    path = recording()
    run = classify(path)
    rows = pipeline(read_waveforms(path).channels[0], top_k=5)
    assert run.stdout == "".join(f"{row['score']:.4f}  {row['label']}\n" for row in rows)
    assert (run.exit_code, run.stderr) == (0, "")


def test_json_has_the_scores_of_the_reference(classify, recording, pipeline):
    path = recording(seconds=1.3)
    found = json.loads(classify(path, "-f", "json", "--top-k", "all").stdout)["labels"]
    rows = pipeline(read_waveforms(path).channels[0], top_k=None)
    assert [row["label"] for row in found] == [row["label"] for row in rows]
    for ours, theirs in zip(found, rows, strict=True):
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-5)


def test_what_is_longer_is_heard_whole_if_one_says_so(classify, recording, pipeline):
    path = recording(seconds=4)
    rows = pipeline(read_waveforms(path).channels[0], top_k=None)
    reference = {row["label"]: row["score"] for row in rows}
    found = []
    for seconds in ("5", "3"):
        lengths = ("--whole-seconds", seconds, "--chunk-seconds", "1")
        run = classify("-f", "json", "-k", "all", *lengths, path)
        rows = json.loads(run.stdout)["labels"]
        found.append(max(abs(row["score"] - reference[row["label"]]) for row in rows))
    assert found[0] < 1e-5 < found[1]


def test_which_labels_are_written(classify, recording):
    path = recording()
    (best,) = classify(path, "-k", "1").stdout.splitlines()
    everything = classify(path, "-k", "all").stdout.splitlines()
    assert (everything[0], len(everything)) == (best, 6)
    score = float(everything[1].split()[0])
    assert classify(path, "--threshold", score - 1e-4).stdout.splitlines() == everything[:2]
    chosen = classify(path, "--labels", "word1, word3", "--labels", "word3").stdout.splitlines()
    assert chosen == [line for line in everything if line[-5:] in ("word1", "word3")]


def test_several_recordings_share_a_stream_in_every_format(classify, recording):
    paths = [recording("a.wav"), recording("b.wav", seed=3)]
    lines = classify(*paths, "-k", "1").stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(path) for path in paths]
    array = json.loads(classify(*paths, "-f", "json").stdout)
    rows = [json.loads(line) for line in classify(*paths, "-f", "jsonl").stdout.splitlines()]
    assert array == rows
    table = list(csv.DictReader(io.StringIO(classify(*paths, "-f", "csv", "-k", "2").stdout)))
    assert [row["source"] for row in table] == [str(path) for path in paths for _ in range(2)]


def test_labels_over_time(classify, recording):
    path = recording(seconds=3.0)
    lines = classify(path, "--window", "1").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "0.000-1.000",
        "0.500-1.500",
        "1.000-2.000",
        "1.500-2.500",
        "2.000-3.000",
    ]
    part = classify(path, "--window", "1", "--hop", "1", "--start", "1", "-f", "json").stdout
    spans = [(w["start"], w["end"]) for w in json.loads(part)["windows"]]
    assert spans == [(1.0, 2.0), (2.0, 3.0)]


def test_channels(classify, recording):
    path = recording(channels=2)
    run = classify(path, "--channel", "all", "-k", "1")
    assert [line[:11] for line in run.stdout.splitlines()] == ["[channel 1]", "[channel 2]"]


def test_pictures(classify, recording, tmp_path):
    path = recording(seconds=2.0)
    run = classify(path, "--window", "0.5", "--plot", tmp_path / "out.png", "-f", "jsonl")
    assert (run.exit_code, run.stderr) == (0, "")
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
    assert len(json.loads(run.stdout)["windows"]) == 7
    other = recording("other.wav")
    assert classify(path, other, "-f", "svg", "-f", "json", "-o", f"{tmp_path}/all/").exit_code == 0
    names = sorted(file.name for file in (tmp_path / "all").iterdir() if file.name[0] != ".")
    assert names == ["other.json", "other.svg", "talk.json", "talk.svg"]
    assert "<svg" in (tmp_path / "all" / "talk.svg").read_text()
    run = classify(path, other, "--plot", "x.png")
    assert run.exit_code == 2
    assert "draw each with --format png --output DIR/" in run.stderr


def test_a_picture_is_drawn_in_every_run(classify, recording, tmp_path):
    path, picture = recording(), tmp_path / "out.png"
    options = ["-o", f"{tmp_path}/out/", "--plot", picture, "-v"]
    for _ in range(2):
        run = classify(path, *options)
        assert (run.exit_code, run.stderr.count(" classified in ")) == (0, 1)
        assert picture.read_bytes().startswith(PNG)
        picture.unlink()
    assert " classified in " not in classify(path, *options[:2], "-v").stderr
    assert classify(path, *options, "--dry-run").stdout.startswith("do\t")


def test_all_formats_are_those_of_text(classify, recording, tmp_path):
    assert classify(recording(), "-f", "all", "-o", tmp_path / "out").exit_code == 0
    names = sorted(file.name for file in tmp_path.glob("out*"))
    assert names == ["out.csv", "out.json", "out.jsonl", "out.txt"]


def test_a_run_goes_on_where_it_was(classify, recording, tmp_path):
    paths = [recording(f"in/{index}.wav", seed=index) for index in range(4)]
    whole = ("-r", tmp_path / "in", "-o", f"{tmp_path}/out/", "-f", "json", "-v")
    assert classify(*whole, "--exclude", "2.wav", "--exclude", "3.wav").exit_code == 0
    done = {path.name for path in (tmp_path / "out").glob("*.json")}
    assert len(done) == 2
    run = classify(*whole)
    assert run.exit_code == 0
    assert [path.name for path in paths if f"{path}: " in run.stderr] == [
        path.name for path in paths if f"{path.stem}.json" not in done
    ]
    assert "classified in" not in classify(*whole).stderr
    again = classify(*whole, "--top-k", "1")
    assert again.stderr.count("classified in") == 4
    assert "done with another top_k, and is done again" in again.stderr


def test_a_bad_one_among_others(classify, recording, tmp_path):
    (tmp_path / "bad.wav").write_text("nobody was at home\n" * 50)
    run = classify(recording(), tmp_path / "bad.wav", "-f", "jsonl")
    assert run.exit_code == 3
    good, bad = map(json.loads, run.stdout.splitlines())
    assert good["labels"]
    assert bad["error"] == f"{tmp_path}/bad.wav: holds text, not sound; name a recording"


def test_a_dry_run_does_nothing(classify, recording):
    path = recording()
    assert classify(path, "--dry-run").stdout == f"do\t{path}\n"


def test_the_labels_of_a_model(w2v, label_folder, ctc_folder):
    run = w2v("classify", "--list-labels", "-m", label_folder)
    assert run.stdout == "".join(f"word{index}\n" for index in range(6))
    run = w2v("classify", "--list-labels", "-m", ctc_folder)
    assert run.exit_code == 4
    assert run.stderr == (
        f"w2v: {ctc_folder}: this model (Wav2Vec2ForCTC) writes down what is said and gives no "
        f"labels to recordings; classify needs a Wav2Vec2ForSequenceClassification model, for "
        f"instance --model mini-keywords\n"
    )


def test_a_stream(w2v_process, label_folder, babble):
    samples = (babble(40000) * 32767).astype("<i2").tobytes()
    command = ("classify", "-m", label_folder, "-", "--raw", "16000", "--window", "1")
    run = w2v_process(*command, "-f", "jsonl", stdin=samples)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert (run.exit_code, run.stderr) == (0, "")
    assert [(row["start"], row["end"]) for row in rows] == [
        (0.0, 1.0),
        (0.5, 1.5),
        (1.0, 2.0),
        (1.5, 2.5),
    ]
    assert all(len(row["labels"]) == 1 for row in rows)
    run = w2v_process(*command, "--quantize", "int8", "--verbose", stdin=samples)
    assert (run.exit_code, len(run.stdout.splitlines())) == (0, 4)
    assert "in whole numbers of 8 bits" in run.stderr


def test_ctrl_c_labels_what_was_read(label_folder, babble):
    samples = (babble(36000) * 32767).astype("<i2").tobytes()
    command = [sys.executable, "-m", "w2v_cli", "classify", "-m", str(label_folder), "-", "--raw"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(
        [*command, "16000", "--window", "1", "-f", "jsonl"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **pipes,
    ) as process:
        process.stdin.write(samples)
        process.stdin.flush()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rows = [json.loads(line) for line in [first, *process.stdout]]
        assert process.stderr.read() == b"w2v: interrupted; what was heard is kept\n"
        assert process.wait(60) == 130
    assert [(row["start"], row["end"]) for row in rows][-1] == (1.25, 2.25)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hop", "1"], "--hop is from one window to the next; add --window SECONDS"),
        (["--window", "0"], "--window 0: a window has 0.025 to 600 s"),
        (["--window", "nan"], "--window nan: a window has 0.025 to 600 s"),
        (["--window", "1", "--hop", "2"], "--hop 2: it must be from 0.01 s to the window's 1 s"),
        (["--threshold", "inf"], "--threshold inf: it must be a number"),
        (
            ["--threshold", "2", "--function", "sigmoid"],
            "--threshold 2: scores by sigmoid are from 0 to 1; choose one of these, or --function",
        ),
        (["--chunk-seconds", "-1"], "--chunk-seconds -1: it must be more than 0"),
        (["--whole-seconds", "nan"], "--whole-seconds nan: it must be more than 0"),
        (["--whole-seconds", "9", "--window", "1"], "with --window each window is heard alone"),
        (["--top-k", "0"], "'0' is no number of labels; write 1, 2, ... or all"),
        (["--format", "srt"], "'srt' is no format; choose from txt, json, jsonl, csv, png, svg"),
        (["--plot", "x.jpg"], "--plot: x.jpg: pictures are .png or .svg; give such a name"),
        (["--plot", "x.png", "-o", "./x.png"], "--plot: x.png: the results go there, by --output"),
        (["--raw", "16000"], "--raw reads standard input and nothing else"),
        (["-f", "txt", "-f", "csv"], "several formats don't fit on stdout"),
        (["--plot", "x.png", "--skip-existing", "-o", "out/"], "--plot draws what is heard, and"),
        (["--list-labels"], "hears nothing; leave out talk.wav, or the option"),
    ],
)
def test_command_lines_that_are_wrong(classify, arguments, said):
    run = classify("talk.wav", *arguments)
    assert run.exit_code == 2
    assert said in " ".join(run.stderr.split())


@pytest.mark.parametrize(
    "options", [["--output", "x.txt"], ["--top-k", "3"], ["--files-from", "x"], ["--format", "csv"]]
)
def test_list_labels_goes_alone(classify, options):
    run = classify("--list-labels", *options)
    assert run.exit_code == 2
    said = f"{options[0]} is for recordings that are heard; leave it out, or --list-labels"
    assert said in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--raw", "16000"], "--raw labels a stream window by window; add --window SECONDS"),
        (["--raw", "16000", "--start", "1"], "--start is for recordings that end; leave it out"),
        (["--raw", "16000", "--window", "1", "-f", "csv"], "as txt or jsonl; choose one of them"),
    ],
)
def test_streams_that_are_wrong(classify, arguments, said):
    run = classify("-", *arguments)
    assert run.exit_code == 2
    assert said in run.stderr


def test_a_threshold_where_no_score_is(w2v, save_label_model, classify, recording, tmp_path):
    path = recording()
    for threshold in ("2", "-0.1"):
        run = classify(path, "--threshold", threshold)
        assert (run.exit_code, run.stdout) == (2, "")
        assert f"--threshold {threshold}: scores by softmax are from 0 to 1" in run.stderr
    for threshold in ("0", "1"):
        assert classify(path, "--threshold", threshold).exit_code == 0
    assert classify(path, "--threshold", "2", "--function", "none").exit_code == 0
    folder = save_label_model(tmp_path / "model", labels=2, problem_type="regression")
    assert w2v("classify", "-m", folder, path, "--threshold", "2").exit_code == 0
    folder = save_label_model(tmp_path / "model", problem_type="multi_label_classification")
    run = w2v("classify", "-m", folder, path, "--threshold", "2")
    assert run.exit_code == 2
    assert "scores by sigmoid are from 0 to 1" in run.stderr


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("left", "has no such label; it has word0, word1, word2, word3, word4, word5\n"),
        ("word1,,word2", "--labels 'word1,,word2': an empty name; write labels with commas"),
    ],
)
def test_labels_that_no_output_has(classify, recording, labels, said):
    run = classify(recording(), "--labels", labels)
    assert run.exit_code == 2
    assert said in run.stderr


def test_a_label_with_a_comma_in_it(w2v, save_label_model, recording, tmp_path):
    names = {0: "yes", 1: "no", 2: "well, then"}
    config = {"id2label": names, "label2id": {name: index for index, name in names.items()}}
    folder = save_label_model(tmp_path / "model", **config)

    def written(*arguments):
        run = w2v("classify", "-m", folder, path, *arguments)
        return {line.partition("  ")[2] for line in run.stdout.splitlines()} or run.stderr

    path = recording()
    assert written("--labels", "well, then") == {"well, then"}
    assert written("--labels", "well, then", "--labels", "yes, no") == set(names.values())
    refused = written("--labels", "yes,well, then")
    assert "--labels well: " in refused
    assert refused.endswith("; one with a comma in it has a --labels of its own\n")


def test_no_samples(classify, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    run = classify(tmp_path / "none.wav")
    assert run.exit_code == 1
    assert run.stderr == f"w2v: {tmp_path}/none.wav: no samples, so there is nothing to label\n"
