"""A web server that misbehaves as it is told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from unisono.io import connections

Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Answer:
    """Answer with a status and nothing else."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def body(
    data: bytes,
    *,
    cut: int | None = None,
    etag: str = '"v1"',
    ranges: bool = True,
    length: int | None = None,
    chunked: bool = False,
    shift: int = 0,
    slow_s: float = 0.0,
) -> Answer:
    """Answer with data.

    `cut` closes the connection after so many bytes, `length` is what Content-Length claims, `chunked` sends without
    one, `ranges=False` ignores Range, `shift` answers a range from the wrong place, `slow_s` waits so long before
    every byte.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        start = 0
        wanted = request.headers.get("Range", "")
        if_range = request.headers.get("If-Range", etag)
        if wanted and ranges and if_range == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) + shift
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            request.send_response(200)
        if etag:
            request.send_header("ETag", etag)
        payload = data[start:]
        if chunked:
            request.send_header("Transfer-Encoding", "chunked")
        else:
            request.send_header("Content-Length", str(len(payload) if length is None else length))
        request.end_headers()
        sent = payload if cut is None else payload[:cut]
        if chunked:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b"")
            request.wfile.write(b"0\r\n\r\n" if cut is None else b"")
        else:
            with contextlib.suppress(OSError):  # the other side may have hung up
                for piece in (sent[i : i + 1] for i in range(len(sent))) if slow_s else (sent,):
                    time.sleep(slow_s)
                    request.wfile.write(piece)

    return answer


class Server:
    """Answers the requests to each path with the answers queued for it; the last one stays."""

    body = staticmethod(body)
    status = staticmethod(status)

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    def add(self, path: str, *answers: Answer) -> str:
        """Queue answers for a path; return its URL."""
        self.answers[path] = list(answers)
        return self.address + path

    def ranges(self) -> list[str]:
        """The ``Range`` header of every request so far."""
        return [headers.get("Range", "") for _, headers in self.requests]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine; waits between attempts are short."""
    monkeypatch.setattr(connections, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(connections, "ATTEMPTS", 3)
    monkeypatch.setattr(connections, "TIMEOUT_S", 10.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            running.requests.append((self.path, dict(self.headers)))
            self.close_connection = True
            answers = running.answers.get(self.path, [status(404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    httpd.shutdown()
    httpd.server_close()
    thread.join()
