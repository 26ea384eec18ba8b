"""Recordings at URLs: read as files are, and every way that fails has its own message."""

import http.server
import io
import socket
import sys
import threading
from typing import ClassVar

import fsspec
import numpy as np
import pytest
import soundfile
from fsspec.registry import _registry
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from w2v_cli.audio import read_waveforms
from w2v_cli.audio.remote import is_url, local_path, url_suffix
from w2v_cli.audio.sources import open_source
from w2v_cli.errors import AudioError, MissingDependencyError


class Handler(http.server.BaseHTTPRequestHandler):
    """A web server that knows nothing of ranges, and refuses what is called so."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.strip("/").isdecimal():
            self.send_error(int(path.strip("/")))
        elif path in ("/moved.wav", "/circle.wav"):
            self.send_response(302)
            self.send_header("Location", "/talk.wav" if path == "/moved.wav" else path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path in ("/short.wav", *self.files):
            content = self.files["/talk.wav" if path == "/short.wav" else path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: 1000 if path == "/short.wav" else None])
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    """The address of a web server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def talk(sound, encoded):
    """Three seconds of sound, (frames,), which the server has as /talk.wav."""
    samples = sound()
    Handler.files["/talk.wav"] = encoded(samples, subtype="FLOAT")
    Handler.asked.clear()
    return samples


@pytest.fixture
def memory(talk):
    """fsspec's files in memory, with /folder/talk.wav among them."""
    files = fsspec.filesystem("memory")
    files.pipe("/folder/talk.wav", Handler.files["/talk.wav"])
    yield files
    files.rm("/", recursive=True)


class NoCredentialsError(Exception):
    """botocore's error of this name is no OSError either."""


class SlowStore(AbstractFileSystem):
    """A store as fsspec's buffered files see it, which counts what is fetched."""

    protocol = "slowstore"
    content = b""

    def __init__(self, **options):
        super().__init__(**options)
        self.fetched = []
        self.lost = False

    def info(self, path, **_):
        name = path.rpartition("/")[2]
        if name == "secret.wav":
            raise PermissionError("Access Denied")
        if name == "private.wav":
            raise NoCredentialsError("Unable to locate credentials")
        if name == "bucket":
            raise IsADirectoryError(path)
        return {"name": path, "size": self.size, "type": "file"}

    @property
    def size(self):
        return len(self.content)

    def _open(self, path, mode="rb", block_size=None, cache_options=None, **options):
        return SlowFile(self, path, mode, block_size, cache_options=cache_options, **options)


class SlowFile(AbstractBufferedFile):
    def _fetch_range(self, start, end):
        if self.fs.lost and start > 0:
            raise RuntimeError("connection lost")
        self.fs.fetched.append((start, end))
        return self.fs.content[start:end]


@pytest.fixture
def store(monkeypatch):
    """A store that has ten minutes of sound at 48 kHz in its bucket, and answers in time."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(600 * 48000, np.int16), 48000, format="WAV")
    monkeypatch.setattr(SlowStore, "content", buffer.getvalue())
    fsspec.register_implementation("slowstore", SlowStore, clobber=True)
    SlowStore.clear_instance_cache()
    return fsspec.filesystem("slowstore")


def refusal(url, kind=AudioError):
    with pytest.raises(kind) as caught:
        read_waveforms(url)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(url)
    return message.removeprefix(f"{url}: ")


class TestNames:
    @pytest.mark.parametrize(
        "url", ["s3://b/a.wav", "HTTPS://h/a", "zip://a.wav::s3://b/c.zip", "simplecache::gs://b/a"]
    )
    def test_urls(self, url):
        assert is_url(url)

    @pytest.mark.parametrize("path", ["a.wav", "C:\\a.wav", "c://a.wav", "a:b", "-", "", "a/b://c"])
    def test_paths(self, path):
        assert not is_url(path)

    def test_suffix_is_the_files_own(self):
        assert url_suffix("https://host/a.b/Talk.MP3?key=x.wav#y.z") == ".mp3"
        assert url_suffix("zip://in/talk.flac::s3://b/all.zip") == ".flac"
        assert url_suffix("memory://talk") == ""

    def test_local(self):
        assert local_path("file:///a b.wav") == "/a b.wav"
        assert local_path("s3://b/a.wav") is None


class TestLocalFiles:
    def test_are_read_and_refused_as_paths_are(self, tmp_path, encoded, sound):
        (tmp_path / "talk.wav").write_bytes(encoded(sound()))
        assert read_waveforms(f"file://{tmp_path}/talk.wav").duration_seconds == 3
        url = f"file://{tmp_path}/talks.wav"
        assert refusal(url) == f"no such file; did you mean {tmp_path}/talk.wav?"


class TestStores:
    """memory:// stands for the stores: fsspec reads all of them in blocks."""

    def test_read(self, memory, talk):
        waveforms = read_waveforms("memory://folder/talk.wav")
        np.testing.assert_array_equal(waveforms.channels[0], talk)

    def test_range(self, memory, talk):
        part = read_waveforms("memory://folder/talk.wav", start_seconds=1, end_seconds=2)
        np.testing.assert_array_equal(part.channels[0], talk[16000:32000])

    def test_a_long_file_is_fetched_once_and_few_blocks_are_kept(self, store, talk):
        waveforms = read_waveforms("slowstore://bucket/long.wav")
        assert waveforms.duration_seconds == 600
        assert sum(end - start for start, end in store.fetched) <= 1.1 * store.size
        assert len(store.fetched) < 12

    def test_a_part_of_a_long_file_is_fetched(self, store):
        url = "slowstore://bucket/long.wav"
        read_waveforms(url, start_seconds=590)
        assert sum(end - start for start, end in store.fetched) < store.size

    def test_missing(self, memory):
        assert refusal("memory://folder/no.wav") == "no such file; check the address"

    def test_empty(self, memory):
        memory.pipe("/folder/empty.wav", b"")
        assert refusal("memory://folder/empty.wav").startswith("empty (0 bytes)")

    def test_directory(self, store):
        assert refusal("slowstore://bucket") == "a directory; name the recordings in it"

    def test_no_permission(self, store):
        assert refusal("slowstore://bucket/secret.wav") == (
            "no permission to read it (Access Denied); sign in, or ask its owner"
        )

    def test_no_credentials(self, store):
        assert refusal("slowstore://bucket/private.wav") == (
            "no permission to read it (Unable to locate credentials); sign in, or ask its owner"
        )

    def test_lost_connection(self, store):
        store.lost = True
        assert refusal("slowstore://bucket/long.wav") == (
            "cannot be read: connection lost; check the address and the network"
        )

    def test_unknown_protocol(self):
        assert refusal("nostore://bucket/talk.wav") == (
            "no known kind of address; name a file, or an address such as "
            "s3://bucket/talk.wav, gs://bucket/talk.wav or https://host/talk.wav"
        )

    @pytest.mark.parametrize(
        ("url", "package"),
        [("s3://b/a.wav", "s3fs"), ("gs://b/a.wav", "gcsfs"), ("https://h/a.wav", "aiohttp")],
    )
    def test_missing_package(self, url, package, monkeypatch):
        monkeypatch.setitem(sys.modules, package, None)
        protocol = url.partition(":")[0]
        monkeypatch.delitem(_registry, protocol, raising=False)
        assert refusal(url, MissingDependencyError) == (
            f"reading {protocol}:// addresses needs the package {package}; "
            "install it with: pip install 'w2v[urls]'"
        )

    def test_missing_package_of_no_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "paramiko", None)
        assert refusal("sftp://host/talk.wav") == (
            "reading sftp:// addresses needs another package; install it with: pip install paramiko"
        )


class TestWebServers:
    @pytest.fixture(autouse=True)
    def _aiohttp(self):
        pytest.importorskip("aiohttp")

    def test_read_once(self, server, talk):
        waveforms = read_waveforms(f"{server}/talk.wav")
        np.testing.assert_array_equal(waveforms.channels[0], talk)
        assert Handler.asked == ["/talk.wav"]

    def test_range(self, server, talk):
        part = read_waveforms(f"{server}/talk.wav?key=1", start_seconds=1, end_seconds=2)
        np.testing.assert_array_equal(part.channels[0], talk[16000:32000])

    def test_moved(self, server, talk):
        assert read_waveforms(f"{server}/moved.wav").duration_seconds == 3

    def test_name_and_suffix(self, server, talk):
        with open_source(f"{server}/talk.wav?a=b.mp3") as source:
            assert (source.label, source.suffix) == (f"{server}/talk.wav?a=b.mp3", ".wav")

    def test_missing(self, server, talk):
        assert refusal(f"{server}/no.wav") == "no such file; check the address"

    @pytest.mark.parametrize("status", [401, 403])
    def test_no_permission(self, server, status):
        assert refusal(f"{server}/{status}").startswith(f"no permission to read it ({status}")

    def test_broken_server(self, server):
        assert refusal(f"{server}/503") == (
            "cannot be read: the server answers 503 Service Unavailable"
        )

    def test_leads_in_a_circle(self, server):
        assert refusal(f"{server}/circle.wav") == (
            "cannot be read: the server leads in a circle; check the address"
        )

    def test_breaks_off(self, server, talk):
        assert refusal(f"{server}/short.wav").startswith("cannot be read: ")

    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        message = refusal(f"http://127.0.0.1:{port}/talk.wav")
        assert message.startswith("cannot be read: ")
        assert message.endswith("; check the address and the network")

    def test_no_such_host(self):
        assert refusal("http://nowhere.invalid/talk.wav").endswith(
            "check the address and the network"
        )
