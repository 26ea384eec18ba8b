"""Speech that is faster or slower, and still the same voice."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from w2v_cli.audio import SAMPLE_RATE

Waveform = npt.NDArray[np.float32]

_SHORTEST_SAMPLES = 2048
"""FFmpeg overlaps windows of 1,024 samples, and makes nothing of less."""


def change_tempo(waveform: Waveform, tempo: float) -> Waveform:
    """Return what is said at another tempo, with pitch and resonances as they were.

    It is FFmpeg's atempo: windows are moved to where they overlap with the least difference
    (waveform similarity overlap-add, Verhelst & Roelands 1993). The length is right to 30 ms.

    Args:
        waveform: (samples,). Too little for two windows stays as it is.
        tempo: 1.1 for 10 % faster; from 0.5 to 2.
    """
    import av
    from av.filter import Graph

    if len(waveform) < _SHORTEST_SAMPLES:
        return waveform
    graph = Graph()
    source = graph.add_abuffer(
        format="flt", sample_rate=SAMPLE_RATE, layout="mono", time_base=Fraction(1, SAMPLE_RATE)
    )
    stretch = graph.add("atempo", f"{tempo:.6f}")
    sink = graph.add("abuffersink")
    source.link_to(stretch)
    stretch.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(waveform[None], format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    source.push(frame)
    source.push(None)
    changed: list[Waveform] = []
    while True:
        try:
            piece = sink.pull()
        except av.error.EOFError:
            return np.concatenate(changed)
        assert isinstance(piece, av.AudioFrame)
        changed.append(piece.to_ndarray()[0])
