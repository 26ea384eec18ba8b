"""From recordings with their texts or labels to a network that has learnt them.

manifests     what is learnt from, and a look at it before a run begins
texts         how texts are written, and the vocabulary they make
sampler       which recordings make up each batch, the same in each repetition
augmentation  other voices, rooms, noises and lines
examples      batches of waveforms and targets
schedules     learning rates
"""
