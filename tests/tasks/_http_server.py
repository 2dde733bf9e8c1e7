"""A real HTTP server on loopback that does to a download what networks and publishers do."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How one request is answered; what is not said is as a good server does it."""

    status: int = 0  # 0: 200, or 206 for a part
    headers: dict[str, str] = field(default_factory=dict)
    send_bytes: int | None = None  # of the body; then `end`
    end: str = (
        "close"  # close: the connection ends early; reset: it is reset; stall: it stays silent until the test ends
    )
    ignores_range: bool = False
    body: bytes | None = None  # instead of the file
    without: tuple[str, ...] = ()  # headers that are left out


@dataclass
class Server:
    """Files by path, and answers to the requests to come, in order; after them all goes well."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)  # path, Range, If-Range
    sent_bytes: list[int] = field(default_factory=list)  # of the body, by request
    stop: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port of loopback."""
    http = _Http(("127.0.0.1", 0), _Handler)
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    http.server = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield http.server
    finally:
        http.server.stop.set()
        http.shutdown()
        http.server_close()
        thread.join()


class _Http(ThreadingHTTPServer):
    server: Server
    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        script = self.server.server
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        script.requests.append((self.path, wanted, condition))
        answer = script.answers.pop(0) if script.answers else Answer()
        body = script.files.get(self.path)
        self.close_connection = True
        if body is None or answer.status >= 300:
            code = answer.status if answer.status >= 300 else 404
            script.sent_bytes.append(0)
            self._head(code, {"Content-Length": "0", **answer.headers}, ())
            return
        start, code = 0, 200
        headers = {"ETag": etag(body), "Last-Modified": "Sat, 01 Mar 2014 10:00:00 GMT"}
        fresh = condition in (None, etag(body), headers["Last-Modified"])
        if wanted and fresh and not answer.ignores_range:
            start, code = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        sent = body[start:] if answer.body is None else answer.body
        headers["Content-Length"] = str(len(sent))
        part = sent if answer.send_bytes is None else sent[: answer.send_bytes]
        script.sent_bytes.append(len(part))
        self._head(answer.status or code, {**headers, **answer.headers}, answer.without)
        self.wfile.write(part)
        self.wfile.flush()
        if len(part) < len(sent):
            self._end(answer, script)

    def _end(self, answer: Answer, script: Server) -> None:
        if answer.end == "stall":
            script.stalled.set()
            script.stop.wait()
        elif answer.end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _head(self, code: int, headers: dict[str, str], without: tuple[str, ...]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            if name not in without:
                self.send_header(name, value)
        self.end_headers()
