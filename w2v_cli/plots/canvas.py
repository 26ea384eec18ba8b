"""What every picture is made with: its style, its palette, its file, time and waveforms."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.checkpoint.atomic import replacing
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError
from w2v_cli.plots.paths import SUFFIXES, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.floating[Any]]

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, BLACK)
"""Colours that colour-blind people can tell apart, too (Okabe and Ito 2008)."""

GREY = "#767676"  # what is no result: grids, waveforms

DOTS_PER_INCH = 150
PADDING_INCHES = 0.1

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.7,
    "text.parse_math": False,  # a label may have dollars in it
    "svg.hashsalt": "w2v",
    "svg.fonttype": "path",  # alike on machines with other fonts
}
# For letters that the font in front lacks, where they are installed.
_OTHER_FONTS = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Devanagari")

_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_TICKS = 12


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside the `with` block, or below this as a decorator, as all pictures are drawn.

    What the user's own matplotlibrc says does not count there.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib("A picture")
    import matplotlib.style
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in _OTHER_FONTS if font in installed)]
    with matplotlib.style.context(["default", {**_STYLE, "font.family": fonts}]):
        yield


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure, whose axes make room for their labels; nothing has to close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=PADDING_INCHES, h_pad=PADDING_INCHES)
    figure = Figure((width_inches, height_inches), dpi=DOTS_PER_INCH, layout=layout)
    FigureCanvasAgg(figure)
    return figure


@styled()
def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure, whole or not at all; the same figure gives the same bytes.

    Args:
        figure: What is drawn.
        path: A file that ends with .png or .svg.

    Raises:
        UsageError: It ends with something else.
        WriteError: The disk is full, or the folder cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in SUFFIXES:
        raise UsageError(f"{path}: pictures are .png or .svg; give such a name")
    content = picture_bytes(figure, kind[1:], name=str(path))
    with replacing(target) as partial:
        partial.write_bytes(content)


@styled()
def picture_bytes(figure: Figure, kind: str, *, name: str = "picture") -> bytes:
    """Return what a picture's file holds; the same figure gives the same bytes.

    Args:
        figure: What is drawn.
        kind: ``png`` or ``svg``.
        name: What to call it in a warning.
    """
    file = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(file, format=kind, metadata=metadata)
    about_letters = {str(w.message) for w in caught if "missing from font" in str(w.message)}
    for warning in caught:
        if str(warning.message) not in about_letters:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if about_letters:
        warnings.warn(
            f"{name}: {counted(len(about_letters), 'letter')} drawn as boxes, for want of a font "
            f"here; install one that has such letters, for instance Noto Sans CJK",
            stacklevel=2,
        )
    return file.getvalue()


def time_axis(axes: Axes, seconds: float, *, start_seconds: float = 0.0) -> None:
    """Have the axis along the bottom be the time, from the start on, with ticks like 1:05."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    ticks, step = time_ticks(start_seconds, start_seconds + seconds)
    axes.set_xlim(start_seconds, start_seconds + max(seconds, 1e-3))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: clock(at, tenths=step < 1)))
    is_long = start_seconds + seconds >= 3600
    axes.set_xlabel("time (h:mm:ss)" if is_long else "time (m:ss)")


def time_ticks(start_seconds: float, end_seconds: float) -> tuple[list[float], float]:
    """Return where ticks stand between two times, and how far one is from the next.

    >>> time_ticks(0, 95)
    ([0, 10, 20, 30, 40, 50, 60, 70, 80, 90], 10)
    """
    span = end_seconds - start_seconds
    step = next((step for step in _TICK_STEPS if span / step <= _MOST_TICKS), span / _MOST_TICKS)
    first, last = int(np.ceil(start_seconds / step)), int(end_seconds / step + 1e-9)
    return [round(index * step, 3) for index in range(first, last + 1)], step


def clock(seconds: float, *, tenths: bool = False) -> str:
    """Return a time as a person writes it.

    >>> clock(65), clock(3665), clock(0.5, tenths=True)
    ('1:05', '1:01:05', '0:00.5')
    """
    whole, rest = divmod(round(seconds * 10) if tenths else round(seconds) * 10, 10)
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    text = f"{hours}:{minutes_left:02}" if hours else f"{minutes}"
    return f"{text}:{seconds_left:02}" + (f".{rest}" if tenths else "")


class Envelope:
    """The lowest and the highest sample in each of some thousand stretches of a recording.

    It is gathered block by block; how long the recording will be need not be known, and what it
    takes does not grow with it.

    Args:
        sample_rate: Of the samples, in Hz.
        most: Stretches at most, an even number; there are at least half as many in the end, if
            the recording has so many milliseconds.
    """

    def __init__(self, sample_rate: int, *, most: int = 4096) -> None:
        self.sample_rate = sample_rate
        self._most = most
        self._samples = max(1, sample_rate // 1000)  # in a stretch
        self._bounds: FloatArray = np.zeros((0, 2), dtype=np.float32)  # whole stretches
        self._rest: FloatArray = np.zeros(0, dtype=np.float32)  # the start of the next one

    def add(self, waveform: FloatArray) -> None:
        """Take the next samples, (samples,)."""
        joined = np.concatenate([self._rest, waveform])
        n_whole = len(joined) // self._samples * self._samples
        if n_whole:
            pieces = joined[:n_whole].reshape(-1, self._samples)
            found = np.stack([pieces.min(axis=1), pieces.max(axis=1)], axis=1)
            self._bounds = np.concatenate([self._bounds, found])
        self._rest = joined[n_whole:].copy()
        while len(self._bounds) > self._most:
            self._merge()

    def _merge(self) -> None:
        """Make one stretch of every two; of an odd one its bounds stand for its samples."""
        if len(self._bounds) % 2:
            stood_for = np.resize(self._bounds[-1], self._samples)
            self._rest = np.concatenate([stood_for, self._rest])
            self._bounds = self._bounds[:-1]
        pairs = self._bounds.reshape(-1, 2, 2)
        self._bounds = np.stack([pairs[:, :, 0].min(axis=1), pairs[:, :, 1].max(axis=1)], axis=1)
        self._samples *= 2

    @property
    def seconds(self) -> float:
        """How long the recording is so far."""
        return (len(self._bounds) * self._samples + len(self._rest)) / self.sample_rate

    @property
    def bounds(self) -> FloatArray:
        """The lowest and the highest sample of each stretch, (stretches, 2)."""
        if not len(self._rest):
            return self._bounds
        last = np.array([[self._rest.min(), self._rest.max()]], dtype=np.float32)
        return np.concatenate([self._bounds, last])

    @property
    def edges_seconds(self) -> FloatArray:
        """When the stretches begin, and when the last one ends, (stretches + 1,)."""
        edges: FloatArray = np.arange(len(self.bounds) + 1) * self._samples / self.sample_rate
        return np.minimum(edges, self.seconds)


def draw_waveform(
    axes: Axes,
    envelope: Envelope,
    *,
    start_seconds: float = 0.0,
    span: tuple[float, float] | None = None,
    color: str = GREY,
) -> None:
    """Draw a waveform into axes of its own, and have them as high as it is loud.

    Args:
        axes: Where to draw.
        envelope: The waveform.
        start_seconds: When it begins.
        span: Draw what lies between these two times alone; None for all of it.
        color: What to draw it in.
    """
    edges, bounds = start_seconds + envelope.edges_seconds, envelope.bounds
    if span is not None:
        first = max(int(np.searchsorted(edges, span[0], side="right")) - 1, 0)
        last = int(np.searchsorted(edges, span[1]))
        edges, bounds = edges[first : last + 1], bounds[first:last]
    if len(bounds):
        low, high = np.repeat(bounds, 2, axis=0).T
        times = np.repeat(edges, 2)[1:-1]
        axes.fill_between(times, low, high, color=color, linewidth=0.4)
    loudest = float(np.abs(bounds).max()) if len(bounds) else 0.0
    height = 1.05 * loudest if loudest > 0 else 1.0
    axes.set_ylim(-height, height)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
