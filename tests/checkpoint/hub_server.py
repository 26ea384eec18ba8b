"""A stand-in for the Hugging Face Hub: a real HTTP server on this machine.

It speaks what a download needs: HEAD and GET of `/{model}/resolve/{revision}/{file}` with
ETag, X-Repo-Commit, ranges and the Hub's error codes, and the list of a folder's files. It can
break off in the middle of a body, answer slowly, or not be a Hub at all.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
from dataclasses import dataclass, field

COMMIT = "c" * 40


@dataclass
class HubModel:
    """One model on the stand-in."""

    files: dict[str, bytes]
    commit: str = COMMIT
    revisions: tuple[str, ...] = ("main",)
    gated: bool = False
    readers: frozenset[str] = frozenset()  # tokens with access to a gated or private model
    private: bool = False


@dataclass
class Behaviour:
    """How the stand-in misbehaves."""

    status: int | None = None  # answer everything with this error
    is_hub: bool = True  # False: files without the Hub's headers
    cut_after_bytes: int | None = None  # break the connection inside each body
    cuts: int = 10**9  # ... this many times
    announced_size: dict[str, int] = field(default_factory=dict)
    seconds_per_answer: float = 0.0


class HubServer:
    """The running stand-in: `with HubServer() as hub: hub.models["owner/name"] = ...`."""

    def __init__(self) -> None:
        self.models: dict[str, HubModel] = {}
        self.tokens: set[str] = set()
        self.behaviour = Behaviour()
        self.requests: list[tuple[str, str]] = []  # (method, path)
        self.ranges: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def downloads(self) -> list[str]:
        """Return the names of the files that were asked for with GET, in order."""
        return [path.split("/", 5)[-1] for method, path in self.requests if method == "GET"]

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _in_folder(model: HubModel, folder: str) -> list[str]:
    return [path for path in model.files if path.startswith(f"{folder}/")]


def _handler_of(hub: HubServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

        def _answer(self, *, with_body: bool) -> None:
            hub.requests.append((self.command, self.path))
            time.sleep(hub.behaviour.seconds_per_answer)
            refusal = self._refusal()
            if refusal is not None:
                self._refuse(*refusal)
            else:
                model_id, _, filename = self._address()
                model = hub.models[model_id]
                if self.path.startswith("/api/"):
                    self._send_list(model, filename)
                else:
                    self._send_file(model, filename, with_body=with_body)

        def _address(self) -> tuple[str, str, str]:
            """Return the model id, the revision and the file of the request."""
            address = re.compile(
                r"(?:/api/models)?/([^/]+/[^/]+|[^/]+)/(?:resolve|tree)/([^/]+)/([^?]+)"
            )
            match = address.match(self.path)
            return match.groups() if match else ("", "", "")

        def _refusal(self) -> tuple[int, str | None, str] | None:
            """Return the status, the Hub's error code and its message, or None to serve."""
            if hub.behaviour.status is not None:
                return hub.behaviour.status, None, "out of order"
            model_id, revision, filename = self._address()
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token and token not in hub.tokens:
                return 401, None, "Invalid credentials in Authorization header"
            model = hub.models.get(model_id)
            if model is None or (model.private and token not in model.readers):
                return 404 if token else 401, "RepoNotFound", "Repository not found"
            if model.gated and token not in model.readers:
                return 403 if token else 401, "GatedRepo", "Access is restricted"
            if revision not in (*model.revisions, model.commit):
                return 404, "RevisionNotFound", f"Invalid rev id: {revision}"
            listed = self.path.startswith("/api/") and _in_folder(model, filename)
            if filename not in model.files and not listed:
                return 404, "EntryNotFound", "Entry not found"
            return None

        def _refuse(self, status: int, code: str | None, message: str) -> None:
            self.send_response(status)
            if code is not None:
                self.send_header("X-Error-Code", code)
            if code == "EntryNotFound":
                self.send_header("X-Repo-Commit", hub.models[self._address()[0]].commit)
            self.send_header("X-Error-Message", message)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send_list(self, model: HubModel, folder: str) -> None:
            entries = [
                {"type": "file", "path": path, "size": len(model.files[path]), "oid": "0" * 40}
                for path in _in_folder(model, folder)
            ]
            body = json.dumps(entries).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send_file(self, model: HubModel, filename: str, *, with_body: bool) -> None:
            body = model.files[filename]
            requested = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(requested.group(1)) if requested else 0
            if requested:
                hub.ranges.append(self.headers["Range"])
            self.send_response(206 if requested else 200)
            if requested:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - first))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("Accept-Ranges", "bytes")
            if hub.behaviour.is_hub:
                self.send_header("X-Repo-Commit", model.commit)
            if filename in hub.behaviour.announced_size:
                self.send_header("X-Linked-Size", str(hub.behaviour.announced_size[filename]))
            self.end_headers()
            if not with_body:
                return
            body = body[first:]
            cut = hub.behaviour.cut_after_bytes
            if cut is not None and hub.behaviour.cuts > 0 and len(body) > cut:
                hub.behaviour.cuts -= 1
                self.wfile.write(body[:cut])
                self.close_connection = True
                return
            self.wfile.write(body)

    return Handler
