"""Confusion matrices and pictures of errors have the numbers that they were given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from w2v_cli.plots.canvas import BLUE, VERMILLION, save_figure
from w2v_cli.plots.confusion import confusion_figure
from w2v_cli.plots.errors import turn_errors_figure, word_errors_figure


def texts(axes):
    return {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}


def test_a_confusion_matrix(tmp_path):
    counts = np.array([[9, 0, 1], [0, 4, 0], [0, 0, 0]])
    figure = confusion_figure(["yes", "no ($)", "never"], counts, title="accuracy")
    (axes,) = figure.axes
    assert texts(axes) == {(0, 0): "9", (2, 0): "1", (1, 1): "4"}  # (heard as, is)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no ($)", "never"]
    colours = axes.get_images()[0].get_array()
    assert to_hex(colours[1, 1]).upper() == BLUE
    assert to_hex(colours[0, 1]) == "#ffffff"
    expected = 1 - np.sqrt(0.1) * (1 - np.array(to_rgb(VERMILLION)))
    assert np.asarray(colours[0, 2]) == pytest.approx(expected)
    save_figure(figure, tmp_path / "confusion.png")


def test_of_very_many_labels_those_with_most_mistakes_are_drawn():
    counts = np.eye(50, dtype=int) * 5
    counts[7, 44] = 3
    figure = confusion_figure([f"label {i}" for i in range(50)], counts, title="accuracy")
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 40
    assert {"label 7", "label 44"} <= set(names)
    assert "the 40 of 50 labels with most mistakes" in axes.get_title(loc="left")
    assert texts(axes)[names.index("label 44"), names.index("label 7")] == "3"


def test_word_errors_by_length(tmp_path):
    seconds = np.repeat([1.0, 2.0], 10)
    errors, words = np.repeat([1.0, 0.0], 10), np.full(20, 4.0)
    figure = word_errors_figure(seconds, errors, words, title="wer")
    by_length, by_count = figure.axes
    assert by_length.get_lines()[0].get_xydata().tolist() == [[1, 0.25], [2, 0]]
    assert by_length.get_lines()[1].get_ydata()[0] == 0.125
    assert [bar.get_height() for bar in by_count.patches] == [10, 10, 0, 0, 0, 0]
    save_figure(figure, tmp_path / "words.png")


def test_errors_of_who_speaks_when(tmp_path):
    components = {
        "missed": np.array([1.0, 0.0, 2.0]),
        "false alarm": np.array([0.0, 3.0, 2.0]),
        "another speaker": np.array([0.5, 0.0, 0.0]),
    }
    figure = turn_errors_figure(
        ["a", "b", "c"], components, np.array([10.0, 0.0, 8.0]), title="der"
    )
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "b", "a"]
    assert [text.get_text() for text in axes.texts] == ["50.0 %", "no speech", "15.0 %"]
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[8, 0, 10], [2, 0, 1], [2, 3, 0], [0, 0, 0.5]]
    save_figure(figure, tmp_path / "turns.svg")
