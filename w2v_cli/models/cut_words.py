"""Words of read sentences, cut out where an alignment finds them, for `mini` to learn from.

    python -m w2v_cli.models.cut_words run --model run/s3

adds to the lists of `python -m w2v_cli.models.manifests` run/texts-cut.jsonl, which has words that
readers say in their sentences beside those of run/texts.jsonl, run/texts-cut-even.jsonl, in which
digits of few voices count in full, and run/mixed-cut.jsonl, which has the sentences, too. The
model aligns the sentences with their texts, so it should have learnt from sentences.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from w2v_cli.audio import read_waveforms
from w2v_cli.models.manifests import Row, seldom, weighed, write
from w2v_cli.models.mini.evaluate import DIGITS
from w2v_cli.results import Word
from w2v_cli.tasks.align import Aligner

# A clear word and what lies around it: half of the pause to the next word, within bounds, since
# the times are of the middles of letters.
_SURE = 0.3
_SHORTEST_SECONDS = 0.24
_BEFORE_SECONDS = (0.05, 0.12)
_AFTER_SECONDS = (0.08, 0.15)


def main(folder: Path, model: str) -> None:
    """Write the two lists beside the others."""
    texts, mixed = (rows_of(folder / name) for name in ("texts.jsonl", "mixed.jsonl"))
    known = {row["audio_filepath"] for row in texts}
    sentences = [row for row in mixed if row["audio_filepath"] not in known]
    commands = [row for row in texts if "/commands/" in row["audio_filepath"]]
    others = [row for row in texts if "/commands/" not in row["audio_filepath"]]
    digits, rare = set(DIGITS), seldom(commands) - set(DIGITS)
    vocabulary = {row["text"] for row in texts} - {""}
    cut = list(weighed(cut_words(folder, sentences, vocabulary, model), digits, 3))

    def words(of_rare: float, of_many: float, of_few: float) -> Iterator[Row]:
        yield from weighed(weighed(commands, rare, of_rare), digits, of_many)
        yield from weighed(others, digits, of_few)

    halved = ({**row, "weight": 0.5} for row in sentences)
    write(folder / "mixed-cut.jsonl", [*words(6, 5, 0.5), *cut, *halved])
    write(folder / "texts-cut.jsonl", [*words(2, 4, 0.3), *cut])
    write(folder / "texts-cut-even.jsonl", [*words(2, 4, 1), *cut])


def cut_words(
    folder: Path, sentences: Sequence[Row], vocabulary: set[str], model: str
) -> Iterator[Row]:
    """Yield a row for each word of the sentences that is in the vocabulary and clearly said."""
    aligner = Aligner.load(model)
    for row in sentences:
        if not vocabulary & set(row["text"].split()):
            continue
        heard = read_waveforms(str(folder / row["audio_filepath"]))
        (segment,) = aligner.align(heard, row["text"]).segments
        for start, end, word in _stretches(segment.words, heard.duration_seconds):
            clear = word.probability >= _SURE and end - start >= _SHORTEST_SECONDS
            if word.text in vocabulary and clear:
                duration = round(end - start, 3)
                yield {**row, "text": word.text, "offset": round(start, 3), "duration": duration}


def _stretches(words: Sequence[Word], seconds: float) -> Iterator[tuple[float, float, Word]]:
    """Yield where each word begins and ends, with what belongs to it of the pauses around."""
    ends = [0.0, *(word.end_seconds for word in words)]
    starts = [*(word.start_seconds for word in words), seconds]
    pauses = [start - end for end, start in zip(ends, starts, strict=True)]
    for word, (before, after) in zip(words, pairwise(pauses), strict=True):
        start = word.start_seconds - _within(before / 2, *_BEFORE_SECONDS)
        end = word.end_seconds + _within(after / 2, *_AFTER_SECONDS)
        yield max(start, 0.0), min(end, seconds), word


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a list."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the lists")
    parser.add_argument("--model", required=True, help="checkpoint that aligns the sentences")
    options = parser.parse_args()
    main(options.folder, options.model)
