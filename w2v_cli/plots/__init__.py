"""Results as pictures, in one palette: a small file for each kind of picture.

Reading order: `paths` (what a picture may be called), `canvas` (figures, colours, time axes,
waveforms), then the pictures. matplotlib is imported when something is drawn, never before.
"""
