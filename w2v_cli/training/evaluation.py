"""A trained model measured on the rows of manifests, with how sure the figures are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.lexicons import own_lexicon
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import RULES_FILE, pin, resolve_file
from w2v_cli.counts import counted
from w2v_cli.errors import CheckpointError, UsageError
from w2v_cli.inference.loading import Loading
from w2v_cli.inference.runtime import Runtime
from w2v_cli.processing.processor import Wav2Vec2Processor
from w2v_cli.scoring import normalize
from w2v_cli.scoring.diarization import ScoringRules
from w2v_cli.scoring.turn_files import Regions
from w2v_cli.scoring.verification import (
    Pairs,
    detection_cost,
    detection_errors,
    equal_error_interval,
)
from w2v_cli.tasks.diarize import load_diarizer
from w2v_cli.training.ctc import CTCObjective
from w2v_cli.training.examples import Recordings
from w2v_cli.training.figures import Tally, intervals
from w2v_cli.training.keywords import KeywordsObjective, LabelRules
from w2v_cli.training.long_texts import is_long, transcribe_long
from w2v_cli.training.manifests import Example, measured_split, read_examples, survey
from w2v_cli.training.objective import Result
from w2v_cli.training.speakers import SpeakersObjective, pairs_of
from w2v_cli.training.start import Start, names_of
from w2v_cli.training.texts import TextRules, saved_rules
from w2v_cli.training.turn_errors import TurnsObjective

Measurable = CTCObjective | KeywordsObjective | SpeakersObjective | TurnsObjective

_DEFAULT_NORMALIZER = "basic"


@dataclass(frozen=True)
class Choice:
    """How is measured.

    Attributes:
        split: Which rows; None for those of dev where there are some, else for all.
        normalizer: How texts are compared; None as the model was trained, else basic.
        other_label: What labels that the model lacks count as; None leaves them out.
        empty_label: What an empty label counts as; None leaves it out.
        n_resamples: Of the bootstrap; 0 for no intervals.
        rules: What counts of who speaks when; None for all of it.
        regions: Where that counts, by recordings; None for everywhere.
        use_lexicon: Read texts with the lexicon that lies in the model, if it has one.
    """

    split: str | None = None
    normalizer: str | None = None
    other_label: str | None = None
    empty_label: str | None = None
    n_resamples: int = 1000
    rules: ScoringRules | None = None
    regions: Regions | None = None
    use_lexicon: bool = True


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        results: What the model made of each recording.
        figures: The measures by name.
        intervals: Between which bounds they lie with a confidence of 95 %.
        seconds: How much was heard.
        n_speakers: How many speakers are named.
        labels: A classifier's labels; empty for others.
        normalizer: How texts were compared; None for others.
        unreadable: Recordings that cannot be opened, with the reason.
        undecodable: Recordings that were opened, and broke off while they were heard; a warning
            said so.
        n_left_out: Recordings that have nothing to compare with: no text, no speaker, no label
            that the model knows, or no line in the UEM.
        tallies: What is counted in each result, for measures that are ratios of sums.
        pairs: Of a model of speakers, every pair of recordings; None for others.
        unused: Manifests without a row of the split that was measured.
    """

    results: tuple[Result, ...]
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    seconds: float
    n_speakers: int
    labels: tuple[str, ...]
    normalizer: str | None
    unreadable: tuple[tuple[str, str], ...]
    undecodable: tuple[tuple[str, str], ...]
    n_left_out: int
    tallies: dict[str, Tally]
    pairs: Pairs | None = None
    unused: tuple[str, ...] = ()


def load_measured(
    name: str, hub: HubOptions, choice: Choice, runtime: Runtime | None = None
) -> tuple[Any, Measurable]:
    """Return a model, or for frames what tells turns with it, and the objective that measures it.

    Args:
        name: A folder, a model id or an embedded model.
        hub: Where a model id is looked for.
        choice: How is measured.
        runtime: How the network runs; None for the defaults.

    Raises:
        ModelError: There is no such model, or it has no head that is measured here.
        UsageError: The choice is for a model of another kind, or it cannot run like this.
    """
    start = Start(name, hub=hub)
    config = start.config()
    architecture = (config.architectures or [CTCObjective.model_class.__name__])[0]
    objective: Measurable
    if architecture == CTCObjective.model_class.__name__:
        pinned = pin(name, hub)
        processor = Wav2Vec2Processor.from_pretrained(name, **pinned.arguments())
        lexicon = own_lexicon(name, pinned) if choice.use_lexicon else None
        rules = _rules(name, pinned, choice)
        objective = CTCObjective(
            processor, rules, lexicon=lexicon or (), n_outputs=config.vocab_size
        )
    elif architecture == KeywordsObjective.model_class.__name__:
        objective = KeywordsObjective(start.feature_extractor(config), names_of(config))
    elif architecture == SpeakersObjective.model_class.__name__:
        objective = SpeakersObjective(start.feature_extractor(config), ())
    elif architecture == TurnsObjective.model_class.__name__:
        diarizer = load_diarizer(name, runtime=runtime, hub=hub)
        objective = TurnsObjective(diarizer, choice.rules or ScoringRules(), choice.regions)
        _check_is_used(name, objective, choice)
        return diarizer, objective
    else:
        raise CheckpointError(
            f"{name}: a {architecture}, which is not measured here; give a model with the head "
            f"of a task"
        )
    _check_is_used(name, objective, choice)
    model = Loading.prepare(name, runtime, hub).model(type(objective).model_class, None)
    return model, objective


def _check_is_used(name: str, objective: Measurable, choice: Choice) -> None:
    """Refuse what a model of this kind has no use for.

    Raises:
        UsageError: There is such a choice.
    """
    for option, given in (
        ("--normalizer", choice.normalizer is not None),
        ("--decoder", not choice.use_lexicon),
    ):
        if given and not isinstance(objective, CTCObjective):
            raise UsageError(f"{option} is for texts, and {name} writes none; leave it out")
    for option, label in (
        ("--other-label", choice.other_label),
        ("--empty-label", choice.empty_label),
    ):
        if label is None:
            continue
        if not isinstance(objective, KeywordsObjective):
            raise UsageError(f"{option} is for classifiers, and {name} is none; leave it out")
        if label not in objective.labels:
            raise UsageError(
                f"{option} {label}: {name} has no such label; it has {', '.join(objective.labels)}"
            )
    if not isinstance(objective, TurnsObjective):
        for option, given in (
            ("--collar or --skip-overlap", choice.rules is not None),
            ("--uem", choice.regions is not None),
        ):
            if given:
                raise UsageError(
                    f"{option} is about who speaks when, which {name} does not tell; leave it out"
                )


def measure_model(
    model: Any,
    objective: Measurable,
    manifests: Sequence[str],
    choice: Choice,
    tell: Callable[[str], None] = lambda what: None,
) -> Measured:
    """Return what a model makes of the rows of manifests.

    Args:
        model: The model.
        objective: What measures it.
        manifests: Where the recordings are listed.
        choice: How is measured.
        tell: Is told what is done now.

    Raises:
        UsageError: A manifest cannot be read, or has no row to measure on.
    """
    listed = {manifest: read_examples(manifest) for manifest in manifests}
    wanted = measured_split([e for examples in listed.values() for e in examples], choice.split)
    splits = {example.split for example in wanted}
    unused = [name for name, rows in listed.items() if not splits & {row.split for row in rows}]
    useful = _with_targets(wanted, objective, choice)
    if not useful:
        raise UsageError(
            f"{', '.join(manifests)}: no recording here can be measured on; what is needed: "
            f"{_needed(objective)}"
        )
    known = survey(list(dict.fromkeys(useful)))
    tell(f"listening to {counted(len(known.examples), 'recording')}")
    recordings = Recordings()
    results, normalizer = _heard(objective, model, known.examples, recordings), None
    if isinstance(objective, CTCObjective):
        normalizer = choice.normalizer or objective.rules.normalizer
        # What the model wrote is written alike, or a model of other habits would seem wrong.
        results = tuple(_compared(result, normalizer) for result in results)
    tallies = objective.tallies(results) if results else {}
    figures = objective.measure(results) if results else {}
    pairs = None
    if isinstance(objective, SpeakersObjective):
        pairs = pairs_of(results)
        errors = detection_errors(pairs.scores, pairs.is_same)
        figures["min_dcf"] = math.nan if errors is None else detection_cost(errors)
    named = all(result.example.speaker for result in results)
    groups = [
        str(result.example.speaker) if named else str(index) for index, result in enumerate(results)
    ]
    bounds = {}
    if choice.n_resamples and len(set(groups)) > 1:
        bounds = intervals(tallies, groups, n_resamples=choice.n_resamples)
    if choice.n_resamples and pairs is not None:
        of_speakers = equal_error_interval(pairs, n_resamples=choice.n_resamples)
        bounds |= {} if of_speakers is None else {"eer": of_speakers}
    return Measured(
        results=results,
        figures=figures,
        intervals=bounds,
        seconds=sum(result.example.seconds or 0.0 for result in results),
        n_speakers=len({result.example.speaker for result in results} - {None}),
        labels=objective.labels if isinstance(objective, KeywordsObjective) else (),
        normalizer=normalizer,
        unreadable=tuple(known.unreadable),
        undecodable=tuple((part.recording, reason) for part, reason in recordings.broken.items()),
        n_left_out=len(wanted) - len(useful),
        unused=tuple(unused),
        tallies=tallies,
        pairs=pairs,
    )


def _heard(
    objective: Measurable, model: Any, examples: Sequence[Example], recordings: Recordings
) -> tuple[Result, ...]:
    """Return what a model makes of examples, in their order: of long ones as its command does."""
    if not isinstance(objective, CTCObjective):
        return objective.evaluate(model, examples, recordings).results
    results = transcribe_long(objective, model, list(filter(is_long, examples)), recordings)
    others = list(filterfalse(is_long, examples))
    if others:
        results += objective.evaluate(model, others, recordings).results
    place = {example: index for index, example in enumerate(examples)}
    return tuple(sorted(results, key=lambda result: place[result.example]))


def _needed(objective: Measurable) -> str:
    """Return what a row must have for a model to be measured on it."""
    if isinstance(objective, KeywordsObjective):
        return f"a label that it knows ({', '.join(objective.labels)}), or --other-label NAME"
    if isinstance(objective, CTCObjective):
        return "a text"
    if isinstance(objective, SpeakersObjective):
        return "a speaker"
    return "turns or a speaker" if objective.regions is None else "one that the UEM has a line for"


def _with_targets(
    examples: Sequence[Example], objective: Measurable, choice: Choice
) -> list[Example]:
    if isinstance(objective, KeywordsObjective):
        rules = LabelRules(objective.labels, choice.other_label, choice.empty_label)
        return [e for e in rules.apply(examples) if e.label in objective.labels]
    if isinstance(objective, CTCObjective):
        return [example for example in examples if example.text is not None]
    if isinstance(objective, TurnsObjective):
        return [example for example in examples if objective.counts(example)]
    return [example for example in examples if example.speaker is not None]


def _compared(result: Result, normalizer: str) -> Result:
    return replace(
        result,
        reference=normalize(result.reference, normalizer),
        heard=normalize(result.hypothesis, normalizer),
    )


def _rules(name: str, hub: HubOptions, choice: Choice) -> TextRules:
    """Return how references are written: as the model was trained, or basic, or as chosen.

    The case of a model's texts, and the characters that they lack, remain what they are.
    """
    path = resolve_file(name, RULES_FILE, hub)
    saved = saved_rules(Path(path).parent) if path is not None else None
    rules = saved or TextRules(_DEFAULT_NORMALIZER)
    return rules if choice.normalizer is None else replace(rules, normalizer=choice.normalizer)
