"""The closest vectors are those that brute force finds, and speakers are named after folders."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from w2v_cli.errors import MissingDependencyError, UsageError
from w2v_cli.formats import vector_index
from w2v_cli.formats.vectors import names_json, npz, vector_table
from w2v_cli.results import Embedding, VectorKind
from w2v_cli.tasks.embed_search import (
    HeldVectors,
    check_kinds,
    cosines,
    enrolled,
    open_vectors,
    speaker_of,
)

KIND = VectorKind("mini-speakers")


def vectors(n_rows, *, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n_rows, 24)).astype(dtype)


def by_brute_force(queries, rows, top_k):
    scores = 1 - cdist(queries.astype(np.float64), rows.astype(np.float64), "cosine")
    best = np.argsort(-scores, axis=1)[:, :top_k]
    return best, np.take_along_axis(scores, best, axis=1)


def write(path, rows):
    table = vector_table(
        [Embedding(row[None], KIND, 1.0, f"{number}.wav") for number, row in enumerate(rows)]
    )
    if path.suffix == ".usearch":
        path.write_bytes(vector_index.usearch_index(table))
        (path.parent / f"{path.name}.names.json").write_bytes(names_json(table))
    else:
        path.write_bytes(npz(table))
    return path


def test_cosines_are_those_of_scipy():
    one, other = vectors(5), vectors(4, seed=1)
    np.testing.assert_allclose(cosines(one, other), 1 - cdist(one, other, "cosine"), atol=1e-6)
    np.testing.assert_array_equal(cosines(one, 3 * one).diagonal(), 1)


@pytest.mark.parametrize("suffix", [".npz", ".usearch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_closest_are_those_of_brute_force(tmp_path, suffix, dtype):
    rows, queries = vectors(300, dtype=dtype), vectors(7, seed=1)
    names = open_vectors(write(tmp_path / f"voices{suffix}", rows))
    assert names.kind == KIND
    best, scores = by_brute_force(queries, rows, 5)
    tolerance = 1e-5 if dtype == np.float32 else 2e-3
    for found, order, expected in zip(names.closest(queries, 5), best, scores, strict=True):
        assert [candidate.name for candidate in found] == [f"{row}.wav" for row in order]
        assert [c.score for c in found] == pytest.approx(expected, abs=tolerance)


def test_a_graph_finds_nearly_all(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_index, "_EXACT_ROWS", 0)
    rows, queries = vectors(3000), vectors(50, seed=1)
    names = open_vectors(write(tmp_path / "voices.usearch", rows))
    best, _ = by_brute_force(queries, rows, 10)
    found = [{candidate.name for candidate in row} for row in names.closest(queries, 10)]
    n_found = sum(len(f & {f"{n}.wav" for n in b}) for f, b in zip(found, best, strict=True))
    assert n_found / 500 > 0.98


@pytest.mark.parametrize("suffix", [".npz", ".usearch"])
def test_fewer_rows_than_asked_for(tmp_path, suffix):
    names = open_vectors(write(tmp_path / f"voices{suffix}", vectors(2)))
    (found,) = names.closest(vectors(1, seed=1), 10)
    assert len(found) == 2


@pytest.mark.parametrize("suffix", [".npz", ".usearch"])
def test_vectors_of_another_length(tmp_path, suffix):
    names = open_vectors(write(tmp_path / f"voices{suffix}", vectors(3)))
    with pytest.raises(UsageError, match="vectors of 8 dimensions cannot be compared with those"):
        names.closest(np.ones((1, 8), np.float32), 1)


def test_bad_indices(tmp_path):
    path = tmp_path / "voices.usearch"
    with pytest.raises(UsageError, match="no such index; build it with: w2v embed -o"):
        open_vectors(path)
    path.write_bytes(b"no index at all, but text")
    with pytest.raises(UsageError, match="not what w2v embed writes"):
        open_vectors(path)
    write(path, vectors(3))
    (tmp_path / "voices.usearch.names.json").unlink()
    with pytest.raises(UsageError, match=r"voices\.usearch\.names\.json is not beside it"):
        open_vectors(path)


def test_without_usearch(monkeypatch, tmp_path):
    monkeypatch.setattr(vector_index, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'w2v\[vectors\]'"):
        open_vectors(tmp_path / "voices.usearch")


def test_speakers_have_the_mean_of_their_vectors():
    anna, ben = vectors(3), vectors(1, seed=1)
    rows = np.concatenate([anna * [[1], [10], [100]], ben]).astype(np.float32)
    (found,) = enrolled(["anna", "anna", "anna", "ben"], rows).closest(ben, 2)
    assert [candidate.name for candidate in found] == ["ben", "anna"]
    mean = sum(row / np.linalg.norm(row) for row in anna) / 3
    assert found[1].score == pytest.approx(1 - cdist([mean], ben, "cosine")[0, 0], abs=1e-5)


def test_of_equals_the_first_comes_first():
    names = HeldVectors(["b", "a"], np.ones((2, 3), np.float32))
    assert [c.name for c in names.closest(np.ones((1, 3), np.float32), 2)[0]] == ["b", "a"]


def test_whose_a_recording_is():
    assert speaker_of("anna/call.wav") == "anna"
    assert speaker_of("anna.b.wav") == "anna.b"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (VectorKind("other"), "made with --model other, and this run is with --model m"),
        (VectorKind("m", "3", "mean"), "made with --layer 3, and this run is with --layer last"),
        (VectorKind("m", "last", "max"), "made with --pool max, and this run is with --pool mean"),
        (VectorKind("m"), "made without --layer, and this run is with --layer last"),
    ],
)
def test_only_alike_vectors_are_compared(found, message):
    with pytest.raises(UsageError) as caught:
        check_kinds(found, VectorKind("m", "last", "mean", unit_length=True), "v.npz")
    assert str(caught.value) == f"v.npz: its vectors were {message}"


def test_lengths_do_not_matter():
    check_kinds(VectorKind("m", unit_length=True), VectorKind("m"), "v.npz")
