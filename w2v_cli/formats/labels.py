"""Labels as text: txt, json, jsonl and csv. docs/classification.md describes what they write."""

from __future__ import annotations

import csv as csv_module
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from w2v_cli.errors import UsageError
from w2v_cli.formats.format import Format
from w2v_cli.formats.spoken import as_unicode, milliseconds, one_line
from w2v_cli.formats.whisper_json import SCHEMA_VERSION, json_object_line
from w2v_cli.results import Classification, Label, Stretch

LABEL_FORMAT_NAMES = ("txt", "json", "jsonl", "csv")
CSV_COLUMNS = ("source", "channel", "start", "end", "rank", "label", "score")

_SCORE_DIGITS = 6


@dataclass(frozen=True)
class LabelOptions:
    """Which labels are written.

    Attributes:
        top_k: How many of each stretch; None for all.
        threshold: None with a lower score; None for no such bound.

    Raises:
        ValueError: `top_k` is less than 1, or the threshold is no number.
    """

    top_k: int | None = 5
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}; it must be 1 or more")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ValueError(f"threshold is {self.threshold}; it must be a number")

    def of(self, result: Classification) -> Iterator[tuple[Stretch, tuple[Label, ...]]]:
        """Yield the stretches of a recording, each with its labels that are to be written."""
        for index, stretch in enumerate(result.stretches):
            yield stretch, result.best(index, self.top_k, self.threshold)


def check_threshold(threshold: float | None, function: str) -> None:
    """Refuse a threshold where no score is.

    Args:
        threshold: The lowest score that is written; None for no such bound.
        function: What makes scores: softmax, sigmoid or none.

    Raises:
        UsageError: It is no probability, and scores are.
    """
    if threshold is None or function == "none" or 0 <= threshold <= 1:
        return
    raise UsageError(
        f"--threshold {threshold:g}: scores by {function} are from 0 to 1; choose one of these, or "
        f"--function none"
    )


def label_formats(options: LabelOptions | None = None) -> Mapping[str, Format[Classification]]:
    """Return the formats that labels are written in as text, by their names.

    Args:
        options: Which labels are written; None for the defaults.
    """
    chosen = options or LabelOptions()
    return {
        "txt": Format(".txt", lambda result: labels_text(result, chosen), "headings"),
        "json": Format(".json", lambda result: labels_json(result, chosen), "array"),
        "jsonl": Format(".jsonl", lambda result: labels_line(result, chosen), "lines"),
        "csv": Format(".csv", lambda result: labels_csv(result, chosen), "header"),
    }


def labels_text(result: Classification, options: LabelOptions) -> str:
    """Return a line a label, best first: its score and its name; of windows their times before.

    Where channels were classified apart, each line starts with its channel.
    """
    lines = []
    for stretch, labels in options.of(result):
        lines += [stretch_line(stretch, label, windowed=result.windowed) for label in labels]
    return "".join(lines)


def stretch_line(stretch: Stretch, label: Label, *, windowed: bool) -> str:
    """Return the line of a label.

    >>> stretch_line(Stretch(0.0, 1.5), Label("go", 0.98765), windowed=True)
    '0.000-1.500  0.9877  go\\n'
    """
    channel = f"[channel {stretch.channel}] " if stretch.channel is not None else ""
    times = f"{stretch.start_seconds:.3f}-{stretch.end_seconds:.3f}  " if windowed else ""
    return f"{channel}{times}{label.score:.4f}  {one_line(label.text)}\n"


def labels_json(result: Classification, options: LabelOptions) -> str:
    """Return the labels as a JSON object on several lines."""
    fields = _fields(result, options)
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def labels_line(result: Classification, options: LabelOptions) -> str:
    """Return the same object in one line."""
    return json_object_line(_fields(result, options))


def window_line(stretch: Stretch, labels: tuple[Label, ...], *, source: str) -> str:
    """Return the line of a window of a stream that has not ended."""
    head = {"schema_version": SCHEMA_VERSION, "source": as_unicode(source)}
    return json_object_line({**head, **_stretch(stretch, labels)})


def labels_csv(result: Classification, options: LabelOptions) -> str:
    """Return a row for every label, best first, under a row with the columns' names."""
    text = io.StringIO()
    rows = csv_module.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    source = as_unicode(result.source)
    for stretch, labels in options.of(result):
        times = [f"{stretch.start_seconds:.3f}", f"{stretch.end_seconds:.3f}"]
        for rank, label in enumerate(labels, start=1):
            score = f"{label.score:.{_SCORE_DIGITS}f}"
            rows.writerow([source, stretch.channel, *times, rank, one_line(label.text), score])
    return text.getvalue()


def _fields(result: Classification, options: LabelOptions) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "source": as_unicode(result.source),
        "model": as_unicode(result.model),
        "duration": milliseconds(result.duration_seconds) / 1000,
        "function": result.function,
    }
    found = list(options.of(result))
    if result.windowed:
        fields["windows"] = [_stretch(stretch, labels) for stretch, labels in found]
    elif len(found) == 1 and found[0][0].channel is None:
        fields["labels"] = [_label(label) for label in found[0][1]]
    else:
        fields["channels"] = [_stretch(stretch, labels) for stretch, labels in found]
    return fields


def _stretch(stretch: Stretch, labels: tuple[Label, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "start": milliseconds(stretch.start_seconds) / 1000,
        "end": milliseconds(stretch.end_seconds) / 1000,
    }
    if stretch.channel is not None:
        fields["channel"] = stretch.channel
    fields["labels"] = [_label(label) for label in labels]
    return fields


def _label(label: Label) -> dict[str, Any]:
    return {"label": label.text, "score": round(label.score, _SCORE_DIGITS)}
