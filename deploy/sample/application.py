"""A sample application: ``python -m deploy.sample.application --bind ADDRESS:PORT --name NAME``.

It checks no certificate and asks for no password: only the gateway reaches it, and whoever is asking stands in the
``X-Guosuo-…`` headers, which the gateway sets itself and never passes through. Every document is invented (演练样本).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

#: Encodings that a marked document may be asked for in.
ENCODINGS = ("utf-8", "gb18030", "utf-16le")

_MARKED = "机密★10年\n演练样本：本文件纯属虚构。\nExercise sample: every word of this document is invented.\n"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking, as the gateway says."""

    person: str
    name: str
    department: str
    serial: str
    request: str


def visitor(headers: Message) -> Visitor:
    """Read the gateway's headers; names are percent-encoded UTF-8."""

    def said(name: str) -> str:
        return unquote(headers.get(f"X-Guosuo-{name}", ""))

    return Visitor(said("Person"), said("Name"), said("Department"), said("Serial"), said("Request"))


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


def report(who: Visitor, _query: dict[str, list[str]]) -> Page:
    """Greet the person by name and department."""
    lines = [
        f"您好，{who.department} {who.name}（{who.person}）",
        f"certificate {who.serial}",
        f"request {who.request}",
        "2026 年预算执行情况（演练样本）",
    ]
    return Page(("\n".join(lines) + "\n").encode())


def marked(_who: Visitor, query: dict[str, list[str]]) -> Page:
    """Serve the marked document in the encoding that is asked for."""
    encoding = query.get("encoding", ["utf-8"])[0]
    if encoding not in ENCODINGS:
        return Page(f"one of {' '.join(ENCODINGS)}\n".encode(), status=HTTPStatus.BAD_REQUEST)
    return Page(_MARKED.encode(encoding), f"text/plain; charset={encoding}")


def healthy(_who: Visitor, _query: dict[str, list[str]]) -> Page:
    """Say that the application answers."""
    return Page(b"ok\n")


PAGES: dict[str, Callable[[Visitor, dict[str, list[str]]], Page]] = {
    "/healthz": healthy,
    "/budget/report": report,
    "/budget/marked": marked,
    "/docs/marked": marked,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sample"
    sys_version = ""
    # One packet for head and body, and no waiting for an acknowledgement in between.
    wbufsize: ClassVar[int] = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        page = PAGES.get(address.path)
        known = page(visitor(self.headers), parse_qs(address.query)) if page else None
        self._answer(known or Page(b"no such page\n", status=HTTPStatus.NOT_FOUND))

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the gateway keeps the records."""

    def _answer(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="A sample application behind the gateway (演练样本).")
    parser.add_argument("--bind", required=True, help="ADDRESS:PORT on the clear hop")
    parser.add_argument("--name", default="sample")
    options = parser.parse_args()
    address, _, port = options.bind.rpartition(":")
    with _Server((address.strip("[]"), int(port)), _Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
