"""From recordings with their texts or labels to a network that has learnt them.

manifests     what is learnt from, and a look at it before a run begins
texts         how texts are written, and the vocabulary they make
sampler       which recordings make up each batch, the same in each repetition
augmentation  other voices, rooms, noises and lines; tempo: faster or slower speech
examples      batches of waveforms and targets
turns         who speaks when
conversations made of single speakers
figures       measures, and how sure they are
objective     what a network is trained for, which is one of the next
ctc           texts; flat_start, risk: how it begins, and what it may end with; long_texts
keywords      labels; teacher: another network's say in them
speakers      vectors of voices
frames        who speaks when; turn_errors: measured as the field does
pretraining   speech alone
adapters      a language's small layers
options       what a fine-tuner decides
schedules     learning rates
parameters    which weights are trained, and a running mean of them
bands         networks that hear spectrograms; filter_bank: how their first layer begins
start         the network that a run begins with; start_texts: and its vocabulary
loop          the run: steps, looks at the dev examples, checkpoints
processes     one, or in many_processes several that share each batch
state         all that a run needs to go on
checkpoints   folders that are there whole or not at all
watcher       who is told what a run does; events and picture: for TensorBoard, and drawn
run           its folder, and a look at its data; report: what is written about it
evaluation    a trained model, measured; evaluation_picture: and drawn
"""
