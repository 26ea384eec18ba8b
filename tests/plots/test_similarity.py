"""The picture shows every cosine where it belongs, under the recording's name."""

import numpy as np
import pytest

from w2v_cli.plots.canvas import save_figure
from w2v_cli.plots.similarity import draw_similarity, short_names


def cosines(n):
    vectors = np.random.default_rng(1).normal(size=(n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_a_few_have_their_names_and_numbers():
    scores = cosines(3)
    figure = draw_similarity(["a/one.wav", "a/two.wav", "b/one.wav"], scores, threshold=0.5)
    axes, bar = figure.axes
    assert labels(axes.xaxis) == labels(axes.yaxis) == ["a/one", "a/two", "b/one"]
    np.testing.assert_array_equal(axes.images[0].get_array(), scores)
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (column, row): f"{scores[row, column]:.2f}" for row in range(3) for column in range(3)
    }
    assert bar.get_ylabel() == "cosine; one speaker from 0.5"


def test_light_numbers_on_dark_squares():
    figure = draw_similarity(["a", "b"], np.array([[1.0, 0.0], [0.0, 1.0]]))
    colors = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colors == {"1.00": "black", "0.00": "white"}


def test_many_have_the_names_of_their_folders():
    names = [f"calls/{folder}/{n}.wav" for folder in ("anna", "ben") for n in range(30)]
    figure = draw_similarity(names, cosines(60))
    axes = figure.axes[0]
    assert labels(axes.xaxis) == ["anna", "ben"]
    assert axes.get_xticks().tolist() == [14.5, 44.5]
    assert not axes.texts


def test_many_of_one_folder_are_counted():
    axes = draw_similarity([f"{n}.wav" for n in range(60)], cosines(60)).axes[0]
    assert axes.get_xlabel() == "60 recordings"
    assert labels(axes.xaxis) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.wav", "a.mp3"], ["a.wav", "a.mp3"]),
        (["/x/a.wav", "b.wav"], ["/x/a", "b"]),
        (["d/a.wav"], ["a"]),
        ([], []),
        (["https://h/a/b.wav", "https://h/a/c.wav"], ["b", "c"]),
        (["n" * 50], ["…" + "n" * 35]),
    ],
)
def test_names_as_short_as_tell_them_apart(names, expected):
    assert short_names(names) == expected


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_it_can_be_saved(tmp_path, suffix):
    path = tmp_path / f"alike{suffix}"
    save_figure(draw_similarity(["a", "b"], cosines(2), title="two"), path)
    assert path.stat().st_size > 1000
