"""Thousands of very short recordings, some of them bad in every way that there is."""

import ctypes
import os

import numpy as np
import soundfile

RATE = 16000
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


def babble(seed, seconds, channels=1):
    """Return sound with something going on in it: (samples, channels)."""
    random = np.random.default_rng(seed)
    clock = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (200 + 400 * random.random()) * clock)
    noise = random.normal(size=(channels, len(clock)))
    return (0.2 * (tone + 0.3 * noise)).astype(np.float32).T


def write_good(path, seed):
    soundfile.write(path.with_suffix(".wav"), babble(seed, 0.2 + 0.01 * (seed % 20)), RATE)
    return path.with_suffix(".wav")


def truncated_flac(path, seed):
    path = path.with_suffix(".flac")
    soundfile.write(path, babble(seed, 0.5), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def empty(path, seed):
    path = path.with_suffix(".ogg")
    path.write_bytes(b"")
    return path


def text(path, seed):
    path = path.with_suffix(".wav")
    path.write_text(f"call {seed}: nobody was at home\n" * 40)
    return path


def wrong_extension(path, seed):
    path = path.with_suffix(".mp3")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + np.random.default_rng(seed).bytes(4000))
    return path


def no_permission(path, seed):
    path = write_good(path, seed)
    path.chmod(0)
    return path


def directory(path, seed):
    path = path.with_suffix(".wav")
    path.mkdir()
    return path


def broken_link(path, seed):
    path = path.with_suffix(".wav")
    path.symlink_to(f"gone-{seed}.wav")
    return path


def nan_samples(path, seed):
    path = path.with_suffix(".wav")
    samples = babble(seed, 0.5)
    samples[100 + seed % 50] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def a_hundredth_of_a_second(path, seed):
    path = path.with_suffix(".wav")
    soundfile.write(path, babble(seed, 0.01), RATE)
    return path


def sixty_four_channels(path, seed):
    path = path.with_suffix(".wav")
    soundfile.write(path, babble(seed, 0.1, channels=64), RATE)
    return path


BAD_KINDS = {
    truncated_flac: "cut short or damaged",
    empty: "empty (0 bytes)",
    text: "holds text, not sound",
    wrong_extension: ": ",
    no_permission: "no permission to read it",
    directory: "a directory",
    broken_link: "which does not exist",
    nan_samples: "NaN or infinite samples",
    a_hundredth_of_a_second: "too short for a",
    sixty_four_channels: "64 channels",
}


def write_many(folder, n_good, n_bad_of_each):
    """Write recordings into folders of a hundred; return the good ones, and the bad by kind."""
    n_bad = n_bad_of_each * len(BAD_KINDS)
    total = n_good + n_bad
    places = np.linspace(3, total - 4, n_bad).round()
    bad_places = {int(place): index for index, place in enumerate(places)}
    assert len(bad_places) == n_bad
    good, bad = [], {}
    kinds = list(BAD_KINDS)
    for number in range(total):
        path = folder / f"{number // 100:02}" / f"call {number:04}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number in bad_places:
            kind = kinds[bad_places[number] % len(kinds)]
            bad[kind(path, number)] = kind
        else:
            good.append(write_good(path, number))
    return good, bad


def without_privileges():
    """Let root read only what it may by the permissions, as anyone else; in a child process."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "prctl")
