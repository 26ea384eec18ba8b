"""What whole numbers of 8 bits cost and save: words, logits, and the engines there are for them.

    python tests/benchmarks/int8_error.py words MANIFEST... [--model mini] [--split dev]
    python tests/benchmarks/int8_error.py logits [--network base large] [--recording FILE]
    python tests/benchmarks/int8_error.py products [--threads 1] [--rounds 9]
    python tests/benchmarks/int8_error.py networks [--network base] [--seconds 10] [--rounds 9]

`words` transcribes the recordings of manifests greedily in float32, with --quantize int8 and, with
--load-in-8bit, through bitsandbytes, and prints word and character error rates. `logits` compares
the logits of networks with weights at random, in the published sizes, with those of float32, of a
recording or of --seconds of a made-up sound. `products` runs every engine of PyTorch in turn on the
shapes of both sizes: time of the processor beside float32, and error.
`networks` runs transformers' network and ours, in float32 and in whole numbers, in turn on one
recording.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from speed_networks import NETWORKS
from torch.nn import functional as F

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC
from w2v_cli.audio import read_waveforms
from w2v_cli.inference.emitter import Emitter
from w2v_cli.inference.form import FloatProducts, inference_form
from w2v_cli.inference.int8 import Int8Product, Int8Weights
from w2v_cli.inference.quantization import int8_form
from w2v_cli.inference.runtime import Runtime
from w2v_cli.scoring.pairs import Pair
from w2v_cli.scoring.rates import score_pairs
from w2v_cli.training.manifests import in_split, read_examples

SHAPES = {  # frames of 10 s, inputs, outputs
    "base, feed-forward in": (499, 768, 3072),
    "base, feed-forward out": (499, 3072, 768),
    "base, query, key, value": (499, 768, 2304),
    "large, feed-forward in": (499, 1024, 4096),
    "second convolution, 2 s": (1599, 1536, 512),
}


def words(chosen: argparse.Namespace) -> None:
    """Print error rates of a model in each way."""
    ways = {"float32": Runtime(device="cpu"), "int8": Runtime(quantize="int8")}
    if chosen.load_in_8bit:
        ways["8 bits by bitsandbytes"] = Runtime(device="cpu", load_in_8bit=True)
    emitters = {way: Emitter.load(chosen.model, runtime=how) for way, how in ways.items()}
    print("| recordings | way | WER | CER | texts like float32's |")
    print("|---|---|---|---|---|")
    for manifest in chosen.manifests:
        examples = in_split(read_examples(manifest), chosen.split)
        pairs: dict[str, list[Pair]] = {way: [] for way in ways}
        for example in examples:
            waveform = read_waveforms(example.audio).channels[0]
            for way, emitter in emitters.items():
                emissions = emitter.emissions(waveform, sample_rate=16_000)
                text = text_of(emitter, emissions)
                pairs[way].append(Pair(example.audio, example.text or "", text))
        exact = [pair.hypothesis for pair in pairs["float32"]]
        for way, found in pairs.items():
            score = score_pairs([pair for pair in found if pair.reference])
            alike = statistics.mean(
                a == pair.hypothesis for a, pair in zip(exact, found, strict=True)
            )
            print(f"| {manifest}, {len(found)} | {way} | {100 * score.words.rate:.2f} % | "
                  f"{100 * score.characters.rate:.2f} % | {100 * alike:.1f} % |")  # fmt: skip


def logits(chosen: argparse.Namespace) -> None:
    """Print how far the logits of networks with weights at random are from float32's."""
    print(
        "| network | products | relative error of the logits | frames with the same best letter |"
    )
    print("|---|---|---|---|")
    sound = made_up(chosen.seconds) if chosen.recording is None else heard(chosen.recording)
    for name in chosen.network:
        torch.manual_seed(0)
        model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=32, pad_token_id=0, **NETWORKS[name]))
        model.lm_head.weight.data.normal_(0.0, 0.3)
        model.eval()
        with torch.inference_mode():
            exact = model(sound).logits
            for products, make in FORMS.items():
                rounded = make(copy.deepcopy(model))(sound).logits
                error = (rounded - exact).norm() / exact.norm()
                same = (rounded.argmax(-1) == exact.argmax(-1)).float().mean()
                print(f"| {name} | {products} | {100 * error:.2f} % | {100 * same:.1f} % |")


FORMS = {
    "bfloat16": lambda model: inference_form(model, FloatProducts(torch.bfloat16)),
    "int8": int8_form,
}


def made_up(seconds: float) -> torch.Tensor:
    """Return syllables of a tone in noise, (1, samples), normalised."""
    times = torch.arange(round(16_000 * seconds)) / 16_000
    syllables = torch.sin(2 * torch.pi * 2.3 * times).clamp(0)
    noise = torch.randn(len(times), generator=torch.Generator().manual_seed(3))
    sound = noise + 2 * torch.sin(2 * torch.pi * 130 * times) * syllables
    return ((sound - sound.mean()) / sound.std())[None]


def heard(recording: str) -> torch.Tensor:
    """Return a recording, (1, samples), normalised."""
    sound = torch.from_numpy(read_waveforms(recording).channels[0])
    return ((sound - sound.mean()) / sound.std())[None]


def products(chosen: argparse.Namespace) -> None:
    """Print what each engine makes of the products of a network."""
    warnings.simplefilter("ignore")  # torch's quantized tensors are deprecated
    torch.set_num_threads(chosen.threads)
    print("| product | engine | times as fast as float32 | relative error |")
    print("|---|---|---|---|")
    for name, (n_rows, n_inputs, n_outputs) in SHAPES.items():
        layer = torch.nn.Linear(n_inputs, n_outputs).eval().requires_grad_(False)
        rows = torch.randn(n_rows, n_inputs)
        if "out" in name or "conv" in name:
            rows = F.gelu(rows)
        with torch.inference_mode():
            ways = engines(layer, rows, least=-0.17 if "out" in name or "conv" in name else None)
            used: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(chosen.rounds + 1):
                for way, run in ways.items():
                    began = time.process_time()
                    run()
                    used[way].append(time.process_time() - began)
            exact = ways["float32"]()
            for way, run in ways.items():
                pairs = list(zip(used["float32"], used[way], strict=True))[1:]
                faster = statistics.median(a / b for a, b in pairs)
                error = (run() - exact).norm() / exact.norm()
                print(f"| {name} | {way} | {faster:.2f} | {100 * error:.2f} % |")


def networks(chosen: argparse.Namespace) -> None:
    """Print how many times as fast as transformers' network ours are, by the processor's time."""
    import transformers

    torch.set_num_threads(chosen.threads)
    sound = torch.randn(1, round(16_000 * chosen.seconds))
    print("| network | float32 | int8 | relative error of float32's logits | of int8's |")
    print("|---|---|---|---|---|")
    for name in chosen.network:
        fields = {"vocab_size": 32, "pad_token_id": 0, **NETWORKS[name]}
        theirs = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**fields)).eval()
        theirs.lm_head.weight.data.normal_(0.0, 0.3)
        with torch.inference_mode():
            ways = {"theirs": theirs}
            for way, make in (("float32", inference_form), ("int8", int8_form)):
                model = Wav2Vec2ForCTC(Wav2Vec2Config(**fields)).eval()
                model.load_state_dict(theirs.state_dict())
                ways[way] = make(model)
            used: dict[str, list[float]] = {way: [] for way in ways}
            logits = {}
            for _ in range(chosen.rounds + 1):
                for way, model in ways.items():
                    began = time.process_time()
                    logits[way] = model(sound).logits
                    used[way].append(time.process_time() - began)
        row = [name]
        for way in ("float32", "int8"):
            pairs = list(zip(used["theirs"], used[way], strict=True))[1:]
            row.append(f"{statistics.median(a / b for a, b in pairs):.2f}")
        for way in ("float32", "int8"):
            error = (logits[way] - logits["theirs"]).norm() / logits["theirs"].norm()
            row.append(f"{100 * error:.4f} %")
        print(f"| {' | '.join(row)} |", flush=True)


def engines(
    layer: torch.nn.Linear, rows: torch.Tensor, least: float | None
) -> dict[str, Callable[[], torch.Tensor]]:
    """Return a layer's product with some rows, float32 to float32, by each engine."""
    kept = Int8Weights.filled(layer, least=least)
    ours = Int8Product([kept])
    packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight, len(rows))
    ways = {
        "float32": lambda: layer(rows),
        "float32, packed for oneDNN": lambda: torch.ops.mkldnn._linear_pointwise(
            rows, packed, layer.bias, "none", [], "none"
        ),
        "int8: oneDNN, a scale a frame (ours)": lambda: ours(rows),
        "int8: torch._int_mm, a scale a frame": lambda: int_mm(kept, rows),
    }
    scales, zeros = kept.weight_scale.double(), torch.zeros(layer.out_features, dtype=torch.long)
    for engine in ("fbgemm", "onednn"):
        torch.backends.quantized.engine = engine
        quantized = torch.quantize_per_channel(layer.weight, scales, zeros, 0, torch.qint8)
        weights = torch.ops.quantized.linear_prepack(quantized, layer.bias)

        def run(engine: str = engine, weights: object = weights) -> torch.Tensor:
            torch.backends.quantized.engine = engine
            return torch.ops.quantized.linear_dynamic(rows, weights, False)

        ways[f"int8: {engine} dynamic, a scale a tensor"] = run
    return ways


def int_mm(kept: Int8Weights, rows: torch.Tensor) -> torch.Tensor:
    """Return the product by PyTorch's signed product of whole numbers."""
    scale = rows.abs().amax(1, keepdim=True) / 127
    numbers = torch.round(rows / scale).to(torch.int8)
    product = torch._int_mm(numbers, kept.weight.T)
    return torch.addcmul(kept.bias, product * kept.weight_scale, scale)


def text_of(emitter: Emitter, emissions: np.ndarray) -> str:
    """Return the text of the likeliest tokens."""
    ids = torch.from_numpy(emissions.argmax(-1))
    return emitter.processor.tokenizer.decode(ids)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["words", "logits", "products", "networks"])
    parser.add_argument("manifests", nargs="*")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--load-in-8bit", action="store_true")
    parser.add_argument("--network", nargs="+", default=["base", "large"])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--recording", help="for logits, of 16 kHz")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    runs = {"words": words, "logits": logits, "products": products, "networks": networks}
    runs[chosen.what](chosen)


if __name__ == "__main__":
    main()
