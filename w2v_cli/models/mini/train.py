"""Train `mini`: first as a classifier of single words, then with CTC on joined words.

    python -m w2v_cli.models.mini.train classify --data DATA --output RUN --minutes 45
    python -m w2v_cli.models.mini.train ctc --data DATA --output RUN --minutes 80

or, from a network that knows words, with what a classifier of spectrograms knows of them:

    python -m w2v_cli.models.mini.train teacher --data DATA --output RUN --minutes 40
    python -m w2v_cli.models.mini.train distil --start mini --data DATA --output RUN --minutes 47

`RUN/words` is then a classifier of the words, too.

`DATA` holds the folders commands, digits and librispeech, each with a manifest.jsonl. The
stage ctc starts from the encoder of classify: CTC from scratch stays on its all-blank
plateau for hours, while a classifier learns to tell words apart from the first minutes on.
A stage that was stopped goes on where its last checkpoint stands. `RUN/mini` is the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from w2v_cli import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2PreTrainedModel,
)
from w2v_cli.models.mini.distil import Lessons, Pupil, distillation_loss, lessons
from w2v_cli.models.mini.evaluate import (
    BLANK_ID,
    VOCABULARY,
    evaluate,
    normalise,
    save_processor,
)
from w2v_cli.models.mini.examples import (
    WORDS,
    Batch,
    Composer,
    Item,
    collate,
    in_background,
)
from w2v_cli.models.mini.network import ENCODER
from w2v_cli.models.mini.recordings import cut_word, load_clips
from w2v_cli.models.mini.run import Recipe, Run, train
from w2v_cli.models.mini.teacher import (
    SpectrogramNetwork,
    batches_of_places,
    check_teacher,
    teaching_loss,
)
from w2v_cli.training.filter_bank import start_as_filter_bank
from w2v_cli.training.risk import expected_error_rates

SEED = 20261124
CONSISTENCY = 0.2
"""Weight of the divergence between two views of a batch, beside their CTC loss."""

GENTLER = {
    "hidden_dropout": 0.05,
    "feat_proj_dropout": 0.05,
    "mask_time_prob": 0.15,
    "mask_feature_prob": 0.05,
}
"""The noise inside a network that learns from its teacher, too."""

DRAWS = 8
CTC_SHARE = 0.3
"""Readings that are drawn of an item, and the weight of the CTC loss beside the risk."""


RECIPES = {
    "classify": Recipe(peak_rate=1.5e-3, warmup_share=0.03, batch_seconds=24, pool_items=240),
    "ctc": Recipe(peak_rate=1.0e-3, warmup_share=0.03, batch_seconds=20, pool_items=200, power=0.5),
    "settle": Recipe(
        peak_rate=4e-4,
        warmup_share=0.03,
        batch_seconds=20,
        pool_items=200,
        strength=0.5,
        power=0.6,
        long_pauses=0.06,
    ),
    "risk": Recipe(
        peak_rate=5e-4,
        warmup_share=0.05,
        batch_seconds=36,
        pool_items=200,
        power=0.55,
        long_pauses=0.05,
        average=0.9995,
    ),
    "teacher": Recipe(
        peak_rate=3e-3,
        warmup_share=0.03,
        batch_seconds=0,  # a fixed number of words
        pool_items=0,
        power=0.5,
        average=0.998,
        weight_decay=0.05,
    ),
    "distil": Recipe(
        peak_rate=7e-4,
        warmup_share=0.03,
        batch_seconds=18,  # of joined words, beside the single ones
        pool_items=160,
        power=0.5,
        long_pauses=0.05,
        average=0.998,
    ),
}


def classification_loss(network: Wav2Vec2PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy of the words, a little smoothed."""
    logits = network(batch.input_values, attention_mask=batch.attention_mask).logits
    return nn.functional.cross_entropy(logits, batch.labels[:, 0], label_smoothing=0.05)


def ctc_loss(network: Wav2Vec2PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the CTC loss of two views of the batch, and how far the views are apart.

    The views differ in what SpecAugment masks and dropout drops; each learns from the other's
    letters, frame by frame (consistency-regularised CTC, Yao et al. 2024). An item's share is
    divided by its letters, then averaged.
    """
    mask, labels = batch.attention_mask.repeat(2, 1), batch.labels.repeat(2, 1)
    output = network(batch.input_values.repeat(2, 1), attention_mask=mask, labels=labels)
    logs = nn.functional.log_softmax(output.logits.float(), dim=-1)
    one, other = logs.chunk(2)
    apart = divergence(one, other.detach()) + divergence(other, one.detach())
    heard = torch.arange(logs.shape[1]) < frames_heard(batch.attention_mask, logs.shape[1])[:, None]
    letters = (batch.labels >= 0).sum(-1).clamp(min=1)
    apart = (apart * heard).sum(-1) / letters
    loss: torch.Tensor = output.loss + CONSISTENCY / 2 * apart.mean()
    return loss


def risk_loss(network: Wav2Vec2PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the expected word error rate of sampled readings, and a share of the CTC loss."""
    output = network(batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels)
    logs = nn.functional.log_softmax(output.logits.float(), dim=-1)  # (items, frames, letters)
    risks = expected_error_rates(
        logs,
        frames_heard(batch.attention_mask, logs.shape[1]),
        batch.labels,
        blank_id=BLANK_ID,
        n_samples=DRAWS,
        words=words_of,
    )
    loss: torch.Tensor = risks.mean() + CTC_SHARE * output.loss
    return loss


def words_of(ids: Sequence[int]) -> list[str]:
    """Return the words that letters' ids spell."""
    return "".join(VOCABULARY[index] for index in ids if index >= 0).replace("|", " ").split()


def frames_heard(mask: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return how many of so many frames belong to each item, (items,)."""
    return (mask.sum(-1) / mask.shape[1] * n_frames).ceil().long()


def divergence(logs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of every frame from the target's."""
    return (target.exp() * (target - logs)).sum(-1)


def check_words(network: Wav2Vec2PreTrainedModel, data: Path, cache: Path) -> dict[str, float]:
    """Return the share of dev words the classifier has right, per corpus and per word."""
    right: dict[str, dict[str, list[bool]]] = {"commands": {}, "digits": {}}
    for corpus, words in right.items():
        clips = [clip for clip in load_clips(data, corpus, "dev", cache) if clip.text]
        clips.sort(key=lambda clip: clip.word_end - clip.word_start)
        for start in range(0, len(clips), 48):
            some = clips[start : start + 48]
            batch = collate([Item(normalise(cut_word(c, 0.1, 0.1)), ()) for c in some])
            with torch.inference_mode():
                logits = network(batch.input_values, attention_mask=batch.attention_mask).logits
            for clip, best in zip(some, logits.argmax(-1).tolist(), strict=True):
                words.setdefault(clip.text, []).append(best == WORDS.index(clip.text))
    figures = {
        f"{corpus}_accuracy": float(np.mean([ok for word in words.values() for ok in word]))
        for corpus, words in right.items()
    }
    commands = right["commands"].values()
    return figures | {"commands_balanced": float(np.mean([np.mean(word) for word in commands]))}


def classify(options: argparse.Namespace) -> None:
    """Run the first stage."""
    config = Wav2Vec2Config(**ENCODER, num_labels=len(WORDS) + 1, classifier_proj_size=192)
    network = Wav2Vec2ForSequenceClassification(config)
    start_as_filter_bank(network)
    run = Run("classify", network, RECIPES["classify"], options.output)
    train(
        run,
        examples(run, options, Composer.word_to_classify),
        classification_loss,
        lambda network: check_words(network, options.data, options.cache),
        options,
    )


def start_from(checkpoint: Path) -> Wav2Vec2ForCTC:
    """Return a CTC network with the averaged weights of another stage, its head new if need be."""
    network = Wav2Vec2ForCTC(Wav2Vec2Config(**ENCODER))
    start = torch.load(checkpoint, weights_only=True)["average"]
    kept = {key: start[key] for key in network.state_dict() if key in start}
    fresh = network.load_state_dict(kept, strict=False).missing_keys
    if any(not key.startswith("lm_head.") for key in fresh):
        raise ValueError(f"{checkpoint} does not fit the network: it lacks {fresh}")
    return network


def transcribe(options: argparse.Namespace) -> None:
    """Run one of the CTC stages, from the stage before or from a folder with a network."""
    if options.start is not None:
        noise = {k: v for k, v in ENCODER.items() if k.startswith("mask_") or "dropout" in k}
        network = Wav2Vec2ForCTC.from_pretrained(options.start, **noise)
    else:
        before = {"ctc": "classify", "settle": "ctc", "risk": "settle"}[options.stage]
        network = start_from(options.output / f"{before}.pt")
    run = Run(options.stage, network, RECIPES[options.stage], options.output)

    loss = risk_loss if options.stage == "risk" else ctc_loss
    source = examples(run, options, Composer.words_to_transcribe)
    train(run, source, loss, lambda network: save_and_check(network, options), options)


def save_and_check(network: Wav2Vec2ForCTC, options: argparse.Namespace) -> dict[str, float]:
    """Return what a network has right of the dev recordings, once it is written."""
    network.save_pretrained(options.output / "mini")
    save_processor(options.output / "mini")
    return evaluate(network, options.data, options.cache)


def teach(options: argparse.Namespace) -> None:
    """Train the teacher."""
    run = Run("teacher", SpectrogramNetwork(), RECIPES["teacher"], options.output)
    composer, rng = materials(run, options)
    dev = [
        c
        for name in ("commands", "digits")
        for c in load_clips(options.data, name, "dev", options.cache)
    ]
    source = in_background(batches_of_places(composer, rng))
    train(run, source, teaching_loss, lambda network: check_teacher(network, dev), options)


def distil(options: argparse.Namespace) -> None:
    """Teach a network that knows words already what the teacher knows."""
    teacher = SpectrogramNetwork().eval()
    teacher.load_state_dict(torch.load(options.output / "teacher.pt", weights_only=True)["average"])
    network = Wav2Vec2ForCTC.from_pretrained(options.start or "mini", **GENTLER)
    run = Run("distil", Pupil(network, teacher), RECIPES["distil"], options.output)
    composer, rng = materials(run, options)
    joined = run.recipe.batches(
        composer.words_to_transcribe, np.random.default_rng([options.seed, run.step])
    )

    def loss(pupil: Pupil, lesson: Lessons) -> torch.Tensor:
        hints = 1 - 0.8 * min(run.seconds / (options.minutes * 60), 1)
        single = distillation_loss(pupil, teacher, lesson, hints)
        return single + risk_loss(pupil.network, lesson.joined)

    def check(pupil: Pupil) -> dict[str, float]:
        pupil.word_classifier().save_pretrained(options.output / "words")
        figures = save_and_check(pupil.network, options)
        Wav2Vec2FeatureExtractor.from_pretrained(options.output / "mini").save_pretrained(
            options.output / "words"
        )
        return figures

    train(run, in_background(lessons(composer, joined, rng)), loss, check, options)


def materials(run: Run, options: argparse.Namespace) -> tuple[Composer, np.random.Generator]:
    """Return what makes a stage's examples, and chances; after a resumption, other ones."""
    recipe = run.recipe
    composer = Composer(
        options.data,
        options.cache,
        strength=recipe.strength,
        power=recipe.power,
        long_pauses=recipe.long_pauses,
    )
    return composer, np.random.default_rng(options.seed + run.step)


def examples(
    run: Run,
    options: argparse.Namespace,
    compose: Callable[[Composer, np.random.Generator], Item],
) -> Iterator[Batch]:
    """Yield the stage's batches."""
    composer, rng = materials(run, options)
    return in_background(run.recipe.batches(lambda rng: compose(composer, rng), rng))


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stage", choices=list(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the speech corpora")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--start", help="folder or embedded name to start a CTC stage from")
    parser.add_argument("--cache", type=Path, help="folder of decoded audio [OUTPUT/cache]")
    parser.add_argument("--minutes", type=float, default=60, help="how long the stage trains")
    parser.add_argument("--check-minutes", type=float, default=5, help="dev set this often")
    parser.add_argument("--save-minutes", type=float, default=3, help="checkpoint this often")
    parser.add_argument("--bfloat16", action="store_true", help="quicker where the CPU has it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SEED, help="another gives another run")
    options = parser.parse_args()
    options.cache = options.cache or options.output / "cache"
    return options


def main() -> None:
    """Run the stage the command line names."""
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)  # the network's SpecAugment draws from it
    stages = {"classify": classify, "teacher": teach, "distil": distil}
    stages.get(options.stage, transcribe)(options)


if __name__ == "__main__":
    main()
