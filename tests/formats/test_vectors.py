"""What is written is what numpy, pyarrow and safetensors read, with the names of the recordings."""

import dataclasses
import io
import json

import numpy as np
import pyarrow.parquet
import pytest
import safetensors

from w2v_cli.errors import MissingDependencyError, UsageError
from w2v_cli.formats import vectors as written
from w2v_cli.formats.vector_files import read_vectors
from w2v_cli.results import Embedding, VectorKind

VOICE = VectorKind("mini-speakers")
FRAMES = VectorKind("some/model", layer="-2", pool="none", unit_length=True)
WRITERS = {
    "npy": written.npy,
    "npz": written.npz,
    "parquet": written.parquet,
    "safetensors": written.safetensors,
    "jsonl": lambda table: written.json_lines(table).encode(),
}


def numbers(n_rows, seed, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n_rows, 7)).astype(dtype)


def voices(dtype=np.float32):
    """Two recordings, of one the channels apart."""
    return written.vector_table(
        [
            Embedding(numbers(1, 1, dtype), VOICE, 2.5, "a/ärger.wav"),
            Embedding(numbers(2, 2, dtype), VOICE, 3.5, "b.wav", channels=(1, 2)),
        ]
    )


def frames():
    starts = np.array([0.0, 0.02, 0.5])
    return written.vector_table(
        [Embedding(numbers(3, 3), FRAMES, 0.52, "c.wav", starts_seconds=starts)]
    )


def assert_same(table, other):
    assert (table.kind, table.sources, table.channels) == (
        other.kind,
        other.sources,
        other.channels,
    )
    np.testing.assert_array_equal(table.vectors, other.vectors)
    np.testing.assert_array_equal(table.starts_seconds, other.starts_seconds)
    assert table.vectors.dtype == other.vectors.dtype


@pytest.mark.parametrize("make", [voices, frames], ids=["voices", "frames"])
@pytest.mark.parametrize("name", WRITERS)
def test_read_again(tmp_path, name, make):
    table, path = make(), tmp_path / f"v.{name}"
    path.write_bytes(WRITERS[name](table))
    if name == "npy":
        (tmp_path / "v.npy.names.json").write_bytes(written.names_json(table))
    assert_same(read_vectors(path), table)


@pytest.mark.parametrize("name", WRITERS)
def test_half_the_precision(tmp_path, name):
    table, path = voices(np.float16), tmp_path / f"v.{name}"
    path.write_bytes(WRITERS[name](table))
    if name == "npy":
        (tmp_path / "v.npy.names.json").write_bytes(written.names_json(table))
    read = read_vectors(path)
    if name == "jsonl":  # decimal numbers tell no type
        assert read.vectors.dtype == np.float32
        read = dataclasses.replace(read, vectors=read.vectors.astype(np.float16))
    assert_same(read, table)


def test_numpy_reads_a_matrix():
    table = voices()
    np.testing.assert_array_equal(np.load(io.BytesIO(written.npy(table))), table.vectors)
    arrays = np.load(io.BytesIO(written.npz(table)), allow_pickle=False)
    assert arrays["vectors"].dtype == np.float32
    assert arrays["sources"].tolist() == ["a/ärger.wav", "b.wav", "b.wav"]
    assert arrays["channels"].tolist() == [0, 1, 2]
    assert np.isnan(arrays["start_seconds"]).all()


def test_arrow_reads_columns():
    arrow = pyarrow.parquet.read_table(io.BytesIO(written.parquet(voices())))
    assert arrow.column_names == ["source", "channel", "start_seconds", "vector"]
    assert arrow["channel"].to_pylist() == [None, 1, 2]
    assert arrow["start_seconds"].null_count == 3
    assert str(arrow.schema.field("vector").type).startswith("fixed_size_list<")
    np.testing.assert_array_equal(arrow["vector"].to_pylist(), voices().vectors)


def test_safetensors_has_the_names_in_its_metadata(tmp_path):
    path = tmp_path / "v.safetensors"
    path.write_bytes(written.safetensors(voices()))
    with safetensors.safe_open(path, framework="numpy") as file:
        assert list(file.keys()) == ["vectors"]
        assert json.loads(file.metadata()["sources"]) == ["a/ärger.wav", "b.wav", "b.wav"]


def test_a_line_for_every_row():
    first, second, third = map(json.loads, written.json_lines(voices()).splitlines())
    assert first.keys() == {"schema_version", "source", "model", "unit_length", "vector"}
    assert [second["channel"], third["channel"]] == [1, 2]
    assert np.array_equal(np.float32(first["vector"]), voices().vectors[0])
    line = json.loads(written.json_lines(frames()).splitlines()[1])
    assert (line["start"], line["layer"], line["pool"]) == (0.02, "-2", "none")


def test_a_journal_holds_it_as_text():
    for embedding in (
        Embedding(numbers(2, 5, np.float16), VOICE, 3.5, "b.wav", channels=(1, 2)),
        Embedding(numbers(2, 6), FRAMES, 0.5, "c.wav", starts_seconds=np.array([0, 0.02])),
    ):
        assert written.unpacked(written.packed(embedding)) == embedding


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"", "no file of vectors; they end with .npz, .npy"),
        ("v.npz", b"PK\x03\x04 no zip at all", "not what w2v embed writes"),
        ("v.npz", written.npy(voices()), "not what w2v embed writes"),
        ("v.npy", written.npy(voices()), "v.npy.names.json is not beside it"),
        ("v.parquet", b"PAR1", "not what w2v embed writes"),
        ("v.safetensors", b"\x00" * 4, "not what w2v embed writes"),
        ("v.jsonl", b'{"source": "a.wav"}\n', "not what w2v embed writes ('vector')"),
        ("v.jsonl", b"", "there is no vector in it"),
        ("gone.npz", None, "cannot be read (No such file or directory)"),
    ],
    ids=range(9),
)
def test_other_files_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_vectors(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_pyarrow(monkeypatch):
    monkeypatch.setattr(written, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        written.parquet(voices())
    assert str(caught.value) == (
        "parquet needs the package pyarrow; install it with: pip install 'w2v[vectors]'"
    )
