"""Where the bytes come from: every way a path can be wrong, and streams that cannot seek."""

import errno
import io
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.sources import ByteSource, open_source, printable
from w2v_cli.errors import AudioError


def refusal(source, **options):
    with pytest.raises(AudioError) as caught, open_source(source, **options):
        pass
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestPaths:
    def test_missing(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert refusal("talk.wav") == (
            f"talk.wav: no such file; check the name, or where you are: {tmp_path}"
        )

    def test_missing_with_something_like_it_beside(self, tmp_path):
        (tmp_path / "sermon 1.flac").touch()
        (tmp_path / "notes.txt").touch()
        assert refusal(tmp_path / "sermon1.flac") == (
            f"{tmp_path}/sermon1.flac: no such file; did you mean {tmp_path}/sermon 1.flac?"
        )

    def test_missing_folder(self, tmp_path):
        assert refusal(tmp_path / "no" / "talk.wav") == (
            f"{tmp_path}/no/talk.wav: no such file: there is no folder {tmp_path}/no; "
            "check the path"
        )

    def test_broken_link(self, tmp_path):
        (tmp_path / "talk.wav").symlink_to("gone.wav")
        assert refusal(tmp_path / "talk.wav") == (
            f"{tmp_path}/talk.wav: a link to gone.wav, which does not exist; mend or remove it"
        )

    def test_link_to_itself(self, tmp_path):
        (tmp_path / "talk.wav").symlink_to("talk.wav")
        message = refusal(tmp_path / "talk.wav")
        assert message == f"{tmp_path}/talk.wav: cannot be read: {os.strerror(errno.ELOOP)}"

    def test_directory(self, tmp_path):
        assert refusal(tmp_path) == (
            f"{tmp_path}: a directory; name the recordings in it, {tmp_path}/*, or add --recursive"
        )

    def test_empty(self, tmp_path):
        (tmp_path / "talk.wav").touch()
        assert refusal(tmp_path / "talk.wav") == (
            f"{tmp_path}/talk.wav: empty (0 bytes); record or copy it again"
        )

    def test_device(self):
        assert refusal("/dev/zero") == "/dev/zero: a device, not a recording; name a file"

    def test_socket(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("talk")
            assert refusal("talk") == "talk: a socket, not a recording; name a file"

    def test_no_permission(self, tmp_path):
        path = tmp_path / "talk.wav"
        path.write_bytes(b"RIFF")
        path.chmod(0)
        expected = f"{path}: no permission to read it; ask its owner, or try: chmod u+r {path}"
        root = os.geteuid() == 0
        if root:  # who may read everything; the folder, which is its own, keeps others out
            os.seteuid(65534)
        try:
            assert refusal(path) == expected
        finally:
            if root:
                os.seteuid(0)

    def test_name_too_long(self):
        name = "a" * 300 + ".wav"
        assert refusal(name) == f"{name}: cannot be read: {os.strerror(errno.ENAMETOOLONG)}"

    def test_own_name_in_messages(self):
        assert refusal("/no/such/talk.wav", name="the talk").startswith("the talk: no such file")

    @pytest.mark.parametrize("name", ["a b.wav", "日本 🎵.wav", "-x.wav", "talk.mp3", "talk"])
    def test_any_name_is_read(self, tmp_path, sound, name, monkeypatch):
        monkeypatch.chdir(tmp_path)
        soundfile.write(tmp_path / name, sound(), 16000, format="WAV")
        assert read_waveforms(name).duration_seconds == 3
        assert read_waveforms(tmp_path / name).duration_seconds == 3

    def test_names_are_printed_on_one_line(self):
        assert printable("a\nb\t\x1b[31m日本 🎵 c.wav") == "a\\nb\\t\\x1b[31m日本 🎵 c.wav"

    def test_fifo(self, tmp_path, encoded, sound):
        (tmp_path / "talk.wav").write_bytes(encoded(sound()))
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(["sh", "-c", "cat talk.wav > pipe"], cwd=tmp_path):
            assert read_waveforms(tmp_path / "pipe").duration_seconds == 3


class TestStreams:
    def test_pipe(self, pipe, encoded, sound):
        samples = sound()
        waveforms = read_waveforms(pipe(encoded(samples, subtype="FLOAT")))
        np.testing.assert_array_equal(waveforms.channels[0], samples)

    def test_pipe_larger_than_memory_should_hold(self, pipe, encoded, sound, monkeypatch):
        monkeypatch.setattr("w2v_cli.audio.sources._SPOOL_BYTES", 1000)
        assert read_waveforms(pipe(encoded(sound(), kind="FLAC"))).duration_seconds == 3

    def test_open_file_is_read_from_its_beginning_and_left_open(self, tmp_path, encoded, sound):
        (tmp_path / "talk.wav").write_bytes(encoded(sound()))
        with open(tmp_path / "talk.wav", "rb") as file:
            file.seek(1000)
            assert read_waveforms(file).duration_seconds == 3
            assert read_waveforms(file).duration_seconds == 3
            assert not file.closed

    def test_empty(self, pipe):
        assert refusal(pipe(b"")) == "stream: empty (0 bytes); record or copy it again"
        assert refusal(io.BytesIO(b""), name="upload").startswith("upload: empty")

    def test_open_file_gives_its_name(self, tmp_path):
        (tmp_path / "talk.wav").touch()
        with open(tmp_path / "talk.wav", "rb") as file:
            assert refusal(file).startswith(f"{tmp_path}/talk.wav: empty")

    def test_that_fails_while_it_is_copied(self, pipe, monkeypatch):
        stream = pipe(b"RIFF")

        def fail(buffer):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(stream, "readinto", fail)
        assert refusal(stream) == f"stream: cannot be read: {os.strerror(errno.EIO)}"

    def test_without_room_for_a_copy(self, pipe, monkeypatch, tmp_path):
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        stream = pipe(b"RIFF")

        def fail(buffer):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(stream, "readinto", fail)
        assert refusal(stream) == (
            f"stream: cannot be read: {os.strerror(errno.ENOSPC)}; "
            f"free space in {tmp_path}, or set TMPDIR"
        )


class TestStandardInput:
    SCRIPT = (
        "from w2v_cli.audio import read_waveforms; from w2v_cli.errors import AudioError\n"
        "try: print(read_waveforms('-').duration_seconds)\n"
        "except AudioError as error: print(error)\n"
    )

    def run(self, **options):
        command = [sys.executable, "-c", self.SCRIPT]
        return subprocess.run(command, capture_output=True, check=True, **options).stdout.decode()

    @pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
    def test_pipe(self, encoded, sound, kind):
        assert self.run(input=encoded(sound(), kind=kind)) == "3.0\n"

    def test_redirected_file(self, tmp_path, encoded, sound):
        (tmp_path / "talk.wav").write_bytes(encoded(sound()))
        with open(tmp_path / "talk.wav", "rb") as file:
            assert self.run(stdin=file) == "3.0\n"

    def test_nothing(self):
        assert self.run(input=b"") == "standard input: empty (0 bytes); record or copy it again\n"

    def test_terminal(self):
        parent, child = os.openpty()
        try:
            assert self.run(stdin=child) == (
                "standard input: a terminal, not a recording; pipe one in with: ... < FILE\n"
            )
        finally:
            os.close(parent)
            os.close(child)


class FailingFile(io.BytesIO):
    """A file on a disk that breaks, or that the user stops waiting for."""

    def __init__(self, content, failure):
        super().__init__(content)
        self.failure = failure
        self.reads = 0

    def read(self, size=-1):
        self.reads += 1
        if self.reads > 8:
            raise self.failure
        return super().read(size)


class TestByteSource:
    def test_a_damaged_header_cannot_lead_in_front_of_the_file(self):
        source = ByteSource(io.BytesIO(bytes(100)), "x")
        source.seek(10)
        assert source.seek(-1) == source.tell() == 10

    def test_a_disk_that_fails_while_decoding(self, encoded, sound, capfd):
        content = encoded(sound(seconds=20))
        failure = OSError(errno.EIO, os.strerror(errno.EIO))
        with pytest.raises(AudioError) as caught:
            read_waveforms(FailingFile(content, failure), name="talk.wav")
        assert str(caught.value) == f"talk.wav: cannot be read: {os.strerror(errno.EIO)}"
        assert capfd.readouterr().err == ""

    def test_an_interrupt_while_decoding(self, encoded, sound, capfd):
        content = encoded(sound(seconds=20))
        with pytest.raises(KeyboardInterrupt):
            read_waveforms(FailingFile(content, KeyboardInterrupt()), name="talk.wav")
        assert capfd.readouterr().err == ""

    def test_patch_is_seen_through_every_read(self):
        content = bytes(range(100))
        source = ByteSource(io.BytesIO(content), "x")
        source.patch(40, b"ABCD")
        expected = content[:40] + b"ABCD" + content[44:]
        for start in range(30, 50):
            for size in range(1, 20):
                assert source.read_at(start, size) == expected[start : start + size]
                assert source.tell() == 0
        source.seek(7)
        assert source.read_at(40, 4) == b"ABCD"
        assert source.tell() == 7
        source.seek(0)
        assert source.read() == expected
        assert source.tell() == source.size == 100
