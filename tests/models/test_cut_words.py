"""Words are cut out of read sentences where they are said."""

from __future__ import annotations

import json
from pathlib import Path

from w2v_cli.models.cut_words import main, rows_of
from w2v_cli.training.manifests import read_examples

DATA = Path(__file__).parent.parent / "data"
SAID = "yes no up down on off stop go one two three"


def write(path: Path, *rows: dict[str, object]) -> None:
    rows = tuple({"speaker": "a", "split": "train", **row} for row in rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_words_of_the_vocabulary_are_cut_where_they_are_said(tmp_path: Path) -> None:
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands/0.opus").write_bytes((DATA / "stop.opus").read_bytes())
    (tmp_path / "read").mkdir()
    (tmp_path / "read/0.opus").write_bytes((DATA / "demo.opus").read_bytes())
    words = [
        {"audio_filepath": "data/../commands/0.opus", "text": word, "duration": 1.0}
        for word in ("stop", "one", "zero")
    ]
    (tmp_path / "data").mkdir()
    sentence = {"audio_filepath": "read/0.opus", "text": SAID, "duration": 7.25}
    write(tmp_path / "texts.jsonl", *words)
    write(tmp_path / "mixed.jsonl", *words, sentence)
    main(tmp_path, "mini")

    rows = rows_of(tmp_path / "texts-cut.jsonl")
    assert [row["text"] for row in rows] == ["stop", "one", "zero", "stop", "one"]
    stop, one = rows[3:]
    assert "weight" not in stop
    assert one["weight"] == 3  # a digit that one more person says
    assert 0.24 <= stop["duration"] <= 0.8
    assert stop["offset"] + stop["duration"] <= one["offset"] < 6
    assert rows_of(tmp_path / "mixed-cut.jsonl")[-1] == {
        **{"speaker": "a", "split": "train", **sentence},
        "weight": 0.5,
    }
    assert len(read_examples(tmp_path / "mixed-cut.jsonl")) == 6
