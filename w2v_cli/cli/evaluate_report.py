"""What `w2v evaluate` prints: a table for people, or JSON with all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from w2v_cli.cli.score_report import rounded
from w2v_cli.cli.score_turns import rate_fields
from w2v_cli.cli.summary import hours
from w2v_cli.counts import counted

if TYPE_CHECKING:
    from w2v_cli.training.evaluation import Measured
    from w2v_cli.training.objective import Result

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

_SECONDS_DIGITS = 3
_NAME_COLUMNS = 20
_MOST_POINTS = 200  # of a DET curve


def measured_table(measured: Measured) -> str:
    """Return the figures for people; of a classifier also which label was taken for which."""
    from w2v_cli.training.figures import show_figure

    voices = f", {counted(measured.n_speakers, 'speaker')}" if measured.n_speakers else ""
    heard = counted(len(measured.results), "recording")
    alike = f", normalizer {measured.normalizer}" if measured.normalizer else ""
    lines = [f"{heard}, {hours(measured.seconds)}{voices}{alike}", ""]
    threshold = equal_threshold(measured)
    width = max(map(len, (*measured.figures, "" if threshold is None else "threshold")))
    for name, figure in measured.figures.items():
        line = f"{name:{width}}  {show_figure(name, figure):>9}"
        if name in measured.intervals:
            low, high = (show_figure(name, bound) for bound in measured.intervals[name])
            line += f"  ({low} to {high})"
        if name == "eer" and threshold is None:
            line += "  (it takes two recordings of one speaker, and two speakers)"
        lines.append(line)
    if threshold is not None:
        lines.append(f"{'threshold':{width}}  {threshold:9.3f}  (the cosine that has the eer)")
    if measured.labels:
        lines += ["", *_confusions(measured)]
    return "\n".join(lines) + "\n"


def left_out(measured: Measured) -> str:
    """Return how many recordings were not measured on for want of something to compare with."""
    count = counted(measured.n_left_out, "recording")
    done = f"left out, since there is nothing to compare with: {count}"
    if not measured.labels:
        return done
    return (
        f"{done} without a label that the model knows; --other-label NAME has other labels count "
        f"as it, and --empty-label NAME empty ones"
    )


def equal_threshold(measured: Measured) -> float | None:
    """Return the threshold that has the equal error rate; None where there is none."""
    from w2v_cli.scoring.verification import detection_errors, equal_error

    if measured.pairs is None:
        return None
    errors = detection_errors(measured.pairs.scores, measured.pairs.is_same)
    return None if errors is None else equal_error(errors)[1]


def _confusions(measured: Measured) -> list[str]:
    """Return the confusion matrix: a row for each label that is right, a column for each heard."""
    from w2v_cli.training.evaluation_picture import confusion_counts

    counts = confusion_counts(measured)
    cell = max(5, max(len(str(count)) for row in counts for count in row) + 1)
    names = [label[:_NAME_COLUMNS] for label in measured.labels]
    width = max(map(len, names))
    columns = "".join(f"{index + 1:>{cell}}" for index in range(len(names)))
    lines = [f"{'is, and heard as':{width + 4}}{columns}"]
    for index, (row, name) in enumerate(zip(counts, names, strict=True)):
        cells = "".join(f"{count or '.':>{cell}}" for count in row)
        lines.append(f"{index + 1:>3} {name:{max(width, 12)}}{cells}")
    return lines


def measured_json(measured: Measured, *, collar: float | None, skip_overlap: bool) -> str:
    """Return the figures as a JSON object on several lines.

    Args:
        measured: What was measured.
        collar: Around beginnings and ends of turns, in seconds, if it was given.
        skip_overlap: Whether time with several speakers did not count.
    """
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "recordings": len(measured.results),
        "seconds": round(measured.seconds, _SECONDS_DIGITS),
        "speakers": measured.n_speakers,
        "left_out": measured.n_left_out,
        "normalizer": measured.normalizer,
        "labels": list(measured.labels) or None,
        "figures": {
            name: {
                "value": rounded(figure),
                "interval": [rounded(bound) for bound in measured.intervals.get(name, ())] or None,
            }
            for name, figure in measured.figures.items()
        },
        **_of_kind(measured, collar, skip_overlap),
        "results": [_result(result) for result in measured.results],
        "unreadable": [
            {"audio_filepath": name, "error": why}
            for name, why in (*measured.unreadable, *measured.undecodable)
        ],
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _of_kind(measured: Measured, collar: float | None, skip_overlap: bool) -> dict[str, Any]:
    """Return what there is of models of one kind only."""
    from w2v_cli.training.evaluation_picture import confusion_counts

    if measured.labels:
        return {"confusions": confusion_counts(measured)}
    if measured.pairs is not None:
        n_same = int(measured.pairs.is_same.sum())
        return {
            "pairs": {"same": n_same, "different": len(measured.pairs.scores) - n_same},
            "threshold": rounded(equal_threshold(measured)),
            "det": _curve(measured),
        }
    if "der" in measured.figures:
        return {"collar": collar or 0.0, "skip_overlap": skip_overlap}
    return {}


def _curve(measured: Measured) -> dict[str, list[float | None]] | None:
    """Return some points of the DET curve, with the first and the last."""
    import numpy as np

    from w2v_cli.scoring.verification import detection_errors

    assert measured.pairs is not None
    errors = detection_errors(measured.pairs.scores, measured.pairs.is_same)
    if errors is None:
        return None
    n_points = len(errors.thresholds)
    shown = np.unique(np.linspace(0, n_points - 1, min(n_points, _MOST_POINTS)).round().astype(int))
    return {
        "threshold": [rounded(float(x)) for x in errors.thresholds[shown]],
        "refused": [rounded(float(x)) for x in errors.refused[shown]],
        "accepted": [rounded(float(x)) for x in errors.accepted[shown]],
    }


def _result(result: Result) -> dict[str, Any]:
    from w2v_cli.training.turn_errors import TurnErrors

    example = result.example
    end, start = example.end_seconds, example.start_seconds
    part = {
        "offset": start if start or end is not None else None,
        "duration": None if end is None else round(end - start, _SECONDS_DIGITS),
        "channel": example.channel,
        "speaker": example.speaker,
    }
    fields: dict[str, Any] = {
        "audio_filepath": example.audio,
        **{name: value for name, value in part.items() if value is not None},
        "reference": result.reference,
        "hypothesis": result.hypothesis if isinstance(result.heard, str) else None,
    }
    if isinstance(result.heard, TurnErrors):
        fields |= rate_fields(result.heard.rates)
    return fields
