"""Without --format, the name of the file says how results are written, in every command."""

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"
STOP = str(DATA / "stop.opus")
TRANSCRIBE = ("transcribe", "-m", "mini", STOP)
PART = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 0.900\n'
ALIGN = ("align", "-m", "mini", STOP, "--text", "stop")


@pytest.mark.parametrize(
    ("command", "name", "beginning"),
    [
        (TRANSCRIBE, "talk.srt", "1\n00:00:00,"),
        (TRANSCRIBE, "talk.VTT", "WEBVTT"),
        (TRANSCRIBE, "talk.TextGrid", 'File type = "ooTextFile"'),
        (TRANSCRIBE, "talk.txt", "stop\n"),
        (TRANSCRIBE, "talk.srt.old", "stop\n"),
        (TRANSCRIBE, "talk.labels.txt", "0."),
        ((*TRANSCRIBE, "--start", "0.1", "--end", "0.9"), "talk.TextGrid", PART),
        ((*ALIGN, "--start", "0.1", "--end", "0.9"), "talk.TextGrid", PART),
        ((*TRANSCRIBE, "--format", "txt"), "talk.srt", "stop\n"),
        (ALIGN, "talk.srt", "1\n00:00:00,"),
        (ALIGN, "talk", "{"),
        (("classify", STOP), "labels.csv", "source,"),
        (("classify", STOP), "labels", "0."),
        (("diarize-frames", STOP), "turns.csv", "source,"),
        (("diarize-frames", STOP), "turns", "SPEAKER stop 1 "),
    ],
)
def test_the_name_says_the_format(w2v, tmp_path, command, name, beginning):
    run = w2v(*command, "--output", tmp_path / name)
    assert (run.exit_code, run.stdout) == (0, "")
    assert (tmp_path / name).read_text().startswith(beginning)


def test_figures_are_written_as_json_into_a_file_of_that_name(w2v, tmp_path):
    rows = [{"audio_filepath": STOP, "text": "stop"}]
    manifest = tmp_path / "list.jsonl"
    manifest.write_text(json.dumps(rows[0]))
    (tmp_path / "a.txt").write_text("stop")
    for command in (
        ("evaluate", "mini", manifest),
        ("score", tmp_path / "a.txt", tmp_path / "a.txt"),
    ):
        assert w2v(*command, "-o", tmp_path / "figures.json").exit_code == 0
        json.loads((tmp_path / "figures.json").read_text())
        assert w2v(*command, "-o", tmp_path / "figures.txt").exit_code == 0
        assert "wer" in (tmp_path / "figures.txt").read_text().lower()
