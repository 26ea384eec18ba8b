"""`w2v evaluate`: figures are those of `w2v transcribe` and `w2v score`, with intervals."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import read_waveforms
from w2v_cli.checkpoint.resolve import embedded_folder
from w2v_cli.training import evaluation

DATA = Path(__file__).parent.parent / "data"
WORDS = ("happy", "stop", "sheila", "three", "seven")


@pytest.fixture
def manifest(tmp_path):
    rows = [
        {"audio_filepath": str(DATA / f"{word}.opus"), "text": said, "speaker": word}
        for word, said in zip(
            WORDS, ("Happy.", "stop it", "sheila", "three", "heaven"), strict=True
        )
    ]
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_error_rate_is_that_of_transcribe_and_score(w2v, manifest, tmp_path):
    run = w2v("evaluate", "mini", manifest, "--format", "json")
    assert run.exit_code == 0, run.stderr
    measured = json.loads(run.stdout)
    recordings = [DATA / f"{word}.opus" for word in WORDS]
    heard = tmp_path / "heard.jsonl"
    w2v("transcribe", "--model", "mini", "-f", "jsonl", "-o", heard, *recordings)
    scored = json.loads(w2v("score", "-f", "json", "--normalizer", "basic", manifest, heard).stdout)
    for name in ("wer", "cer"):
        assert measured["figures"][name]["value"] == scored[name]
        low, high = measured["figures"][name]["interval"]
        assert 0 <= low < scored[name] < high
    assert measured["results"][0]["reference"] == "happy"
    assert measured["speakers"] == 5


@pytest.mark.parametrize("decoder", ["auto", "greedy"])
def test_long_recordings_are_heard_as_transcribe_hears_them(w2v, tmp_path, decoder):
    (demo,) = read_waveforms(DATA / "demo.opus").channels
    soundfile.write(tmp_path / "long.wav", np.tile(demo, 5), 16000)
    rows = [
        {"audio_filepath": str(DATA / "stop.opus"), "text": "stop"},
        {"audio_filepath": str(tmp_path / "long.wav"), "text": "yes"},
    ]
    manifest = tmp_path / "list.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = w2v("evaluate", "mini", manifest, "--decoder", decoder, "-f", "json")
    heard = [row["hypothesis"] for row in json.loads(run.stdout)["results"]]
    run = w2v("transcribe", "-m", "mini", "--decoder", decoder, tmp_path / "long.wav")
    assert heard == ["stop", " ".join(run.stdout.split())]


def test_a_lexicon_is_used_and_left_out_as_in_transcribe(w2v, manifest, tmp_path):
    recordings = [DATA / f"{word}.opus" for word in WORDS]
    model = tmp_path / "model"
    shutil.copytree(embedded_folder("mini"), model)
    (model / "lexicon.json").write_text('{"words": ["sheila", "step"]}')
    for decoder in ("auto", "greedy"):
        run = w2v("evaluate", model, manifest, "--format", "json", "--decoder", decoder)
        heard = [result["hypothesis"] for result in json.loads(run.stdout)["results"]]
        lines = w2v("transcribe", "-q", "--model", model, *recordings, "--decoder", decoder).stdout
        assert heard == [line.split(":")[1].strip() for line in lines.splitlines()]
        assert ("stop" in heard) is (decoder == "greedy")
    run = w2v("evaluate", "mini-keywords", manifest, "--decoder", "greedy")
    assert run.exit_code == 2
    assert "--decoder is for texts" in run.stderr


def test_the_table(w2v, manifest):
    run = w2v("evaluate", "mini", manifest)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("5 recordings, ")
    assert [line.split()[0] for line in lines[2:]] == ["wer", "cer", "exact"]
    assert " to " in lines[2]
    assert " to " not in w2v("evaluate", "mini", manifest, "--bootstrap", 0).stdout


def test_rows_of_a_split_are_measured(w2v, manifest):
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row, split in zip(rows, ("train", "dev", "dev", "test", "test"), strict=True):
        row["split"] = split
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for arguments, count in (
        ([], "2 recordings, "),
        (["--split", "train"], "1 recording, "),
        (["--split", "test"], "2 recordings, "),
    ):
        run = w2v("evaluate", "mini", manifest, *arguments)
        assert run.stdout.startswith(count)


def test_a_manifest_without_the_split_of_another_is_told(w2v, manifest, tmp_path):
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    other = tmp_path / "dev.jsonl"
    other.write_text(json.dumps(rows[0] | {"split": "dev"}) + "\n")
    run = w2v("evaluate", "mini", manifest, other)
    assert run.stdout.startswith("1 recording, ")
    assert f"{manifest}: nothing of it is measured" in run.stderr
    assert f"{other}: nothing" not in run.stderr


def test_parts_of_one_recording_are_told_apart(w2v, tmp_path):
    part = {"audio_filepath": str(DATA / "demo.opus"), "text": "yes", "speaker": "d"}
    rows = [part | {"offset": start, "duration": 1.5} for start in (0, 2)]
    manifest = tmp_path / "parts.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    measured = json.loads(w2v("evaluate", "mini", manifest, "-f", "json").stdout)
    told = [(r["offset"], r["duration"], r["speaker"]) for r in measured["results"]]
    assert told == [(0, 1.5, "d"), (2, 1.5, "d")]


def test_the_case_of_a_model_stays_with_another_normalizer(w2v, manifest, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(embedded_folder("mini"), model)
    rules = {"normalizer": "basic", "case": "upper", "ignored": "."}
    (model / "text_rules.json").write_text(json.dumps(rules))
    run = w2v("evaluate", model, manifest, "--normalizer", "none", "-f", "json")
    assert json.loads(run.stdout)["results"][0]["reference"] == "HAPPY"


def test_another_sampling_rate_is_refused(w2v, manifest, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(embedded_folder("mini"), model)
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = model / name
        path.write_text(path.read_text().replace("16000", "8000"))
    run = w2v("evaluate", model, manifest)
    assert run.exit_code != 0
    assert "the model hears 8000 Hz" in run.stderr


def test_what_cannot_be_read_is_named(w2v, manifest):
    with open(manifest, "a") as rows:
        rows.write('{"audio_filepath": "missing.wav", "text": "go"}\n')
    run = w2v("evaluate", "mini", manifest)
    assert run.exit_code == 3
    assert "missing.wav: no such file" in run.stderr
    assert run.stdout.startswith("5 recordings")


def test_what_breaks_off_is_not_passed_over(w2v, manifest, tmp_path):
    """A header tells where a recording ends, but not that the rest of it is lost."""
    row = {"audio_filepath": str(DATA / "demo.opus"), "offset": 99, "duration": 1, "text": "yes"}
    noise = np.random.default_rng(0).normal(0, 0.1, 32000)
    soundfile.write(tmp_path / "broken.flac", noise, 16000)
    (tmp_path / "broken.flac").write_bytes((tmp_path / "broken.flac").read_bytes()[:9000])
    rows = [row, {"audio_filepath": str(tmp_path / "broken.flac"), "text": "yes"}]
    manifest.write_text(manifest.read_text() + "".join(json.dumps(row) + "\n" for row in rows))
    run = w2v("evaluate", "mini", manifest, "--format", "json")
    assert run.exit_code == 3
    assert run.stderr.count("cannot start at 99 s") == 1
    beyond, broken = json.loads(run.stdout)["unreadable"]
    assert beyond["audio_filepath"].endswith("demo.opus")
    assert beyond["error"].startswith("cannot start at 99 s")
    assert broken["audio_filepath"].endswith("broken.flac")
    assert "cut short" in broken["error"]


def test_nothing_to_measure_on(w2v, manifest):
    run = w2v("evaluate", "mini", manifest, "--split", "test")
    assert run.exit_code == 2
    assert "--split test: the manifest has none of that; it has train" in run.stderr
    manifest.write_text(manifest.read_text().replace('"text"', '"said"'))
    run = w2v("evaluate", "mini", manifest)
    assert run.exit_code == 2
    assert "no recording here can be measured on; what is needed: a text" in run.stderr


@pytest.mark.parametrize("option", ["--other-label", "--empty-label"])
def test_a_label_that_the_model_lacks_is_refused(w2v, manifest, option):
    run = w2v("evaluate", "mini-keywords", manifest, option, "_other_")
    assert (run.exit_code, run.stdout) == (2, "")
    assert f"{option} _other_: mini-keywords has no such label; it has _silence_" in run.stderr


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_heard(
    w2v, manifest, tmp_path, monkeypatch
):
    monkeypatch.setattr(evaluation, "measure_model", None)
    run = w2v("evaluate", "mini", manifest, "--output", tmp_path / "none" / "figures.json")
    assert run.exit_code == 2
    assert "there is no folder" in run.stderr


@pytest.mark.parametrize("arguments", [("--other-label", "x"), ("--empty-label", "_silence_")])
def test_options_for_classifiers_are_refused_for_texts(w2v, manifest, arguments):
    run = w2v("evaluate", "mini", manifest, *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr == f"w2v: {arguments[0]} is for classifiers, and mini is none; leave it out\n"


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    """Return a function that writes a model with random weights and a head, and its folder."""
    import torch

    import w2v_cli

    def make(head, **changes):
        folder = tmp_path_factory.mktemp(head)
        settings = {"conv_dim": [16] * 7, "hidden_size": 16, "intermediate_size": 32}
        settings |= {"num_hidden_layers": 2, "num_attention_heads": 2, "classifier_proj_size": 8}
        settings |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
        settings |= {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
        settings |= {"tdnn_dim": [16, 16], "tdnn_kernel": [3, 1], "tdnn_dilation": [1, 1]}
        settings |= {"xvector_output_dim": 8, "initializer_range": 0.6}
        torch.manual_seed(2)
        config = w2v_cli.Wav2Vec2Config(**settings | changes)
        getattr(w2v_cli, f"Wav2Vec2{head}")(config).save_pretrained(folder)
        w2v_cli.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def voices(tmp_path):
    """A manifest of five recordings of two speakers."""
    path = tmp_path / "voices.jsonl"
    rows = [
        {"audio_filepath": str(DATA / f"{word}.opus"), "speaker": who}
        for word, who in zip(WORDS, ("anna", "ben", "anna", "ben", "anna"), strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_speakers_are_measured_on_all_pairs(w2v, voices, model_of, tmp_path):
    folder = model_of("ForXVector", num_labels=2)
    picture = tmp_path / "det.svg"
    run = w2v("evaluate", folder, voices, "--format", "json", "--plot", picture)
    assert run.exit_code == 0, run.stderr
    measured = json.loads(run.stdout)
    assert measured["pairs"] == {"same": 4, "different": 6}
    import torch
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForXVector

    model = Wav2Vec2ForXVector.from_pretrained(folder).eval()
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    same, different = [], []
    vectors = []
    for word in WORDS:
        waveform = read_waveforms(DATA / f"{word}.opus").channels[0]
        inputs = extractor(waveform, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            vector = model(**inputs).embeddings[0]
        vectors.append((vector / vector.norm()).numpy())
    for (i, one), (j, other) in itertools.combinations(enumerate(vectors), 2):
        (same if (i - j) % 2 == 0 else different).append(float(one @ other))
    threshold, rate = measured["threshold"], measured["figures"]["eer"]["value"]
    # Six and four pairs: at the threshold both errors are within one pair of the rate.
    assert np.mean(np.array(same) < threshold) == pytest.approx(rate, abs=1 / 4)
    assert np.mean(np.array(different) >= threshold) == pytest.approx(rate, abs=1 / 6)
    assert rate == pytest.approx(brute_force_rate(same, different), abs=1e-6)
    assert measured["det"]["refused"][0] == 1
    assert "two speakers" not in run.stderr
    assert picture.read_text().startswith("<?xml")


def brute_force_rate(same, different):
    """Walk down the thresholds until the straight line between two of them crosses."""
    points = [
        (np.mean(np.array(same) < t), np.mean(np.array(different) >= t))
        for t in [2.0, *sorted([*same, *different], reverse=True)]
    ]
    for (refused, accepted), (less, more) in itertools.pairwise(points):
        if more >= less:
            share = (refused - accepted) / ((refused - accepted) + (more - less))
            return refused + share * (less - refused)
    return None


def test_the_table_of_speakers_has_the_threshold(w2v, voices, model_of):
    lines = w2v("evaluate", model_of("ForXVector", num_labels=2), voices).stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["eer", "min_dcf", "threshold"]
    assert "the cosine that has the eer" in lines[-1]


@pytest.mark.parametrize("rows", [slice(1), slice(2), slice(None, None, 2)])
def test_pairs_of_one_kind_have_no_rate_and_no_picture(w2v, voices, model_of, tmp_path, rows):
    """One recording, one of each of two speakers, or several of one: what is missing is said."""
    voices.write_text("".join(voices.read_text().splitlines(keepends=True)[rows]))
    picture = tmp_path / "det.png"
    run = w2v("evaluate", model_of("ForXVector", num_labels=2), voices, "--plot", picture)
    assert run.exit_code == 0
    assert (
        "eer              -  (it takes two recordings of one speaker, and two speakers)\n"
        in run.stdout
    )
    assert "not drawn" in run.stderr
    assert not picture.exists()


def test_labels_have_a_confusion_matrix(w2v, manifest, model_of, tmp_path):
    labels = {0: "stop it", 1: "sheila", 2: "three"}
    folder = model_of("ForSequenceClassification", num_labels=3, id2label=labels)
    picture = tmp_path / "confusions.png"
    run = w2v("evaluate", folder, manifest, "--format", "json", "--plot", picture)
    measured = json.loads(run.stdout)
    pairs = [(row["reference"], row["hypothesis"]) for row in measured["results"]]
    assert len(pairs) == 3
    assert measured["left_out"] == 2
    assert "left out, since there is nothing to compare with: 2 recordings" in run.stderr
    for row, right in zip(measured["confusions"], labels.values(), strict=True):
        assert row == [pairs.count((right, heard)) for heard in labels.values()]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def meeting(tmp_path):
    """An RTTM file of a recording, a UEM file, and the reference as pyannote has it."""
    from pyannote.core import Annotation, Segment

    shutil.copy(DATA / "jfk.opus", tmp_path)
    turns = [(0.3, 2.1, "anna"), (1.9, 4.0, "ben"), (5.0, 9.5, "anna"), (7.0, 8.0, "cleo")]
    lines = [f"SPEAKER jfk 1 {a} {b - a:.3f} <NA> <NA> {who} <NA> <NA>\n" for a, b, who in turns]
    (tmp_path / "jfk.rttm").write_text("".join(lines))
    (tmp_path / "jfk.uem").write_text("jfk 1 0.5 8.5\n")
    reference = Annotation()
    for start, end, who in turns:
        reference[Segment(start, end), who] = who
    return tmp_path / "jfk.rttm", reference


@pytest.mark.parametrize(
    ("arguments", "settings", "region"),
    [
        ([], {}, (0, 100)),
        (["--collar", 0.25], {"collar": 0.5}, (0, 100)),
        (["--skip-overlap"], {"skip_overlap": True}, (0, 100)),
        (["--uem", "jfk.uem", "--collar", 0.1], {"collar": 0.2}, (0.5, 8.5)),
    ],
)
def test_who_speaks_when_is_measured_as_pyannote_does(
    w2v, meeting, model_of, monkeypatch, arguments, settings, region
):
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    from w2v_cli.tasks.diarize import load_diarizer

    rttm, reference = meeting
    monkeypatch.chdir(rttm.parent)
    folder = model_of("ForAudioFrameClassification", num_labels=2)
    run = w2v("evaluate", folder, rttm, "--format", "json", *arguments)
    assert run.exit_code == 0, run.stderr
    measured = json.loads(run.stdout)
    found = Annotation()
    for index, turn in enumerate(load_diarizer(folder).diarize(read_waveforms("jfk.opus")).turns):
        found[Segment(turn.start_seconds, turn.end_seconds), index] = turn.speaker
    uem = Timeline([Segment(*region)])
    parts = DiarizationErrorRate(**settings)(reference, found.support(), uem=uem, detailed=True)
    figures = {name: figure["value"] for name, figure in measured["figures"].items()}
    assert figures["der"] == pytest.approx(parts["diarization error rate"], abs=2e-6)
    for name, part in (
        ("missed", "missed detection"),
        ("false_alarm", "false alarm"),
        ("confusion", "confusion"),
    ):
        assert figures[name] == pytest.approx(parts[part] / parts["total"], abs=2e-6)
    assert measured["results"][0]["speech"] == pytest.approx(parts["total"], abs=1e-3)
    assert measured["collar"] == settings.get("collar", 0) / 2
    assert 0 < figures["frame_error"] <= 1


def test_conversations_are_made_of_single_speakers(w2v, voices, model_of, tmp_path):
    folder = model_of("ForAudioFrameClassification", num_labels=2)
    picture = tmp_path / "turns.png"
    run = w2v("evaluate", folder, voices, "--plot", picture)
    assert run.exit_code == 0, run.stderr
    names = [line.split()[0] for line in run.stdout.splitlines()[2:]]
    assert names == ["der", "missed", "false_alarm", "confusion", "jer", "frame_error"]
    assert run.stdout == w2v("evaluate", folder, voices).stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_recordings_that_a_uem_lacks_do_not_count(w2v, meeting, model_of):
    rttm, _ = meeting
    (rttm.parent / "other.uem").write_text("someone 1 0 5\n")
    folder = model_of("ForAudioFrameClassification", num_labels=2)
    run = w2v("evaluate", folder, rttm, "--uem", rttm.parent / "other.uem")
    assert run.exit_code == 2
    assert "no recording here can be measured on" in run.stderr


@pytest.mark.parametrize(
    ("head", "figure"),
    [("ForXVector", "threshold"), ("ForAudioFrameClassification", "results")],
)
def test_whole_numbers_are_measured_as_a_quantized_folder_is(
    w2v, voices, model_of, tmp_path, head, figure
):
    folder, whole = model_of(head, num_labels=2), tmp_path / "whole"
    w2v("quantize", folder, "--output", whole)

    def measured(*arguments):
        run = w2v("evaluate", *arguments, voices, "--format", "json")
        assert run.exit_code == 0, run.stderr
        return json.loads(run.stdout)[figure]

    assert measured(folder, "--quantize", "int8") == measured(whole) != measured(folder)


def test_whole_numbers_are_for_processors(w2v, manifest):
    run = w2v("evaluate", "mini", manifest, "--quantize", "int8", "--device", "cuda")
    assert run.exit_code == 2
    assert "--quantize int8: runs on the CPU only" in run.stderr


@pytest.mark.parametrize("arguments", [("--collar", 0.25), ("--skip-overlap",)])
def test_options_about_turns_are_refused_for_others(w2v, manifest, arguments):
    run = w2v("evaluate", "mini", manifest, *arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert "is about who speaks when, which mini does not tell" in run.stderr


def test_a_picture_does_not_replace_the_figures(w2v, manifest, tmp_path):
    run = w2v("evaluate", "mini", manifest, "--plot", tmp_path / "a.png", "-o", tmp_path / "a.png")
    assert (run.exit_code, "the results go there" in run.stderr) == (2, True)


def test_a_picture_of_words(w2v, manifest, tmp_path):
    picture = tmp_path / "words.png"
    run = w2v("evaluate", "mini", manifest, "--plot", picture)
    assert run.exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_pictures_that_cannot_be_drawn_are_refused_before_anything_is_heard(
    w2v, manifest, tmp_path, monkeypatch
):
    run = w2v("evaluate", "no-such-model", manifest, "--plot", tmp_path / "words.pdf")
    assert (run.exit_code, run.stdout) == (2, "")
    assert "pictures are .png or .svg" in run.stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run = w2v("evaluate", "no-such-model", manifest, "--plot", tmp_path / "words.png")
    assert (run.exit_code, run.stdout) == (5, "")
    assert "pip install 'w2v[plots]'" in run.stderr
