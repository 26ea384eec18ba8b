"""Names of parts of recordings, there and back."""

from pathlib import PurePath

import pytest

from w2v_cli.recording_parts import RecordingPart, part_name, part_place, split_part


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("a.wav", RecordingPart("a.wav")),
        ("a.wav#t=0,2.5", RecordingPart("a.wav", 0.0, 2.5)),
        ("a.wav#t=3", RecordingPart("a.wav", 3.0)),
        ("a.wav#channel=12", RecordingPart("a.wav", channel=12)),
        ("a.wav#t=3,4&channel=mix", RecordingPart("a.wav", 3.0, 4.0, "mix")),
        (
            "https://host/a.wav?x=1#t=3&channel=2",
            RecordingPart("https://host/a.wav?x=1", 3.0, None, 2),
        ),
    ],
)
def test_names_say_which_part(name, part):
    assert split_part(name) == part
    assert part_name(part) == name


@pytest.mark.parametrize(
    "name",
    [
        "a#",
        "a#channel=0",
        "#t=1",
        "a/#channel=2",
        "a#t=1channel=2",
        "a#&channel=2",
        "a#t=1&",
        "a#t=1&t=2",
        "a#channel=12345",
        "a#channel=all",
        "a#t=",
    ],
)
def test_other_names_are_whole_recordings(name):
    assert split_part(name) == RecordingPart(name)


def test_marks_come_in_any_order():
    assert split_part("a.wav#channel=2&t=1") == RecordingPart("a.wav", 1.0, channel=2)


@pytest.mark.parametrize("place", ["talk", "talk.v2", "x=1.0", "talk.wav"])
def test_parts_have_files_of_their_own(place):
    parts = [(0.0, 0.9, 1), (0.0, 0.9, 2), (0.0, 0.95, None), (0.0, None, "mix")]
    names = {part_place(PurePath(place), RecordingPart("", *part)).stem for part in parts}
    assert len(names) == len(parts)


def test_a_file_that_is_called_like_a_part_is_whole(tmp_path):
    path = tmp_path / "a.wav#channel=2"
    path.touch()
    assert split_part(str(path)) == RecordingPart(str(path))
