"""Recordings in, waveforms out.

sources      where the bytes come from: a file, standard input, an open file
headers      what they are, and whether all of them are there: riff (chunks), mp3, ogg
decoders     which decoder reads them: soundfiles (libsndfile) or containers (FFmpeg)
streams      the range, the channels and the sample rate that were asked for, block by block
waveforms    the same in one piece
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_cli._lazy import lazy_names

HOMES = {
    "w2v_cli.audio.streams": ("SAMPLE_RATE", "WaveformStream", "open_waveforms"),
    "w2v_cli.audio.waveforms": ("Waveforms", "read_waveforms"),
}

if TYPE_CHECKING:
    from w2v_cli.audio.streams import SAMPLE_RATE as SAMPLE_RATE
    from w2v_cli.audio.streams import WaveformStream as WaveformStream
    from w2v_cli.audio.streams import open_waveforms as open_waveforms
    from w2v_cli.audio.waveforms import Waveforms as Waveforms
    from w2v_cli.audio.waveforms import read_waveforms as read_waveforms

# Names are imported when first used: a command line that names a manifest needs no numpy.
__getattr__, __dir__, __all__ = lazy_names(__name__, HOMES)
