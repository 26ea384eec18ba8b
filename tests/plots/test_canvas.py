"""Pictures look alike everywhere, are whole or not there, and need matplotlib when one is drawn."""

import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from w2v_cli.errors import MissingDependencyError, UsageError, WriteError
from w2v_cli.plots.canvas import (
    PALETTE,
    Envelope,
    clock,
    draw_waveform,
    new_figure,
    save_figure,
    styled,
    time_axis,
    time_ticks,
)
from w2v_cli.plots.paths import check_plot_path


@styled()
def drawn(label="a label"):
    figure = new_figure(6, 2)
    axes = figure.add_subplot()
    axes.plot([0, 50], [0, 1], color=PALETTE[0], label=label)
    axes.legend()
    time_axis(axes, 50)
    return figure


def test_one_figure_gives_one_file(tmp_path):
    for suffix in ("png", "svg"):
        first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
        save_figure(drawn(), first)
        save_figure(drawn(), second)
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "first.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "first.svg").read_text()
    assert len(list(tmp_path.iterdir())) == 4


def test_letters_are_large_enough_to_read():
    figure = drawn()
    figure.canvas.draw()
    from matplotlib.text import Text

    shown = [text for text in figure.findobj(Text) if text.get_text()]
    assert {"a label", "time (m:ss)", "0:05"} <= {text.get_text() for text in shown}
    assert min(text.get_fontsize() for text in shown) >= 9


def test_dollars_are_no_formulas(tmp_path):
    figure = drawn("$\\frac$")
    save_figure(figure, tmp_path / "label.png")
    assert figure.axes[0].get_legend().get_texts()[0].get_parse_math() is False


def test_an_older_picture_stays_if_there_is_no_room_for_the_new_one(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"older")
    figure = drawn()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error instead of the end
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WriteError, match="disk is full"):
            save_figure(figure, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"older"]


def test_other_names_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"pictures are \.png or \.svg"):
        save_figure(drawn(), tmp_path / "picture.pdf")
    for name, why in (
        ("picture", "pictures are"),
        ("no/such/folder.png", "no such folder"),
    ):
        with pytest.raises(UsageError, match=why):
            check_plot_path(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_plot_path(tmp_path / "folder.png")
    assert check_plot_path(tmp_path / "picture.SVG").name == "picture.SVG"


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    from w2v_cli.plots import paths

    monkeypatch.setattr(paths.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"w2v\[plots\]") as caught:
        check_plot_path(tmp_path / "picture.png")
    assert caught.value.exit_code == 5
    assert "--plot needs the package matplotlib" in str(caught.value)


def test_a_path_is_checked_without_loading_anything():
    program = (
        "import sys; from w2v_cli.plots.paths import check_plot_path; check_plot_path('a.png'); "
        "print({'matplotlib', 'numpy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    ("seconds", "step", "last"),
    [(1.0, 0.1, "0:01.0"), (9, 1, "0:09"), (600, 60, "10:00"), (5400, 600, "1:30:00")],
)
def test_ticks_of_time(seconds, step, last):
    ticks, found = time_ticks(0, seconds)
    assert found == step
    assert clock(ticks[-1], tenths=step < 1) == last
    assert np.allclose(np.diff(ticks), step)


def test_ticks_of_a_part_are_round_times():
    assert time_ticks(58, 71)[0] == [58, 60, 62, 64, 66, 68, 70]


@pytest.mark.parametrize("n_samples", [0, 1, 799, 16000, 123457])
def test_an_envelope_is_that_of_all_samples(n_samples):
    random = np.random.default_rng(n_samples)
    waveform = random.normal(size=n_samples).astype(np.float32)
    envelope = Envelope(16000, most=64)
    cuts = np.sort(random.integers(0, n_samples + 1, 20))
    for block in np.split(waveform, cuts):
        envelope.add(block)
    assert envelope.seconds == pytest.approx(n_samples / 16000)
    edges = np.round(envelope.edges_seconds * 16000).astype(int)
    assert len(envelope.bounds) <= 65
    assert edges[0] == 0
    assert edges[-1] == n_samples
    # A stretch that was halved in a merge is kept as its bounds, which are still the bounds of all.
    for (low, high), start, end in zip(envelope.bounds, edges, edges[1:], strict=False):
        assert (low, high) == (waveform[start:end].min(), waveform[start:end].max())


def test_a_waveform_fills_its_axes():
    envelope = Envelope(1000)
    envelope.add(np.array([0.0, 0.5, -1.0, 0.25] * 500, dtype=np.float32))
    with styled():
        axes = new_figure(6, 1).add_subplot()
        draw_waveform(axes, envelope)
        time_axis(axes, envelope.seconds)
    assert axes.get_ylim() == pytest.approx((-1.05, 1.05))
    assert axes.get_xlim() == (0, 2)
    silent = new_figure(6, 1).add_subplot()
    draw_waveform(silent, Envelope(1000))
    assert silent.get_ylim() == (-1, 1)


def test_letters_that_no_font_has_are_told_once(tmp_path):
    with pytest.warns(UserWarning, match="2 letters drawn as boxes, for want of a font") as caught:
        save_figure(drawn("\ue000\ue001\ue000"), tmp_path / "label.png")  # of no alphabet
    assert len(caught) == 1
