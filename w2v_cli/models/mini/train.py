"""Train the network that `mini` and `mini-keywords` begin with.

First comes a classifier of spectrograms, then the network that learns from it:

    python -m w2v_cli.models.mini.train teacher --data DATA --output RUN --minutes 40 --threads 1
    python -m w2v_cli.models.mini.train distil --data DATA --output RUN --minutes 76

`DATA` holds the folders commands, digits and librispeech, each with a manifest.jsonl. A stage that
was stopped goes on where its last checkpoint stands. `RUN/words` tells the words apart, and
`RUN/mini` is the same encoder with what writes their letters. `w2v finetune` does the
rest: their cards have the commands.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from w2v_cli import Wav2Vec2FeatureExtractor, Wav2Vec2PreTrainedModel
from w2v_cli.models.mini.distil import Lessons, Pupil, distillation_loss, lessons
from w2v_cli.models.mini.evaluate import (
    BLANK_ID,
    VOCABULARY,
    evaluate,
    normalise,
    save_processor,
)
from w2v_cli.models.mini.examples import Batch, Composer, in_background
from w2v_cli.models.mini.network import fresh_network, plain_copy
from w2v_cli.models.mini.recordings import Waveform, load_clips
from w2v_cli.models.mini.run import Recipe, Run, train
from w2v_cli.models.mini.teacher import (
    SpectrogramNetwork,
    batches_of_places,
    check_teacher,
    teaching_loss,
)
from w2v_cli.training.risk import expected_error_rates

SEED = 20261124
DRAWS = 8
CTC_SHARE = 0.3
"""Readings that are drawn of an item, and the weight of the CTC loss beside the risk."""

RISK_FROM = 0.5
"""The share of the stage after which joined words are learnt by their risk, too."""

WORDS_TO_MEASURE = 200

RECIPES = {
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
        peak_rate=1.5e-3,
        warmup_share=0.03,
        batch_seconds=14,  # of joined words, beside the single ones
        pool_items=160,
        power=0.5,
        long_pauses=0.05,
        average=0.998,
    ),
}


def joined_loss(network: Wav2Vec2PreTrainedModel, batch: Batch, *, risk: bool) -> torch.Tensor:
    """Return a share of the CTC loss, with the expected word error rate of sampled readings."""
    output = network(batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels)
    loss: torch.Tensor = CTC_SHARE * output.loss
    if not risk:
        return loss
    logs = nn.functional.log_softmax(output.logits.float(), dim=-1)  # (items, frames, letters)
    risks = expected_error_rates(
        logs,
        network._get_feat_extract_output_lengths(batch.attention_mask.sum(-1)),
        batch.labels,
        blank_id=BLANK_ID,
        n_samples=DRAWS,
        words=words_of,
    )
    return loss + risks.mean()


def words_of(ids: Sequence[int]) -> list[str]:
    """Return the words that letters' ids spell."""
    return "".join(VOCABULARY[index] for index in ids if index >= 0).replace("|", " ").split()


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
    """Train a network from scratch on what the teacher knows, and on texts."""
    teacher = SpectrogramNetwork().eval()
    teacher.load_state_dict(torch.load(options.output / "teacher.pt", weights_only=True)["average"])
    recipe = RECIPES["distil"]
    network = fresh_network(some_words(make_composer(recipe, options)))
    run = Run("distil", Pupil(network, teacher), recipe, options.output)
    composer, rng = materials(run, options)
    joined = run.recipe.batches(
        composer.words_to_transcribe, np.random.default_rng([options.seed, run.step])
    )

    def loss(pupil: Pupil, lesson: Lessons) -> torch.Tensor:
        progress = min(run.seconds / (options.minutes * 60), 1)
        single = distillation_loss(pupil, teacher, lesson, 1 - 0.8 * progress)
        return single + joined_loss(pupil.network, lesson.joined, risk=progress > RISK_FROM)

    def check(pupil: Pupil) -> dict[str, float]:
        network = plain_copy(pupil.network)
        network.save_pretrained(options.output / "mini")
        save_processor(options.output / "mini")
        pupil.word_classifier().save_pretrained(options.output / "words")
        Wav2Vec2FeatureExtractor.from_pretrained(options.output / "mini").save_pretrained(
            options.output / "words"
        )
        return evaluate(network, options.data, options.cache)

    train(run, in_background(lessons(composer, joined, rng)), loss, check, options)


def some_words(composer: Composer) -> Waveform:
    """Return words one after another, as they were recorded, for a look at their spectrum."""
    rng = np.random.default_rng(0)
    words = (
        composer.spoken_word(composer.sampler.draw(rng), rng, speed=1.0)
        for _ in range(WORDS_TO_MEASURE)
    )
    return np.concatenate([normalise(word) for word in words])


def make_composer(recipe: Recipe, options: argparse.Namespace) -> Composer:
    """Return what makes a stage's examples."""
    return Composer(
        options.data,
        options.cache,
        strength=recipe.strength,
        power=recipe.power,
        long_pauses=recipe.long_pauses,
    )


def materials(run: Run, options: argparse.Namespace) -> tuple[Composer, np.random.Generator]:
    """Return what makes a stage's examples, and chances; after a resumption, other ones."""
    return make_composer(run.recipe, options), np.random.default_rng(options.seed + run.step)


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stage", choices=list(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the speech corpora")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
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
    {"teacher": teach, "distil": distil}[options.stage](options)


if __name__ == "__main__":
    main()
