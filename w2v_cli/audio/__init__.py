"""Recordings in, waveforms out.

sources      where the bytes come from: a file, standard input, an open file
headers      what they are, and whether all of them are there
decoders     which decoder reads them: soundfiles (libsndfile) or containers (FFmpeg)
streams      the range, the channels and the sample rate that were asked for, block by block
waveforms    the same in one piece
"""

from w2v_cli.audio.streams import SAMPLE_RATE, WaveformStream, open_waveforms
from w2v_cli.audio.waveforms import Waveforms, read_waveforms

__all__ = ["SAMPLE_RATE", "WaveformStream", "Waveforms", "open_waveforms", "read_waveforms"]
