"""Frame probabilities to turns, with numpy alone.

Reading order: `rules` (how turns are made), `turns` (probabilities of one recording to turns),
then what a long recording needs: `pieces` (what was heard of each chunk), `linking` (which
speaker of a chunk is which of its neighbour's), `assignment`, `clustering` (voices),
`splitting` (one output that is two voices), and `stitching` (chunks to one array).
"""
