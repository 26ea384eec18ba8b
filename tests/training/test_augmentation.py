"""Each change does to the signal what it says, measured on the signal itself."""

import numpy as np
import pytest
import soundfile

from w2v_cli.training.augmentation import (
    NOISE_DECIBELS,
    SPEED_RANGE,
    Augmentation,
    Augmenter,
    coloured_noise,
    cut_off,
    filter_and_resample,
    join,
    quick_length,
    quick_lengths,
    reverberate,
    trim,
    unit_power,
)
from w2v_cli.training.manifests import Example
from w2v_cli.training.tempo import change_tempo


def tone(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(16000 * seconds)) / 16000).astype(np.float32)


def loudest_hertz(waveform):
    return np.abs(np.fft.rfft(waveform)).argmax() * 16000 / len(waveform)


def power(waveform):
    return float(np.mean(np.square(waveform)))


def test_nothing_is_done_unless_it_is_asked_for(random):
    augmenter = Augmenter(Augmentation())
    waveform = tone(300)
    assert augmenter.change_voice(waveform, random) is waveform
    assert augmenter.change_surroundings(waveform, random) is waveform
    assert Augmentation().does_nothing


def test_speed_changes_length_and_pitch_alike(random):
    faster = filter_and_resample(tone(400), random, speed=1.25)
    assert len(faster) == 12800
    assert loudest_hertz(faster) == pytest.approx(500, abs=2)
    assert power(faster) == pytest.approx(power(tone(400)), rel=0.01)


def test_speeds_stay_in_their_range(random):
    augmenter = Augmenter(Augmentation(speed=1))
    lengths = [len(augmenter.change_voice(tone(300), random)) / 16000 for _ in range(50)]
    assert 1 / SPEED_RANGE[1] - 0.001 <= min(lengths) < 0.95
    assert 1.05 < max(lengths) <= 1 / SPEED_RANGE[0] + 0.001


def test_another_range_of_speeds_is_kept_to(random):
    augmenter = Augmenter(Augmentation(speed=1, speed_range=(0.8, 1.3)))
    lengths = [len(augmenter.change_voice(tone(300), random)) / 16000 for _ in range(80)]
    assert 1 / 1.3 - 0.002 <= min(lengths) < 0.85
    assert 1.15 < max(lengths) <= 1 / 0.8 + 0.002


def voice(seconds=2.0):
    """Harmonics of 125 Hz, loudest around 700 Hz, in four syllables a second."""
    harmonics = [
        np.exp(-(((hertz - 700) / 300) ** 2)) * tone(hertz, seconds)
        for hertz in range(125, 2000, 125)
    ]
    loudness = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(len(harmonics[0])) / 16000)
    return (sum(harmonics) * loudness).astype(np.float32)


def peaks(waveform):
    """The loudest harmonic, and how often loudness rises in a second."""
    loudness = np.convolve(np.abs(waveform), np.hanning(800), "same")[::160]
    spectrum = np.abs(np.fft.rfft(loudness - loudness.mean(), 16384))
    return loudest_hertz(waveform), spectrum.argmax() * 100 / 16384


@pytest.mark.parametrize("tempo", [0.85, 1.15])
def test_tempo_changes_length_and_syllables_and_not_the_voice(tempo, random):
    assert peaks(voice()) == pytest.approx((750, 4), abs=0.1)
    changed = change_tempo(voice(), tempo)
    assert changed.dtype == np.float32
    assert len(changed) / 16000 == pytest.approx(2 / tempo, abs=0.03)
    assert power(changed) == pytest.approx(power(voice()), rel=0.1)
    hertz, syllables = peaks(changed)
    assert hertz == pytest.approx(750, abs=3)
    assert syllables == pytest.approx(4 * tempo, abs=0.1)
    other_voice = peaks(filter_and_resample(voice(), random, speed=tempo))
    assert other_voice == pytest.approx((750 * tempo, 4 * tempo), rel=0.02)
    np.testing.assert_array_equal(change_tempo(voice()[:2000], tempo), voice()[:2000])


def test_a_recording_changes_its_speed_or_its_tempo(random):
    by_tempo = Augmenter(Augmentation(tempo=1))
    lengths = [len(by_tempo.change_voice(voice(), random)) / 32000 for _ in range(50)]
    assert 1 / SPEED_RANGE[1] - 0.02 <= min(lengths) < 0.95
    assert 1.05 < max(lengths) <= 1 / SPEED_RANGE[0] + 0.02
    both = Augmenter(Augmentation(speed=0.5, tempo=0.5))
    changed = [both.change_voice(voice(), random) for _ in range(60)]
    same_length = sum(len(one) == 32000 for one in changed)
    same_voice = sum(loudest_hertz(one) == pytest.approx(750, abs=3) for one in changed)
    assert 5 < same_length < same_voice < 40


def test_a_narrow_band_cuts_what_is_above(random):
    both = tone(1000) + tone(6000)
    narrow = filter_and_resample(both, random, low_pass=4000.0)
    assert power(narrow) == pytest.approx(power(tone(1000)), rel=0.01)
    assert power(filter_and_resample(tone(30), random, high_pass=300.0)) < 0.01


def test_noise_is_as_loud_as_it_should_be(random):
    waveform = tone(300)
    augmenter = Augmenter(Augmentation(noise=1))
    added = [power(augmenter.change_surroundings(waveform, random) - waveform) for _ in range(40)]
    ratios = 10 * np.log10(power(waveform) / np.array(added))
    assert NOISE_DECIBELS[0] - 0.1 < ratios.min() < ratios.max() < NOISE_DECIBELS[1] + 0.1


def test_noise_and_rooms_come_from_files_where_there_are_some(random, tmp_path):
    soundfile.write(tmp_path / "noise.wav", tone(5000, 0.3), 16000, subtype="FLOAT")
    room = np.zeros(800, np.float32)
    room[[100, 500]] = 1.0, 0.5  # the sound, and an echo 25 ms later
    soundfile.write(tmp_path / "room.wav", room, 16000, subtype="FLOAT")
    noisy = Augmenter(Augmentation(noise=1, noise_files=(str(tmp_path / "noise.wav"),)))
    waveform = tone(300)
    assert loudest_hertz(noisy.change_surroundings(waveform, random) - waveform) == pytest.approx(
        5000, abs=20
    )
    in_room = Augmenter(Augmentation(reverberate=1, room_files=(str(tmp_path / "room.wav"),)))
    click = np.zeros(1000, np.float32)
    click[10] = 1.0
    heard = in_room.change_surroundings(click, random)
    assert np.flatnonzero(np.abs(heard) > 0.01).tolist() == [10, 410]
    assert heard[410] == pytest.approx(0.5, abs=1e-4)


def test_noise_and_rooms_are_made_where_files_cannot_be_decoded(random):
    wanted = Augmentation(
        noise=1, reverberate=1, noise_files=("gone.wav",), room_files=("gone.wav",)
    )
    augmenter = Augmenter(wanted, read=lambda path: None)
    changed = augmenter.change_surroundings(tone(300), random)
    assert power(changed - tone(300)) > 1e-4


def test_reverberation_is_a_convolution(random):
    waveform, response = random.normal(size=400), random.normal(size=60)
    expected = np.convolve(waveform, response)[:400]
    np.testing.assert_allclose(reverberate(waveform, response), expected, atol=1e-4)


@pytest.mark.parametrize("slope", [0, 1, 2])
def test_the_colour_of_noise(slope, random):
    spectrum = np.square(np.abs(np.fft.rfft(coloured_noise(160000, slope, random))))
    octaves = [spectrum[10 * low : 20 * low].mean() for low in (250, 500, 1000, 2000)]
    falls = np.diff(np.log2(octaves))
    assert falls == pytest.approx([-slope] * 3, abs=0.2)


def test_the_same_generator_makes_the_same_recording():
    everything = Augmentation(0.3, 1, 1, 1, 1, 1, 1, 1)
    made = []
    for _ in range(2):
        random = np.random.default_rng((1, 2, 3))
        augmenter = Augmenter(everything, lambda r: tone(200))
        voice = augmenter.change_voice(tone(300), random)
        made.append(augmenter.change_surroundings(voice, random))
    np.testing.assert_array_equal(*made)


def test_joined_recordings_lie_one_after_another():
    joined = join([tone(300, 0.1), tone(400, 0.2)], [0.5])
    assert len(joined) == 1600 + 8000 + 3200
    assert not joined[1600:9600].any()


def test_silent_ends_are_cut(random):
    waveform = 0.001 * random.normal(size=16000).astype(np.float32)
    waveform[6000:10000] += tone(300)[:4000]
    cut = trim(waveform, 0.05, 0.1)
    assert len(cut) == pytest.approx(4000 + 0.15 * 16000, abs=500)
    assert power(cut) * len(cut) == pytest.approx(power(waveform) * 16000, rel=0.05)
    assert cut[0] == cut[-1] == 0
    silence = np.zeros(16000, np.float32)
    assert trim(silence, 0.1, 0.1) is silence


def word(start, end, n_samples=24000):
    waveform = np.zeros(n_samples, np.float32)
    waveform[start:end] = tone(300, (end - start) / 16000)
    return waveform


def test_a_word_loses_its_beginning_or_its_end_and_half_of_it_at_most(random):
    recording = word(8000, 14000)
    begun_late = ended_soon = 0
    for _ in range(60):
        cut = cut_off(recording, random)
        left = np.count_nonzero(cut) / np.count_nonzero(recording)
        assert 0.45 < left < 0.97
        if cut[:5].any():
            assert not cut[-9000:].any()
            begun_late += 1
        else:
            assert not cut[:8000].any()
            ended_soon += 1
    assert ended_soon > begun_late > 5


def test_what_is_no_word_stays_whole(random):
    silence, long = np.zeros(16000, np.float32), word(2000, 30000, 32000)
    assert cut_off(silence, random) is silence
    assert cut_off(long, random) is long


def test_no_word_is_cut_unless_it_is_asked_for(random):
    recording = word(8000, 14000)
    state = random.bit_generator.state
    assert Augmenter(Augmentation(trim=0.5)).cut_word(recording, random) is recording
    assert random.bit_generator.state == state  # or runs begun without it would end otherwise
    assert len(Augmenter(Augmentation(cut_off=1)).cut_word(recording, random)) < len(recording)
    assert not Augmentation(cut_off=0.1).does_nothing


@pytest.mark.parametrize(
    ("known", "is_word"),
    [
        ({"text": "yes"}, True),
        ({"text": "yes no"}, False),
        ({"text": "", "label": "_silence_"}, True),
        ({"text": ""}, False),
        ({"label": "dog"}, True),
        ({"speaker": "a"}, False),
    ],
)
def test_one_word_is_told_by_text_or_label(known, is_word):
    assert Example("a.wav", **known).is_word == is_word


def test_silence_stays_silence():
    assert not unit_power(np.zeros(10, np.float32)).any()


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="noise=2"):
        Augmentation(noise=2)


def test_quick_lengths_are_the_next_without_large_factors():
    def is_quick(n):
        for factor in (2, 3, 5, 7, 11):
            while n % factor == 0:
                n //= factor
        return n == 1

    for length in (3, 16001, 47991.5, 131072, 480013):
        expected = next(n for n in range(int(np.ceil(length)), 10**6) if is_quick(n))
        assert quick_length(length) == expected
    assert quick_length(2**24 + 1) == 2**24 + 1  # further than anybody looks
    for speed in (0.85, 0.9, 1.0, 1.05, 1.1, 1.149):
        for length in (15173, 16000, 47999):
            before, after = quick_lengths(length, speed)
            assert is_quick(before)
            assert is_quick(after)
            assert length <= before < 1.1 * length
            assert before / after == pytest.approx(speed, rel=0.003)


def test_quick_lengths_change_nothing_but_the_time(random):
    waveform = random.standard_normal(15173).astype(np.float32)
    spectrum = np.fft.rfft(waveform)
    frequencies = np.linspace(0, 8000, len(spectrum))
    cut = np.fft.irfft(spectrum / np.sqrt(1 + (frequencies / 3500) ** 40), len(waveform))
    changed = filter_and_resample(waveform, random, low_pass=3500.0)
    inner = slice(200, -200)  # the ends of a recording wrapped around before
    assert len(changed) == len(waveform)
    assert np.abs(changed - cut)[inner].max() < 0.02
