"""The lists of what the embedded models were trained with can be made again, in any folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.models.manifests import main
from w2v_cli.training.manifests import read_examples

NAMES = (
    "texts",
    "mixed",
    "mixed-rare",
    "mixed-weighed",
    "texts-weighed",
    "texts-voices",
    "keywords",
    "turns",
)
ROWS = {
    "commands": [
        *({"text": "yes", "speaker": "a", "split": "train", "duration": 1.0},) * 50,
        {"text": "six", "speaker": "a", "split": "train", "duration": 1.0},
        {"text": "wow", "speaker": "a", "split": "train", "duration": 1.0},
        {"text": "", "speaker": None, "split": "dev", "duration": 1.0},
    ],
    "digits": [
        {"text": "six", "speaker": "b", "split": "train", "duration": 1.0},
        {"text": "two", "speaker": "b", "split": "dev", "duration": 1.0},
    ],
    "librispeech": [
        {"text": "he went there", "speaker": "c", "split": "train", "duration": 9.0},
        {"text": "he did go there", "speaker": "c", "split": "train", "duration": 9.0},
    ],
}


@pytest.fixture(name="run")
def run_folder(tmp_path: Path) -> Path:
    """Return the folder that the manifests of three tiny corpora were written to."""
    for corpus, rows in ROWS.items():
        (tmp_path / "data" / corpus).mkdir(parents=True)
        lines = []
        for number, row in enumerate(rows):
            name = f"{number}.flac"
            samples = np.zeros(round(row["duration"] * SAMPLE_RATE))
            soundfile.write(tmp_path / "data" / corpus / name, samples, SAMPLE_RATE)
            lines.append(json.dumps({**row, "audio_filepath": name}) + "\n")
        (tmp_path / "data" / corpus / "manifest.jsonl").write_text("".join(lines))
    main(tmp_path / "data", tmp_path / "run")
    return tmp_path / "run"


def rows_of(path: Path) -> list[dict[str, object]]:
    """Return the rows of a manifest."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_names_a_recording_of_its_length(run: Path, name: str) -> None:
    """Paths hold from the manifest's own folder, and durations are those of the files."""
    for row in rows_of(run / f"{name}.jsonl"):
        heard = soundfile.info(run / str(row["audio_filepath"]))
        end = float(str(row.get("offset", 0))) + float(str(row["duration"]))
        assert end <= heard.duration
        assert heard.samplerate == SAMPLE_RATE


def test_what_is_made_has_no_words_and_is_not_cut_off(run: Path) -> None:
    """Noise and chords are for the trained networks to be silent at."""
    made = [row for row in rows_of(run / "texts.jsonl") if "speaker" not in row]
    assert {str(row["audio_filepath"]).split("/")[0] for row in made} == {"noise", "tunes"}
    for row in made:
        samples, _ = soundfile.read(run / str(row["audio_filepath"]))
        assert row["text"] == ""
        assert row["split"] == "train"
        assert np.mean(np.abs(samples) > 0.999) < 0.001


def test_sentences_are_unknown_words_unless_they_have_one_of_the_ten(run: Path) -> None:
    """The second sentence says "go"."""
    stretches = [row for row in rows_of(run / "keywords.jsonl") if row.get("label")]
    assert [row["offset"] for row in stretches] == [1, 5]
    assert {row["label"] for row in stretches} == {"_unknown_"}
    assert {row["text"] for row in stretches} == {"he went there"}


def test_what_is_rare_and_what_few_say_is_weighed(run: Path) -> None:
    """Digits are rare among the commands, and said often by few people elsewhere."""

    def weights(name: str) -> set[tuple[object, str, object]]:
        rows = [row for row in rows_of(run / f"{name}.jsonl") if row["split"] == "train"]
        corpora = [str(row["audio_filepath"]).split("/")[-2] for row in rows]
        return {
            (row["text"], corpus, row["weight"])
            for row, corpus in zip(rows, corpora, strict=True)
            if "weight" in row
        }

    assert weights("mixed-rare") == {("wow", "commands", 8)}
    assert weights("mixed-weighed") == {
        *(("wow", "commands", 8), ("six", "commands", 5), ("six", "digits", 0.5)),
    }
    assert weights("texts-weighed") == {
        *(("wow", "commands", 3), ("six", "commands", 3), ("six", "digits", 0.3)),
    }
    assert weights("texts-voices") == {("six", "commands", 5), ("six", "digits", 0.3)}


def test_digits_of_dev_are_no_keywords(run: Path) -> None:
    """Their speakers are those of train."""
    texts = [row["text"] for row in rows_of(run / "keywords.jsonl")]
    assert "six" in texts
    assert "two" not in texts


def test_the_manifests_are_read_by_the_trainer(run: Path) -> None:
    """So is the text that is empty."""
    examples = read_examples(run / "texts.jsonl")
    assert len(examples) == len(rows_of(run / "texts.jsonl"))
    assert {example.text for example in examples} == {"", "yes", "six", "two", "wow"}
