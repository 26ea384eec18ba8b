"""How a network is run: on which device, in which precision, and what comes out as numpy.

Reading order: `runtime` (the machine's side), `network` (what any
head shares), `emitter` (waveforms to emissions).
"""
