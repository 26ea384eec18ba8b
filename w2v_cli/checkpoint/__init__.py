"""Checkpoints on disk and on the Hub: a folder becomes a model and its processor, and back.

Reading order: `options` and `resolve` (where a file comes from), `hub` (the network),
`configs`, `weights` and `renames` (what is in the files), `loading`, `saving`, `adapters`.
Nothing is imported here, so that looking up a file never loads torch.
"""
