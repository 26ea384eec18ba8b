"""How option values are read, and what is said when they can't be."""

import pytest
import typer

from w2v_cli.cli import options


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("90.5", 90.5),
        (".5", 0.5),
        ("1:30", 90.0),
        ("0:90", None),
        ("1:02:30.25", 3750.25),
        ("90:00", 5400.0),
        ("1:60:00", None),
        ("-1", None),
        ("1:", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("١", 1.0),
    ],
)
def test_times(text, seconds):
    if seconds is None:
        with pytest.raises(typer.BadParameter, match="no time"):
            options.parse_seconds(text)
    else:
        assert options.parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "channel"), [("1", 1), ("12", 12), ("mix", "mix"), ("ALL", "all"), (" 2 ", 2)]
)
def test_channels(text, channel):
    assert options.parse_channel(text) == channel


@pytest.mark.parametrize("text", ["0", "-1", "left", "", "1.5", "²"])
def test_no_channel(text):
    with pytest.raises(typer.BadParameter, match=r"no channel; write 1, 2, \.\.\. or mix or all"):
        options.parse_channel(text)


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:3", "mps"])
def test_devices(name):
    assert options.parse_device(name.upper()) == name


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:0", ""])
def test_no_device(name):
    with pytest.raises(typer.BadParameter, match="no device; use auto, cpu, cuda, cuda:N or mps"):
        options.parse_device(name)


def test_completions():
    assert options.complete_device("c") == ["cpu", "cuda"]
    assert options.complete_channel("m") == ["mix"]
    assert options.complete_model("no such") == []


def test_context_of_long_recordings():
    from w2v_cli.cli.long_options import chunking_choice

    assert chunking_choice(30, 4).context_seconds == 2.0
    assert chunking_choice(30, 4, 8).context_seconds == 8
    assert chunking_choice(None, None, 0).context_seconds is None
