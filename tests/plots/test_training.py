"""The picture of a run shows what its log says."""

import pytest

from w2v_cli.plots.canvas import save_figure
from w2v_cli.plots.training import training_figure

LOG = [
    {"step": 10, "loss": 3.0, "learning_rate": 1e-3},
    {"step": 10, "dev_wer": 0.5, "dev_cer": 0.25},
    {"step": 20, "loss": None, "learning_rate": 5e-4},
    {"step": 20, "dev_wer": 0.2, "dev_cer": 0.3},
    {"step": 30, "loss": 1.0, "learning_rate": 0.0},
    {"step": 30, "dev_wer": 0.4, "dev_cer": None},
]


def drawn(log=LOG, measure="wer", is_share=True, higher_is_better=False):
    return training_figure(
        log, measure=measure, is_share=is_share, higher_is_better=higher_is_better
    )


def lines(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}


def test_lines_are_those_of_the_log():
    loss, dev, rate = drawn().axes
    assert [[10, 3.0], [30, 1.0]] in lines(loss).values()
    assert lines(dev) == {
        "wer": [[10, 0.5], [20, 0.2], [30, 0.4]],
        "cer": [[10, 0.25], [20, 0.3]],
        "best": [[20, 0.2]],
    }
    assert [[10, 1e-3], [20, 5e-4], [30, 0]] in lines(rate).values()
    assert dev.get_title(loc="left") == "dev: best wer 20.00 %, at step 20"
    assert rate.get_xlabel() == "step"


def test_the_best_of_what_should_be_high_is_the_highest():
    assert lines(drawn(higher_is_better=True).axes[1])["best"] == [[10, 0.5]]


def test_measures_of_several_units_are_not_drawn_together():
    _, dev, _ = drawn(is_share=False).axes
    assert set(lines(dev)) == {"wer", "best"}
    assert dev.get_title(loc="left") == "dev: best wer 0.2, at step 20"


@pytest.mark.parametrize("log", [[], [{"step": 1, "loss": None}], LOG[:1]])
def test_a_run_without_dev_recordings_or_losses(log, tmp_path):
    figure = drawn(log)
    assert len(figure.axes) == 2
    save_figure(figure, tmp_path / "training.png")


def test_many_losses_of_many_magnitudes(tmp_path):
    log = [{"step": step, "loss": 100 / step**2, "learning_rate": 1} for step in range(1, 200)]
    figure = drawn(log)
    assert figure.axes[0].get_yscale() == "log"
    mean = dict(lines(figure.axes[0])["running mean"])
    assert mean[100] == pytest.approx(sum(100 / s**2 for s in range(97, 104)) / 7)
    save_figure(figure, tmp_path / "training.svg")
