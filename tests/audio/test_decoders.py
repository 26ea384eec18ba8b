"""Files that are no recordings, each with what it is and what to do."""

import contextlib
import io

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import read_waveforms
from w2v_cli.errors import AudioError


def refusal(path):
    with pytest.raises(AudioError) as caught:
        read_waveforms(path)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["talk.wav", "talk.mp3", "talk.m4a", "talk.raw", "talk"])
@pytest.mark.parametrize(
    "text", ["Shopping list\n", "<html>404 Not Found</html>", "x", "#EXTM3U\na"]
)
def test_text(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert refusal(tmp_path / name) == "holds text, not sound; name a recording"


@pytest.mark.parametrize(("suffix", "rate"), [("raw", 16000), ("sln", 8000)])
def test_samples_without_a_header(tmp_path, suffix, rate):
    path = tmp_path / f"talk.{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(20000))
    assert refusal(path) == (
        "has no header that says its rate and format; give it one with: "
        f"ffmpeg -f s16le -ar {rate} -ac 1 -i {path} recording.wav; or "
        f"w2v transcribe - --raw {rate} < {path}"
    )


def test_a_wav_file_named_raw_is_read(tmp_path, encoded, sound):
    (tmp_path / "talk.raw").write_bytes(encoded(sound()))
    assert read_waveforms(tmp_path / "talk.raw").duration_seconds == 3


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes(tmp_path, seed):
    path = tmp_path / "talk.wav"
    path.write_bytes(b"\0" + np.random.default_rng(seed).bytes(20000))
    assert (
        refusal(path) == f"not a recording in a known format; try: ffmpeg -i {path} recording.wav"
    )


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "W64", "CAF", "AU", "MP3"])
def test_every_beginning_of_a_recording_is_refused(encoded, sound, kind):
    """No crash, no endless loop, and nothing that looks complete."""
    content = encoded(sound(), kind=kind)
    for length in [*range(1, 60), *range(60, 2000, 97)]:
        with pytest.raises(AudioError):
            read_waveforms(io.BytesIO(content[:length]))


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_U8"),
        ("WAV", "ULAW"),
        ("WAV", "GSM610"),
        ("WAV", "IMA_ADPCM"),
        ("RF64", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_24"),
        ("AU", "ULAW"),
        ("CAF", "ALAC_16"),
        ("W64", "PCM_16"),
        ("VOC", "PCM_16"),
        ("IRCAM", "PCM_16"),
        ("NIST", "PCM_16"),
        ("PAF", "PCM_16"),
        ("MAT4", "PCM_16"),
        ("MAT5", "PCM_16"),
        ("PVF", "PCM_16"),
        ("HTK", "PCM_16"),
        ("SVX", "PCM_16"),
        ("AVR", "PCM_16"),
    ],
)
def test_what_libsndfile_reads(encoded, kind, subtype):
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 16000)).astype(np.float32)
    waveforms = read_waveforms(io.BytesIO(encoded(tone, kind=kind, subtype=subtype)))
    (waveform,) = waveforms.channels
    assert waveforms.duration_seconds == pytest.approx(3, abs=0.1)
    spectrum = np.abs(np.fft.rfft(waveform[8000:40000]))
    assert spectrum.argmax() == 880  # 440 Hz in two seconds
    assert waveform[8000:40000].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize(
    ("kind", "subtype", "rate"),
    [
        ("MP3", "MPEG_LAYER_III", 16000),
        ("MP3", "MPEG_LAYER_III", 44100),
        ("OGG", "VORBIS", 16000),
        ("OGG", "OPUS", 48000),
        ("FLAC", "PCM_24", 44100),
    ],
)
def test_every_sample_is_where_libsndfile_alone_has_it(encoded, kind, subtype, rate):
    """An MP3 decoder that is disturbed gives its first frames twice, and all times are late."""
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * rate).astype(np.float32)
    content = encoded(noise, rate, kind=kind, subtype=subtype)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    read = read_waveforms(io.BytesIO(content), sample_rate=rate)
    np.testing.assert_allclose(read.channels[0], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_damaged_headers_are_read_or_refused(encoded, sound, seed):
    """Nothing but an AudioError comes out, whatever the bytes are."""
    random = np.random.default_rng(seed)
    kinds = [("FLAC", None), ("OGG", "OPUS"), ("OGG", "VORBIS"), ("MP3", None), ("WAV", "FLOAT")]
    kinds += [(kind, "PCM_16") for kind in ("AIFF", "W64", "CAF", "AU", "RF64", "VOC", "NIST")]
    for kind, subtype in kinds:
        whole = encoded(sound(seconds=0.5), kind=kind, subtype=subtype)
        for _ in range(20):
            content = bytearray(whole)
            for place in random.integers(0, 120, size=3):
                content[place] = random.choice([0, 127, 128, 255, random.integers(256)])
            with contextlib.suppress(AudioError):
                read_waveforms(io.BytesIO(bytes(content)), channel="mix", end_seconds=10)
