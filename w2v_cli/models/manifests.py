"""The manifests that the embedded models were trained with.

    python -m w2v_cli.models.manifests ../shared/data run

writes run/keywords.jsonl for mini-keywords, run/turns.jsonl for mini-speakers and mini-turns,
run/texts.jsonl for mini, run/mixed.jsonl, which has read sentences besides, and what is made and
has no words, into run/noise and run/tunes. In run/mixed-rare.jsonl rare words weigh more, in
run/mixed-weighed.jsonl and run/texts-weighed.jsonl so do digits that many people say, and in
run/texts-voices.jsonl those alone.

The first folder has a folder for each of commands, digits and librispeech, with a manifest.jsonl
and the recordings in it.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.mini.noises import tones
from w2v_cli.training.augmentation import coloured_noise

Row = dict[str, Any]

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

_STRETCH_SECONDS = 1.0
_BETWEEN_STRETCHES_SECONDS = 4
_STRETCHES = 2  # of a sentence at most
_SELDOM = 50
_NOISES = 80
_TUNES = 80
_TUNE_SECONDS = 2


def main(data: Path, output: Path) -> None:
    """Write the manifests."""
    output.mkdir(parents=True, exist_ok=True)
    commands, digits, sentences = (
        list(read(data / name, output)) for name in ("commands", "digits", "librispeech")
    )
    made = [*noises(output / "noise"), *tunes(output / "tunes")]
    write(output / "keywords.jsonl", [*keywords(commands, digits, sentences), *made])
    texts = [*commands, *digits, *made]
    write(output / "texts.jsonl", texts)
    read_out = [row for row in sentences if row["split"] == "train"]
    write(output / "mixed.jsonl", [*texts, *read_out])
    rare = seldom(commands)
    digit_names = {row["text"] for row in digits}
    only_here = weighed(commands, rare - digit_names, 8)
    write(output / "mixed-rare.jsonl", [*only_here, *digits, *made, *read_out])
    many_voices = weighed(weighed(commands, rare - digit_names, 8), digit_names, 5)
    half = weighed(digits, digit_names, 0.5)
    write(output / "mixed-weighed.jsonl", [*many_voices, *half, *made, *read_out])
    third = list(weighed(digits, digit_names, 0.3))
    write(output / "texts-weighed.jsonl", [*weighed(commands, rare, 3), *third, *made])
    write(output / "texts-voices.jsonl", [*weighed(commands, digit_names, 5), *third, *made])
    write(output / "turns.jsonl", sentences)


def seldom(rows: Iterable[Row]) -> set[str]:
    """Return the words of which train has few recordings."""
    count = Counter(row["text"] for row in rows if row["split"] == "train")
    return {word for word in count if word and count[word] < _SELDOM}


def weighed(rows: Iterable[Row], words: set[str], weight: float) -> Iterator[Row]:
    """Yield the rows, those of train with one of the words to be heard so often."""
    for row in rows:
        is_weighed = row["split"] == "train" and row["text"] in words
        yield {**row, "weight": weight} if is_weighed else row


def keywords(commands: list[Row], digits: list[Row], sentences: list[Row]) -> Iterator[Row]:
    """Yield words, and seconds of sentences without any of the ten, which are unknown words."""
    yield from commands
    yield from (row for row in digits if row["split"] == "train")
    for row in sentences:
        if row["split"] != "train" or set(row["text"].split()) & set(KEYWORDS):
            continue
        offsets = range(1, int(row["duration"]) - 1, _BETWEEN_STRETCHES_SECONDS)
        for offset in offsets[:_STRETCHES]:
            yield {**row, "offset": offset, "duration": _STRETCH_SECONDS, "label": "_unknown_"}


def noises(folder: Path) -> Iterator[Row]:
    """Write a second each of noise from white to darker than brown, of tones and of nothing.

    What is recorded as noise in commands is neither as steady nor as silent as these.
    """
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(8)
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for number in range(_NOISES):
        if number % 4 == 0:
            hertz = np.exp(random.uniform(np.log(50), np.log(6000), size=random.integers(1, 4)))
            made = np.sin(2 * np.pi * hertz[:, None] * seconds).sum(axis=0)
        elif number % 4 == 1:
            made = np.zeros(SAMPLE_RATE)
        else:
            made = coloured_noise(SAMPLE_RATE, random.uniform(0, 3), random)
        loudness = 10 ** random.uniform(-4, -1)
        yield without_words(folder / f"{number}.wav", made, loudness)


def tunes(folder: Path) -> Iterator[Row]:
    """Write two seconds each of chords, which are no words either."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(9)
    for number in range(_TUNES):
        made = tones(_TUNE_SECONDS * SAMPLE_RATE, random)
        yield without_words(folder / f"{number}.wav", made, 10 ** random.uniform(-2, 0))


def without_words(path: Path, made: npt.NDArray[np.floating[Any]], loudness: float) -> Row:
    """Write a recording whose highest peak is so loud, and return its row."""
    soundfile.write(path, made * loudness / max(np.abs(made).max(), 1e-9), SAMPLE_RATE)
    return {
        "audio_filepath": f"{path.parent.name}/{path.name}",
        "text": "",
        "split": "train",
        "duration": len(made) / SAMPLE_RATE,
    }


def read(folder: Path, output: Path) -> Iterator[Row]:
    """Yield a manifest's rows, with paths that hold in another folder."""
    with open(folder / "manifest.jsonl", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            path = os.path.relpath(folder / row["audio_filepath"], output)
            yield {**row, "audio_filepath": path}


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows, one a line."""
    with open(path, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
