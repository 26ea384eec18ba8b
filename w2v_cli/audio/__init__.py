"""Recordings in, waveforms out.

sources      where the bytes come from: a file, standard input, an open file
headers      what they are, and whether all of them are there
decoders     which decoder reads them: soundfiles (libsndfile) or containers (FFmpeg)
waveforms    the range, the channels and the sample rate that were asked for
"""

from w2v_cli.audio.waveforms import SAMPLE_RATE, Waveforms, read_waveforms

__all__ = ["SAMPLE_RATE", "Waveforms", "read_waveforms"]
