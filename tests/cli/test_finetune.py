"""`w2v finetune`: what a person sees, and what lies in the folder afterwards."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from w2v_cli import (
    Wav2Vec2Config,
    Wav2Vec2ForAudioFrameClassification,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2ForXVector,
    Wav2Vec2Processor,
)
from w2v_cli.cli.finetune_choices import start_of
from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.training.run import alone_in

DATA = Path(__file__).resolve().parent.parent / "data"

NETWORK = {
    "model_type": "wav2vec2",
    "conv_dim": [16, 16, 32],
    "conv_kernel": [80, 8, 4],
    "conv_stride": [20, 4, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 16,
    "tdnn_dim": [16, 16, 32],
    "tdnn_kernel": [3, 3, 1],
    "tdnn_dilation": [1, 2, 1],
    "num_negatives": 5,
    "codevector_dim": 16,
    "proj_codevector_dim": 16,
    "num_codevectors_per_group": 8,
    "mask_time_length": 4,
}


def write_manifest(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def clip(name):
    return str(DATA / name)


@pytest.fixture
def manifest(tmp_path):
    """Five words to learn from, and two to measure on."""
    rows = [
        {"audio_filepath": clip(f"{word}.opus"), "text": f"{word.title()}!", "speaker": word}
        for word in ("happy", "stop", "sheila", "three", "seven")
    ]
    rows += [dict(row, split="dev") for row in rows[1:3]]
    return write_manifest(tmp_path / "words.jsonl", rows)


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "network.json"
    path.write_text(json.dumps(NETWORK))
    return path


@pytest.fixture
def quick(manifest, network, tmp_path):
    """The arguments of a run of a few steps."""

    def arguments(kind="ctc", *more, folder="run"):
        return [
            *("finetune", kind, manifest, "--from-scratch", network, "-o", tmp_path / folder),
            *("--max-steps", 6, "--eval-steps", 3, "--logging-steps", 2, "--batch-items", 2),
            *("--device", "cpu", "--seed", 5, *more),
        ]

    return arguments


def test_two_clips_are_learnt_to_the_exact_text(w2v, tmp_path):
    """From the embedded model, with the wrong texts, so that it has something to learn."""
    rows = [
        {"audio_filepath": clip("stop.opus"), "text": "sheila"},
        {"audio_filepath": clip("sheila.opus"), "text": "stop stop"},
    ]
    manifest = write_manifest(
        tmp_path / "two.jsonl", [*rows, *(dict(r, split="dev") for r in rows)]
    )
    run = w2v(
        *(
            "finetune",
            "ctc",
            manifest,
            "--model",
            "mini",
            "-o",
            tmp_path / "two",
            "--max-steps",
            24,
        ),
        *("--learning-rate", "1e-3", "--head-learning-rate", "3e-3", "--warmup-steps", 2),
        *("--eval-steps", 12, "--mask-time-prob", 0, "--hidden-dropout", 0, "--device", "cpu"),
    )
    assert run.exit_code == 0, run.stderr
    heard = w2v("transcribe", "--model", tmp_path / "two", clip("stop.opus"), clip("sheila.opus"))
    assert [line.partition(": ")[2] for line in heard.stdout.splitlines()] == [
        "sheila",
        "stop stop",
    ]
    measured = w2v("evaluate", tmp_path / "two", manifest, "--format", "json")
    assert json.loads(measured.stdout)["figures"]["wer"]["value"] == 0


def test_a_run_leaves_a_model_a_log_a_report_and_a_card(w2v, quick, tmp_path):
    run = w2v(*quick("ctc", "-v", "--license", "cc-by-4.0"))
    assert run.exit_code == 0, run.stderr
    folder = tmp_path / "run"
    assert run.stdout == ""
    assert re.search(r"step 3 of 6: wer [\d.]+ %, cer [\d.]+ %, exact [\d.]+ %", run.stderr)
    Wav2Vec2ForCTC.from_pretrained(folder)
    processor = Wav2Vec2Processor.from_pretrained(folder)
    assert set("happystopsheilathreeseven") < set(processor.tokenizer.get_vocab())
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [2, 3, 4, 6, 6]
    report = (folder / "report.md").read_text()
    assert "| train | 5 | 0.00 | 5 |" in report
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "license: cc-by-4.0" in card
    assert "w2v finetune ctc" in card


def test_keywords(w2v, quick, tmp_path, manifest):
    run = w2v(*quick("keywords", "--labels", "Stop!,Sheila!", "--other-label", "other"))
    assert run.exit_code == 0, run.stderr
    model = Wav2Vec2ForSequenceClassification.from_pretrained(tmp_path / "run")
    assert model.config.id2label == {0: "Sheila!", 1: "Stop!", 2: "other"}
    measured = w2v("evaluate", tmp_path / "run", manifest)
    assert measured.exit_code == 0
    assert "accuracy" in measured.stdout


@pytest.mark.parametrize("start", ["--model", "--from-scratch"])
def test_letters_from_a_network_of_labels(w2v, quick, manifest, tmp_path, start):
    """Labels would be about outputs that are letters now."""
    assert w2v(*quick("keywords")).exit_code == 0
    run = w2v(
        *("finetune", "ctc", manifest, start, tmp_path / "run", "-o", tmp_path / "letters"),
        *("--max-steps", 1, "--device", "cpu"),
    )
    assert run.exit_code == 0, run.stderr
    config = json.loads((tmp_path / "letters" / "config.json").read_text())
    assert not config.keys() & {"id2label", "label2id"}


def test_keywords_from_a_network_that_hears_spectrograms(w2v, manifest, tmp_path):
    """What it is then is a model like any other, with the first layer that it began with."""
    shape = {"conv_dim": [162, 40, 40], "conv_kernel": [400, 3, 3], "conv_stride": [160, 1, 2]}
    network = tmp_path / "network.json"
    needed = {"feat_extract_activation": "relu6", "conv_bias": True}
    network.write_text(json.dumps(NETWORK | shape | needed))
    for steps in (1, 3):
        run = w2v(
            *("finetune", "keywords", manifest, "--from-scratch", network, "--bands", "10,10,5"),
            *("-o", tmp_path / f"run{steps}", "--max-steps", steps, "--device", "cpu"),
            *("--learning-rate", 1e-2, "--layerdrop", 0),  # or a layer may never learn
        )
        assert run.exit_code == 0, run.stderr
    one, three = (load_file(tmp_path / f"run{steps}" / "model.safetensors") for steps in (1, 3))
    first = "wav2vec2.feature_extractor.conv_layers.0."
    assert one.keys() == three.keys()
    assert {name for name in one if torch.equal(one[name], three[name])} == {
        first + name
        for name in ("conv.weight", "conv.bias", "layer_norm.weight", "layer_norm.bias")
    }
    further = w2v(
        *("finetune", "keywords", manifest, "--model", tmp_path / "run3", "--bands", "10,10,5"),
        *("-o", tmp_path / "further", "--max-steps", 2, "--device", "cpu", "--learning-rate", 1e-2),
    )
    assert further.exit_code == 0, further.stderr
    four = load_file(tmp_path / "further" / "model.safetensors")
    second = "wav2vec2.feature_extractor.conv_layers.1.conv.weight"
    assert torch.equal(four[first + "conv.weight"], three[first + "conv.weight"])
    assert not torch.equal(four[second], three[second])
    images = four[second][:, :160].reshape(4, 10, 16, 10, 3)  # channels and bands, out and in
    assert torch.equal(images[:, 3, :, 2:5], images[:, 6, :, 5:8])
    card = (tmp_path / "run3" / "README.md").read_text()
    assert f"{sum(map(torch.numel, three.values())) / 1e6:.1f} million parameters" in card
    assert w2v("classify", "--model", tmp_path / "run3", clip("stop.opus")).exit_code == 0


def test_keywords_from_a_teacher(w2v, quick, tmp_path):
    assert w2v(*quick("keywords")).exit_code == 0
    taught = quick("keywords", "--teacher", tmp_path / "run", folder="taught")
    assert w2v(*taught).exit_code == 0
    assert json.loads((tmp_path / "taught" / "run.json").read_text())["teacher_weight"] == 0.7
    plain, other = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "taught"))
    assert any(not torch.equal(plain[name], other[name]) for name in plain)
    refused = w2v(*quick("keywords", "--teacher", "mini-keywords", folder="third"))
    assert refused.exit_code == 2
    assert "--teacher mini-keywords: tells other labels apart" in refused.stderr


def test_keywords_with_commas_in_them(w2v, quick, tmp_path, manifest):
    words = {"stop": "Stop, now!", "sheila": "Sheila", "happy": "Happy", "seven": "7"}
    rows = [{"audio_filepath": clip(f"{x}.opus"), "label": label} for x, label in words.items()]
    write_manifest(manifest, rows)
    run = w2v(*quick("keywords", "--labels", "Stop, now!", "--labels", "Sheila, 7"))
    assert run.exit_code == 0, run.stderr
    model = Wav2Vec2ForSequenceClassification.from_pretrained(tmp_path / "run")
    assert model.config.id2label == {0: "7", 1: "Sheila", 2: "Stop, now!"}
    for labels, said in (
        (["Sheila,,7"], "--labels 'Sheila,,7': an empty name"),
        (["Sheila,7", "7"], "--labels: 7 is there twice; name each label once"),
        (
            ["Sheila,Stop, now!"],
            "--labels Stop: no recording to learn from has it; add some, or leave it out; one with "
            "a comma in it has a --labels of its own",
        ),
    ):
        options = [part for label in labels for part in ("--labels", label)]
        refused = w2v(*quick("keywords", *options, folder="refused"))
        assert refused.exit_code == 2
        assert said in refused.stderr


@pytest.fixture
def voices(tmp_path, recording):
    """Two recordings of each of four voices; two are for measuring."""
    rows = []
    for voice in range(4):
        for take in range(2):
            path = recording(f"voices/{voice}-{take}.wav", seconds=0.6, seed=10 * voice + take)
            row = {"audio_filepath": str(path), "speaker": f"s{voice}"}
            rows.append(row | {"split": "dev" if voice > 1 else "train"})
    return write_manifest(tmp_path / "voices.jsonl", rows)


def test_speakers(w2v, quick, tmp_path, voices):
    arguments = quick("speakers", "-v", "--crop-seconds", 0.4)
    run = w2v(*(voices if str(x).endswith("words.jsonl") else x for x in arguments))
    assert run.exit_code == 0, run.stderr
    assert re.search(r"6 steps; eer [\d.]+ %", run.stderr)
    measured = json.loads(w2v("evaluate", tmp_path / "run", voices, "-f", "json").stdout)
    assert f"eer {100 * measured['figures']['eer']['value']:.2f} %" in run.stderr
    model = Wav2Vec2ForXVector.from_pretrained(tmp_path / "run")
    assert model.config.id2label == {0: "s0", 1: "s1"}
    assert "mistakes" not in (tmp_path / "run" / "report.md").read_text()  # vectors have none


def test_other_speeds_and_other_fields(w2v, quick, tmp_path, voices):
    arguments = quick("speakers", "--max-steps", 1, "--other-speeds", "0.9,1.2")
    more = ("--set", "use_weighted_layer_sum=true", "--set", "tdnn_dim=[8, 8, 24]")
    more += ("--set", "conv_dim=[16, 16]", "--set", "conv_kernel=[80, 8]")
    more += ("--set", "conv_stride=[40, 8]")
    run = w2v(*(voices if str(x).endswith("words.jsonl") else x for x in arguments), *more)
    assert run.exit_code == 0, run.stderr
    config = Wav2Vec2ForXVector.from_pretrained(tmp_path / "run").config
    assert set(config.id2label.values()) == {
        *("s0", "s0 x0.9", "s0 x1.2", "s1", "s1 x0.9", "s1 x1.2")
    }
    assert config.use_weighted_layer_sum
    assert config.tdnn_dim == [8, 8, 24]
    assert config.num_feat_extract_layers == len(config.conv_dim) == 2


@pytest.mark.parametrize("kind", ["ctc", "keywords", "speakers", "frames", "pretrain"])
def test_what_is_shorter_than_a_mask_or_a_vector_ends_in_silence(w2v, voices, tmp_path, kind):
    """It is learnt from and measured on all the same; frames see far in mini, and silence."""
    rows = [json.loads(line) for line in voices.read_text().splitlines()]
    for number, row in enumerate(rows):
        waveform, rate = soundfile.read(row["audio_filepath"])
        n_samples = 480 if row["split"] == "train" else 100
        short = tmp_path / f"short{number}.wav"
        soundfile.write(short, waveform[2000 : 2000 + n_samples], rate)
        row |= {"audio_filepath": str(short), "text": "no" if number % 2 else "yes"}
    manifest = write_manifest(tmp_path / "short.jsonl", rows)
    run = w2v(
        *("finetune", kind, manifest, "--model", "mini", "-o", tmp_path / "run"),
        *("--max-steps", 1, "--device", "cpu", "--speed", 1, "--mask-time-prob", 0.9),
        *("--mask-time-length", 10, *(["--mix", 0] if kind == "frames" else [])),
    )
    assert run.exit_code == 0, run.stderr
    assert "too short" not in run.stderr


@pytest.mark.parametrize("speeds", ["1", "fast", "0.9,0.9", "3"])
def test_speeds_that_are_none(w2v, quick, speeds):
    run = w2v(*quick("speakers", "--other-speeds", speeds))
    assert run.exit_code == 2
    assert f"--other-speeds {speeds}: needs numbers from 0.5 to 2" in run.stderr


@pytest.mark.parametrize("speeds", ["1", "fast", "1.2,0.9", "0.9,1,1.1", "0.1,1"])
def test_ranges_of_speed_that_are_none(w2v, quick, speeds):
    run = w2v(*quick("ctc", "--speed", 1, "--speed-range", speeds))
    assert run.exit_code == 2
    assert f"--speed-range {speeds}: needs two numbers from 0.5 to 2" in run.stderr


def test_a_range_of_speeds_needs_speed(w2v, quick):
    run = w2v(*quick("ctc", "--speed-range", "0.8,1.2"))
    assert run.exit_code == 2
    assert "--speed-range: needs --speed" in run.stderr


@pytest.mark.parametrize("kind", ["speakers", "frames", "pretrain"])
def test_only_words_are_cut_off(w2v, quick, kind):
    run = w2v(*quick(kind, "--cut-off", 0.5))
    assert run.exit_code == 2
    assert "--cut-off: is for words" in run.stderr


@pytest.mark.parametrize("kind", ["ctc", "keywords"])
def test_words_that_are_cut_off_are_learnt(w2v, quick, kind):
    more = ("--cut-off", 1, "--speed", 1, "--speed-range", "0.8,1.3", "--max-steps", 1)
    run = w2v(*quick(kind, *more))
    assert run.exit_code == 0, run.stderr


def test_more_speakers_than_are_told_apart_are_told(w2v, quick, tmp_path, recording):
    recording("talk.wav", seconds=2)
    lines = (f"SPEAKER talk 1 {n * 0.5} 1 <NA> <NA> voice{n} <NA> <NA>\n" for n in range(3))
    (tmp_path / "talk.rttm").write_text("".join(lines))
    arguments = [
        tmp_path / "talk.rttm" if str(x).endswith(".jsonl") else x for x in quick("frames")
    ]
    run = w2v(*arguments, "--dry-run")
    assert run.exit_code == 0, run.stderr
    assert "With more speakers than --num-speakers: 1 recording of train" in run.stderr
    run = w2v(*arguments, "--dry-run", "--num-speakers", 3)
    assert "With more speakers" not in run.stderr


def test_frames(w2v, quick, tmp_path, voices, recording):
    recording("talk.wav", seconds=2)
    (tmp_path / "talk.rttm").write_text("SPEAKER talk 1 0.5 1 <NA> <NA> anna <NA> <NA>\n")
    arguments = quick("frames", "-v", "--crop-seconds", 1.5)
    more = ("--eval-manifest", tmp_path / "talk.rttm")
    run = w2v(*(voices if str(x).endswith("words.jsonl") else x for x in arguments), *more)
    assert run.exit_code == 0, run.stderr
    assert re.search(r"6 steps; der [\d.]+ %, frame_error [\d.]+ %", run.stderr)
    measured = json.loads(
        w2v("evaluate", tmp_path / "run", tmp_path / "talk.rttm", "-f", "json").stdout
    )
    assert {"der", "jer", "frame_error"} < set(measured["figures"])
    model = Wav2Vec2ForAudioFrameClassification.from_pretrained(tmp_path / "run")
    assert model.config.num_labels == 2


def test_an_adapter(w2v, tmp_path, manifest):
    run = w2v(
        *("finetune", "adapter", manifest, "--model", "mini", "--lang", "tst", "-v"),
        *("--adapter-attn-dim", 8, "-o", tmp_path / "run", "--max-steps", 2, "--device", "cpu"),
    )
    assert run.exit_code == 0, run.stderr
    assert re.search(r"2 steps; wer [\d.]+ %", run.stderr)
    assert (tmp_path / "run" / "adapter.tst.safetensors").is_file()
    heard = w2v("transcribe", "--model", tmp_path / "run", "--lang", "tst", clip("stop.opus"))
    assert heard.exit_code == 0, heard.stderr
    other = w2v("transcribe", "--model", tmp_path / "run", "--lang", "fra", clip("stop.opus"))
    assert other.exit_code == 2
    assert "Choose one of tst" in other.stderr
    measured = w2v("evaluate", tmp_path / "run", manifest)
    assert measured.exit_code == 0, measured.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--from-scratch", "x"], "--from-scratch: an adapter belongs to a trained model"),
        (["--model", "mini", "--freeze-base-steps", 3], "leave out what says --freeze"),
        (["--model", "mini"], "add them with --adapter-attn-dim 16"),
    ],
)
def test_an_adapter_that_cannot_be(w2v, tmp_path, manifest, more, message):
    run = w2v("finetune", "adapter", manifest, "--lang", "tst", "-o", tmp_path / "run", *more)
    assert (run.exit_code, run.stderr.count("\n")) == (2, 1)
    assert message in run.stderr


def test_tempo_needs_a_package(w2v, quick, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run = w2v(*quick("ctc", "--tempo", 0.5))
    assert (run.exit_code, run.stderr.count("\n")) == (5, 1)
    assert "--tempo needs the package av" in run.stderr


def test_fewer_wrong_words(w2v, quick, tmp_path):
    run = w2v(*quick("ctc", "--mwer-weight", 3, "--mwer-samples", 4, "--consistency", 0.2))
    assert run.exit_code == 0, run.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["mwer_samples"] == 4


def test_letters_by_frame_at_first(w2v, quick, tmp_path):
    losses = {}
    for steps in (0, 4):
        run = w2v(*quick("ctc", "--flat-start-steps", steps, folder=f"run{steps}"))
        assert run.exit_code == 0, run.stderr
        lines = (tmp_path / f"run{steps}" / "log.jsonl").read_text().splitlines()
        losses[steps] = [json.loads(line)["loss"] for line in lines if '"loss"' in line]
    assert losses[4][0] > losses[0][0] + 1  # of two steps: 1.75 times the nats of a frame
    assert json.loads((tmp_path / "run4" / "run.json").read_text())["flat_start_steps"] == 4
    assert "flat_start_steps" not in (tmp_path / "run0" / "run.json").read_text()


def test_pretraining_is_measured_on_what_is_shorter_than_a_mask(w2v, quick, tmp_path):
    short, none = tmp_path / "short.wav", tmp_path / "none.wav"
    soundfile.write(short, np.zeros(100), 16000)
    soundfile.write(none, np.zeros(0), 16000)
    dev = write_manifest(
        tmp_path / "dev.jsonl", [{"audio_filepath": str(path)} for path in (short, none)]
    )
    run = w2v(*quick("pretrain", "--eval-manifest", dev))
    assert run.exit_code == 0, run.stderr
    assert "Left out: 1 recording of dev that cannot be read; the first: " in run.stderr
    assert "none.wav: no sound in it" in run.stderr


def test_pretraining_and_what_is_begun_with_it(w2v, quick, tmp_path, manifest):
    run = w2v(*quick("pretrain", "-v"))
    assert run.exit_code == 0, run.stderr
    assert re.search(r"6 steps; contrastive_loss \d\.\d+, perplexity \d", run.stderr)
    assert Wav2Vec2ForPreTraining.from_pretrained(tmp_path / "run").config.mask_time_prob == 0.05
    after = w2v(
        *("finetune", "ctc", manifest, "--model", tmp_path / "run", "-o", tmp_path / "ctc"),
        *("--max-steps", 1, "--device", "cpu"),
    )
    assert after.exit_code == 0, after.stderr
    Wav2Vec2ForCTC.from_pretrained(tmp_path / "ctc")


def test_the_data_is_looked_at_first(w2v, tmp_path, manifest):
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows += [
        {"audio_filepath": "missing.wav", "text": "go"},
        {"audio_filepath": "gone.wav", "text": "go"},
        {"audio_filepath": clip("jfk.opus"), "text": "1961, naïve", "weight": 0.5},
        {"audio_filepath": clip("happy.opus"), "weight": 3},
        {"audio_filepath": clip("happy.opus"), "text": "häppy 7 7", "split": "dev"},
        {"audio_filepath": clip("happy.opus"), "text": "happy", "split": "validated"},
    ]
    write_manifest(manifest, rows)
    run = w2v(
        *("finetune", "ctc", manifest, "--model", "mini", "-o", tmp_path / "run", "--dry-run"),
        *("--max-duration-in-seconds", 30),
    )
    assert run.exit_code == 0
    assert "train: 6 recordings" in run.stderr
    assert "Left out: 2 recordings of train that cannot be read; the first: " in run.stderr
    assert "missing.wav: no such file" in run.stderr
    assert "gone.wav: no such file" in run.stderr
    assert (
        "The vocabulary lacks '1' (2), '9' (1), '6' (1), 'ï' (1) of train; learnt as unknown."
        in run.stderr
    )
    assert "The vocabulary lacks '7' (2), 'ä' (1) of dev; each counts as an error." in run.stderr
    assert "Left out: 1 recording without a text, label or speaker" in run.stderr
    assert "Not used: 1 recording of other splits (validated)." in run.stderr
    assert "With a weight: 1 recording of train, of 0.5 to 0.5; the others" in run.stderr
    assert not (tmp_path / "run").exists()


def test_how_long_recordings_may_be_is_obeyed(w2v, tmp_path):
    row = {"audio_filepath": clip("jfk.opus"), "speaker": "jfk"}
    manifest = write_manifest(tmp_path / "list.jsonl", [row])
    arguments = ("finetune", "frames", manifest, "--model", "mini", "-o", tmp_path / "run")
    whole = w2v(*arguments, "--dry-run")
    assert "train: 1 recording, " in whole.stderr
    short = w2v(*arguments, "--dry-run", "--max-duration-in-seconds", 1)
    assert "nothing to learn from; left out: 1 too long" in short.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--from-scratch", "x", "--model", "mini"], "one of them"),
        ([], "say what to begin with"),
        (["--model", "mini", "--bf16", "--fp16"], "--bf16 and --fp16: one of them"),
        (
            ["--model", "mini", "--noise", 1, "--noise-dir", "no/such"],
            "--noise-dir no/such: no such folder",
        ),
        (["--model", "mini", "--set", "hiden_size=3"], "did you mean hidden_size?"),
        (["--from-scratch", "mini", "--bands", "40,x"], "--bands 40,x: needs a number of bands"),
        (["--from-scratch", "mini", "--bands", "0"], "--bands 0: needs a number of bands"),
        (
            ["--from-scratch", "mini", "--bands", "40", "--set", "feat_extract_activation=gelu"],
            "mini: bands need",
        ),
        (["--model", "mini", "--set", "hidden_size"], "needs FIELD=VALUE"),
        (
            ["--model", "mini", "--set", "num_hidden_layers=abc"],
            "--set num_hidden_layers=abc: needs a whole number",
        ),
        (["--model", "mini", "--set", "final_dropout=abc"], "=abc: needs a number"),
        (["--model", "mini", "--set", "num_hidden_layers=true"], "=true: needs a whole number"),
        (["--model", "mini", "--set", "return_dict=false"], "the run decides this field"),
        (["--model", "mini", "--set", "dtype=float16"], "the run decides this field"),
        (["--model", "mini", "--set", "mask_time_length=0"], "mask_time_length: a mask has 1"),
        (
            ["--model", "mini", "--mask-time-prob", 0.5, "--set", "apply_spec_augment=false"],
            "apply_spec_augment=false: masks are asked for besides",
        ),
        (
            ["--model", "mini", "--hidden-dropout", 0, "--set", "hidden_dropout=0.5"],
            "--set hidden_dropout: the option for it is given, too",
        ),
        (
            ["--model", "mini", "--set", "intermediate_size=200", "--hidden-dropout", 0.1],
            "mini: its weights have other shapes than intermediate_size would give them",
        ),
        (["--model", "mini", "--vocab", "no.json"], "--vocab no.json: no file with a JSON object"),
        (
            ["--model", "mini", "--mask-feature-prob", 0.1, "--mask-feature-length", 1000],
            "--mask-feature-length 1000: the network has 256 channels",
        ),
        (
            ["--model", "mini", "--early-stopping-patience", 2],
            "--early-stopping-patience: there are no dev recordings",
        ),
        (["--model", "mini", "--chars-to-ignore", "", "--outside-vocabulary", "refuse"], "lacks"),
    ],
)
def test_what_cannot_be_done_is_refused(w2v, tmp_path, more, message):
    rows = [{"audio_filepath": clip("stop.opus"), "text": "stop 2"}]
    manifest = write_manifest(tmp_path / "list.jsonl", rows)
    run = w2v("finetune", "ctc", manifest, "-o", tmp_path / "run", *more)
    assert (run.exit_code, run.stderr.count("\n")) == (2, run.stderr.count("w2v: "))
    assert message in run.stderr


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("speakers", ["--final-dropout", 0.1], "--final-dropout: only a head that writes texts"),
        ("frames", ["--final-dropout", 0.1], "--final-dropout: only a head that writes texts"),
        ("keywords", ["--final-dropout", 0.1], "--final-dropout: only a head that writes texts"),
        ("pretrain", ["--final-dropout", 0.1], "--final-dropout: only a head that writes texts"),
        ("ctc", ["--set", "ctc_zero_infinity=false"], "ctc_zero_infinity=False: the run decides"),
        ("pretrain", ["--balance", 0.5], "--balance: is about texts and labels"),
        (
            "ctc",
            ["--mask-feature-length", 4, "--set", "mask_feature_prob=0"],
            "does nothing without --mask-feature-prob",
        ),
        ("frames", ["--balance-speakers", 0.5], "speakers are the labels here; use --balance"),
        ("speakers", ["--balance-speakers", 0.5], "speakers are the labels here; use --balance"),
        ("ctc", ["--balance-speakers", 0.5], "--balance-speakers: no recording has a speaker"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(w2v, tmp_path, kind, more, message):
    rows = [{"audio_filepath": clip("stop.opus"), "text": "stop"}]
    manifest = write_manifest(tmp_path / "list.jsonl", rows)
    run = w2v("finetune", kind, manifest, "--model", "mini", "-o", tmp_path / "run", *more)
    assert run.exit_code == 2
    assert message in run.stderr


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("ctc", ["--filter-bank"], "without --from-scratch; add --from-scratch CONFIG"),
        ("frames", ["--bands", "40,20", "--freeze-base-model"], "does nothing beside --freeze"),
        ("ctc", ["--bands", "4", "--freeze-feature-encoder"], "does nothing beside --freeze"),
        ("adapter", ["--lang", "fra", "--bands", "40,20"], "where convolutions are frozen"),
        ("ctc", ["--hold-ratio", 0.4], "without --lr-scheduler-type; add --lr-scheduler-type tri"),
        ("ctc", ["--final-scale", 0.1, "--lr-scheduler-type", "cosine"], "--lr-scheduler-type tri"),
        ("speakers", ["--early-stopping-threshold", 1], "add --early-stopping-patience N"),
        ("frames", ["--noise-dir", "."], "without --noise; add --noise SHARE, or leave it out"),
        ("ctc", ["--room-dir", "."], "without --reverb; add --reverb SHARE, or leave it out"),
        ("ctc", ["--join-seconds", 10], "without --join; add --join SHARE"),
        ("adapter", ["--lang", "fra", "--mwer-samples", 4], "add --mwer-weight WEIGHT"),
        ("keywords", ["--teacher-weight", 0.7], "without --teacher; add --teacher MODEL"),
        ("keywords", ["--other-label", "x"], "without --labels; add --labels A,B,..."),
        ("ctc", ["--num-train-epochs", 3, "--max-steps", 9], "beside --max-steps; leave one of"),
        ("ctc", ["--freeze-base-steps", 3, "--freeze-base-model"], "beside --freeze-base-model"),
        ("pretrain", ["--logging-dir", "x", "--report-to", "none"], "beside --report-to none"),
    ],
)
def test_an_option_whose_partner_is_off_is_refused(w2v, tmp_path, kind, more, message):
    """With the value that it has anyway, too. The manifest isn't there: it is not looked for."""
    run = w2v("finetune", kind, "no.jsonl", "--model", "mini", "-o", tmp_path / "run", *more)
    assert (run.exit_code, run.stderr.count("\n")) == (2, 1)
    assert "does nothing" in run.stderr
    assert message in run.stderr


def test_masks_that_are_asked_for_are_drawn_in_a_model_that_switched_them_off():
    asked = SharedOptions(output="run", model="mini", mask_time_prob=0.2)
    assert start_of(asked).config().apply_spec_augment
    off = replace(asked, settings=["apply_spec_augment=false"])
    assert not start_of(off).config().apply_spec_augment
    silent = SharedOptions(output="run", model="mini", settings=["apply_spec_augment=false"])
    assert not start_of(replace(silent, mask_time_prob=0.0)).config().apply_spec_augment


@pytest.mark.skipif(sys.platform == "win32", reason="nothing keeps runs apart there")
def test_two_runs_at_once_do_not_share_a_folder(w2v, quick, tmp_path):
    """Each would take the other's checkpoints for its own."""
    with alone_in(tmp_path / "run"):
        second = w2v(*quick())
        assert (second.exit_code, second.stderr.count("another run is writing there")) == (2, 1)
        assert "wait for its end, or give another --output" in second.stderr
        assert not list((tmp_path / "run").iterdir())
    assert w2v(*quick()).exit_code == 0


def test_a_folder_that_holds_another_run_is_not_touched(w2v, quick, tmp_path):
    assert w2v(*quick()).exit_code == 0
    before = load_file(tmp_path / "run" / "model.safetensors")
    other = w2v(*quick("ctc", "--learning-rate", "0.5"))
    assert other.exit_code == 2
    assert "a run with other settings (learning_rate); repeat its command" in other.stderr
    again = w2v(*quick("ctc", "-v"))
    assert again.exit_code == 0
    assert "going on from step 6 of 6" in again.stderr
    after = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert w2v(*quick("ctc", "--learning-rate", "0.5", "--overwrite")).exit_code == 0
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("mine")
    refused = w2v(*quick(folder="notes"))
    assert refused.exit_code == 2
    assert "is not empty and holds no run" in refused.stderr
    (tmp_path / "letter").write_text("mine")
    refused = w2v(*quick(folder="letter"))
    assert refused.exit_code == 2
    assert "a file, not a folder" in refused.stderr
    looked = w2v(*quick("ctc", "--dry-run", folder="letter"))
    assert (looked.exit_code, looked.stderr) == (2, refused.stderr)


def test_a_refused_command_leaves_no_run_that_another_would_have_to_go_on_with(
    w2v, quick, tmp_path
):
    refused = w2v(*quick("ctc", "--noise", "0.5", "--noise-dir", tmp_path / "none"))
    assert refused.exit_code == 2
    assert "no such folder" in refused.stderr
    assert not (tmp_path / "run").exists()
    refused = w2v(*quick("keywords", "--labels", "Stop!,Stpo!"))
    assert refused.exit_code == 2
    assert "--labels Stpo!: no recording to learn from has it" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_a_model_that_was_trained_before_hears_as_it_did(w2v, quick, tmp_path, manifest):
    """Its feature extractor is in processor_config.json alone."""
    assert w2v(*quick()).exit_code == 0
    saved = tmp_path / "run" / "processor_config.json"
    content = json.loads(saved.read_text())
    assert not (tmp_path / "run" / "preprocessor_config.json").exists()
    content["feature_extractor"]["do_normalize"] = not content["feature_extractor"]["do_normalize"]
    saved.write_text(json.dumps(content))
    more = ("finetune", "ctc", manifest, "--model", tmp_path / "run", "-o", tmp_path / "more")
    assert w2v(*more, "--max-steps", 2, "--device", "cpu").exit_code == 0
    again = json.loads((tmp_path / "more" / "processor_config.json").read_text())
    assert again["feature_extractor"] == content["feature_extractor"]


def test_what_an_overwritten_run_has_made_is_gone(w2v, quick, tmp_path):
    assert w2v(*quick()).exit_code == 0
    assert (tmp_path / "run" / "vocab.json").is_file()
    run = w2v(*quick("keywords", "--overwrite"))
    assert run.exit_code == 0, run.stderr
    assert not (tmp_path / "run" / "vocab.json").exists()
    assert not (tmp_path / "run" / "processor_config.json").exists()
    Wav2Vec2ForSequenceClassification.from_pretrained(tmp_path / "run")


@pytest.mark.parametrize("start", ["run", "run/checkpoint-6"])
def test_what_a_run_begins_with_is_not_overwritten(w2v, quick, manifest, tmp_path, start):
    assert w2v(*quick()).exit_code == 0
    again = ("finetune", "ctc", manifest, "--model", tmp_path / start, "-o", tmp_path / "run")
    refused = w2v(*again, "--overwrite")
    assert refused.exit_code == 2
    assert "--overwrite: would remove" in refused.stderr
    Wav2Vec2ForCTC.from_pretrained(tmp_path / "run")


def test_a_teacher_is_not_overwritten(w2v, quick, tmp_path):
    assert w2v(*quick("keywords")).exit_code == 0
    run = w2v(*quick("keywords", "--overwrite", "--teacher", tmp_path / "run"))
    assert run.exit_code == 2
    assert "run, from which it learns; name another --output" in run.stderr
    Wav2Vec2ForSequenceClassification.from_pretrained(tmp_path / "run")


def test_a_rise_that_is_longer_than_the_run_is_told(w2v, quick):
    run = w2v(*quick("ctc", "--warmup-steps", 50))
    assert run.exit_code == 0, run.stderr
    assert "the run has 6 steps and ends before the rate has risen, which takes 50" in run.stderr


def test_noise_that_cannot_be_decoded_does_not_end_a_run(w2v, quick, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "cut.flac", np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    (folder / "cut.flac").write_bytes((folder / "cut.flac").read_bytes()[:9000])
    run = w2v(*quick("ctc", "--noise", 1, "--noise-dir", folder))
    assert run.exit_code == 0, run.stderr
    assert run.stderr.count("cut.flac") == 1


def test_folders_of_noise_are_looked_at_in_a_dry_run(w2v, quick):
    run = w2v(*quick("ctc", "--noise", 1, "--noise-dir", "no/such", "--dry-run"))
    assert run.exit_code == 2
    assert "--noise-dir no/such: no such folder" in run.stderr


def test_dev_recordings_that_break_off_do_not_count(w2v, quick, manifest, tmp_path):
    soundfile.write(tmp_path / "cut.flac", np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:9000])
    cut = {"audio_filepath": str(tmp_path / "cut.flac"), "text": "go", "split": "dev"}
    manifest.write_text(f"{manifest.read_text()}{json.dumps(cut)}\n")
    assert w2v(*quick()).exit_code == 0
    card = (tmp_path / "run" / "README.md").read_text()
    assert "On 2 dev recordings of 2 speakers (1 more cannot be decoded), the weights" in card
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    write_manifest(manifest, [row for row in rows if row.get("split") != "dev"] + [cut])
    assert w2v(*quick("pretrain", folder="other")).exit_code == 0
    assert "contrastive_loss cannot be measured" in (tmp_path / "other" / "README.md").read_text()


def test_checkpoints_of_others_are_not_taken_for_the_runs_own(w2v, quick, tmp_path):
    (tmp_path / "run" / "checkpoint-500").mkdir(parents=True)
    for more in ((), ("--overwrite",)):
        refused = w2v(*quick("ctc", *more))
        assert refused.exit_code == 2
        assert "has checkpoints of no run of w2v" in refused.stderr
    assert (tmp_path / "run" / "checkpoint-500").is_dir()


def test_where_nothing_can_be_measured_the_last_weights_are_kept(w2v, quick, tmp_path, voices):
    """Of two speakers with one recording each there is no pair of one speaker."""
    rows = [json.loads(line) for line in voices.read_text().splitlines()]
    dev = {row["speaker"]: row for row in rows if row["split"] == "dev"}
    few = [row for row in rows if row["split"] == "train"] + list(dev.values())
    manifest = write_manifest(tmp_path / "words.jsonl", few)
    assert len(dev) == 2
    run = w2v(*quick("speakers", "-v", "--crop-seconds", 0.4))
    assert run.exit_code == 0, run.stderr
    assert "step 3 of 6: eer -" in run.stderr
    card = (tmp_path / "run" / "README.md").read_text()
    assert "On 2 dev recordings of 2 speakers eer cannot be measured, and the last" in card
    last = load_file(tmp_path / "run" / "checkpoint-6" / "model.safetensors")
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(kept[name], last[name]) for name in last if "xvector" in name)
    assert manifest.exists()


def test_every_setting_is_reported_zeros_too(w2v, quick, tmp_path):
    assert w2v(*quick("ctc", "--weight-decay", 0, "--max-grad-norm", 0)).exit_code == 0
    report = (tmp_path / "run" / "report.md").read_text()
    assert re.search(r"\| weight_decay \| `0(\.0)?` \|", report)
    assert re.search(r"\| max_grad_norm \| `0(\.0)?` \|", report)


@pytest.mark.parametrize("kind", ["speakers", "pretrain"])
def test_of_long_recordings_a_stretch_is_heard(w2v, tmp_path, network, kind):
    rows = []
    for speaker in "ab":
        path = tmp_path / f"{speaker}.wav"
        noise = np.random.default_rng(ord(speaker)).uniform(-0.1, 0.1, 22 * 8_000)
        soundfile.write(path, noise, 8_000)
        rows.append({"audio_filepath": str(path), "speaker": speaker})
    manifest = write_manifest(tmp_path / "long.jsonl", rows)
    arguments = ("finetune", kind, manifest, "--from-scratch", network, "-o", tmp_path / "run")
    looked = w2v(*arguments, "--dry-run")
    assert looked.exit_code == 0, looked.stderr
    assert "train: 2 recordings, 44.0 s, 2 speakers" in looked.stderr
    assert "Left out" not in looked.stderr


def test_a_gain_that_nothing_hears_is_told(w2v, quick, tmp_path):
    told = w2v(*quick("ctc", "--gain", 0.5, "--dry-run"))
    assert told.stderr.count("--gain: changes nothing here") == 1
    extractor = tmp_path / "preprocessor_config.json"
    extractor.write_text(json.dumps({"do_normalize": False, "return_attention_mask": True}))
    heard = w2v(*quick("ctc", "--gain", 0.5, "--dry-run"))
    assert "--gain" not in heard.stderr


def test_a_vocabulary_files_case_is_that_of_the_texts(w2v, tmp_path, quick):
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    vocabulary = tmp_path / "upper.json"
    vocabulary.write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    run = w2v(*quick("ctc", "--vocab", vocabulary, "--dry-run"))
    assert run.exit_code == 0
    assert "lacks" not in run.stderr
    vocabulary.write_text(json.dumps({token: 2 * number for number, token in enumerate(tokens)}))
    run = w2v(*quick("ctc", "--vocab", vocabulary, "--dry-run"))
    assert run.exit_code == 2
    assert "needs tokens with the numbers 0 to 30, each once" in run.stderr


def test_runs_share_a_folder_of_events(w2v, quick, tmp_path):
    pytest.importorskip("tensorboard")
    for name in ("one", "two"):
        run = w2v(*quick("ctc", "--logging-dir", tmp_path / "all", folder=name))
        assert run.exit_code == 0, run.stderr
    for name in ("one", "two"):
        assert list((tmp_path / "all" / name).glob("events.out.tfevents.*"))


def start(arguments):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "w2v_cli", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(process, folder, step):
    """Wait until a run has written the checkpoint of a step; return whether it is still there."""
    while process.poll() is None:
        if (folder / f"checkpoint-{step}").exists():
            return True
        time.sleep(0.01)
    return False


def test_a_vocabulary_for_each_language_is_refused(w2v, quick, tmp_path):
    (tmp_path / "vocab.json").write_text('{"eng": {"a": 0}, "fra": {"b": 0}}')
    run = w2v(*quick("ctc", "--vocab", tmp_path / "vocab.json"))
    assert run.exit_code == 2
    assert "has a vocabulary for each language; give a file with one of them (eng" in run.stderr


def test_a_folder_of_whole_numbers_gives_its_shape(w2v, manifest, tmp_path, network):
    config = Wav2Vec2Config.from_pretrained(str(network), vocab_size=8, pad_token_id=0)
    source = tmp_path / "floats"
    Wav2Vec2ForCTC(config).save_pretrained(source)
    assert w2v("quantize", source, "-o", tmp_path / "q8").exit_code == 0
    more = ("--from-scratch", tmp_path / "q8", "--max-steps", 1, "--report-to", "none")
    run = w2v("finetune", "ctc", manifest, "-o", tmp_path / "run", *more)
    assert run.exit_code == 0, run.stderr
    assert "quantization_config" not in (tmp_path / "run" / "config.json").read_text()
    assert Wav2Vec2ForCTC.from_pretrained(tmp_path / "run").config.hidden_size == 32


def test_rows_that_are_there_twice_are_told(w2v, quick, manifest):
    manifest.write_text(manifest.read_text() * 2)
    run = w2v(*quick("ctc", "--dry-run"))
    assert "Left out: 7 rows that the manifests have already; a column `weight`" in run.stderr


def test_a_run_that_learns_nothing_fails_and_says_so(w2v, network, tmp_path):
    rows = [{"audio_filepath": clip("stop.opus"), "text": "stop " * 500}]
    manifest = write_manifest(tmp_path / "list.jsonl", rows)
    more = ("--no-ctc-zero-infinity", "--max-steps", 3, "--logging-steps", 1)
    command = ("finetune", "ctc", manifest, "--from-scratch", network, "-o", tmp_path / "run")
    run = w2v(*command, *more)
    assert run.exit_code == 1
    assert "nothing was learnt, since the loss of every batch was no number" in run.stderr
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    logged = [(line["step"], line["loss"], line["skipped"]) for line in map(json.loads, lines)]
    assert logged == [(1, None, 1.0), (2, None, 2.0), (3, None, 3.0)]
    for name in ("report.md", "README.md"):
        told = (tmp_path / "run" / name).read_text()
        assert "Left out, for a loss that was no number: 3 batches." in told


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), "can't allocate memory"]
)
def test_a_memory_that_is_too_small_is_told(w2v, quick, monkeypatch, error):
    def fail(self, batches):
        raise RuntimeError(error) if isinstance(error, str) else error

    monkeypatch.setattr("w2v_cli.training.loop.Trainer._step", fail)
    run = w2v(*quick())
    assert run.exit_code == 1
    assert run.stderr.splitlines()[-1].startswith(
        "w2v: the memory is too small for step 1: give a smaller --batch-seconds"
    )


def test_an_end_before_anything_is_kept_promises_nothing(w2v, quick, monkeypatch, tmp_path):
    """A second Ctrl-C waits for no checkpoint."""

    def interrupt(self, batches):
        raise KeyboardInterrupt

    monkeypatch.setattr("w2v_cli.training.loop.Trainer._step", interrupt)
    run = w2v(*quick())
    assert run.exit_code == 130
    assert "interrupted at step 0; nothing is kept, and the same command begins anew" in run.stderr


def test_what_a_run_that_was_killed_had_begun_to_write_is_removed(w2v, quick, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".run.json.025c538a.partial").write_text("{")
    assert w2v(*quick("ctc", "--save-steps", 2)).exit_code == 0
    for name in (".model.safetensors.0123abcd.partial", ".training.png.0123abcd.partial"):
        (folder / name).touch()
    older = folder / "checkpoint-2"
    shutil.copytree(folder / "checkpoint-6", older)
    assert w2v(*quick("ctc", "--save-steps", 2)).exit_code == 0
    assert not list(folder.glob(".*.partial"))
    assert not older.exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_weights(quick, tmp_path, how):
    more = ("--save-steps", 2, "--max-steps", 40, "--eval-steps", 7, "--speed", 0.5, "--noise", 0.5)
    whole = start(quick("ctc", *more, folder="whole"))
    assert whole.wait() == 0, whole.stderr.read()
    whole.stderr.close()
    interrupted = 0
    for step in (6, 18, 30):
        with start(quick("ctc", *more, folder="parts")) as process:
            if wait_for(process, tmp_path / "parts", step):
                process.send_signal(how)
                told = process.stderr.read()
                interrupted += process.wait() in (-9, 130)
                assert how == signal.SIGKILL or "the same command goes on from there" in told
    assert interrupted
    with start(quick("ctc", *more, folder="parts")) as last:
        assert last.wait() == 0, last.stderr.read()
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_that_overwrites_says_how_it_goes_on(quick, tmp_path):
    more = ("--save-steps", 2, "--max-steps", 4000, "--eval-steps", 2000, "--overwrite")
    with start(quick("ctc", *more)) as process:
        assert wait_for(process, tmp_path / "run", 2)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert "the same command, without --overwrite, goes on from there" in told
    goes_on = [argument for argument in quick("ctc", *more) if argument != "--overwrite"]
    with start([*goes_on, "-v"]) as process:
        first_lines = ""
        while "going on from step" not in first_lines and process.poll() is None:
            first_lines += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert "going on from step" in first_lines


def test_a_lexicon_that_stays_is_told_of(quick, w2v, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "lexicon.json").write_text('{"words": ["stop"]}')
    done = w2v(*quick("ctc", "--max-steps", 1, "--overwrite"))
    assert done.exit_code == 0, done.stderr
    assert "its lexicon.json stays" in done.stderr
    assert (run / "lexicon.json").is_file()
