"""`w2v embed` as a person types it: what is written, compared, named, found and drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from w2v_cli import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForXVector
from w2v_cli.audio import read_waveforms
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.formats.vector_files import read_vectors
from w2v_cli.inference.embedder import load_embedder
from w2v_cli.tasks.embed import Vectorizer
from w2v_cli.training.evaluation import Choice, load_measured
from w2v_cli.training.examples import Recordings
from w2v_cli.training.manifests import Example

RATE = 16000
THRESHOLD = 0.6
SMALL = {
    "conv_dim": (16,) * 7,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "tdnn_dim": (16, 16, 16, 16, 24),
    "xvector_output_dim": 8,
    "num_labels": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "initializer_range": 0.5,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of speakers with random weights and a threshold."""
    folder = tmp_path_factory.mktemp("speakers")
    torch.manual_seed(5)
    Wav2Vec2ForXVector(Wav2Vec2Config(**SMALL)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"verification_threshold": THRESHOLD}
    path.write_text(json.dumps(config))
    return folder


@pytest.fixture
def embed(w2v, monkeypatch, folder):
    """Return a function that runs `w2v embed` with that model, whatever model transcribes."""
    monkeypatch.setenv("W2V_MODEL", "mini")
    return lambda *arguments: w2v("embed", "--model", folder, *arguments)


@pytest.fixture
def calls(tmp_path, monkeypatch, babble):
    """Recordings of two speakers in the working directory."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("anna/1", "anna/2", "ben/1", "ben/2")):
        path = tmp_path / "calls" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, babble(RATE + 1000 * seed, seed=seed), RATE)
    return [f"calls/{name}.wav" for name in ("anna/1", "anna/2", "ben/1", "ben/2")]


@pytest.fixture(scope="module")
def vectors_of(folder):
    """Return what gives the vectors of recordings, one by one."""
    task = Vectorizer(load_embedder(folder))
    return lambda sources: np.concatenate(
        [task.embed(read_waveforms(source)).vectors for source in sources]
    )


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet", "safetensors", "jsonl"])
def test_one_file_for_all(embed, calls, vectors_of, folder, suffix):
    run = embed("--recursive", "calls", "--output", f"voices.{suffix}")
    assert (run.exit_code, run.stdout) == (0, "")
    table = read_vectors(Path(f"voices.{suffix}"))
    assert table.sources == tuple(calls)
    assert table.kind.model == str(folder)
    np.testing.assert_allclose(table.vectors, vectors_of(calls), atol=1e-5)


def test_the_only_recording_in_a_file(embed, calls, tmp_path):
    assert embed(calls[0], "-o", "one.npy").exit_code == 0
    assert np.load("one.npy").shape == (1, 8)
    assert json.loads((tmp_path / "one.npy.names.json").read_text())["sources"] == [calls[0]]
    assert embed(calls[0], "-f", "npy", "-f", "npz", "-o", "two").exit_code == 0
    assert (tmp_path / "two.npy.names.json").exists()
    assert embed("--search", "two.npy", calls[0]).stdout == f"{calls[0]}\t{calls[0]}\t1.0000\n"


def test_a_file_for_each_recording(embed, calls, tmp_path, vectors_of):
    run = embed("-r", "calls", "-f", "npy", "-f", "jsonl", "-o", "out/")
    assert run.exit_code == 0
    files = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "out").rglob("?.*"))
    assert files == sorted(
        f"out/{name}.{suffix}"
        for name in ("anna/1", "anna/2", "ben/1", "ben/2")
        for suffix in ("npy", "jsonl")
    )
    np.testing.assert_allclose(np.load("out/ben/2.npy"), vectors_of(calls[3:]), atol=1e-5)


def test_lines_on_stdout(embed, calls, vectors_of):
    lines = list(map(json.loads, embed(*calls).stdout.splitlines()))
    assert [line["source"] for line in lines] == calls
    found = np.array([line["vector"] for line in lines])
    np.testing.assert_allclose(found, vectors_of(calls), atol=1e-5)


def test_evaluate_measures_the_same_vectors(calls, folder, vectors_of):
    model, objective = load_measured(str(folder), HubOptions(), Choice())
    examples = [Example(call, speaker=call[6:9], seconds=1.0) for call in calls]
    results = objective.evaluate(model, examples, Recordings()).results
    for result, vector in zip(results, vectors_of(calls), strict=True):
        np.testing.assert_allclose(result.heard, vector / np.linalg.norm(vector), atol=1e-5)


def test_layers_types_and_lengths(embed, calls, tmp_path, folder):
    from w2v_cli import Wav2Vec2Model

    arguments = ["--layer", "-2", "--pool", "mean+std", "--normalize", "--vector-dtype", "float16"]
    assert embed(calls[0], "-o", "v.npz", *arguments).exit_code == 0
    table = read_vectors(tmp_path / "v.npz")
    assert (table.kind.layer, table.kind.pool, table.kind.unit_length) == ("-2", "mean+std", True)
    assert table.vectors.dtype == np.float16
    samples = soundfile.read(calls[0], dtype="float32")[0]
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    values = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.no_grad():
        states = Wav2Vec2Model.from_pretrained(folder)(values, output_hidden_states=True)
    state = states.hidden_states[-2][0]
    expected = torch.cat([state.mean(0), state.std(0)])
    np.testing.assert_allclose(table.vectors[0], expected / expected.norm(), atol=1e-3)


def test_a_vector_for_each_frame_and_channel(embed, tmp_path, recording):
    path = recording(seconds=0.5, channels=2)
    run = embed(path, "--pool", "none", "--channel", "all", "-o", str(tmp_path / "v.npz"))
    assert run.exit_code == 0
    table = read_vectors(tmp_path / "v.npz")
    assert table.channels == (1,) * 24 + (2,) * 24
    np.testing.assert_allclose(table.starts_seconds[24:], np.arange(24) * 0.02, atol=1e-9)


def test_what_is_done_is_not_done_again(embed, calls, tmp_path, babble):
    arguments = ("-r", "calls", "-o", "voices.npz")
    assert embed(*arguments).exit_code == 0
    first = read_vectors(tmp_path / "voices.npz")
    soundfile.write("calls/anna/3.wav", babble(RATE, seed=9), RATE)
    states = [line.split("\t")[0] for line in embed(*arguments, "--dry-run").stdout.splitlines()]
    assert states == ["skip", "skip", "do", "skip", "skip"]
    assert embed(*arguments).exit_code == 0
    table = read_vectors(tmp_path / "voices.npz")
    assert table.sources == ("calls/anna/1.wav", "calls/anna/2.wav", "calls/anna/3.wav", *calls[2:])
    np.testing.assert_array_equal(table.vectors[[0, 1, 3, 4]], first.vectors)
    states = [
        line.split("\t")[0]
        for line in embed(*arguments, "--normalize", "--dry-run").stdout.splitlines()
    ]
    assert states == ["do"] * 5


def test_some_recordings_are_bad(embed, calls, tmp_path):
    (tmp_path / "calls" / "text.wav").write_text("no sound\n" * 40)
    run = embed("-r", "calls", "-o", "voices.npz")
    assert run.exit_code == 3
    assert "calls/text.wav: holds text, not sound" in run.stderr
    assert read_vectors(tmp_path / "voices.npz").sources == tuple(calls)


def test_all_recordings_are_bad(embed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    soundfile.write("short.wav", np.full(1000, 0.1), RATE)
    run = embed("silent.wav", "short.wav", "-o", "voices.npz")
    assert run.exit_code == 1
    assert run.stderr.splitlines() == [
        "w2v: silent.wav: nothing but digital silence, and so no vector; choose another recording",
        "w2v: short.wav: 0.06 s of sound, which is too short for a vector; this model needs "
        "0.33 s or more",
    ]
    assert not (tmp_path / "voices.npz").exists()


def test_two_recordings_compared(embed, calls, vectors_of):
    one, other = vectors_of(calls[1:3])
    expected = cosine(one, other)
    run = embed("--compare", *calls[1:3])
    verdict = "same speaker" if expected >= THRESHOLD else "different speakers"
    assert run.stdout == f"{expected:.4f}\t{verdict}\n"
    assert (run.exit_code, run.stderr) == (0, "")
    run = embed(*calls[1:3], "--compare", "--threshold", "-1", "--format", "jsonl")
    fields = json.loads(run.stdout)
    assert fields["cosine"] == pytest.approx(expected, abs=1e-5)
    assert (fields["sources"], fields["threshold"]) == (calls[1:3], -1)
    assert fields["same_speaker"] is True


def test_no_verdict_without_a_threshold(embed, calls):
    run = embed("--compare", *calls[:2], "--layer", "1")
    assert float(run.stdout) <= 1
    assert run.stderr == (
        "w2v: warning: no verdict: of pooled hidden states nobody knows a threshold; give one "
        "with --threshold\n"
    )


def test_a_recording_that_cannot_be_compared(embed, calls):
    run = embed("--compare", calls[0], "gone.wav")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.startswith("w2v: gone.wav: no such file")


def test_speakers_are_named(embed, calls, vectors_of, babble):
    soundfile.write("query.wav", babble(RATE, seed=2), RATE)  # as ben's first
    soundfile.write("calls/carla.wav", babble(2 * RATE, seed=7), RATE)
    run = embed("--enroll", "calls", "--identify", "query.wav", calls[0], "--top-k", "3")
    assert (run.exit_code, run.stderr) == (0, "")
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert [row[0] for row in rows] == ["query.wav", calls[0]]
    vectors = vectors_of([*calls, "calls/carla.wav"])
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    means = {
        "anna": directions[:2].mean(0),
        "ben": directions[2:4].mean(0),
        "carla": directions[4],
    }
    for row, query in zip(rows, vectors_of(["query.wav", calls[0]]), strict=True):
        scores = {name: cosine(mean, query) for name, mean in means.items()}
        best = sorted(scores, key=scores.get, reverse=True)
        assert row[2::2] == best
        assert row[3::2] == pytest.approx([f"{scores[name]:.4f}" for name in best])
        assert row[1] == (best[0] if scores[best[0]] >= THRESHOLD else "unknown")


def test_nobody_is_near_enough(embed, calls):
    run = embed("--enroll", "calls/anna", "--identify", calls[2], "--threshold", "1", "-f", "jsonl")
    fields = json.loads(run.stdout)
    assert (fields["speaker"], fields["threshold"]) == (None, 1.0)
    assert fields["candidates"][0]["speaker"] in ("1", "2")


def test_bad_enrolments_are_told(embed, calls, tmp_path):
    (tmp_path / "calls" / "text.wav").write_text("no sound\n" * 40)
    run = embed("--enroll", "calls", "--identify", calls[0])
    assert run.exit_code == 3
    assert "calls/text.wav: holds text" in run.stderr
    assert run.stdout.startswith(f"{calls[0]}\t")
    (tmp_path / "silent").mkdir()
    soundfile.write("silent/a.wav", np.zeros(RATE), RATE)
    run = embed("--enroll", "silent", "--identify", calls[0])
    assert run.stderr.endswith("w2v: --enroll silent: none of its recordings can be heard\n")
    assert run.exit_code == 2


@pytest.mark.parametrize("form", ["txt", "csv"])
def test_a_matrix_and_its_picture(embed, calls, tmp_path, vectors_of, form):
    run = embed("--matrix", "--plot", "alike.svg", "-f", form, *calls)
    assert (run.exit_code, run.stderr) == (0, "")
    split = "\t" if form == "txt" else ","
    head, *rows = [line.split(split) for line in run.stdout.splitlines()]
    assert head == ["", *calls]
    assert [row[0] for row in rows] == calls
    vectors = vectors_of(calls)
    expected = [[cosine(one, other) for other in vectors] for one in vectors]
    found = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (tmp_path / "alike.svg").read_bytes().startswith(b"<?xml")


def test_a_picture_alone(embed, calls, tmp_path):
    run = embed("--plot", "alike.png", *calls)
    assert (run.exit_code, run.stdout) == (0, "")
    assert (tmp_path / "alike.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["archive.usearch", "archive.npz", "archive.npy"])
def test_an_index_is_built_and_searched(embed, calls, vectors_of, name):
    assert embed("-r", "calls", "-o", name).exit_code == 0
    run = embed("--search", name, "--top-k", "2", calls[1], calls[2])
    assert (run.exit_code, run.stderr) == (0, "")
    vectors = vectors_of(calls)
    expected = []
    for query in (1, 2):
        scores = [cosine(vectors[query], vector) for vector in vectors]
        for row in np.argsort(scores)[::-1][:2]:
            expected.append([calls[query], calls[row], f"{scores[row]:.4f}"])
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    found = [float(row[2]) for row in rows]
    assert found == pytest.approx([float(row[2]) for row in expected], abs=2e-4)
    run = embed("--search", name, calls[1], "--threshold", "0.9999", "-f", "jsonl")
    assert json.loads(run.stdout)["closest"][0]["name"] == calls[1]


@pytest.mark.parametrize("name", ["archive.usearch", "archive.npz", "archive.jsonl"])
def test_what_is_searched_is_not_overwritten(embed, calls, tmp_path, name):
    assert embed(*calls, "-o", name).exit_code == 0
    before = (tmp_path / name).read_bytes()
    for target in (name, f"{name}.names.json"):
        if (tmp_path / target).exists():
            run = embed("--search", name, calls[0], "-o", target)
            assert run.exit_code == 2
            assert "this is an input too, and would be overwritten" in run.stderr
    assert (tmp_path / name).read_bytes() == before


def test_an_enrolled_recording_is_not_overwritten(embed, calls, tmp_path):
    before = (tmp_path / calls[0]).read_bytes()
    run = embed("--enroll", "calls", "--identify", calls[1], "-o", calls[0], "-f", "txt")
    assert run.exit_code == 2
    assert "this is an input too" in run.stderr
    assert (tmp_path / calls[0]).read_bytes() == before


def test_vectors_of_another_layer_are_not_searched(embed, calls):
    assert embed(*calls, "-o", "archive.npz").exit_code == 0
    run = embed("--search", "archive.npz", calls[0], "--layer", "1")
    assert run.exit_code == 2
    assert run.stderr == (
        "w2v: archive.npz: its vectors were made without --layer, and this run is with --layer 1\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "a.wav"], "--compare: it takes two recordings, and there are 1"),
        (
            ["--compare", "a.wav", "b.wav", "c.wav"],
            "--compare: it takes two recordings, and there are 3; --matrix compares more",
        ),
        (
            ["--identify", "a.wav"],
            "--identify: among which speakers? name a folder of them with --enroll",
        ),
        (
            ["--enroll", ".", "a.wav"],
            "--enroll names the speakers to choose from; add --identify",
        ),
        (
            ["--enroll", ".", "--identify", "a.wav", "--end", "3"],
            "--end would be about the speakers' recordings, too",
        ),
        (
            ["--enroll", ".", "--identify", "a.wav", "--channel", "2"],
            "--channel would be about the speakers' recordings, too; with --identify name",
        ),
        (
            ["--enroll", "nowhere", "--identify", "a.wav"],
            "--enroll nowhere: no such folder; name one with speakers' recordings",
        ),
        (
            ["--compare", "--matrix", "a.wav", "b.wav"],
            "--compare and --matrix are different jobs; choose one",
        ),
        (
            ["--threshold", "0.5", "a.wav"],
            "--threshold is for --compare, --identify and --search; leave it out",
        ),
        (
            ["--top-k", "3", "--compare", "a.wav", "b.wav"],
            "--top-k is for --identify and --search; leave it out",
        ),
        (
            ["--normalize", "--matrix", "a.wav"],
            "--normalize changes no cosine; leave it out with --matrix",
        ),
        (
            ["--pool", "none", "--compare", "a.wav", "b.wav"],
            "--pool none gives a vector a frame, and one a recording is compared",
        ),
        (
            ["--matrix", "a.wav", "-f", "npz"],
            "--format npz: with --matrix it is txt or csv; choose one",
        ),
        (["a.wav", "-f", "txt"], "--format txt: vectors are written as"),
        (["a.wav", "-o", "a.mat"], "--output a.mat: its suffix is none of a file of vectors"),
        (["a.wav", "-f", "usearch"], "--format usearch: an index is one file for all recordings"),
        (["a.wav", "b.wav", "-f", "npz"], "--format npz: several recordings are put together in"),
        (["--plot", "a.jpg", "a.wav"], "--plot: a.jpg: pictures are .png or .svg"),
        (
            ["--plot", "a.png", "-o", "b.txt", "a.wav"],
            "--output: where the cosines go, which --matrix asks for; --plot names the picture",
        ),
        (
            ["--matrix", "--plot", "a.png", "-o", "a.png", "a.wav"],
            "--plot: a.png: the results go there, by --output; name another file",
        ),
        (
            ["--plot", "a.png", "-f", "csv", "a.wav"],
            "--format csv: how the cosines are written, which --matrix asks for",
        ),
        (
            ["--search", "gone.usearch", "a.wav"],
            "gone.usearch: no such index; build it with: w2v embed -o gone.usearch FILE...",
        ),
        (
            ["--compare", "a.wav", "b.wav", "--skip-existing"],
            "--skip-existing: results on stdout, or of one recording in one file, are not kept",
        ),
        (["--layer", "7", "a.wav", "b.wav"], "--layer 7: "),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_contradictions(embed, recording, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    recording("a.wav")
    recording("b.wav")
    run = embed(*arguments)
    assert run.stderr.startswith(f"w2v: {message}")
    assert len(run.stderr.splitlines()) == 1
    assert (run.exit_code, run.stdout) == (2, "")


def test_the_model_must_be_there(embed, recording):
    run = embed("--model", "no-such-model-here/at-all", "--offline", recording())
    assert run.exit_code == 4


@pytest.mark.slow
def test_standard_input(w2v_process, folder, recording):
    content = recording().read_bytes()
    run = w2v_process("embed", "--model", folder, "-", stdin=content)
    assert json.loads(run.stdout)["source"] == "-"
