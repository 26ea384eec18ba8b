"""A DET curve lies where its errors are, on the scale of the normal distribution."""

import numpy as np
import pytest
from scipy.stats import norm

from w2v_cli.plots.canvas import save_figure
from w2v_cli.plots.detection import detection_figure
from w2v_cli.scoring.verification import detection_errors


@pytest.fixture
def errors():
    random = np.random.default_rng(3)
    is_same = random.random(3000) < 0.3
    return detection_errors(random.normal(size=3000) + 2 * is_same, is_same)


def test_the_curve_is_on_a_normal_scale(errors, tmp_path):
    figure = detection_figure(errors, (0.1, 0.2), title="all pairs")
    (axes,) = figure.axes
    _, interval, curve, point = (line.get_xydata() for line in axes.get_lines())
    inside = (errors.accepted > 0) & (errors.accepted < 1)
    assert curve[inside, 0] == pytest.approx(norm.ppf(errors.accepted[inside]))
    assert interval == pytest.approx(norm.ppf([[0.1, 0.1], [0.2, 0.2]]))
    rate = norm.cdf(point[0])
    assert rate[0] == rate[1] == pytest.approx(0.16, abs=0.02)  # of two normals, 2 apart
    assert axes.get_title(loc="left").startswith(f"eer {100 * rate[0]:.2f} % (10.00 % to 20.00 %)")
    ticks = dict(zip(axes.get_xticks(), axes.xaxis.get_major_formatter().seq, strict=True))
    assert "10 %" in ticks.values()
    save_figure(figure, tmp_path / "det.png")


def test_speakers_that_are_taken_for_each_other(tmp_path):
    errors = detection_errors(np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False]))
    figure = detection_figure(errors, None, title="few pairs")
    assert figure.axes[0].get_title(loc="left").startswith("eer 100.00 %")
    save_figure(figure, tmp_path / "det.png")  # a warning would be an error
    ends = figure.axes[0].get_xlim()
    (point,) = (line for line in figure.axes[0].get_lines() if line.get_marker() == "o")
    assert ends[0] <= point.get_xdata()[0] <= ends[1]


def test_speakers_that_are_told_apart_without_errors(tmp_path):
    errors = detection_errors(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]))
    figure = detection_figure(errors, None, title="few pairs")
    assert figure.axes[0].get_title(loc="left").startswith("eer 0.00 %, at the threshold 0.800")
    assert [text.get_text() for text in figure.axes[0].texts] == ["below 2 %"]
    assert all(line.get_marker() != "o" for line in figure.axes[0].get_lines())
    save_figure(figure, tmp_path / "det.svg")
