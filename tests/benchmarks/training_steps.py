"""What is calculated otherwise than as published while a network learns on a CPU: time beside it.

    python tests/benchmarks/training_steps.py [--threads 2] [--rounds 7]

Forward and back, in turn in one run, the median of all rounds. bands: the convolutions of `--bands`
over bands and time beside the same over time alone, in bfloat16, of 43 recordings of a second.
attention: products of matrices beside torch's attention, in bfloat16, and with dropout in float32.
dropout: 16 bits for each number beside torch's. distractors: the contrastive loss of `w2v finetune
pretrain` beside one that copies every distractor, as published, of eight recordings of eight
seconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForPreTraining
from w2v_cli.model.dropout import dropout
from w2v_cli.model.masking import _sample_negative_indices
from w2v_cli.training.bands import start_with_bands

_BANDS = (40, 40, 20, 20, 10, 5)

Way = Callable[[], torch.Tensor]


def bands() -> Iterator[tuple[str, Way, Way]]:
    """Yield both ways of each convolution after the first."""
    model = Wav2Vec2ForPreTraining(Wav2Vec2Config.from_pretrained("mini-keywords"))
    start_with_bands(model, _BANDS, torch.randn(16_000).numpy())
    n_frames = 108
    for number, layer in enumerate(model.wav2vec2.feature_extractor.conv_layers[1:], start=2):
        conv = layer.conv
        heard = torch.randn(43, conv.in_channels, n_frames, requires_grad=True)

        def own(conv=conv, heard=heard):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return conv(heard)

        def dense(conv=conv, heard=heard):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return F.conv1d(heard, conv.weight, conv.bias, conv.stride)

        yield f"bands, convolution {number}", own, dense
        n_frames = conv(heard).shape[2]


def attention() -> Iterator[tuple[str, Way, Way]]:
    """Yield both ways for short and long recordings."""
    for shape in [(48, 4, 58, 64), (12, 12, 200, 64), (4, 12, 500, 64), (2, 12, 1000, 64)]:
        query, key, value = (
            torch.randn(shape, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
        )
        visible = torch.ones(shape[0], 1, 1, shape[2], dtype=torch.bool)

        def own(query=query, key=key, value=value, visible=visible):
            scores = ((query * 0.125) @ key.transpose(2, 3)).masked_fill(~visible, -1e30)
            return scores.softmax(-1) @ value

        def torchs(query=query, key=key, value=value, visible=visible):
            return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)

        yield f"attention, {shape[0]} recordings of {shape[2]} frames", own, torchs
    for shape in [(48, 4, 58, 64), (12, 12, 200, 64), (2, 12, 1000, 64)]:
        query, key, value = (torch.randn(shape, requires_grad=True) for _ in range(3))

        def with_dropout(query=query, key=key, value=value):
            scores = (query * 0.125) @ key.transpose(2, 3)
            return dropout(scores.softmax(-1), 0.1, training=True) @ value

        def as_torch_does(query=query, key=key, value=value):
            return F.scaled_dot_product_attention(query, key, value, dropout_p=0.1)

        name = f"attention, {shape[0]} recordings of {shape[2]} frames, dropout"
        yield name, with_dropout, as_torch_does


def dropouts() -> Iterator[tuple[str, Way, Way]]:
    """Yield both ways for the hidden states of 48 recordings of a second."""
    for dtype in (torch.float32, torch.bfloat16):
        hidden_states = torch.randn(48, 58, 256, dtype=dtype, requires_grad=True)

        def own(hidden_states=hidden_states):
            return dropout(hidden_states, 0.1, training=True)

        def torchs(hidden_states=hidden_states):
            return F.dropout(hidden_states, 0.1)

        yield f"dropout, 48 recordings of 58 frames, {dtype}", own, torchs


def distractors() -> Iterator[tuple[str, Way, Way]]:
    """Yield both ways of the contrastive loss."""
    model = Wav2Vec2ForPreTraining(Wav2Vec2Config.from_pretrained("mini-keywords"))
    shape = (8, 400)
    masked = torch.rand(shape) < 0.65
    drawn = torch.from_numpy(_sample_negative_indices(shape, 100, masked.numpy())).long()
    context, quantized = (torch.randn(*shape, 256, requires_grad=True) for _ in range(2))

    def own():
        return model._contrastive_loss(context, quantized, drawn, masked)

    def copies():
        negatives = quantized.flatten(0, 1)[drawn].permute(2, 0, 1, 3)
        logits = model.compute_contrastive_logits(quantized[None], negatives, context)
        is_target = (quantized == negatives).all(-1)
        logits = logits.masked_fill(F.pad(is_target, (0, 0, 0, 0, 1, 0)), -torch.inf)
        return -logits.log_softmax(0)[0][masked].sum()

    yield "distractors, a hundred for a frame", own, copies


def seconds(way: Way) -> float:
    """Return how long a way takes, forward and back."""
    began = time.perf_counter()
    way().float().sum().backward()
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each pair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    print("| what | ms | ms of the other | ratio |\n|---|---|---|---|")
    for what in (bands, attention, dropouts, distractors):
        for name, own, other in what():
            times = [(seconds(own), seconds(other)) for _ in range(chosen.rounds + 1)][1:]
            mine, others = (1000 * statistics.median(column) for column in zip(*times, strict=True))
            print(f"| {name} | {mine:.1f} | {others:.1f} | {others / mine:.1f} |")


if __name__ == "__main__":
    main()
