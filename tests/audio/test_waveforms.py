"""Range, channels and sample rate, against soundfile's own reading and scipy's filters."""

import io
import math

import numpy as np
import pytest
import scipy.signal
import soundfile

from w2v_cli.audio import SAMPLE_RATE, read_waveforms
from w2v_cli.errors import AudioError


def read_one(source, **options):
    (waveform,) = read_waveforms(source, **options).channels
    return waveform


def refusal(source, **options):
    with pytest.raises(AudioError) as caught:
        read_waveforms(source, **options)
    return str(caught.value)


def test_what_soundfile_reads_is_what_comes_back(tmp_path, sound):
    path = tmp_path / "a song 🎵 für zwei.wav"
    soundfile.write(path, sound(), 16000)
    expected, _ = soundfile.read(path, dtype="float32")
    waveforms = read_waveforms(path)
    assert waveforms.sample_rate == SAMPLE_RATE == 16000
    assert waveforms.start_seconds == 0
    assert waveforms.duration_seconds == 3
    assert waveforms.channel_numbers == (None,)
    (waveform,) = waveforms.channels
    assert waveform.dtype == np.float32
    assert waveform.flags.c_contiguous
    np.testing.assert_array_equal(waveform, expected)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-23), ("FLOAT", 0)],
)
def test_integers_reach_full_scale_at_one(encoded, subtype, step):
    ramp = np.linspace(-1, 1, 2001, dtype=np.float32)
    waveform = read_one(io.BytesIO(encoded(ramp, subtype=subtype)))
    np.testing.assert_allclose(waveform, ramp, atol=1.01 * step, rtol=0)


def test_floats_beyond_full_scale_are_not_clipped(encoded, sound):
    loud = 4 * sound()
    np.testing.assert_array_equal(read_one(io.BytesIO(encoded(loud, subtype="FLOAT"))), loud)


class TestRange:
    def test_is_the_same_part_of_the_whole(self, encoded, sound):
        content = encoded(sound())
        whole = read_one(io.BytesIO(content))
        part = read_waveforms(io.BytesIO(content), start_seconds=1.25, end_seconds=2.0)
        np.testing.assert_array_equal(part.channels[0], whole[20000:32000])
        assert part.start_seconds == 1.25
        assert part.duration_seconds == 0.75

    @pytest.mark.parametrize(
        ("kind", "subtype"), [("FLAC", None), ("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS")]
    )
    def test_is_exact_in_compressed_files(self, encoded, sound, kind, subtype):
        content = encoded(sound(seconds=20), kind=kind, subtype=subtype)
        whole = read_one(io.BytesIO(content))
        for start in (0.1, 3.3, 12.345, 19.5):
            part = read_one(io.BytesIO(content), start_seconds=start)
            first = round(start * 16000)
            # Opus goes on adapting; it is 40 dB away from what could be heard
            np.testing.assert_allclose(
                part, whole[first:], atol=0.02 if subtype == "OPUS" else 1e-5
            )

    def test_may_end_after_the_recording(self, encoded, sound):
        content = io.BytesIO(encoded(sound()))
        assert read_waveforms(content, start_seconds=2, end_seconds=99).duration_seconds == 1
        assert read_waveforms(content, end_seconds=math.inf).duration_seconds == 3

    def test_is_rounded_to_samples_of_the_recording(self, encoded, sound):
        content = io.BytesIO(encoded(sound(sample_rate=8000), 8000))
        part = read_waveforms(content, start_seconds=1.00001, end_seconds=2.00001)
        assert part.start_seconds == 1
        assert part.duration_seconds == 1

    def test_must_start_within_the_recording(self, encoded, sound):
        content = io.BytesIO(encoded(sound()))
        for start in (3, 7.5):
            assert refusal(content, name="a.wav", start_seconds=start) == (
                f"a.wav: cannot start at {start:g} s: it ends at 3.00 s; choose a smaller --start"
            )

    @pytest.mark.parametrize("end", [0.5, 1, -1, math.nan])
    def test_must_not_be_empty(self, encoded, sound, end):
        content = io.BytesIO(encoded(sound()))
        assert refusal(content, name="a.wav", start_seconds=1, end_seconds=end) == (
            f"a.wav: nothing lies between 1 s and {end:g} s; choose an --end after --start"
        )

    @pytest.mark.parametrize("start", [-1, math.nan, math.inf])
    def test_must_not_start_before_the_recording(self, encoded, sound, start):
        assert refusal(io.BytesIO(encoded(sound())), name="a.wav", start_seconds=start) == (
            f"a.wav: cannot start at {start:g} s; --start counts from 0"
        )


class TestChannels:
    @pytest.fixture
    def stereo(self, sound):
        return sound(channels=2)

    def test_two_are_mixed(self, encoded, stereo):
        waveforms = read_waveforms(io.BytesIO(encoded(stereo, subtype="FLOAT")))
        assert waveforms.channel_numbers == (None,)
        np.testing.assert_allclose(waveforms.channels[0], stereo.mean(axis=1), atol=1e-7)

    @pytest.mark.parametrize("number", [1, 2])
    def test_one_is_picked(self, encoded, stereo, number):
        source = io.BytesIO(encoded(stereo, subtype="FLOAT"))
        waveforms = read_waveforms(source, channel=number)
        assert waveforms.channel_numbers == (None,)
        np.testing.assert_array_equal(waveforms.channels[0], stereo[:, number - 1])

    @pytest.mark.parametrize("n_channels", [1, 2, 64])
    def test_all_are_kept_apart(self, encoded, sound, n_channels):
        samples = sound(channels=n_channels, seconds=0.5)
        source = io.BytesIO(encoded(samples, subtype="FLOAT"))
        waveforms = read_waveforms(source, channel="all")
        assert waveforms.channel_numbers == tuple(range(1, n_channels + 1))
        np.testing.assert_array_equal(
            np.stack(waveforms.channels, axis=1), samples.reshape(-1, n_channels)
        )

    def test_all_are_mixed_on_request(self, encoded, sound):
        samples = sound(channels=8)
        waveform = read_one(io.BytesIO(encoded(samples, subtype="FLOAT")), channel="mix")
        np.testing.assert_allclose(waveform, samples.mean(axis=1), atol=1e-6)

    def test_more_than_two_need_a_choice(self, encoded, sound):
        assert refusal(io.BytesIO(encoded(sound(channels=8))), name="sermon.wav") == (
            "sermon.wav: 8 channels; pick one with --channel N or mix them with --channel mix"
        )

    @pytest.mark.parametrize(
        ("n_channels", "channel", "there"),
        [
            (2, 3, "choose one from 1 to 2"),
            (2, 0, "choose one from 1 to 2"),
            (1, 2, "there is only one"),
        ],
    )
    def test_a_channel_must_exist(self, encoded, sound, n_channels, channel, there):
        source = io.BytesIO(encoded(sound(channels=n_channels)))
        assert refusal(source, name="a.wav", channel=channel) == (
            f"a.wav: no channel {channel}; {there}"
        )

    def test_another_word_is_a_mistake(self, encoded, sound):
        with pytest.raises(ValueError, match="channel must be a number, 'mix', 'all' or None"):
            read_waveforms(io.BytesIO(encoded(sound())), channel="left")


class TestResampling:
    @pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
    def test_keeps_the_length_in_seconds(self, encoded, sound, rate):
        source = io.BytesIO(encoded(sound(sample_rate=rate, seconds=1.7), rate))
        waveforms = read_waveforms(source)
        assert waveforms.duration_seconds == round(1.7 * rate) / rate
        assert abs(len(waveforms.channels[0]) - 1.7 * 16000) <= 1

    @pytest.mark.parametrize("rate", [8000, 44100, 48000])
    def test_passes_speech_unchanged(self, encoded, rate):
        """A tone below 90 % of the narrower band keeps its phase, and its loudness to 0.01 dB."""
        nyquist = min(rate, 16000) / 2
        seconds = np.arange(2 * rate) / rate
        for frequency in (100, 1000, 0.5 * nyquist, 0.9 * nyquist):
            tone = 0.5 * np.sin(2 * np.pi * frequency * seconds)
            waveform = read_one(io.BytesIO(encoded(tone, rate, subtype="FLOAT")))
            expected = 0.5 * np.sin(2 * np.pi * frequency * np.arange(32000) / 16000)
            middle = slice(4000, 28000)  # where the filter sees only the tone
            assert np.abs(waveform[middle] - expected[middle]).max() < 0.5 * 0.00115, frequency

    @pytest.mark.parametrize("rate", [44100, 48000, 96000])
    def test_lets_nothing_alias(self, encoded, rate):
        """A tone above 8 kHz, which 16 kHz cannot hold, leaves less than -100 dB."""
        seconds = np.arange(2 * rate) / rate
        for frequency in (8200, 9000, 12000, 0.45 * rate):
            tone = 0.5 * np.sin(2 * np.pi * frequency * seconds)
            waveform = read_one(io.BytesIO(encoded(tone, rate, subtype="FLOAT")))
            left = waveform[4000:28000].std() / tone.std()
            assert 20 * np.log10(left + 1e-12) < -100, frequency

    def test_agrees_with_a_longer_filter(self, encoded, sound):
        """scipy's polyphase filter, ten times as long as its default, is the oracle."""
        band = scipy.signal.cheby2(16, 100, 7000, fs=48000, output="sos")
        samples = scipy.signal.sosfilt(band, sound(sample_rate=48000)).astype(np.float32)
        waveform = read_one(io.BytesIO(encoded(samples, 48000, subtype="FLOAT")))
        window = scipy.signal.firwin(6001, 1 / 3, window=("kaiser", 12.0))
        expected = scipy.signal.resample_poly(samples, 1, 3, window=window)
        error = waveform[2000:-2000] - expected[2000:-2000]
        assert np.abs(error).max() < 2e-4

    def test_of_blocks_equals_resampling_at_once(self, encoded, sound):
        import soxr

        samples = sound(sample_rate=44100, channels=2, seconds=5)
        source = io.BytesIO(encoded(samples, 44100, subtype="FLOAT"))
        waveforms = read_waveforms(source, channel="all")
        expected = soxr.resample(samples, 44100, 16000, quality="HQ")
        np.testing.assert_allclose(np.stack(waveforms.channels, axis=1), expected, atol=1e-6)

    def test_to_another_rate(self, encoded, sound):
        waveforms = read_waveforms(io.BytesIO(encoded(sound())), sample_rate=8000)
        assert waveforms.sample_rate == 8000
        assert len(waveforms.channels[0]) == 24000

    def test_rate_must_be_positive(self, encoded, sound):
        with pytest.raises(ValueError, match="sample_rate must be positive, not 0"):
            read_waveforms(io.BytesIO(encoded(sound())), sample_rate=0)

    def test_of_a_rate_that_no_speech_has(self, encoded, sound):
        assert refusal(io.BytesIO(encoded(sound(), 8)), name="a.wav") == (
            "a.wav: a sample rate of 8 Hz is too low for speech; "
            "if its header is damaged, copy or convert it again"
        )


class TestShortRecordings:
    @pytest.mark.parametrize("rate", [8000, 16000, 44100])
    @pytest.mark.parametrize("kind", ["WAV", "AIFF", "W64", "CAF"])
    def test_no_sample_is_no_error(self, encoded, rate, kind):
        content = encoded(np.zeros(0, np.float32), rate, kind=kind, subtype="PCM_16")
        waveforms = read_waveforms(io.BytesIO(content))
        assert waveforms.duration_seconds == 0
        (waveform,) = waveforms.channels
        assert waveform.shape == (0,)
        assert waveform.dtype == np.float32

    def test_ten_milliseconds(self, encoded, sound):
        for rate in (8000, 16000, 44100):
            source = io.BytesIO(encoded(sound(sample_rate=rate, seconds=0.01), rate))
            assert abs(len(read_one(source)) - 160) <= 1

    def test_one_sample(self, encoded, sound):
        assert read_one(io.BytesIO(encoded(sound()[:1]))).shape == (1,)

    def test_silence(self, encoded):
        assert not read_one(io.BytesIO(encoded(np.zeros(16000, np.float32)))).any()


class TestSamplesThatAreNotNumbers:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_are_refused_with_their_place(self, encoded, sound, value):
        samples = sound(channels=2)
        samples[20000, 1] = value
        assert refusal(io.BytesIO(encoded(samples, subtype="FLOAT")), name="a.wav") == (
            "a.wav: NaN or infinite samples, the first at 1.250 s; "
            "export it again, as 16-bit for instance"
        )

    def test_in_another_channel_do_no_harm(self, encoded, sound):
        samples = sound(channels=2)
        samples[20000, 1] = np.nan
        source = io.BytesIO(encoded(samples, subtype="FLOAT"))
        np.testing.assert_array_equal(read_one(source, channel=1), samples[:, 0])

    def test_outside_the_range_do_no_harm(self, encoded, sound):
        samples = sound()
        samples[20000] = np.nan
        source = io.BytesIO(encoded(samples, subtype="FLOAT"))
        assert len(read_one(source, end_seconds=1.25)) == 20000
        assert len(read_one(source, start_seconds=1.5)) == 24000

    def test_a_double_too_large_for_float32(self, encoded, sound):
        samples = sound().astype(np.float64)
        samples[0] = 1e300
        with np.errstate(over="ignore"):
            message = refusal(io.BytesIO(encoded(samples, subtype="DOUBLE")), name="a.wav")
        assert message.startswith("a.wav: NaN or infinite samples, the first at 0.000 s")


class TestCutShort:
    @pytest.mark.parametrize(
        ("kind", "subtype"),
        [
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAVEX", "PCM_24"),
            ("RF64", "PCM_16"),
            ("AIFF", "PCM_16"),
            ("W64", "PCM_16"),
            ("AU", "PCM_16"),
        ],
    )
    def test_pcm_says_how_much_is_there(self, encoded, sound, kind, subtype):
        content = encoded(sound(), kind=kind, subtype=subtype)
        cut = io.BytesIO(content[: len(content) // 2])
        assert refusal(cut, name="talk") == (
            "talk: cut short or damaged: 1.49 s of 3.00 s can be read; "
            "copy it again, or read what is there with --end 1.49"
        )
        assert read_waveforms(cut, end_seconds=1.49).duration_seconds == 1.49

    @pytest.mark.parametrize(
        ("kind", "subtype", "of"),
        [
            ("FLAC", "PCM_16", " of 3.00 s"),
            ("MP3", None, " of 3.00 s"),
            ("OGG", "VORBIS", ""),
            ("OGG", "OPUS", ""),
            ("CAF", "ALAC_16", " of 3.00 s"),
        ],
    )
    def test_compressed_too(self, encoded, sound, kind, subtype, of):
        content = encoded(sound(), kind=kind, subtype=subtype)
        cut = io.BytesIO(content[: len(content) // 2])
        message = refusal(cut, name="talk")
        there = message.removeprefix("talk: cut short or damaged: ").split(" s")[0]
        assert 0.5 < float(there) < 1.7
        assert message == (
            f"talk: cut short or damaged: {there} s{of} can be read; "
            f"copy it again, or read what is there with --end {there}"
        )
        # the advice works
        assert read_waveforms(cut, end_seconds=float(there)).duration_seconds == float(there)

    @pytest.mark.parametrize("kind", ["FLAC", "OGG"])
    def test_of_three_bytes(self, encoded, sound, kind):
        content = encoded(sound(), kind=kind)
        assert "cut short or damaged" in refusal(io.BytesIO(content[:-3]), name="talk")

    def test_right_after_the_header(self, encoded, sound):
        content = encoded(sound())[:44]
        assert refusal(io.BytesIO(content), name="talk.wav") == (
            "talk.wav: cut short or damaged: nothing can be read; copy it again"
        )

    def test_before_the_start(self, encoded, sound):
        content = encoded(sound())
        cut = io.BytesIO(content[: len(content) // 2])
        assert refusal(cut, name="talk.wav", start_seconds=2) == (
            "talk.wav: cut short or damaged: nothing can be read from 2 s on; copy it again"
        )

    def test_less_than_a_frame_is_no_error(self, encoded, sound):
        content = encoded(sound())
        assert len(read_one(io.BytesIO(content[:-100]))) == 48000 - 50

    def test_damage_in_the_middle(self, encoded, sound):
        content = bytearray(encoded(sound(), kind="FLAC"))
        middle = len(content) // 2
        content[middle : middle + 2000] = bytes(2000)
        message = refusal(io.BytesIO(bytes(content)), name="talk.flac")
        assert message.startswith("talk.flac: cut short or damaged: 1.")


@pytest.mark.parametrize("name", ["stop", "happy", "seven", "jfk"])
def test_bundled_recordings(name, request):
    path = request.config.rootpath / "tests" / "data" / f"{name}.opus"
    expected, rate = soundfile.read(path, dtype="float32")
    waveforms = read_waveforms(path)
    assert waveforms.duration_seconds == len(expected) / rate
    assert abs(len(waveforms.channels[0]) - waveforms.duration_seconds * 16000) <= 1
    assert 0.01 < waveforms.channels[0].std() < 0.5
