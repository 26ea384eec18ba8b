"""How much of who speaks when is wrong: DER and JER, counted by pyannote.metrics (Bredin 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from w2v_cli.errors import MissingDependencyError
from w2v_cli.results import Turn

if TYPE_CHECKING:
    from w2v_cli.scoring.turn_files import Regions, Turns


@dataclass(frozen=True)
class TurnRates:
    """What is wrong in a recording, or in several.

    Attributes:
        spoken_seconds: Speech in the reference, once for each speaker.
        missed_seconds: Speech that was not found.
        false_alarm_seconds: What was found and is no speech.
        confused_seconds: Speech that was given to another speaker.
        n_speakers: Speakers in the reference.
        jaccard_errors: Of each of them the share of time that is wrong (1 for one who was not
            found), added up.
    """

    spoken_seconds: float
    missed_seconds: float
    false_alarm_seconds: float
    confused_seconds: float
    n_speakers: int
    jaccard_errors: float

    @property
    def der(self) -> float | None:
        """The diarization error rate: wrong time by time of speech; None without speech."""
        wrong = self.missed_seconds + self.false_alarm_seconds + self.confused_seconds
        return wrong / self.spoken_seconds if self.spoken_seconds > 0 else None

    @property
    def jer(self) -> float | None:
        """The Jaccard error rate: the mean over speakers; None without one."""
        return self.jaccard_errors / self.n_speakers if self.n_speakers else None

    def __add__(self, other: TurnRates) -> TurnRates:
        return TurnRates(
            self.spoken_seconds + other.spoken_seconds,
            self.missed_seconds + other.missed_seconds,
            self.false_alarm_seconds + other.false_alarm_seconds,
            self.confused_seconds + other.confused_seconds,
            self.n_speakers + other.n_speakers,
            self.jaccard_errors + other.jaccard_errors,
        )


NOTHING = TurnRates(0.0, 0.0, 0.0, 0.0, 0, 0.0)


@dataclass(frozen=True)
class DiarizationScore:
    """What is wrong in each recording, and in all.

    Attributes:
        recordings: By their names, in the reference's order.
        total: Of all, so that long recordings count more, as NIST has it.
        not_heard: Recordings of the reference without a turn that was found: all is missed.
        not_counted: Recordings that were found and that the reference, or the UEM, lacks.
    """

    recordings: dict[str, TurnRates]
    total: TurnRates
    not_heard: tuple[str, ...]
    not_counted: tuple[str, ...]


@dataclass(frozen=True)
class ScoringRules:
    """What counts.

    Attributes:
        collar_seconds: So much before and after each beginning and end of a turn in the
            reference does not count, as md-eval has it (pyannote's collar is both together).
        skip_overlap: Nor does time in which the reference has several speakers.
    """

    collar_seconds: float = 0.0
    skip_overlap: bool = False


def score_turns(
    reference: Turns, hypothesis: Turns, rules: ScoringRules, regions: Regions | None = None
) -> DiarizationScore:
    """Return what is wrong in each recording, and in all.

    Args:
        reference: Who speaks when, by recordings.
        hypothesis: Who was found to speak.
        rules: What counts.
        regions: Where that counts. Recordings that it lacks don't count at all; one that it has
            and that the reference lacks is one in which nobody speaks. None for each recording
            from the first turn in either to the last.

    Raises:
        MissingDependencyError: pyannote.metrics is not installed.
    """
    names = list(reference if regions is None else regions)
    rates = {
        name: rate_turns(
            reference.get(name, ()),
            hypothesis.get(name, ()),
            rules,
            None if regions is None else regions[name],
        )
        for name in names
    }
    known = set(names)
    return DiarizationScore(
        recordings=rates,
        total=sum(rates.values(), NOTHING),
        not_heard=tuple(n for n in names if n in reference and n not in hypothesis),
        not_counted=tuple(dict.fromkeys(n for n in [*reference, *hypothesis] if n not in known)),
    )


def rate_turns(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    rules: ScoringRules,
    regions: Iterable[tuple[float, float]] | None = None,
) -> TurnRates:
    """Return what is wrong in one recording, its speakers matched as well as can be.

    Args are those of `score_turns`. Turns of one speaker that overlap count once.

    Raises:
        MissingDependencyError: pyannote.metrics is not installed.
    """
    pyannote = _pyannote()
    turns = [*reference, *hypothesis]
    if regions is None:
        start = min((turn.start_seconds for turn in turns), default=0.0)
        regions = [(start, max((turn.end_seconds for turn in turns), default=start))]
    settings = {"collar": 2 * rules.collar_seconds, "skip_overlap": rules.skip_overlap}
    uem = pyannote.Timeline([pyannote.Segment(*region) for region in regions])
    compared = _annotation(pyannote, reference), _annotation(pyannote, hypothesis)
    errors: Mapping[str, float] = pyannote.DiarizationErrorRate(**settings)(
        *compared, uem=uem, detailed=True
    )
    jaccard: Mapping[str, float] = pyannote.JaccardErrorRate(**settings).compute_components(
        *compared, uem=uem
    )
    return TurnRates(
        spoken_seconds=float(errors["total"]),
        missed_seconds=float(errors["missed detection"]),
        false_alarm_seconds=float(errors["false alarm"]),
        confused_seconds=float(errors["confusion"]),
        n_speakers=int(jaccard["speaker count"]),
        jaccard_errors=float(jaccard["speaker error"]),
    )


def _annotation(pyannote: Any, turns: Sequence[Turn]) -> Any:
    annotation = pyannote.Annotation()
    for index, turn in enumerate(turns):
        annotation[pyannote.Segment(turn.start_seconds, turn.end_seconds), index] = turn.speaker
    return annotation.support()


def _pyannote() -> Any:
    """Return the names that are used here of pyannote.core and pyannote.metrics.

    Raises:
        MissingDependencyError: They are not installed.
    """
    from types import SimpleNamespace

    try:
        from pyannote.core import Annotation, Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate
    except ImportError as error:
        raise MissingDependencyError(
            "pyannote.metrics", extra="diarization", purpose="Scoring who speaks when"
        ) from error
    return SimpleNamespace(
        Annotation=Annotation,
        Segment=Segment,
        Timeline=Timeline,
        DiarizationErrorRate=DiarizationErrorRate,
        JaccardErrorRate=JaccardErrorRate,
    )
