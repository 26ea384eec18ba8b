"""Recordings read block by block: the same samples as in one piece, as often as wanted."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import open_waveforms, read_waveforms
from w2v_cli.audio.waveforms import HeldStream
from w2v_cli.errors import AudioError

DATA = Path(__file__).parents[1] / "data"


def encoded(samples, rate=16000, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    file.seek(0)
    return file


def sound(n_samples, channels=2):
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (n_samples, channels)).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@pytest.mark.parametrize("options", [{}, {"channel": "all"}, {"channel": 2, "start_seconds": 0.7}])
def test_blocks_are_the_whole_and_can_be_read_again(rate, options):
    samples = sound(3 * rate)
    whole = read_waveforms(encoded(samples, rate), **options)
    with open_waveforms(encoded(samples, rate), **options) as stream:
        assert stream.duration_seconds == 0
        assert stream.channel_numbers == whole.channel_numbers
        assert stream.start_seconds == whole.start_seconds
        assert stream.expected_seconds == pytest.approx(whole.duration_seconds)
        for _ in range(3):
            blocks = list(stream.blocks())
            assert max(block.shape[1] for block in blocks) < 20_000
            np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.stack(whole.channels))
            assert stream.duration_seconds == whole.duration_seconds


def test_half_read_is_no_hindrance_to_reading_again():
    with open_waveforms(DATA / "jfk.opus") as stream:
        next(stream.blocks())
        again = np.concatenate(list(stream.blocks()), axis=1)
    np.testing.assert_array_equal(again[0], read_waveforms(DATA / "jfk.opus").channels[0])


def test_reading_again_does_not_make_it_shorter():
    """Who still works on what the first reading gave asks how long it is."""
    with open_waveforms(DATA / "jfk.opus") as stream:
        blocks = list(stream.blocks())
        whole = stream.duration_seconds
        assert len(blocks) > 1
        again = stream.blocks()
        next(again)
        assert stream.duration_seconds == whole
        assert len(list(again)) == len(blocks) - 1
        assert stream.duration_seconds == whole


def test_a_start_that_no_file_has_is_past_its_end():
    for name in ("jfk.opus", "demo.opus"):
        with pytest.raises(AudioError, match="cannot start at 1e\\+19 s"):
            read_waveforms(DATA / name, start_seconds=1e19)


def test_how_long_it_should_be():
    samples = sound(32000)
    with open_waveforms(encoded(samples), end_seconds=1.5, start_seconds=0.5) as stream:
        assert stream.expected_seconds == 1.0
    with open_waveforms(encoded(samples), end_seconds=9, start_seconds=0.5) as stream:
        assert stream.expected_seconds == 1.5


def test_what_is_cut_short_is_said_at_its_end(tmp_path):
    content = encoded(sound(32000), kind="FLAC").getvalue()
    path = tmp_path / "cut.flac"
    path.write_bytes(content[: len(content) // 2])
    with open_waveforms(path) as stream:
        blocks = stream.blocks()
        assert next(blocks).shape[0] == 1
        with pytest.raises(AudioError, match=r"cut\.flac: cut short or damaged"):
            list(blocks)


def test_waveforms_in_memory_are_a_stream():
    waveforms = read_waveforms(encoded(sound(40000)), channel="all")
    stream = HeldStream(waveforms)
    for _ in range(2):
        blocks = list(stream.blocks())
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.stack(waveforms.channels))
    assert stream.duration_seconds == stream.expected_seconds == 2.5
    assert list(HeldStream(read_waveforms(encoded(sound(0)))).blocks()) == []
