"""Windows of a recording, each heard as if it were a recording of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.inference.chunks import Chunk

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Listener
    from w2v_cli.inference.network import FloatArray


@dataclass(frozen=True)
class Windowing:
    """Where windows are.

    Attributes:
        window_seconds: How long each is.
        hop_seconds: From where one begins to where the next one does.
    """

    window_seconds: float
    hop_seconds: float

    def __post_init__(self) -> None:
        for name in ("window_seconds", "hop_seconds"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be more than 0")


@dataclass(frozen=True, eq=False)
class Window(Chunk):
    """A chunk that is a window.

    Attributes:
        start_sample: Of the recording, the first sample in it.
        end_sample: The sample after its last.
    """

    start_sample: int = 0
    end_sample: int = 0

    def without_samples(self) -> Window:
        """Return the same without what is large."""
        return replace(self, input_values=np.zeros(0, np.float32))


class WindowCutter:
    """Cuts a recording into windows; a `w2v_cli.tasks.recording.Cutter`.

    They begin with the recording and follow each other by the hop. The last one ends with the
    recording, so that nothing goes unheard and all are of one length. A recording that is
    shorter than a window is one window.

    Args:
        listener: The model.
        windowing: Where windows are.
    """

    def __init__(self, listener: Listener, windowing: Windowing) -> None:
        self._listener = listener
        rate = listener.sample_rate
        self._window = max(round(windowing.window_seconds * rate), listener.receptive_field_samples)
        self._hop = max(round(windowing.hop_seconds * rate), 1)

    def chunks(self, read: Callable[[], Iterator[FloatArray]]) -> Iterator[Window]:
        """Yield the windows, in the order of time; channels take turns."""
        held: FloatArray | None = None  # (channels, samples)
        begin = 0  # the first sample that is held
        start = 0  # of the next window
        end = 0  # of what was read
        heard_to = 0  # the end of the last window
        for block in read():
            held = block if held is None else np.concatenate([held, block], axis=1)
            end += block.shape[1]
            while start + self._window <= end:
                yield from self._windows(held, begin, start, start + self._window)
                heard_to = start + self._window
                start += self._hop
            # The last window may begin before the next one would.
            dropped = max(min(start, end - self._window) - begin, 0)
            held, begin = held[:, dropped:], begin + dropped
        if held is not None and heard_to < end:
            yield from self._windows(held, begin, max(end - self._window, 0), end)

    def _windows(self, held: FloatArray, begin: int, start: int, end: int) -> Iterator[Window]:
        for channel, samples in enumerate(held[:, start - begin : end - begin]):
            input_values = self._listener.normalised(np.ascontiguousarray(samples))
            yield Window(input_values, channel, start_sample=start, end_sample=end)
