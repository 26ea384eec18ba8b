"""What is drawn of labels; how it looks was looked at."""

import numpy as np
import pytest

from w2v_cli.plots.canvas import Envelope, picture_bytes
from w2v_cli.plots.labels import Band, bands, draw_labels, label_colors
from w2v_cli.results import Classification, Stretch


def heard(scores, *, hop=0.5, windowed=True, channels=(None,), names=("stop", "go", "left")):
    n_windows = len(scores) // len(channels)
    stretches = tuple(
        Stretch(index * hop, index * hop + 1.0, channel)
        for index in range(n_windows)
        for channel in channels
    )
    envelope = Envelope(1000)
    envelope.add(np.sin(np.arange(1000 * (1 + n_windows)) / 50).astype(np.float32))
    return Classification(
        names=names,
        stretches=stretches,
        scores=np.array(scores, np.float32),
        function="softmax",
        windowed=windowed,
        duration_seconds=stretches[-1].end_seconds,
        model="m",
        source="talk.wav",
        envelope=envelope,
    )


STOP, GO, LEFT = (0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.375, 0.0, 0.625)


def test_bands_join_and_share_the_time_of_windows_that_overlap():
    result = heard([STOP, STOP, GO, LEFT])
    assert bands(result, 0, None) == [
        Band(0.0, 1.25, "stop"),
        Band(1.25, 1.75, "go"),
        Band(1.75, 2.5, "left"),
    ]
    assert bands(result, 0, 0.7)[-1] == Band(1.75, 2.5, None)


def test_windows_apart_leave_gaps():
    assert bands(heard([STOP, GO], hop=3.0), 0, None) == [
        Band(0.0, 1.0, "stop"),
        Band(3.0, 4.0, "go"),
    ]


def test_the_most_frequent_labels_have_the_first_colours():
    colors = label_colors(heard([GO, STOP, GO]), None)
    assert list(colors) == ["go", "stop"]
    assert colors["go"] != colors["stop"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_over_time(kind):
    figure = draw_labels(heard([STOP, GO, LEFT, GO]), threshold=0.5)
    waveform, band, scores = figure.axes
    assert [text.get_text() for text in band.texts] == ["stop", "go", "left", "go"]
    assert len(scores.lines) == 3 + 1  # and the threshold
    assert scores.get_xlim() == waveform.get_xlim() == (0.0, 2.5)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["go", "stop", "left"]
    assert len(picture_bytes(figure, kind)) > 1000
    assert picture_bytes(figure, kind) == picture_bytes(figure, kind)


def test_each_channel_has_its_bands():
    figure = draw_labels(heard([STOP, GO, GO, LEFT], channels=(1, 2)))
    assert len(figure.axes) == 5
    assert [axes.get_ylabel() for axes in figure.axes[1::2]] == ["ch. 1", "ch. 2"]


def test_many_labels_share_a_colour():
    names = tuple(f"w{index}" for index in range(10))
    result = heard(np.eye(10), names=names)
    assert len(label_colors(result, None)) == 7
    (legend,) = draw_labels(result).legends
    assert legend.texts[-1].get_text() == "other labels"


def test_bars_of_a_whole_recording():
    figure = draw_labels(heard([STOP], windowed=False), top_k=2)
    _, bars = figure.axes
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["stop", "go"]
    assert [patch.get_width() for patch in bars.patches] == [0.75, 0.25]
    picture_bytes(figure, "png")


def test_nothing_reaches_the_threshold():
    for windowed in (False, True):
        figure = draw_labels(heard([STOP], windowed=windowed), threshold=0.9)
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert "no label reaches the threshold" in titles
        picture_bytes(figure, "svg")


@pytest.mark.parametrize("first", ["a", "A"])
@pytest.mark.parametrize("n_letters", [4, 10, 17, 28])
def test_the_legend_stays_in_the_picture(first, n_letters):
    names = tuple(f"{index}" + chr(ord(first) + 6 + index) * n_letters for index in range(10))
    figure = draw_labels(heard(np.eye(10), names=names))
    picture_bytes(figure, "png")
    (legend,) = figure.legends
    assert len(legend.texts) == 8
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.axes[0].get_window_extent().y1 - 2
