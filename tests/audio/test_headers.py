"""What headers say, also those that were written into a pipe and could not be mended."""

import io
import struct
import sys

import av
import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.headers import (
    Extent,
    examine,
    starts_like_container,
    starts_like_text,
)
from w2v_cli.audio.mp3 import mp3_states_length
from w2v_cli.audio.sources import ByteSource
from w2v_cli.errors import AudioError

# What recorders write into a pipe for the size of the data: FFmpeg, SoX, arecord, GStreamer.
STREAM_SIZES = [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0]


def examined(content):
    return examine(ByteSource(io.BytesIO(content), "x"))


def with_sizes(wav, riff_size, data_size):
    """Return a WAV file whose header has other sizes; its data chunk is the last."""
    at = wav.index(b"data") + 4
    changed = wav[:at] + struct.pack("<I", data_size) + wav[at + 4 :]
    return changed[:4] + struct.pack("<I", riff_size) + changed[8:]


class TestStreamedWav:
    @pytest.mark.parametrize("size", STREAM_SIZES)
    @pytest.mark.parametrize("riff_size", [0, 0xFFFFFFFF])
    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
    def test_is_read_to_its_end(self, encoded, sound, pipe, size, riff_size, subtype):
        wav = encoded(sound(), subtype=subtype)
        expected = read_waveforms(io.BytesIO(wav)).channels[0]
        streamed = with_sizes(wav, riff_size, size)
        for source in (io.BytesIO(streamed), pipe(streamed)):
            waveforms = read_waveforms(source)
            assert waveforms.duration_seconds == 3
            np.testing.assert_array_equal(waveforms.channels[0], expected)

    @pytest.mark.parametrize("size", STREAM_SIZES)
    def test_may_have_no_samples_yet(self, encoded, size):
        streamed = with_sizes(encoded(np.zeros(0, np.float32)), 0, size)
        assert read_waveforms(io.BytesIO(streamed)).duration_seconds == 0

    @pytest.mark.parametrize("tail", [b"LIST\4\0\0\0INFO", b"bext\3\0\0\0abc\0LIST\0\0\0\0"])
    def test_is_not_confused_with_an_empty_file_that_has_notes(self, encoded, tail):
        empty = encoded(np.zeros(0, np.float32)) + tail
        assert read_waveforms(io.BytesIO(empty)).duration_seconds == 0

    def test_with_notes_in_front(self, encoded, sound):
        """FFmpeg puts its name between the format and the data."""
        wav = encoded(sound())
        noted = wav[:36] + b"LIST\x0e\0\0\0INFOISFT\2\0\0\0Me" + wav[36:]
        assert read_waveforms(io.BytesIO(with_sizes(noted, 0, 0))).duration_seconds == 3


class TestExtent:
    @pytest.mark.parametrize(
        ("kind", "subtype"),
        [
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAV", "IMA_ADPCM"),
            ("WAVEX", "PCM_24"),
            ("RF64", "PCM_16"),
            ("AIFF", "PCM_16"),
            ("AIFF", "FLOAT"),
            ("W64", "PCM_16"),
            ("AU", "PCM_16"),
            ("CAF", "PCM_16"),
            ("CAF", "ALAC_16"),
            ("SVX", "PCM_16"),
        ],
    )
    def test_of_chunks(self, encoded, sound, kind, subtype):
        content = encoded(sound(), kind=kind, subtype=subtype)
        assert examined(content) == Extent()
        for part in (0.3, 0.9):
            cut = examined(content[: int(part * len(content))])
            assert cut.present == pytest.approx(part, abs=0.03)
        assert examined(content[:-2]).present < 1

    @pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
    def test_of_ogg_pages(self, encoded, sound, subtype):
        content = encoded(sound(), kind="OGG", subtype=subtype)
        assert examined(content) == Extent()
        assert examined(content[:-1]).breaks_off
        assert examined(content[: len(content) // 2]).breaks_off
        assert examined(content[: content.rfind(b"OggS") + 10]).breaks_off

    def test_of_an_ogg_stream_that_somebody_stopped_recording(self, encoded, sound):
        content = encoded(sound(), kind="OGG", subtype="VORBIS")
        whole_pages = content[: content.rfind(b"OggS")]
        assert examined(whole_pages) == Extent()
        assert 2 < read_waveforms(io.BytesIO(whole_pages)).duration_seconds < 3

    @pytest.mark.parametrize(
        "content", [b"", b"R", b"RIFF", b"RIFF\0\0\0\0WAVE", b"FORM" * 9, b"\0" * 99]
    )
    def test_of_next_to_nothing(self, content):
        assert examined(content) in (Extent(), Extent(present=0.0))

    def test_of_every_beginning_of_a_file(self, encoded, sound):
        for kind in ("WAV", "AIFF", "W64", "RF64", "CAF", "AU", "OGG"):
            content = encoded(sound(), kind=kind)
            for length in range(200):
                examined(content[:length])


def test_mp3_length(encoded, sound):
    content = encoded(sound(), kind="MP3")
    assert mp3_states_length(ByteSource(io.BytesIO(content), "x"))
    tagged = b"ID3\4\0\0\0\0\2\0" + bytes(256) + content
    assert mp3_states_length(ByteSource(io.BytesIO(tagged), "x"))
    untagged = content.replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")
    assert not mp3_states_length(ByteSource(io.BytesIO(untagged), "x"))


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\2\0" + bytes(256)])
def test_a_decoder_has_nothing_to_say_about_an_mp3_file(encoded, sound, capfd, tag):
    content = tag + encoded(sound(seconds=20), kind="MP3")
    assert read_waveforms(io.BytesIO(content)).duration_seconds == 20
    cut = io.BytesIO(content[: len(content) // 2])
    with pytest.raises(AudioError, match="cut short or damaged"):
        read_waveforms(cut)
    assert capfd.readouterr() == ("", "")


class TestAnMp3FileThatSaysNoLength:
    """One that was written into a pipe; libsndfile guesses a length and stops there."""

    @pytest.fixture
    def untagged(self, encoded, sound):
        content = encoded(sound(seconds=20), kind="MP3")
        return content.replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")

    @pytest.fixture
    def without_av(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "av", None)

    def test_is_heard_to_its_end(self, untagged):
        assert read_waveforms(io.BytesIO(untagged)).duration_seconds == pytest.approx(20, abs=0.2)

    @pytest.mark.parametrize(("rate", "seconds"), [(16000, 12.34), (11025, 3.0), (44100, 5.0)])
    def test_does_not_lose_its_last_frames(self, encoded, sound, rate, seconds):
        content = encoded(sound(rate, channels=2, seconds=seconds), rate, kind="MP3")
        untagged = content.replace(b"Xing", bytes(4)).replace(b"Info", bytes(4))
        with av.open(io.BytesIO(untagged)) as container:
            n_samples = sum(frame.samples for frame in container.decode(audio=0))
        duration_seconds = read_waveforms(io.BytesIO(untagged)).duration_seconds
        assert duration_seconds == pytest.approx(n_samples / rate, abs=0.001)

    def test_is_one_whole_where_another_decoder_goes_on(self, encoded, sound, untagged):
        (waveform,) = read_waveforms(io.BytesIO(untagged)).channels
        samples = sound(seconds=20)
        lag = np.correlate(waveform[8000:40000], samples[16000:32000]).argmax() - 8000
        later = np.correlate(waveform[248000:280000], samples[256000:272000]).argmax() - 8000
        assert lag == later

    @pytest.mark.parametrize("behind", [b"ID3\4\0\0\0\0\2\0" + bytes(256), bytes(300), b"<html>"])
    def test_ends_where_its_sound_does(self, untagged, behind):
        alone = read_waveforms(io.BytesIO(untagged)).duration_seconds
        assert read_waveforms(io.BytesIO(untagged + behind)).duration_seconds == alone

    def test_has_ranges(self, untagged):
        (whole,) = read_waveforms(io.BytesIO(untagged)).channels
        (part,) = read_waveforms(io.BytesIO(untagged), start_seconds=12, end_seconds=14.5).channels
        np.testing.assert_allclose(part, whole[192000:232000], atol=1e-3)

    def test_does_not_end_at_a_damage_without_a_word(self, untagged):
        middle = len(untagged) // 2
        damaged = bytes(byte ^ 0xA5 for byte in untagged[middle : middle + 3000])
        content = untagged[:middle] + damaged + untagged[middle + 3000 :]
        with pytest.raises(AudioError, match=r"cut short or damaged: 10\... s can be read"):
            read_waveforms(io.BytesIO(content))

    def test_is_no_shorter_one_without_ffmpeg(self, untagged, without_av):
        with pytest.raises(AudioError, match=r"cut short or damaged: 9\.5. s can be read"):
            read_waveforms(io.BytesIO(untagged))

    def test_that_is_short_is_heard_without_ffmpeg(self, encoded, without_av):
        content = encoded(np.zeros(48000, np.float32), kind="MP3").replace(b"Info", bytes(4))
        assert read_waveforms(io.BytesIO(content)).duration_seconds == pytest.approx(3, abs=0.2)


def test_tags_behind_the_sound_are_no_sound(encoded, sound):
    picture = np.random.default_rng(3).bytes(100_000)
    for kind in ("MP3", "FLAC", "OGG"):
        content = encoded(sound(), kind=kind)
        for tag in (b"TAG" + bytes(125), b"APETAGEX" + picture, bytes(5000)):
            waveforms = read_waveforms(io.BytesIO(content + tag))
            assert waveforms.duration_seconds == pytest.approx(3, abs=0.1)


def test_a_tag_of_no_frames_says_no_length(encoded, sound):
    content = bytearray(encoded(sound(), kind="MP3"))
    place = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[place : place + 4] = bytes(4)
    assert not mp3_states_length(ByteSource(io.BytesIO(content), "x"))
    assert read_waveforms(io.BytesIO(content)).duration_seconds == pytest.approx(3, abs=0.1)


def test_mp3_in_a_wav_file_does_not_end_where_libsndfile_guesses(encoded, sound):
    mp3 = encoded(sound(44100), 44100, kind="MP3")
    assert read_waveforms(io.BytesIO(contained_mp3(mp3))).duration_seconds == 3
    untagged = contained_mp3(mp3.replace(b"Info", bytes(4)).replace(b"Xing", bytes(4)))
    waveforms = read_waveforms(io.BytesIO(untagged))
    assert waveforms.duration_seconds == pytest.approx(3, abs=0.1)


def contained_mp3(mp3):
    """Return an MP3 file of 44.1 kHz in a WAV file."""
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44100, 8000, 1, 0, 12, 1, 2, 417, 1, 1393)
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"fmt ", form), (b"data", mp3 + b"\0" * (len(mp3) % 2)))
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.mark.parametrize("kind", ["AU", "RF64"])
def test_a_stream_s_header_of_other_formats(encoded, sound, kind):
    content = bytearray(encoded(sound(), kind=kind))
    expected = read_waveforms(io.BytesIO(content)).channels[0]
    place, length = {"AU": (8, 4), "RF64": (20, 24)}[kind]
    content[place : place + length] = bytes(length)
    (waveform,) = read_waveforms(io.BytesIO(content)).channels
    np.testing.assert_array_equal(waveform, expected)


def test_more_than_an_au_header_says_is_told(encoded, sound, caplog):
    content = bytearray(encoded(sound(), kind="AU"))
    content[8:12] = struct.pack(">I", 32000)
    assert read_waveforms(io.BytesIO(content)).duration_seconds == 1
    assert "goes on for 64000 bytes after what its header calls its end" in caplog.text


def test_all_of_a_wave64_file_is_heard_without_a_warning(encoded, sound, caplog):
    content = bytearray(encoded(sound(), kind="W64"))
    place = content.index(b"data\xf3\xac") + 16
    content[place : place + 8] = struct.pack("<Q", 32000 + 24)
    assert read_waveforms(io.BytesIO(content)).duration_seconds == 3
    assert caplog.text == ""


@pytest.mark.parametrize(
    "head",
    [
        b"hello\n",
        "naïve 日本\r\n".encode(),
        b"<!DOCTYPE html>\n<html>",
        b"#EXTM3U\nhttp://x/y",
        b"{}",
        "x".encode("utf-16"),
    ],
)
def test_text(head):
    assert starts_like_text(head)
    assert not starts_like_container(head)


def test_text_that_ends_inside_a_letter():
    assert starts_like_text("日本".encode()[:-1])


@pytest.mark.parametrize(
    "head", [b"RIFF\x24\x00", b"\x00\x01\x02", b"\x89PNG\r\n\x1a\n\0", b"\xff\xfb\x90d"]
)
def test_no_text(head):
    assert not starts_like_text(head)


class TestSoundBehindTheEnd:
    """A recorder that crashed, or that counts bytes to 4 GB, leaves a size that is too small."""

    def wav(self, encoded):
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * 16_000).astype(np.float32)
        return encoded(noise)

    def test_is_told(self, encoded, caplog):
        content = with_sizes(self.wav(encoded), 1036, 1000)
        assert read_waveforms(io.BytesIO(content)).duration_seconds == 500 / 16_000
        assert "goes on for 95000 bytes after what its header calls its end" in caplog.text

    @pytest.mark.parametrize(
        "behind",
        [b"", b"TAG" + bytes(125), b"LIST" + struct.pack("<I", 40_000) + b"x" * 40_000],
    )
    def test_tags_are_none(self, encoded, caplog, behind):
        read_waveforms(io.BytesIO(self.wav(encoded) + behind))
        assert caplog.text == ""
