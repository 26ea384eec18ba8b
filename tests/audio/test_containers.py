"""Containers that FFmpeg reads, written here with PyAV."""

import builtins
import io
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from w2v_cli.audio import read_waveforms
from w2v_cli.errors import AudioError, MissingDependencyError

KINDS = [
    ("m4a", "mp4", "aac"),
    ("mp4", "mp4", "libopus"),
    ("mov", "mov", "pcm_s24le"),
    ("webm", "webm", "libopus"),
    ("mkv", "matroska", "pcm_s16le"),
    ("mkv-opus", "matroska", "libopus"),
    ("aac", "adts", "aac"),
    ("ts", "mpegts", "aac"),
    ("avi", "avi", "libmp3lame"),
]
IDS = [kind[0] for kind in KINDS]
# What the coders may shift and change a sound by, in seconds and in full scale.
DELAY_SECONDS = 0.06


def contain(samples, form, codec, *, rate=48000, first_seconds=0.0, video=False, title=None):
    """Return a container with these samples, (frames,) or (frames, 2), on its audio track."""
    buffer = io.BytesIO()
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(buffer, "w", format=form) as container:
        if title is not None:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=rate, layout=layout)
        picture = container.add_stream("mpeg4", rate=5) if video else None
        if picture is not None:
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
        coder = stream.codec_context
        resampler = av.AudioResampler(
            format=coder.format, layout=layout, rate=rate, frame_size=coder.frame_size or 1024
        )
        planes = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.pts, frame.time_base = 0, Fraction(1, rate)
        packets = []
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            packets += stream.encode(piece)
        packets += stream.encode(None)
        if picture is not None:
            for _ in range(5 * len(samples) // rate):
                packets += picture.encode(av.VideoFrame(64, 64, "yuv420p"))
            packets += picture.encode(None)
        for packet in packets:
            if packet.stream is stream and packet.pts is not None:
                shift = round(first_seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            container.mux(packet)
    return buffer.getvalue()


def chirp(rate=48000, seconds=5.0):
    """A tone that rises from 200 to 2200 Hz: what it sounds like tells the time."""
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * t + 1000 * t**2 / seconds))).astype(np.float32)


def lag_seconds(waveform, expected):
    """Return how much later a waveform is than what it should be, by cross-correlation."""
    n_frames = 2 ** int(np.ceil(np.log2(len(waveform) + len(expected))))
    spectrum = np.fft.rfft(waveform, n_frames) * np.fft.rfft(expected, n_frames).conj()
    peak = int(np.fft.irfft(spectrum).argmax())
    return (peak - n_frames if peak > n_frames / 2 else peak) / 16000


@pytest.fixture(scope="module", params=KINDS, ids=IDS)
def container(request):
    """A container with five seconds of rising tone; and its format's name."""
    _, form, codec = request.param
    return contain(chirp(), form, codec), form


def test_sound_and_length(container):
    content, _ = container
    waveforms = read_waveforms(io.BytesIO(content))
    (waveform,) = waveforms.channels
    assert waveform.dtype == np.float32
    assert waveforms.duration_seconds == pytest.approx(5, abs=DELAY_SECONDS)
    assert len(waveform) == pytest.approx(16000 * waveforms.duration_seconds, abs=1)
    assert abs(lag_seconds(waveform, chirp(16000))) < DELAY_SECONDS
    assert waveform[8000:72000].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.06)


def test_range(container):
    content, _ = container
    (whole,) = read_waveforms(io.BytesIO(content)).channels
    part = read_waveforms(io.BytesIO(content), start_seconds=2.5, end_seconds=3.75)
    assert part.start_seconds == 2.5
    assert part.duration_seconds == 1.25
    (waveform,) = part.channels
    assert len(waveform) == 20000
    # Matroska rounds a time to a millisecond
    assert abs(lag_seconds(waveform, whole[40000:60000])) <= 0.001


def test_from_a_pipe(container, pipe):
    content, _ = container
    (whole,) = read_waveforms(io.BytesIO(content)).channels
    np.testing.assert_array_equal(read_waveforms(pipe(content)).channels[0], whole)


def test_start_past_the_end(container):
    content, _ = container
    with pytest.raises(AudioError, match=r"^a\.mp4: cannot start at 60 s: it ends .*--start$"):
        read_waveforms(io.BytesIO(content), start_seconds=60, name="a.mp4")


def test_cut_in_the_middle(container):
    content, form = container
    cut = io.BytesIO(content[: len(content) // 2])
    if form == "mpegts":  # made to be tuned into and out of at any time
        assert read_waveforms(cut).duration_seconds < 3
        return
    with pytest.raises(AudioError) as caught:
        read_waveforms(cut, name="a.mp4")
    if form in ("mp4", "mov"):  # the index comes last
        assert str(caught.value) == (
            "a.mp4: damaged or cut short: its header cannot be read; copy it again"
        )
    else:
        message = str(caught.value)
        there = message.removeprefix("a.mp4: cut short or damaged: ").split(" s")[0]
        assert 2 < float(there) < 3
        assert message.endswith(f"copy it again, or read what is there with --end {there}")
        assert read_waveforms(cut, end_seconds=float(there)).duration_seconds == float(there)


def test_channels_are_kept_apart():
    left = chirp()
    content = contain(np.stack([left, left[::-1]], axis=1), "mp4", "aac")
    waveforms = read_waveforms(io.BytesIO(content), channel="all")
    assert waveforms.channel_numbers == (1, 2)
    both = (chirp(16000), chirp(16000)[::-1])
    for waveform, expected in zip(waveforms.channels, both, strict=True):
        assert abs(lag_seconds(waveform, expected)) < DELAY_SECONDS
    mixed = read_waveforms(io.BytesIO(content))
    np.testing.assert_allclose(mixed.channels[0], np.mean(waveforms.channels, axis=0), atol=1e-5)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"])
def test_integers_reach_full_scale_at_one(codec):
    ramp = np.linspace(-1, 0.99, 48000, dtype=np.float32)
    content = contain(ramp, "matroska", codec, rate=16000)
    step = 2**-7 if codec == "pcm_u8" else 2**-15
    np.testing.assert_allclose(
        read_waveforms(io.BytesIO(content)).channels[0], ramp, atol=1.01 * step, rtol=0
    )


@pytest.mark.parametrize(
    ("form", "codec"), [("mp4", "aac"), ("matroska", "pcm_s16le"), ("mpegts", "aac")]
)
def test_a_track_that_starts_after_the_picture_keeps_its_time(form, codec):
    """A player shows the first word two seconds in, so that is its time."""
    content = contain(chirp(), form, codec, first_seconds=2.0, video=True)
    waveforms = read_waveforms(io.BytesIO(content))
    (waveform,) = waveforms.channels
    assert waveforms.duration_seconds == pytest.approx(7, abs=DELAY_SECONDS)
    assert not waveform[:30000].any()
    assert lag_seconds(waveform, chirp(16000)) == pytest.approx(2, abs=DELAY_SECONDS)
    (part,) = read_waveforms(io.BytesIO(content), start_seconds=4).channels
    assert abs(lag_seconds(part, waveform[64000:])) <= 0.001


@pytest.mark.parametrize(("form", "codec"), [("mov", "pcm_s16le"), ("mp4", "aac")])
@pytest.mark.parametrize("start_seconds", [1.0, 4.0, 4.6])
def test_a_range_that_begins_before_the_sound_does(form, codec, start_seconds):
    content = contain(chirp(), form, codec, first_seconds=5.0, video=True)
    (whole,) = read_waveforms(io.BytesIO(content)).channels
    (part,) = read_waveforms(io.BytesIO(content), start_seconds=start_seconds).channels
    n_left_out = round(start_seconds * 16000)
    assert len(part) == pytest.approx(len(whole) - n_left_out, abs=160)
    assert abs(lag_seconds(part, whole[n_left_out:])) <= 0.001


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_matroska_says_how_long_a_track_is_apart_from_the_picture(codec):
    """FFmpeg takes the whole's length for that of a track that starts late."""
    content = contain(chirp(seconds=2), "matroska", codec, first_seconds=5.0, video=True)
    assert read_waveforms(io.BytesIO(content)).duration_seconds == pytest.approx(7, abs=0.01)


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS")])
@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\2\0" + bytes(256)])
def test_all_of_several_recordings_in_one_file_is_heard(encoded, sound, kind, subtype, tag, capfd):
    tag = tag if kind == "MP3" else b""
    first, second = (
        encoded(sound(seconds=seconds, seed=seed), kind=kind, subtype=subtype)
        for seed, seconds in enumerate((2.0, 3.0))
    )
    (waveform,) = read_waveforms(io.BytesIO(tag + first + tag + second)).channels
    assert len(waveform) / 16000 == pytest.approx(5, abs=0.3)
    parts = [read_waveforms(io.BytesIO(part)).channels[0] for part in (first, second)]
    assert lag_seconds(waveform, parts[1]) == pytest.approx(2, abs=0.2)
    assert capfd.readouterr().err == ""


def test_a_part_that_begins_in_the_middle_of_a_frame(encoded, sound):
    content = encoded(sound(seconds=20), kind="MP3")
    longer = read_waveforms(io.BytesIO(content + content[-20000:]))
    assert 22 < longer.duration_seconds < 26


def test_any_number_of_parts_that_end_in_the_middle_of_a_frame(encoded, sound):
    content = encoded(sound(seconds=3), kind="MP3")
    cut = content[: len(content) * 2 // 3 + 100]
    waveforms = read_waveforms(io.BytesIO(content + cut * 12))
    assert 25 < waveforms.duration_seconds < 29


def test_the_same_ogg_stream_twice_is_two(encoded, sound):
    content = encoded(sound(), kind="OGG", subtype="VORBIS")
    assert read_waveforms(io.BytesIO(content * 2)).duration_seconds == pytest.approx(6, abs=0.1)


def test_suffix_does_not_matter(tmp_path):
    path = tmp_path / "voice message.wav"
    path.write_bytes(contain(chirp(), "mp4", "aac"))
    assert read_waveforms(path).duration_seconds == pytest.approx(5, abs=DELAY_SECONDS)


def test_a_title_that_is_no_unicode():
    """Old taggers wrote Latin-1."""
    content = contain(chirp(), "matroska", "pcm_s16le", title="Gruesse aus Koeln")
    content = content.replace(b"Koeln", b"K\xf6\xf6ln")
    assert read_waveforms(io.BytesIO(content)).duration_seconds == 5


def test_a_codec_that_ffmpeg_lacks():
    content = contain(chirp(), "matroska", "pcm_s16le")
    content = content.replace(b"A_PCM/INT/LIT", b"A_PCM/NEW/LIT")
    with pytest.raises(AudioError) as caught:
        read_waveforms(io.BytesIO(content), name="talk.mkv")
    assert str(caught.value) == (
        "talk.mkv: its sound is coded in a way that cannot be decoded here; convert it elsewhere"
    )


def test_samples_of_64_bits():
    content = contain(chirp(), "wav", "pcm_s64le")
    with pytest.raises(AudioError, match=r"^a\.wav: its sound is coded in a way that cannot"):
        read_waveforms(io.BytesIO(content), name="a.wav")


def test_no_sound_track():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for packet in [*stream.encode(av.VideoFrame(64, 64, "yuv420p")), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(AudioError) as caught:
        read_waveforms(buffer, name="silent movie.mp4")
    assert str(caught.value) == ("silent movie.mp4: has no sound track; name a file that has one")


def test_streams_that_only_ffmpeg_reads(encoded, sound):
    """A CAF file of unknown size, as FFmpeg writes it into a pipe."""
    content = encoded(sound(), kind="CAF", subtype="PCM_16")
    at = content.index(b"data") + 4
    streamed = content[:at] + b"\xff" * 8 + content[at + 8 :]
    assert read_waveforms(io.BytesIO(streamed)).duration_seconds == pytest.approx(3, abs=0.01)


class TestWithoutPyAV:
    @pytest.fixture(autouse=True)
    def _not_installed(self, monkeypatch):
        real = builtins.__import__

        def without_av(name, *args, **kwargs):
            if name == "av" or name.startswith("av."):
                raise ImportError("No module named 'av'", name="av")
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without_av)

    @pytest.mark.parametrize(("form", "codec"), [("mp4", "aac"), ("webm", "libopus")])
    def test_the_extra_is_named(self, form, codec):
        content = contain(chirp(seconds=1), form, codec)
        with pytest.raises(MissingDependencyError) as caught:
            read_waveforms(io.BytesIO(content), name="talk.m4a")
        assert str(caught.value) == (
            "talk.m4a: reading this format needs the package av; "
            "install it with: pip install 'w2v[containers]'"
        )
        assert caught.value.exit_code == 5

    def test_the_extra_is_named_for_several_recordings_in_one_file(self, encoded, sound):
        with pytest.raises(MissingDependencyError, match=r"pip install 'w2v\[containers\]'"):
            read_waveforms(io.BytesIO(encoded(sound(), kind="MP3") * 2))

    def test_other_formats_need_it_not(self, encoded, sound):
        assert read_waveforms(io.BytesIO(encoded(sound()))).duration_seconds == 3

    def test_text_is_not_blamed_on_it(self):
        with pytest.raises(AudioError, match="holds text, not sound"):
            read_waveforms(io.BytesIO(b"hello"), name="talk.m4a")


def test_pyav_is_loaded_for_containers_alone(tmp_path, encoded, sound):
    (tmp_path / "talk.wav").write_bytes(encoded(sound()))
    script = (
        "import sys; from w2v_cli.audio import read_waveforms; read_waveforms(sys.argv[1])\n"
        "print([n for n in ('av', 'soxr', 'torch', 'librosa', 'scipy') if n in sys.modules])"
    )
    command = [sys.executable, "-c", script, tmp_path / "talk.wav"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"[]\n"
