"""Who speaks when, as a picture: rows, colours, lines and the time along them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from w2v_cli.plots.canvas import PALETTE, Envelope, save_figure
from w2v_cli.plots.timeline import draw_timeline, line_length
from w2v_cli.results import Diarization, FrameActivity, Turn

TURNS = (Turn(1.0, 3.0, "SPEAKER_00"), Turn(2.5, 6.0, "SPEAKER_01"), Turn(7.0, 8.0, "SPEAKER_00"))
SPEAKERS = ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")


def diarization(seconds=10.0, *, start_seconds=0.0, turns=TURNS):
    n_frames = round(seconds * 50)
    envelope = Envelope(1000)
    envelope.add(np.resize(np.array([-1, 1], np.float32), round(seconds * 1000)))
    frames = FrameActivity(np.zeros((n_frames, 3), np.float32), start_seconds, 0.02, envelope)
    return Diarization(turns, SPEAKERS, seconds, "m", "a/talk.wav", start_seconds, None, frames)


def bars(axes):
    """The stretches of each row, with its colour."""
    rows = []
    for collection in axes.collections:
        extents = [path.get_extents() for path in collection.get_paths()]
        rows.append(([(e.x0, e.x1) for e in extents], to_hex(collection.get_facecolor()[0])))
    return rows


def test_a_row_a_speaker_in_the_colours_of_all_pictures(tmp_path):
    figure = draw_timeline(diarization())
    waveform, rows = figure.axes
    assert [label.get_text() for label in rows.get_yticklabels()] == ["SPEAKER_00", "SPEAKER_01"]
    first, second = bars(rows)
    assert first == ([(1.0, 3.0), (7.0, 8.0)], PALETTE[0].lower())
    assert second == ([(2.5, 6.0)], PALETTE[1].lower())
    assert rows.get_xlim() == waveform.get_xlim() == (0.0, 10.0)
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "talk.wav: 2 speakers, 0:10"
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["SPEAKER_00  0:03  46 %", "SPEAKER_01  0:04  54 %"]
    save_figure(figure, tmp_path / "turns.svg")
    assert (tmp_path / "turns.svg").stat().st_size > 1000


def test_a_long_recording_goes_on_line_by_line():
    figure = draw_timeline(diarization(400.0, start_seconds=60.0))
    limits = [axes.get_xlim() for axes in figure.axes[1::2]]
    assert limits == [(60.0, 210.0), (210.0, 360.0), (360.0, 510.0)]
    assert [bool(axes.get_xlabel()) for axes in figure.axes[1::2]] == [False, False, True]


@pytest.mark.parametrize("seconds", [1.0, 400.0])
def test_the_waveform_is_drawn_to_the_end(seconds):
    figure = draw_timeline(diarization(seconds, start_seconds=60.0))
    drawn = [axes.collections[0].get_datalim(axes.transData) for axes in figure.axes[::2]]
    assert drawn[0].x0 == 60.0
    assert drawn[-1].x1 == 60.0 + seconds
    for one, axes in zip(drawn, figure.axes[::2], strict=True):
        begin, end = axes.get_xlim()
        assert one.x0 <= begin
        assert one.x1 >= min(end, 60.0 + seconds)
        assert max(begin - one.x0, one.x1 - end) < 0.2
        assert (one.y0, one.y1) == (-1, 1)
    (steps,) = figure.axes[0].collections[0].get_paths()
    assert len(np.unique(steps.vertices[:, 0])) > 1000 * min(seconds, 1)


def test_nobody_speaks():
    figure = draw_timeline(Diarization((), ("SPEAKER_00",), 3.0, "m", None))
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "recording: nobody speaks, 0:03"


@pytest.mark.parametrize("seconds", [0.5, 150, 151, 1200, 1201, 10_800, 100_000])
def test_lines_are_few_and_full_enough(seconds):
    length = line_length(seconds)
    n_lines = int(np.ceil(seconds / length))
    assert 1 <= n_lines <= 8
    assert length == seconds or length in (150, 300, 600, 900, 1800, 3600, 7200) or n_lines == 8
