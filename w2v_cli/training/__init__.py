"""From recordings with their texts or labels to a network that has learnt them.

manifests     what is learnt from, and a look at it before a run begins
texts         how texts are written, and the vocabulary they make
sampler       which recordings make up each batch, the same in each repetition
augmentation  other voices, rooms, noises and lines
examples      batches of waveforms and targets
turns         who speaks when
conversations made of single speakers
objective     what a network is trained for: ctc, keywords, frames, speakers, pretraining
figures       measures, and how sure they are
options       what a fine-tuner decides
schedules     learning rates
parameters    which weights are trained, and a running mean of them
start         the network that a run begins with
loop          the run: steps, looks at the dev examples, checkpoints
state         all that a run needs to go on
run           its folder, and a look at its data; report: what is written about it
evaluation    a trained model, measured
checkpoints   folders that are there whole or not at all
"""
