"""What tells one content, one model and one set of settings from another."""

import http.server
import os
import threading
from typing import ClassVar

import pytest

from w2v_cli.batch import fingerprint
from w2v_cli.batch.fingerprint import (
    Content,
    files_fingerprint,
    model_fingerprint,
    settings_key,
)


def test_content(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    first = Content.read(path)
    assert (first.size, len(first.digest)) == (3, 32)
    assert Content.glance(path).looks_like(first)
    assert Content.glance(path).digest is None
    os.utime(path, (1, 1))
    assert not Content.glance(path).looks_like(first)
    assert Content.read(path).digest == first.digest
    path.write_bytes(b"two")
    assert Content.read(path).digest != first.digest


def test_what_is_no_file_has_no_content(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for name in ("pipe", "gone", ".", "nul\0"):
        assert Content.read(f"{tmp_path}/{name}") is None


def test_a_store_tells_when_a_file_was_changed(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.wav", b"one")
    first = Content.read("memory://bucket/a.wav")
    assert (first.size, first.digest) == (3, None)
    assert Content.glance("memory://bucket/a.wav").looks_like(first)
    store.pipe("/bucket/a.wav", b"two")
    assert not Content.glance("memory://bucket/a.wav").looks_like(first)
    assert Content.glance("memory://bucket/b.wav") is None
    assert Content.glance("nosuchthing://bucket/b.wav") is None
    store.rm("/bucket", recursive=True)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers questions about a file with the headers of the moment, and never hangs up."""

    headers_now: ClassVar[dict[str, str]] = {}

    def do_HEAD(self):
        self.send_response(200)
        for name, value in self.headers_now.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def log_message(self, *arguments):
        pass


def test_a_web_server_s_own_mark_tells_of_a_change(monkeypatch):
    pytest.importorskip("aiohttp")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/a.wav"
        seen = []
        for headers in (
            {"Content-Length": "9", "ETag": '"one"'},
            {"Content-Length": "9", "ETag": '"one"'},
            {"Content-Length": "9", "ETag": '"two"'},
            {},
        ):
            monkeypatch.setattr(Answer, "headers_now", headers)
            seen.append(Content.glance(url))
        server.shutdown()
    assert seen[0].looks_like(seen[1])
    assert not seen[0].looks_like(seen[2])
    assert seen[3] is None


def test_a_store_that_tells_nothing(monkeypatch):
    """Its library has errors of its own, as of missing credentials."""

    def refuse(url):
        raise LookupError("no credentials")

    monkeypatch.setattr(fingerprint, "remote_info", refuse)
    assert Content.read("s3://bucket/a.wav") is None


def test_a_model_is_what_its_files_hold(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = model_fingerprint(str(tmp_path))
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / "optimizer.pt").write_bytes(b"not loaded")
    assert model_fingerprint(str(tmp_path)) == first
    (tmp_path / "language_model").mkdir()
    (tmp_path / "language_model" / "trigram.binary").write_bytes(b"kenlm")
    second = model_fingerprint(str(tmp_path))
    assert second != first
    (tmp_path / "model.safetensors").write_bytes(b"weightS")
    assert model_fingerprint(str(tmp_path)) not in (first, second)


def test_a_language_model_is_a_file_or_a_folder(tmp_path):
    path = tmp_path / "lm.whatever"
    path.write_bytes(b"kenlm")
    first, folder = files_fingerprint(path), files_fingerprint(tmp_path)
    path.write_bytes(b"kenLM")
    assert files_fingerprint(path) != first
    assert files_fingerprint(tmp_path) != folder


def test_the_same_settings_have_one_key():
    assert settings_key({"a": 1, "b": (2, 3)}) == settings_key({"b": [2, 3], "a": 1})
    assert settings_key({"a": 1}) != settings_key({"a": 2})
