"""From recordings with their texts or labels to a network that has learnt them.

manifests     what is learnt from, and a look at it before a run begins
texts         how texts are written, and the vocabulary they make
sampler       which recordings make up each batch, the same in each repetition
augmentation  other voices, rooms, noises and lines
examples      batches of waveforms and targets
objective     what a network is trained for: ctc, keywords
options       what a fine-tuner decides
schedules     learning rates
parameters    which weights are trained, and a running mean of them
start         the network that a run begins with
loop          the run: steps, looks at the dev examples, checkpoints
state         all that a run needs to go on
checkpoints   folders that are there whole or not at all
"""
