"""w2v lm: from a text to a model that needs no further option."""

import gzip
import json
import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from safetensors.torch import load_file

from w2v_cli.decoding.ngram import NGram

SENTENCES = ["eat on the rod", "the tins are hot", "rod hid the tins", "3 hot tins"] * 4


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(SENTENCES))
    return path


@pytest.fixture
def lm_folder(w2v, text, tmp_path):
    folder = tmp_path / "lm"
    run = w2v("lm", "build", text, "-o", folder, "--estimator", "own", "--quiet")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    return folder


def test_build_writes_the_published_layout(lm_folder):
    ngram = NGram.load(lm_folder)
    assert ngram.unigrams == tuple(sorted(["EAT", "ON", "THE", "ROD", "TINS", "ARE", "HOT", "HID"]))
    assert (ngram.alpha, ngram.beta, ngram.lm_score_boundary) == (0.5, 1.5, True)
    assert ngram.labels[:6] == ("", "<s>", "</s>", "⁇", " ", "E")
    assert len(list((lm_folder / "language_model").iterdir())) == 3
    if ngram.path.name == "lm.bin":
        arpa = gzip.decompress((lm_folder / "lm.arpa.gz").read_bytes()).decode()
        assert "\\3-grams:" in arpa
        assert "\tTHE TINS" in arpa


def test_build_says_what_it_left_out(w2v, text, tmp_path):
    run = w2v("lm", "build", text, "-o", tmp_path / "lm", "--order", "2", "--verbose")
    assert run.exit_code == 0
    assert "left out: 4 words with something the model cannot write (3);" in run.stderr
    assert "too small to estimate discounts" in run.stderr
    assert "16 sentences, 56 words, 8 different" in run.stderr


def test_build_shows_the_first_words_that_it_left_out(w2v, tmp_path):
    (tmp_path / "text").write_text("the tins\n1 2 3 4 5 6\n")
    run = w2v("lm", "build", tmp_path / "text", "-o", tmp_path / "lm", "--order", "2")
    assert run.exit_code == 0
    assert "left out: 6 words with something the model cannot write (1, 2, 3, 4, 5, ...);" in (
        run.stderr
    )


def test_build_reads_standard_input(w2v_process, tmp_path):
    run = w2v_process("lm", "build", "-", "-o", tmp_path / "lm", stdin=b"hot tins\n")
    assert run.exit_code == 0, run.stderr
    assert NGram.load(tmp_path / "lm").unigrams == ("HOT", "TINS")


def test_attach_makes_a_model_that_both_libraries_read(w2v, lm_folder, ctc_folder, tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "with-lm"
    run = w2v("lm", "attach", ctc_folder, lm_folder, "-o", folder)
    assert (run.exit_code, run.stderr) == (0, "")
    for name in ("config.json", "model.safetensors", "vocab.json"):
        assert (folder / name).read_bytes() == (ctc_folder / name).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated there
        processor = transformers.AutoProcessor.from_pretrained(folder)
    assert type(processor).__name__ == "Wav2Vec2ProcessorWithLM"
    assert processor.language_model.alpha == 0.5


def test_what_is_attached_is_used(w2v, lm_folder, ctc_folder, tmp_path, recording):
    folder = tmp_path / "with-lm"
    w2v("lm", "attach", ctc_folder, lm_folder, "-o", folder)
    sound = recording()
    attached = w2v("transcribe", "--model", folder, sound)
    chosen = w2v("transcribe", "--model", ctc_folder, "--lm", lm_folder, sound)
    assert attached.exit_code == 0, attached.stderr
    assert attached.stdout == chosen.stdout


def test_a_language_model_in_other_letters_is_refused(w2v, lm_folder, ctc_folder, tmp_path):
    run = w2v("lm", "attach", "mini", lm_folder, "-o", tmp_path / "out")
    assert run.exit_code == 4
    assert "w2v lm build" in run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [".", "language_model/lm.bin"])
def test_a_language_model_is_not_attached_to_where_it_lies(w2v, lm_folder, ctc_folder, place):
    before = sorted(lm_folder.rglob("*"))
    if lm_folder / place not in [lm_folder, *before]:
        pytest.skip("no KenLM binary can be written here")
    run = w2v("lm", "attach", ctc_folder, lm_folder / place, "-o", lm_folder, "--force")
    assert run.exit_code == 2
    assert "the language model lies there itself" in run.stderr
    assert sorted(lm_folder.rglob("*")) == before


def test_a_packed_language_model_of_any_name_is_attached(w2v, lm_folder, ctc_folder, tmp_path):
    packed = tmp_path / "trigrams.gz"
    (arpa,) = [*lm_folder.glob("lm.arpa.gz"), *lm_folder.rglob("lm.arpa")][:1]
    content = arpa.read_bytes()
    packed.write_bytes(content if arpa.suffix == ".gz" else gzip.compress(content))
    run = w2v("lm", "attach", ctc_folder, packed, "-o", tmp_path / "out")
    assert (run.exit_code, run.stderr) == (0, "")
    ngram = NGram.load(tmp_path / "out")
    assert ngram.path.name == "trigrams.bin"  # pyctcdecode goes by it, KenLM by what is inside
    assert set(ngram.unigrams) == set(NGram.load(lm_folder).unigrams)


def test_nothing_left_by_pruning_is_said(w2v, text, tmp_path):
    run = w2v("lm", "build", text, "-o", tmp_path / "lm", "--prune", "99", "--estimator", "own")
    assert run.exit_code == 1
    assert "--prune 99 leaves no word" in run.stderr


def test_a_folder_in_use_is_not_overwritten(w2v, text, lm_folder):
    for command in (
        ("lm", "build", text),
        ("lm", "build", "no-such-text", "--model", "no-such-model"),
        ("lm", "attach", "no-such-model", "no-such-lm"),
    ):
        run = w2v(*command, "-o", lm_folder)
        assert run.exit_code == 2
        assert run.stderr == (
            f"w2v: {lm_folder}: there are files in this folder; choose another with -o, or replace "
            f"them with --force\n"
        )
    assert w2v("lm", "build", text, "-o", lm_folder, "--force", "-q").exit_code == 0


def test_tune_prints_the_surface_and_writes_the_best(
    w2v, lm_folder, ctc_folder, label_folder, tmp_path, recording
):
    recording("a.wav", seed=1), recording("b.wav", seed=2)
    manifest = tmp_path / "manifest.jsonl"
    entries = [{"audio_filepath": f"{n}.wav", "text": "hot tins"} for n in "ab"]
    manifest.write_text("\n".join(map(json.dumps, entries)))
    grid = ("--alpha", "0,1", "--beta", "0,2,4", "--workers", "0", "--lm", lm_folder)
    table = w2v("lm", "tune", ctc_folder, manifest, *grid)
    assert table.exit_code == 0, table.stderr
    assert table.stdout.splitlines()[0].split() == ["alpha\\beta", "0", "2", "4"]
    assert table.stdout.count("*") == 2
    assert "of 4 words)" in table.stdout
    report = json.loads(
        w2v("lm", "tune", ctc_folder, manifest, *grid, "--format", "json", "--write").stdout
    )
    assert len(report["points"]) == 6
    assert report["best"]["wer"] == min(point["wer"] for point in report["points"])
    ngram = NGram.load(lm_folder)
    assert (ngram.alpha, ngram.beta) == (report["best"]["alpha"], report["best"]["beta"])
    other = w2v("lm", "tune", label_folder, manifest, *grid)
    assert other.exit_code == 4
    assert "writes no text; lm tune needs a Wav2Vec2ForCTC model" in other.stderr


def test_tune_reads_the_manifests_that_others_read(w2v, lm_folder, ctc_folder, tmp_path, recording):
    recording("a.wav", seconds=2)
    rows = ["a.wav,hot tins,train,,", "a.wav,hot,train,0.5,1", "a.wav,eat on,validation,0,1"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("\n".join(["path,sentence,split,offset,duration", *rows]) + "\n")
    grid = ("--alpha", "0", "--beta", "0", "--workers", "0", "--lm", lm_folder)
    said = []
    for arguments in (["--split", "train"], ["--split", "dev"], [], ["--limit", "1"]):
        run = w2v("lm", "tune", ctc_folder, manifest, *grid, "-f", "json", *arguments)
        assert (run.exit_code, run.stderr) == (0, "")
        said.append(json.loads(run.stdout)["best"]["n_words"])
    assert said == [3, 2, 2, 2]


def test_tune_hears_the_channel_and_leaves_out_what_it_cannot_read(
    w2v, lm_folder, ctc_folder, tmp_path, recording
):
    recording("a.wav", seconds=2, channels=4)
    rows = [{"audio_filepath": "a.wav", "text": "hot tins", "channel": n} for n in (1, "mix")]
    rows += [{"audio_filepath": name, "text": "eat"} for name in ("a.wav", "missing.wav")]
    manifest = tmp_path / "list.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    grid = ("--alpha", "0", "--beta", "0", "--workers", "0", "--lm", lm_folder)
    run = w2v("lm", "tune", ctc_folder, manifest, *grid, "-f", "json")
    assert run.exit_code == 3
    assert json.loads(run.stdout)["best"]["n_words"] == 4
    assert run.stderr.count("warning: left out, since it cannot be decoded: ") == 2
    assert "a.wav: several channels; its row's `channel` says which" in run.stderr
    manifest.write_text(json.dumps(rows[-1]))
    run = w2v("lm", "tune", ctc_folder, manifest, *grid)
    assert run.exit_code == 1
    assert "none of the recordings can be read; see the warnings" in run.stderr


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        (['{"audio_filepath": "a.wav"}'], [], "list.jsonl: no recording here has a text; add a"),
        (["{"], [], "list.jsonl, line 1: not JSON"),
        (['{"text": "go"}'], [], "list.jsonl, line 1: no column names the recordings; call it"),
        (
            ['{"audio_filepath": "a.wav", "text": "go"}'],
            ["--split", "dev"],
            "--split dev: the manifest has none of that; it has train",
        ),
    ],
)
def test_manifests_that_nothing_is_tuned_on(w2v, tmp_path, rows, arguments, said):
    (tmp_path / "list.jsonl").write_text("\n".join(rows))
    run = w2v("lm", "tune", "mini", tmp_path / "list.jsonl", "--lm", "none", *arguments)
    assert run.exit_code == 2
    assert said in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prune", "1,0"], "do not fall"),
        (["--prune", "x"], "write numbers"),
        (["--discount-fallback", "2,1,1"], "three numbers"),
        (["--order", "9"], "--order"),
        (["--order", "1"], "--order"),
    ],
)
def test_options_that_make_no_sense(w2v, text, tmp_path, arguments, said):
    run = w2v("lm", "build", text, "-o", tmp_path / "lm", *arguments)
    assert run.exit_code == 2
    assert said in run.stderr


def test_help_loads_nothing_heavy():
    for command in ("build", "attach", "tune"):
        program = (
            "import sys; from w2v_cli.cli import main\n"
            f"sys.argv = ['w2v', 'lm', '{command}', '--help']\n"
            "try: main()\nexcept SystemExit: pass\n"
            "assert not {'numpy', 'torch', 'jiwer'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_what_is_no_language_model_is_not_attached(w2v, text, ctc_folder, tmp_path, lm_folder):
    cases = {"sound.wav": b"RIFF" + bytes(100), "zeros.bin": bytes(5000)}
    cases["half.bin"] = b"mmap lm http://kheafield.com/code format version 5\n\x00" + bytes(50)
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    for wrong in (text, *(tmp_path / name for name in cases)):
        run = w2v("lm", "attach", ctc_folder, wrong, "-o", tmp_path / "with-lm")
        assert run.exit_code == 4, run.stderr
        assert not (tmp_path / "with-lm").exists()
    (tmp_path / "attrs" / "language_model").mkdir(parents=True)
    for path in [p for p in lm_folder.rglob("*") if p.is_file()]:
        shutil.copy(path, tmp_path / "attrs" / "language_model" / path.name)
    (tmp_path / "attrs" / "language_model" / "attrs.json").write_text('{"alpha": "x"}')
    run = w2v("lm", "attach", ctc_folder, tmp_path / "attrs", "-o", tmp_path / "with-lm")
    assert run.exit_code == 4
    assert "alpha is 'x'; it has to be a number" in run.stderr


def test_the_weights_of_an_earlier_model_are_gone(w2v, lm_folder, ctc_folder, tmp_path):
    folder, pickled = tmp_path / "with-lm", tmp_path / "pickled"
    w2v("lm", "attach", ctc_folder, lm_folder, "-o", folder)
    shutil.copytree(ctc_folder, pickled)
    weights = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    assert w2v("lm", "attach", pickled, lm_folder, "-o", folder, "--force").exit_code == 0
    assert not (folder / "model.safetensors").exists()
    assert (folder / "pytorch_model.bin").exists()


def test_whole_numbers_come_after_the_language_model(w2v, lm_folder, ctc_folder, tmp_path):
    w2v("quantize", ctc_folder, "-o", tmp_path / "small")
    run = w2v("lm", "attach", tmp_path / "small", lm_folder, "-o", tmp_path / "both")
    assert run.exit_code == 4
    assert "attach the language model to the model as it was" in run.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", {"<pad>": "0", "a": "1"}),
        ("vocab.json", {"<pad>": 0.5}),
        ("vocab.json", {"<pad>": None}),
        ("tokenizer_config.json", {"pad_token": None}),
        ("tokenizer_config.json", {"added_tokens_decoder": []}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": "y"}}),
        ("tokenizer_config.json", {"extra_special_tokens": 5}),
    ],
)
def test_damaged_tokenizers(w2v, text, ctc_folder, tmp_path, recording, name, content):
    folder = tmp_path / "odd"
    shutil.copytree(ctc_folder, folder)
    path = folder / name
    earlier = json.loads(path.read_text()) if name != "vocab.json" and path.is_file() else {}
    path.write_text(json.dumps(earlier | content))
    for command in (
        ("transcribe", "--model", folder, recording()),
        ("lm", "build", text, "-o", tmp_path / "odd-lm", "--model", folder),
    ):
        run = w2v(*command)
        assert run.exit_code == 4, run.stderr
        assert "--lang" not in run.stderr


def test_a_checkpoint_names_no_files(w2v, ctc_folder, tmp_path, recording):
    folder = tmp_path / "odd"
    shutil.copytree(ctc_folder, folder)
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(content | {"init_inputs": [1, 2]}))
    assert w2v("transcribe", "--model", folder, recording()).exit_code == 0


def test_names_of_models_that_cannot_be(w2v, recording):
    for name in ("~nobody-is-called-so/x", "x" * 300):
        run = w2v("transcribe", "--model", name, recording())
        assert run.exit_code == 4
        assert "no such folder" in run.stderr
